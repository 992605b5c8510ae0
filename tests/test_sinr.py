"""Sparse codes: every form comes back, and is the same to the standalone decoder; what is damaged is refused; the encoder's choices."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.implicit import sinr as study
from inrcodec.compression import compress
from inrcodec.container import Reader, varint
from inrcodec.errors import FormatError
from inrcodec.fit.codings import Lsq, Sinr
from inrcodec.fit.codings import sinr as fitting
from inrcodec.fit.codings.sinr import Setting, nonzeros, pursue, pursue_all
from inrcodec.fit.export import export
from inrcodec.fit.model import CoordinateNetwork
from inrcodec.kernels import integers
from inrcodec.kernels.architecture import Architecture
from inrcodec.kernels.dictionary import atoms, deviation
from inrcodec.kernels.inr import axis_coordinates
from inrcodec.weights import network, sinr
from inrcodec.weights.sinr import Counts, Form, Sparse

from .test_bounds import peak_of

SHAPE = (7, 60)  # of a matrix whose rows are its vectors
FORMS = [Form(), Form(2, True, 8), Form(4, False, 12), Form(8, True, 16), Form(8, False, 9)]


def codes_of(shapes: list[tuple[int, int]], form: Form, share: float, rng: np.random.Generator) -> list[Sparse]:
    """Random sparse codes, with share·k non-zeros in each vector."""
    found = []
    for shape in shapes:
        vectors, length = sinr.vector_shape(shape)
        size = sinr.dictionary_size(length, form)
        positions = np.stack([np.sort(rng.permutation(size)[: int(share * length)]) for _ in range(vectors)])
        values = rng.integers(-form.largest, form.largest, positions.shape, endpoint=True)
        found.append(Sparse(shape, positions, values, form))
    return found


def entry(index: int, seed: int, signs: bool) -> int:
    """An entry of the dictionary, in plain Python."""
    mask = 2**64 - 1
    z = ((index + 1) * 0x9E3779B97F4A7C15 + seed) & mask
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & mask
    z ^= z >> 31
    return 2 * (z & 1) - 1 if signs else z.bit_count() - 32


def plain_matrix(code: Sparse, seed: int) -> list[int]:
    """The matrix of sparse codes, row by row, in plain Python."""
    _, length = sinr.vector_shape(code.shape)
    found: list[int] = []
    for places, values in zip(code.positions.tolist(), code.values.tolist(), strict=True):
        vector = [0] * length
        for place, value in zip(places, values, strict=True):
            for i in range(length):
                vector[i] += value * entry(place * 2**32 + i, seed, code.form.signs)
        found += vector
    return found[: code.shape[0] * code.shape[1]]


def test_atoms_of_signs_in_plain_python() -> None:
    found = atoms(5, np.array([0, 9, 4000]), 255, signs=True)
    assert found.dtype == np.int8
    assert found.tolist() == [[entry(c * 2**32 + r, 255, True) for r in range(5)] for c in (0, 9, 4000)]
    many = atoms(500, np.arange(1000), 7, signs=True)
    assert set(np.unique(many)) == {-1, 1}
    assert abs(float(many.mean())) < 0.01
    assert [deviation(signs) for signs in (False, True)] == [4, 1]


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(1, 70), st.integers(1, 70)), min_size=1, max_size=3),
    st.builds(Form, st.sampled_from(sinr.OVERCOMPLETE), st.booleans(), st.integers(8, 16)),
    st.floats(0, 1),
    st.integers(0, 2**31),
)
def test_every_form_comes_back(shapes: list[tuple[int, int]], form: Form, share: float, seed: int) -> None:
    """Both ways of writing the codes, and the way that `write` takes, which is the shorter one."""
    layers = codes_of(shapes, form, share, np.random.default_rng(seed))
    data = sinr.write(layers)
    counts = b"".join(varint(layer.nonzeros) for layer in layers)
    gaps, values = sinr.gaps_and_values(layers)
    bodies = [sinr.brotli_codes(gaps, values, form), sinr.integer_codes(gaps, values)]
    both = [bytes([data[0] & 7 | 8 * i, form.bits]) + counts + body for i, body in enumerate(bodies)]
    assert data in both
    assert len(data) == min(map(len, both))
    for written in both:
        found = sinr.read(Reader(written, "a test"), shapes)
        for a, b in zip(layers, found, strict=True):
            assert (b.shape, b.form) == (a.shape, form)
            assert (a.positions == b.positions).all()
            assert (a.values == b.values).all()


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("coded", [False, True])
def test_both_decoders_expand_the_same(form: Form, coded: bool, linr: ModuleType) -> None:
    shapes = [SHAPE, (5, 9), (3, 2)]
    layers = codes_of(shapes, form, 0.1, np.random.default_rng(form.bits))
    gaps, values = sinr.gaps_and_values(layers)
    body = sinr.integer_codes(gaps, values) if coded else sinr.brotli_codes(gaps, values, form)
    written = bytes([sinr.write(layers)[0] & 7 | 8 * coded, form.bits]) + b"".join(varint(code.nonzeros) for code in layers) + body
    others = [linr.Layer(*shape) for shape in shapes]
    linr.read_sparse(linr.Reader(written), others, 77)
    for code, other in zip(sinr.read(Reader(written, "a test"), shapes), others, strict=True):
        found = sinr.expand(code, 77)
        assert found.ravel().tolist() == plain_matrix(code, 77)
        assert (other.matrix == found).all()


def test_coded_integers_are_taken_where_they_are_shorter() -> None:
    rng = np.random.default_rng(0)
    flags = {sinr.write(codes_of([SHAPE], Form(), share, rng))[0] & 8 for share in (0, 0.1)}
    assert flags == {8}
    even = Sparse((3, 64), np.tile(np.arange(0, 40, 2), (3, 1)), np.tile(np.arange(20), (3, 1)))  # Brotli finds what repeats
    assert sinr.write([even])[0] & 8 == 0


def section(flags: int = 0, bits: int = 16, count: int = 2, gaps: list[int] | None = None, values: list[int] | None = None) -> bytes:
    """A sparse section of a matrix of 1×60, with a vector."""
    gaps, values = gaps or [3, 4], values or [5, -5]
    if flags & 8:
        body = integers.encode([np.array([g // 2 if g % 2 == 0 else -(g + 1) // 2 for g in gaps]), np.array(values)])
    else:
        octets = [n >> s & 255 for numbers in (gaps, [v + (1 << (bits - 1)) for v in values]) for s in (0, 8) for n in numbers]
        body = compress(bytes(octets))
    return bytes([flags, bits]) + varint(count) + body


DAMAGED: dict[str, tuple[str, bytes]] = {
    "size": ("form", section(3)),
    "flag": ("form", section(16)),
    "bits-few": ("form", section(bits=7)),
    "bits-many": ("form", section(bits=17)),
    "count": ("out of range", section(count=61)),
    "fewer": ("size", section(count=1)),
    "more": ("size", section(count=3)),
    "coded-fewer": ("damaged: ", section(8, count=3, gaps=[1] * 20, values=[999] * 20)),
    "coded-more": ("damaged: ", section(8, count=40, gaps=[1] * 20, values=[999] * 20)),
    "atom": ("atom", section(gaps=[3, 116])),
    "atom-4k": ("atom", section(1, gaps=[3, 236])),
    "atom-coded": ("atom", section(8, gaps=[3, 116])),
    "gap-coded": ("atom", section(8, gaps=[65536, 1])),
    "gap-far": ("atom", section(8, gaps=[2**32 - 3, 1])),
    "value-16": ("a sparse weight", section(values=[-32768, 0])),
    "value-8-low": ("a sparse weight", section(bits=8, values=[-128, 0])),
    "value-8-high": ("a sparse weight", section(bits=8, values=[128, 0])),
    "value-coded": ("a sparse weight", section(8, values=[0, 32768])),
    "value-coded-low": ("a sparse weight", section(8, bits=8, values=[0, -128])),
    "stream": ("Brotli", section()[:3] + b"\xff" + section()[4:]),
    "goes-on": ("damaged: ", section() + b"\0"),
    "coded-goes-on": ("damaged: ", section(8) + bytes(9)),
}


@pytest.mark.parametrize(("told", "data"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_sections_are_refused(told: str, data: bytes, linr: ModuleType) -> None:
    with pytest.raises(FormatError, match=told) as caught:
        sinr.read(Reader(data, "a test"), [(1, 60)])
    assert str(caught.value).startswith("damaged: ")
    assert "\n" not in str(caught.value)
    with pytest.raises(linr.Invalid):
        linr.read_sparse(linr.Reader(data), [linr.Layer(1, 60)], 0)


@pytest.mark.parametrize("data", [section(), section(1, gaps=[3, 235]), section(6), section(8), section(8, bits=8, values=[127, -127])])
def test_sound_sections_are_read(data: bytes) -> None:
    assert len(sinr.read(Reader(data, "a test"), [(1, 60)])) == 1
    for n in range(3):  # the codes of a whole section may be shorter by zeros at their end
        with pytest.raises(FormatError):
            sinr.read(Reader(data[:n], "a test"), [(1, 60)])


def test_no_layers_take_no_bytes() -> None:
    assert sinr.write([]) == b""
    assert sinr.read_counts(Reader(b"x", "a test"), []) == Counts()


def test_what_cannot_be_read_is_not_written() -> None:
    code = codes_of([SHAPE], Form(), 0.1, np.random.default_rng(0))[0]
    with pytest.raises(ValueError, match="one form"):
        sinr.write([code, Sparse(code.shape, code.positions, code.values, Form(4))])
    with pytest.raises(ValueError, match="8 bits"):
        sinr.write([Sparse(code.shape, code.positions, np.full_like(code.values, 128), Form(bits=8))])
    for overcomplete, bits in ((3, 16), (2, 7), (2, 17)):
        with pytest.raises(ValueError, match="cannot be written"):
            Form(overcomplete, False, bits)


@pytest.mark.parametrize("flags", [0, 8])
def test_decoding_takes_the_memory_that_is_told(flags: int) -> None:
    shape, s = (500, 1000), 400
    code = codes_of([shape], Form(), s / shape[1], np.random.default_rng(0))[0]
    gaps, values = sinr.gaps_and_values([code])
    data = sinr.integer_codes(gaps, values) if flags else sinr.brotli_codes(gaps, values, Form())
    counts = Counts(Form(), bool(flags), [s])
    sinr.decode(Counts(Form(), bool(flags), [0]), sinr.integer_codes(gaps[:0], values[:0]) if flags else compress(b""), [shape])  # compiles
    peak = peak_of(lambda: sinr.decode(counts, data, [shape]))
    assert peak - (1 << 16) <= sinr.memory(counts, [shape]) - 48 * sinr.BLOCK < 2 * peak
    assert sinr.memory(Counts(), []) == 0


# --- The fit ------------------------------------------------------------------------------------------------------


def model_of(hidden: int = 52) -> CoordinateNetwork:
    return CoordinateNetwork(Architecture((9, 9), 1, 4, hidden, 2), 40.0, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_network_of_every_form_round_trips(form: Form) -> None:
    """The file's network comes back, and is what fine-tuning sees, but for the rounding of activations."""
    model = model_of()
    a = model.architecture
    coding = Sinr(model, pursue_all(model, 0.25, 9, form), 0.25, 9, form)
    coded = export(model, coding)
    content = network.write(coded)
    found = network.read(content, a.sizes, a.channels, a.bits)
    assert network.write(found) == content
    for x, y in zip(coded.network.layers[0], found.network.layers[0], strict=True):
        assert (x.weights == y.weights).all()
    grid = np.stack(np.meshgrid(*[axis_coordinates(9)] * 2, indexing="ij"), -1).reshape(-1, 2)
    with torch.no_grad():
        close = model(torch.from_numpy((grid / 2**24).astype(np.float32)), coding, []).reshape(len(grid), -1).numpy()
    exact = coded.network.logits(grid) / 1024
    assert np.abs(exact - close).max() < 0.02 * max(1.0, float(np.abs(close).max()))


