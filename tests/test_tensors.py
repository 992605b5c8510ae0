"""Bundles of tensors: every bit comes back, what is lossy is as lossy as it says, and no damaged file does harm."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import inrcodec
from inrcodec import FormatError, InrcodecError, LimitError, Signal, Tensor, Tensors, UnsupportedError, container
from inrcodec.bundle import choices, lossy, manifest
from inrcodec.bundle.manifest import BITS, SPARSE, STEPS, TABLE, Entry, Group, Lossy, Manifest
from inrcodec.container import Section
from inrcodec.limits import NO_LIMITS
from inrcodec.options import Options
from inrcodec.tensors import BY_NAME, DTYPES, MAX_AXES
from inrcodec.weightfloats import LOSSY, from_double, to_double

few = settings(max_examples=25, deadline=None)


def encoded(tensors: Tensors, **options: Any) -> bytes:
    return inrcodec.encode(tensors, **{"threads": 1, "effort": 1, **options})


def back(data: bytes) -> Tensors:
    return inrcodec.decode_tensors(data, threads=1)


def weights(shape: Sequence[int], seed: int = 0, dtype: type = np.float32) -> npt.NDArray[Any]:
    """Numbers as trained weights have: normal, with another deviation in each row."""
    rng = np.random.default_rng(seed)
    scale = np.exp(rng.normal(-3, 0.5, shape[0])).reshape(-1, *[1] * (len(shape) - 1))
    return np.asarray(rng.standard_normal(shape) * scale, dtype)


# --- every bit comes back -----------------------------------------------------------------------------------------


@st.composite
def tensors_of_bits(draw: st.DrawFn) -> Tensor:
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6))
    numbers = st.integers(0, 2**dtype.width - 1) | st.sampled_from([0, 1, 2 ** (dtype.width - 1), 2**dtype.width - 1])
    return Tensor(dtype.name, draw(hnp.arrays(dtype.word, shape, elements=numbers)))


@few
@given(st.dictionaries(st.text(max_size=8), tensors_of_bits(), max_size=6), st.dictionaries(st.text(max_size=4), st.binary(max_size=9)))
def test_any_bits_come_back(tensors: dict[str, Tensor], metadata: dict[str, bytes]) -> None:
    given_ = Tensors(tensors, metadata)
    data = encoded(given_)
    assert back(data).equals(given_)
    found = inrcodec.info(data)
    assert found["lossless"]
    assert [about["name"] for about in found["tensors"]] == list(tensors)
    assert found["raw_bytes"] == given_.nbytes
    assert found["file_bytes"] == len(data) == found["bytes"]["manifest"] + found["bytes"]["streams"]


SPECIAL = (0.0, -0.0, math.inf, -math.inf, 5e-324, 2**-1074, 2**-149, 65504.0, 1e-8)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_special_floats_come_back(dtype: type) -> None:
    with np.errstate(all="ignore"):
        plain: npt.NDArray[Any] = np.array(SPECIAL, dtype)
    word = np.dtype(f"u{plain.itemsize}")
    top = (plain.view(word)[2]).astype(word)  # infinity; above it lie the NaNs
    payloads = np.concatenate([plain.view(word), top + np.arange(1, 50, dtype=word), ~np.arange(9, dtype=word)])
    tensor = Tensor(BY_NAME[{2: "F16", 4: "F32", 8: "F64"}[plain.itemsize]].name, np.tile(payloads, (90, 1)))
    assert back(encoded(Tensors({"x": tensor}))).tensors["x"].equals(tensor)


@pytest.mark.parametrize("effort", [1, 4, 5])
@pytest.mark.parametrize("shape", [(100, 70), (70000,), (48, 16, 3, 3), (9000, 1), (1, 9000), (2, 3, 1500)])
def test_weights_come_back(shape: tuple[int, ...], effort: int) -> None:
    given_ = Tensors.of({"w": weights(shape), "b": weights(shape[:1]), "n": np.array(7)})
    assert back(encoded(given_, effort=effort)).equals(given_)


def test_numpy_arrays_come_back_in_their_types() -> None:
    arrays: dict[str, Any] = {
        "bool": np.array([[True, False]]),
        "scalar": np.float32(2.5),
        "empty": np.zeros((3, 0, 2), np.int16),
        "big": np.arange(5, dtype=">i4"),
        "fortran": np.asfortranarray(weights((5, 7))),
        **{d.numpy: np.arange(6).astype(d.numpy).reshape(2, 3) for d in DTYPES if d.numpy},
    }
    found = back(encoded(Tensors.of(arrays)))
    for name, array in arrays.items():
        other = found.tensors[name].numpy()
        assert np.array_equal(other, array)
        assert other.shape == np.shape(array)
        assert other.dtype == np.asarray(array).dtype.newbyteorder("=")


def test_bfloat16_as_float32() -> None:
    tensor = Tensor("BF16", np.array([0x3F80, 0xC000, 0x7F80], np.uint16))
    assert tensor.numpy().tolist() == [1.0, -2.0, math.inf]
    with pytest.raises(UnsupportedError, match="F8_E5M2"):
        Tensor("F8_E5M2", np.zeros(1, np.uint8)).numpy()


def test_what_is_no_tensor_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="F4 are not supported; known are BOOL"):
        Tensor("F4", np.zeros(1, np.uint8))
    with pytest.raises(UnsupportedError, match="must be an array of type uint16"):
        Tensor("BF16", np.zeros(1, np.float32))
    with pytest.raises(UnsupportedError, match="33 axes are too many"):
        Tensor.of(np.zeros([1] * (MAX_AXES + 1), np.int8))
    with pytest.raises(UnsupportedError, match="tensor x: arrays of type complex128"):
        Tensors.of({"x": np.zeros(3, complex)})
    with pytest.raises(UnsupportedError, match="not valid Unicode"):
        Tensors.of({"\ud800": np.zeros(3)})
    with pytest.raises(UnsupportedError, match=r"Tensors\.of takes arrays"):
        Tensors({"x": np.zeros(3)})  # type: ignore[dict-item]


def test_a_signal_and_tensors_are_told_apart() -> None:
    signal = inrcodec.encode(np.arange(100, dtype=np.uint8), threads=1)
    with pytest.raises(FormatError, match="holds no tensors"):
        inrcodec.decode_tensors(signal)
    bundle = encoded(Tensors.of({"x": weights((4, 4))}))
    for read in (inrcodec.decode, inrcodec.salvage, inrcodec.render):
        with pytest.raises(InrcodecError, match="holds tensors"):
            read(bundle)


# --- it is small --------------------------------------------------------------------------------------------------


def bfloat16(array: npt.NDArray[Any]) -> Tensor:
    return Tensor("BF16", from_double(array.astype(np.float64).reshape(-1), "BF16").reshape(array.shape))


def test_weights_take_what_exponents_and_signs_hold() -> None:
    plain = weights((256, 256), 1)
    assert len(encoded(Tensors.of({"w": plain}), effort=3)) < 0.84 * plain.nbytes
    short = Tensors({"w": bfloat16(plain)})
    assert len(encoded(short, effort=3)) < 0.68 * short.nbytes


def test_bfloat16_in_float32_takes_no_more_than_bfloat16() -> None:
    short = bfloat16(weights((200, 128), 2))
    wide = Tensors.of({"w": short.numpy()})
    assert len(encoded(wide)) < len(encoded(Tensors({"w": short}))) + 100


def test_few_different_weights_become_a_table() -> None:
    levels = weights((16,), 3)
    data = encoded(Tensors.of({"w": levels[np.random.default_rng(0).integers(0, 16, (300, 100))]}))
    assert inrcodec.info(data)["groups"][0]["coding"] == "table"
    assert len(data) < 300 * 100 * 4 / 8 + 400


def test_equal_tensors_are_stored_once() -> None:
    plain = weights((100, 60), 4)
    one, two = Tensors.of({"a": plain}), Tensors.of({"a": plain, "b": plain.reshape(60, 100), "c": plain})
    data = encoded(two)
    assert len(data) < len(encoded(one)) + 60
    assert [about.get("same_as") for about in inrcodec.info(data)["tensors"]] == [None, "a", "a"]
    assert back(data).equals(two)


def test_small_tensors_share_their_streams() -> None:
    many = {f"layer.{i}.bias": weights((20,), i) for i in range(60)}
    data = encoded(Tensors.of(many))
    assert len(inrcodec.info(data)["groups"]) == 1
    assert len(data) < 60 * 20 * 4 + 800


# --- lossy --------------------------------------------------------------------------------------------------------


def exact_round(x: Fraction, exponent: int, mantissa: int) -> Fraction | None:
    """The nearest float of so many bits, ties to even; None: infinite. By fractions, apart from the package."""
    if x == 0:
        return x
    least = 2 - (1 << (exponent - 1))
    scale = max(least, math.floor(math.log2(abs(float(x)))) if abs(x) > Fraction(1, 2**1000) else least)
    while abs(x) >= Fraction(2) ** (scale + 1):
        scale += 1
    while scale > least and abs(x) < Fraction(2) ** scale:
        scale -= 1
    step = Fraction(2) ** (scale - mantissa)
    found = round(x / step) * step  # Python rounds fractions half to even
    return None if abs(found) >= Fraction(2) ** (1 << (exponent - 1)) else found


@settings(max_examples=300, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["F16", "BF16", "F32"]), st.integers(-60, 60))
def test_floats_are_rounded_as_ieee_754_says(x: float, dtype: str, scale: int) -> None:
    with np.errstate(over="ignore"):
        x = float(np.float64(x) if scale > 50 else math.ldexp(math.frexp(x)[0], scale - (150 if scale < -55 else 0)))
    kind = BY_NAME[dtype]
    wanted = exact_round(Fraction(x), kind.exponent, kind.mantissa)
    with np.errstate(all="ignore"):
        found = float(to_double(from_double(np.array([x]), dtype), dtype)[0])
    assert found == (math.copysign(math.inf, x) if wanted is None else float(wanted))
    assert math.copysign(1, found) == math.copysign(1, x)


@pytest.mark.parametrize("dtype", ["F16", "BF16"])
def test_every_short_float_is_its_own_nearest(dtype: str) -> None:
    bits = np.arange(65536, dtype=np.uint16)
    with np.errstate(invalid="ignore"):
        wide = to_double(bits, dtype)
    right = ~np.isnan(wide)
    assert np.array_equal(from_double(wide[right], dtype), bits[right])


def test_halves_go_to_even() -> None:
    half = np.array([1 + 2**-11, 1 + 3 * 2**-11, 2**-25, 3 * 2**-25, 65520.0, 65519.0])
    assert to_double(from_double(half, "F16"), "F16").tolist() == [1.0, 1 + 2**-9, 0.0, 2**-23, math.inf, 65504.0]


def snr(plain: npt.NDArray[Any], found: npt.NDArray[Any]) -> float:
    error = plain.astype(np.float64) - found.astype(np.float64)
    return 10 * math.log10(np.square(plain.astype(np.float64)).sum() / np.square(error).sum())


@pytest.mark.parametrize("dtype", LOSSY)
@pytest.mark.parametrize(("coding", "bits", "least"), [("uniform", 8, 25), ("lsq", 8, 30), ("lsq", 4, 12), ("ternary", 0, 3)])
def test_lossy_weights_are_multiples_of_a_step(dtype: str, coding: str, bits: int, least: float) -> None:
    plain = weights((40, 3, 5), 5).astype(np.float64)
    tensor = Tensor(dtype, from_double(plain.reshape(-1), dtype).reshape(plain.shape))
    data = encoded(Tensors({"w": tensor}), lossy=True, weights=coding, bits=bits)
    about = inrcodec.info(data)
    found = back(data).tensors["w"]
    assert not about["lossless"]
    assert found.shape == tensor.shape
    group = manifest.read(container.read(data)[0].content, NO_LIMITS).groups[0]
    assert group.lossy
    numbers = to_double(found.bits.reshape(-1), dtype)
    whole = np.rint(numbers / group.lossy.step)
    assert np.array_equal(from_double(whole * group.lossy.step, dtype), found.bits.reshape(-1))
    assert len(np.unique(whole)) <= 2 ** (bits or 2)
    told = about["tensors"][0]["lossy"]
    assert told["weights"] == coding
    assert abs(told["snr"] - snr(to_double(tensor.bits.reshape(-1), dtype), numbers)) < 0.01
    assert told["snr"] > least


def test_sparse_weights_have_as_many_bits_as_are_asked_for() -> None:
    plain = weights((60, 64), 6)
    noise = []
    for bits in (2, 4, 8):
        data = encoded(Tensors.of({"w": plain}), lossy=True, weights="sinr", bits=bits)
        about = inrcodec.info(data)
        assert about["groups"][0]["coding"] == "sparse"
        assert 8 * len(data) < (bits + 0.4) * plain.size + 8 * 300
        noise.append(about["tensors"][0]["lossy"]["snr"])
        assert abs(noise[-1] - snr(plain, back(data).tensors["w"].numpy())) < 0.01
    assert noise == sorted(noise)
    assert noise[-1] > 15


def test_a_matrix_that_is_too_much_work_is_coded_by_lsq(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lossy, "MOST_WORK", 60 * 32**2 * 8 * 64)
    data = encoded(Tensors.of({"small": weights((60, 64), 6), "large": weights((61, 64), 7)}), lossy=True, weights="sinr", bits=2)
    assert [about["lossy"]["weights"] for about in inrcodec.info(data)["tensors"]] == ["sinr", "lsq"]


def test_a_seed_gives_other_sparse_codes() -> None:
    given_ = Tensors.of({"w": weights((8, 64), 6)})
    first, second, third = (encoded(given_, lossy=True, weights="sinr", seed=seed) for seed in (0, 0, 1))
    assert first == second != third


def test_what_cannot_be_lossy_stays_exact() -> None:
    infinite, none = weights((5, 5)), np.zeros((4, 4), np.float32)
    infinite[2, 2] = np.nan
    kept = {"bias": weights((50,)), "count": np.array(3), "index": np.arange(30).reshape(5, 6), "nan": infinite, "zeros": none}
    kept["empty"] = np.zeros((0, 4), np.float32)
    given_ = Tensors.of({**kept, "w": weights((20, 20))})
    found = back(encoded(given_, lossy=True, weights="lsq"))
    assert [name for name, tensor in found.tensors.items() if not tensor.equals(given_.tensors[name])] == ["w"]
    assert list(found.tensors) == list(given_.tensors)


def test_a_row_that_repeats_a_matrix_stays_exact() -> None:
    plain = weights((8, 8))
    given_ = Tensors.of({"w": plain, "row": plain.reshape(-1), "tied": plain.T.copy().T})
    found = back(encoded(given_, lossy=True, weights="lsq", bits=4)).tensors
    assert found["row"].equals(given_.tensors["row"])
    assert not found["w"].equals(given_.tensors["w"])
    assert found["tied"].equals(found["w"])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"profile": "hybrid"}, "profile: not for tensors"),
        ({"until": "mdl", "hidden": 8}, "until, hidden: not for tensors"),
        ({"weights": "lsq"}, "weights: not for tensors without lossy"),
        ({"lossy": True}, "lossy needs weights: uniform, lsq"),
        ({"lossy": True, "weights": "auto"}, "lossy needs weights"),
    ],
)
def test_options_that_do_not_apply_are_named(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        encoded(Tensors.of({"w": weights((2, 2))}), **options)


def test_lossy_is_not_for_signals() -> None:
    with pytest.raises(ValueError, match="lossy is for Tensors"):
        inrcodec.encode(np.arange(9), lossy=True)
    with pytest.raises(TypeError, match="kind: the Tensors has its own"):
        inrcodec.encode(Tensors({}), kind="array")


# --- damage -------------------------------------------------------------------------------------------------------


def example() -> Tensors:
    rng = np.random.default_rng(0)
    plain = weights((9, 8))
    f8 = Tensor("F8_E4M3", rng.integers(0, 256, (3, 4)).astype(np.uint8))
    return Tensors(
        {**Tensors.of({"w": plain, "b": weights((7,)), "tied": plain, "n": np.array(5), "e": np.zeros((0, 2))}).tensors, "f8": f8},
        {"note": b"\0\xff"},
    )


def test_damage_anywhere_is_found() -> None:
    data = encoded(example())
    for place in range(len(data)):
        for flipped in (0xFF, 1 << place % 8):
            changed = bytes([*data[:place], data[place] ^ flipped, *data[place + 1 :]])
            with pytest.raises(FormatError):
                inrcodec.decode_tensors(changed, threads=1, max_samples=10**6, max_memory=1 << 28)
            with pytest.raises(FormatError):
                inrcodec.info(changed)


def test_a_cut_anywhere_is_found() -> None:
    data = encoded(example())
    for length in range(len(data)):
        with pytest.raises(FormatError):
            back(data[:length])


def parts_of(data: bytes) -> tuple[Manifest, list[Section]]:
    first, *others = container.read(data)
    return manifest.read(first.content, NO_LIMITS), others


def rebuilt(known: Manifest, streams: Sequence[Section]) -> bytes:
    return container.write([Section(b"BNDL", manifest.write(known)), *streams])


def refused(known: Manifest, streams: Sequence[Section], told: str, fault: type[InrcodecError] = FormatError, **limits: int) -> None:
    with pytest.raises(fault, match=told):
        inrcodec.decode_tensors(rebuilt(known, streams), threads=1, **limits)


def stream(array: npt.NDArray[Any], kind: Any = "array", **options: Any) -> Section:
    return Section(b"LINR", inrcodec.encode(Signal(array, kind), threads=1, profile="stored", **options))


F32 = BY_NAME["F32"]
HUGE = Entry("x", F32, (1 << 18, 1 << 17), 0)


def change_entry(known: Manifest, number: int, **changes: Any) -> Manifest:
    entries = list(known.entries)
    entries[number] = replace(entries[number], **changes)
    return replace(known, entries=entries)


def change_group(known: Manifest, **changes: Any) -> Manifest:
    return replace(known, groups=[replace(known.groups[0], **changes), *known.groups[1:]])


FAULTS: dict[str, tuple[Callable[[Manifest], Manifest], str]] = {
    "a name twice": (lambda m: change_entry(m, 1, name="w"), "same name"),
    "another shape": (lambda m: change_entry(m, 0, shape=(8, 9)), "digest"),
    "another name": (lambda m: change_entry(m, 0, name="v"), "digest"),
    "another digest": (lambda m: replace(m, digest=bytes(32)), "digest"),
    "more elements": (lambda m: change_entry(m, 0, shape=(9, 9)), "more or fewer numbers|repeats"),
    "an axis of 2^63": (lambda m: change_entry(m, 4, shape=(0, 2**63)), "out of range"),
    "a shape of 2^37": (lambda m: change_entry(m, 0, shape=(2**20, 2**17)), "shape is out of range"),
    "no group": (lambda m: change_entry(m, 0, group=-1), "no group"),
    "a group that is not there": (lambda m: change_entry(m, 0, group=9), "out of range"),
    "a group without need": (lambda m: change_entry(m, 4, group=0), "without need"),
    "another type": (lambda m: change_entry(m, 0, dtype=BY_NAME["U32"]), "another type"),
    "repeats itself": (lambda m: change_entry(m, 2, same=2), "out of range"),
    "repeats what repeats": (lambda m: change_entry(change_entry(m, 1, same=0), 2, same=1), "repeats"),
    "a group without tensors": (lambda m: replace(m, entries=[e for e in m.entries if e.name != "n"]), "no tensor"),
    "a field of no bits": (lambda m: change_group(m, fields=(1, 31, 0)), "fields"),
    "fields of 33 bits": (lambda m: change_group(m, fields=(2, 31)), "fields"),
    "another coding": (lambda m: change_group(m, coding=7), "unknown coding"),
    "a table where there is none": (lambda m: change_group(m, coding=TABLE), "more or fewer"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_manifest_is_refused(name: str) -> None:
    known, streams = parts_of(encoded(example()))
    change, told = FAULTS[name]
    refused(change(known), streams, told)


def one(group: Group, *arrays: npt.NDArray[Any], shape: tuple[int, ...] = (2, 3)) -> tuple[Manifest, list[Section]]:
    """A bundle of one tensor, whose digest is wrong."""
    return Manifest([group], [Entry("x", group.dtype, shape, 0)], {}, bytes(32)), [stream(array) for array in arrays]


STEP = Lossy(0.5, 1, 8, 100)
WHOLE = np.arange(6, dtype=np.int8)


def test_fields_and_tables_that_do_not_fit_are_refused() -> None:
    pair = Group(F32, BITS, (8, 24))
    good = np.arange(6, dtype=np.uint32)
    refused(*one(pair, good, good), "digest")
    refused(*one(pair, good[:5], good), "more or fewer")
    refused(*one(pair, good + 251, good), "a field .* out of range")
    refused(*one(pair, good.astype(np.int64) - 129, good), "a field .* out of range")
    table = Group(F32, TABLE)
    refused(*one(table, good[:2], good % 2), "digest")
    refused(*one(table, good[:2], good % 3), "an index .* out of range")
    refused(*one(table, good.astype(np.uint64)[:3] << np.uint64(31), good % 3), "an entry .* out of range")
    refused(*one(table, np.arange(7), good % 2), "more or fewer")


def test_steps_that_do_not_fit_are_refused() -> None:
    refused(*one(Group(F32, STEPS, (), STEP), WHOLE), "digest")
    for step in (0.0, -1.0, math.inf, math.nan):
        refused(*one(Group(F32, STEPS, (), replace(STEP, step=step)), WHOLE), "step")
    refused(*one(Group(F32, STEPS, (), replace(STEP, coding=9)), WHOLE), "weight coding")
    refused(*one(Group(F32, STEPS, (), replace(STEP, coding=3)), WHOLE), "weight coding")
    refused(*one(Group(F32, STEPS, (), replace(STEP, bits=17)), WHOLE), "out of range")
    refused(*one(Group(F32, STEPS, (), replace(STEP, snr=10**6)), WHOLE), "out of range")
    refused(*one(Group(BY_NAME["I32"], STEPS, (), STEP), WHOLE), "step")
    refused(*one(Group(F32, STEPS, (), STEP), WHOLE.astype(np.int64) << 31), "an integer .* out of range")


def test_sparse_codes_that_do_not_fit_are_refused() -> None:
    sparse = Group(F32, SPARSE, (), replace(STEP, coding=3))
    refused(*one(sparse, np.array([[3]]), np.array([[5]])), "digest")
    refused(*one(sparse, np.array([[12]]), np.array([[5]])), "a gap .* out of range")
    refused(*one(sparse, np.array([[11, 0]]), np.array([[5, 5]])), "an atom .* out of range")
    refused(*one(sparse, np.array([[3]]), np.array([[1 << 15]])), "a sparse value")
    refused(*one(sparse, np.zeros((1, 7), int), np.zeros((1, 7), int)), "more or fewer")
    refused(*one(sparse, np.array([[3]]), np.array([[5, 5]])), "more or fewer")
    refused(*one(sparse, np.array([[3]]), np.array([[5]]), shape=()), "cannot be a sparse one")
    refused(*one(sparse, np.array([[3]]), np.array([[5]]), shape=(1, 1 << 14)), "cannot be a sparse one")
    refused(*one(sparse, np.array([[3]]), np.array([[5]]), shape=(1 << 12, 1 << 13)), "cannot be a sparse one")


def test_faulty_sections_are_refused() -> None:
    data = encoded(example())
    known, streams = parts_of(data)
    first = Section(b"BNDL", manifest.write(known))
    nested = Section(b"LINR", data)
    for sections, told in (
        ([first, *streams[:-1]], "more or fewer streams"),
        ([first, *streams, streams[0]], "more or fewer streams"),
        ([first, nested, *streams[1:]], "it holds tensors"),
        ([*streams, first], "not the first section"),
        ([first, first, *streams], "is there twice"),
        (streams, "not the first section"),
        ([first, *streams, Section(b"TIDX", b"")], "has a section TIDX"),
        ([first, *streams, Section(b"Xyzw", b"")], "has a section Xyzw"),
        ([Section(b"BNDL", b"\2" + first.content[1:]), *streams], "bundle of kind 2"),
        ([Section(b"BNDL", b"\1" + first.content[1:]), *streams], "it holds named arrays"),
        ([first, Section(b"LINR", b""), *streams[1:]], "it is empty"),
    ):
        with pytest.raises(FormatError, match=told):
            back(container.write(sections))
    with pytest.raises(FormatError, match="not an array"):
        back(container.write([first, stream(np.zeros((9, 8), np.uint8), "image"), *streams[1:]]))
    assert back(container.write([first, Section(b"note", b"?"), *streams])).equals(example())


def test_a_few_bytes_cannot_ask_for_much() -> None:
    group = Group(F32, BITS, (32,))
    array = np.zeros((1 << 10, 1 << 10), np.uint8)
    known = Manifest([group], [HUGE], {}, bytes(32))
    refused(known, [stream(array)], "declares .* samples", LimitError)
    refused(known, [stream(array)], "more or fewer", max_samples=1 << 40)
    same = [Entry("x", F32, (1 << 10, 1 << 10), 0), *(Entry(f"y{i}", F32, (1 << 20,), 0, 0) for i in range(3000))]
    refused(replace(known, entries=same), [stream(array)], "declares .* samples", LimitError)
    wide = replace(known, entries=same[:2])
    refused(wide, [stream(array)], "bytes of memory", LimitError, max_memory=1 << 22)


def test_info_tells_of_more_than_may_be_decoded() -> None:
    data = encoded(Tensors.of({"w": weights((30, 30))}))
    assert inrcodec.info(data, max_samples=10)["elements"] == 900
    with pytest.raises(LimitError):
        inrcodec.decode_tensors(data, max_samples=10)


def test_a_large_manifest_is_refused_before_it_is_unpacked() -> None:
    metadata = {"x": bytes(1 << 24)}
    data = encoded(Tensors({}, metadata))
    assert len(data) < 200
    with pytest.raises(LimitError, match="bytes of memory"):
        inrcodec.decode_tensors(data, max_memory=1 << 24)
    assert back(data).metadata == metadata


# --- around it ----------------------------------------------------------------------------------------------------


def test_many_elements_take_less_effort_unless_more_is_asked_for() -> None:
    assert [choices.effort_for(count, 4) for count in (1, 1 << 20, (1 << 20) + 1, 1 << 25, 1 << 40)] == [4, 4, 3, 2, 2]
    assert [choices.effort_for(1 << 40, effort) for effort in (1, 2, 3, 5)] == [1, 2, 2, 5]


def test_threads_do_not_change_the_file() -> None:
    given_ = Tensors.of({"a": weights((90, 60)), "b": weights((80, 70)).astype(np.float16), "c": weights((5000,))})
    assert encoded(given_, threads=1) == encoded(given_, threads=3)


def test_progress_is_told_and_a_stop_is_heard() -> None:
    stages = set()
    encoded(Tensors.of({"w": weights((90, 60))}), progress=lambda status: stages.add(status.stage))
    assert stages >= {"coding", "decoding"}
    with pytest.raises(inrcodec.Stopped):
        encoded(Tensors.of({"w": weights((90, 60))}), stop=lambda: True)


def test_a_file_that_does_not_decode_is_not_given_out(monkeypatch: pytest.MonkeyPatch) -> None:
    right = manifest.digest
    monkeypatch.setattr(manifest, "digest", lambda tensors: right(Tensors({})))
    data = encoded(Tensors.of({"w": weights((3, 3))}), verify=False)
    monkeypatch.undo()
    with pytest.raises(FormatError, match="digest"):
        back(data)
    monkeypatch.setattr(choices, "split", lambda words, widths: [words * 0 for _ in widths])
    with pytest.raises(InrcodecError, match="verification failed"):
        encoded(Tensors.of({"w": weights((3, 3))}))


def test_decoding_imports_no_torch() -> None:
    data = encoded(Tensors.of({"w": weights((30, 60))}), lossy=True, weights="sinr")
    program = "import sys, inrcodec; inrcodec.decode_tensors(bytes.fromhex(sys.stdin.read()), threads=1)\n"
    program += "print([name for name in ('torch', 'sklearn') if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", program], input=data.hex(), capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_a_bundle_is_what_options_say() -> None:
    given_ = Tensors.of({"w": weights((60, 60))})
    opened = manifest.read(container.read(encoded(given_))[0].content, Options().limits)
    assert opened.nbytes == given_.nbytes
    assert opened.digest == manifest.digest(given_)