def test_more_atoms_come_closer() -> None:
    matrix = np.random.default_rng(0).normal(0, 1, (20, 64))
    for signs in (False, True):
        errors = []
        for overcomplete in sinr.OVERCOMPLETE:
            found = pursue(matrix, 0.3, 3, Form(overcomplete, signs))
            positions, values = found.codes(found.order.shape[1])
            errors.append(float(np.square(np.einsum("vs,vsk->vk", values, found.dictionary[positions]) - matrix).mean()))
        assert errors == sorted(errors, reverse=True)


def test_a_dictionary_too_large_for_its_products_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = np.random.default_rng(0).normal(0, 1, (5, 60))
    usual = pursue(matrix, 0.2, 3, Form(4))
    monkeypatch.setattr(fitting, "LARGEST_GRAM", 10)
    assert (pursue(matrix, 0.2, 3, Form(4)).order == usual.order).all()


def test_settings_with_forms() -> None:
    model = model_of()
    given_ones: list[float | Setting] = [1 / 8, Setting(1 / 4, Form(8, True, 9)), Setting(1 / 8, Form(8, True, 10)), 1 / 2]
    made = [(label, make(model)) for label, make in Sinr.makers(model, given_ones, 265)]
    assert [label.split(" of ")[1] for label, _ in made] == [
        "2k Gaussian atoms, 8 bits", "8k ±1 atoms, 9 bits", "8k ±1 atoms, 10 bits", "8k ±1 atoms, 8 bits",
    ]  # fmt: skip
    grids = [coding.grid(1) for _, coding in made]
    assert [grid.sparse[0].form for grid in grids if grid.sparse] == [Form(bits=8), Form(8, True, 9), Form(8, True, 10), Form(8, True, 8)]
    assert [grid.sparse[0].nonzeros for grid in grids if grid.sparse] == [6, 13, 6, 25]
    assert all(coding.setting == 9 for _, coding in made)


def test_pursuits_that_take_long_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of()
    few, many = Setting.of(1 / 8), Setting.of(1 / 2)
    assert few.work((52, 52)) == 52 * 6**2 * 104 < many.work((52, 52)) == 52 * 25**2 * 416
    monkeypatch.setattr(fitting, "MOST_WORK", 2 * few.work((52, 52)))
    for given_ones, kept in (([few, many], 1), ([many], 1), ([1 / 16, 1 / 8, 1 / 4], 2)):
        assert len(list(Sinr.makers(model, given_ones, 0))) == kept


def test_every_search_goes_up_to_just_below_half() -> None:
    assert max(Sinr.settings(False, 0)) == 1 / 2
    assert [nonzeros(length, 1 / 2) for length in (1, 2, 3, 64, 65)] == [1, 1, 1, 31, 32]


@pytest.mark.parametrize("bits", [2, 4])
def test_the_gradient_of_a_learned_step_is_scaled(bits: int) -> None:
    """By 1/√(N·Q_P), and nothing else changes."""
    model = model_of()
    outcomes: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    for gradient_scale in (False, True):
        coding = Lsq(model, bits, gradient_scale)
        weights = coding(1)
        model.zero_grad()
        weights.pow(2).sum().backward()
        own, of_weights = coding.log_scale[1].grad, model.weights[1].grad
        assert own is not None
        assert of_weights is not None
        outcomes.append((weights.detach(), own, of_weights.clone()))
    (weights, step, rest), (same, scaled, same_rest) = outcomes
    assert torch.equal(weights, same)
    assert torch.equal(rest, same_rest)
    assert torch.isclose(scaled, step / (52 * 52 * (2 ** (bits - 1) - 1)) ** 0.5, rtol=1e-4)


# --- The study ----------------------------------------------------------------------------------------------------


def test_the_study_measures_what_is_written() -> None:
    """A network whose own output is the picture: more bits or more atoms bring the coded network closer to it."""
    model = study.Siren(2, 6, torch.Generator().manual_seed(3))
    blank = study.Picture("own", np.zeros((9, 8, 3), np.uint8))
    with torch.no_grad():
        colours = np.rint(np.clip(127.5 * (model(blank.places).double().numpy() + 1), 0, 255))
    found = study.Study(study.Picture("own", colours.reshape(9, 8, 3).astype(np.uint8)), model)
    assert found.picture.psnr(model) > 100
    ladder = [found.uniform(bits) for bits in (3, 6, 9, 16)]
    assert [c.psnr for c in ladder] == sorted(c.psnr for c in ladder)
    assert [c.bytes for c in ladder] == sorted(c.bytes for c in ladder)
    assert ladder[-1].psnr > 40
    few, many = (found.sparse(1 / 2, Form(atoms_, False, 16)) for atoms_ in (2, 8))
    assert few.psnr < many.psnr < ladder[-1].psnr
    assert found.sparse(1 / 2, Form(8, False, 8)).bytes < many.bytes == min(many.brotli, many.own)
    assert few.bytes < study.uniform_at(100, [*ladder, few], 1)  # above the ladder: its end, in bits per parameter


def test_a_line_through_points() -> None:
    assert study.line([(64, 33), (128, 65), (400, 201)]) == pytest.approx((0.5, 1))
