"""The strict arithmetic: coder, integers, tables, calibration, dictionary."""

import hashlib
import math
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from inrcodec.errors import FormatError
from inrcodec.kernels import adaptive, calibration, coder, dictionary, integers, tables
from tests.networks import PlainInput, PlainIntegers

PROBABILITIES = st.sampled_from([1, 2, 255, 256, 32767, 32768, 65534, 65535]) | st.integers(1, 65535)


@njit
def _encode_all(state, out, probabilities, bits):  # type: ignore[no-untyped-def]
    for p, bit in zip(probabilities, bits):  # noqa: B905 - Numba knows no strict
        coder.encode_bit(state, out, p, bit)


@njit
def _decode_all(state, data, probabilities, bits):  # type: ignore[no-untyped-def]
    for i in range(len(probabilities)):
        bits[i] = coder.decode_bit(state, data, probabilities[i])


def code(probabilities: list[int], bits: list[int]) -> bytes:
    output = coder.Output()
    p, b = np.array(probabilities, np.int64), np.array(bits, np.int64)
    _encode_all(output.state, output.reserve(len(b)), p, b)
    data = output.finish()
    found = np.zeros(len(b), np.int64)
    stream = coder.Input(data)
    _decode_all(stream.state, stream.data, p, found)
    assert found.tolist() == bits
    stream.finish()
    return data


@given(st.lists(st.tuples(PROBABILITIES, st.integers(0, 1)), min_size=1, max_size=400))
def test_coder_round_trip(pairs: list[tuple[int, int]]) -> None:
    data = code([p for p, _ in pairs], [b for _, b in pairs])
    ideal = sum(-math.log2((p if b else 65536 - p) / 65536) for p, b in pairs)
    assert 8 * len(data) <= ideal + 16 + 1e-4 * len(pairs)


def test_coder_carries_through_long_runs() -> None:
    # improbable bits first, then near-certain ones: low lies just below a carry for a long time
    rng = np.random.default_rng(1)
    for _ in range(50):
        p = rng.choice([1, 65535, 32768, 60000], 500)
        bits = (rng.random(500) * 65536 < p).astype(int)
        bits[rng.integers(0, 500, 20)] ^= 1
        code(p.tolist(), bits.tolist())


def decode_string(data: bytes, probability: int, count: int) -> None:
    """Decode bits from a string as kernels do, some at a time, and finish. Raises FormatError."""
    stream = coder.Input(data)
    for _ in range(0, count, 100):
        string = stream.coder(100)
        _decode_all(string.state, string.data, np.full(100, probability), np.zeros(100, np.int64))
    stream.finish()


def test_a_string_is_read_to_its_end_and_not_much_further() -> None:
    zeros = code([40000] * 1000, [1] * 1000)  # the code of ones is 0
    assert not zeros.strip(b"\0")
    full = zeros + bytes(coder.SPARED)
    for data in (zeros, full):
        decode_string(data, 40000, 1000)
    with pytest.raises(FormatError, match="too early"):
        decode_string(zeros[:-1], 40000, 1000)
    with pytest.raises(FormatError, match="no bit needs"):
        decode_string(full + b"\0", 40000, 1000)


def test_a_string_that_ends_early_asks_for_no_memory() -> None:
    with pytest.raises(FormatError, match="too early"):
        integers.decode(b"", [1 << 50])


def test_near_certain_bits_are_nearly_free() -> None:
    assert len(code([65535] * 100_000, [1] * 100_000)) <= 2


@given(st.lists(st.lists(st.integers(-(2**32) + 1, 2**32 - 1) | st.integers(-3, 3), max_size=50), min_size=1, max_size=4))
def test_integers_round_trip(parts: list[list[int]]) -> None:
    arrays = [np.array(p, np.int64) for p in parts]
    data = integers.encode(arrays)
    for a, b in zip(arrays, integers.decode(data, [len(a) for a in arrays]), strict=True):
        assert a.tolist() == b.tolist()


@pytest.mark.parametrize("value", [2**32, -(2**32), -(2**63)])
def test_integers_that_are_too_large_are_refused(value: int) -> None:
    with pytest.raises(ValueError, match="32 bits"):
        integers.encode([np.array([value])])


def clustered(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Integers of sizes that change slowly along all axes, some 0, some as large as can be."""
    found = rng.normal(0, 1, shape)
    for axis in range(len(shape)):
        found *= np.exp(2 * np.sin(np.arange(shape[axis]) / 3).reshape([-1 if i == axis else 1 for i in range(len(shape))]))
    values = np.rint(found).astype(np.int64)
    values[rng.random(shape) < 0.01] = 2**32 - 1
    values[rng.random(shape) < 0.01] = -(2**32) + 1
    return values


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), min_size=1, max_size=4), st.booleans(), st.integers(0, 2**32))
def test_integers_in_rows_are_those_of_plain_python(arrays: list[tuple[int, int]], go_on: bool, seed: int) -> None:
    """With rows of any width, also wider than the array; beginning anew with each array, or going on."""
    rng = np.random.default_rng(seed)
    parts, widths = [clustered(rng, (n,)) for n, _ in arrays], [w for _, w in arrays]

    def states() -> list[integers.State]:
        shared = integers.fresh()
        return [shared] * len(parts) if go_on else []

    data = integers.encode(parts, widths, states())
    found = integers.decode(data, [len(p) for p in parts], widths, states())
    assert [x.tolist() for x in found] == [p.tolist() for p in parts]
    stream, plain = PlainInput(data), PlainIntegers()
    for part, width in zip(parts, widths, strict=True):
        assert plain.array(stream, len(part), width) == part.tolist()
        plain = plain if go_on else PlainIntegers()


@pytest.mark.parametrize("width", [0, 1, 7, 300, integers.STEP - 1, integers.STEP, integers.STEP + 9, 3 * integers.STEP])
def test_many_integers_in_rows_round_trip(width: int) -> None:
    """More than are coded at a time: the neighbours of the first of them are among those before."""
    n = 2 * integers.STEP + 1000
    values = clustered(np.random.default_rng(0), (n,))
    data = integers.encode([values, values[:9]], [width, 0])
    found = integers.decode(data, [n, 9], [width, 0])
    assert (found[0] == values).all()
    assert (found[1] == values[:9]).all()


def test_how_many_are_coded_at_a_time_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    values = clustered(np.random.default_rng(1), (70, 90))
    codes = []
    for step in (integers.STEP, 1000, 90, 13, 1):
        monkeypatch.setattr(integers, "STEP", step)
        codes.append(integers.encode([values, values.T], [90, 70]))
        assert (integers.decode(codes[-1], [6300, 6300], [90, 70])[1].reshape(90, 70) == values.T).all()
    assert len(set(codes)) == 1


def test_rows_tell_how_large_numbers_are() -> None:
    rng = np.random.default_rng(0)
    large = np.repeat(np.repeat(rng.random((10, 10)) < 0.3, 20, axis=0), 20, axis=1)
    values = np.where(large, rng.integers(-40, 41, large.shape), rng.integers(-1, 2, large.shape))
    assert len(integers.encode([values], [200])) < 0.9 * len(integers.encode([values]))


def test_integers_go_on_from_string_to_string() -> None:
    """What was learnt of one string serves the next."""
    values = [np.rint(np.random.default_rng(i).normal(0, 40, 50)).astype(np.int64) for i in range(20)]
    state = integers.fresh()
    strings = [integers.encode([v], (), [state]) for v in values]
    assert sum(map(len, strings)) < 0.95 * sum(len(integers.encode([v])) for v in values)
    state = integers.fresh()
    for data, v in zip(strings, values, strict=True):
        assert integers.decode(data, [50], (), [state])[0].tolist() == v.tolist()


def test_integers_cost_about_their_entropy() -> None:
    values = np.rint(np.random.default_rng(0).normal(0, 40, 50_000)).astype(np.int64)
    entropy = math.log2(40 * math.sqrt(2 * math.pi * math.e))
    assert 8 * len(integers.encode([values])) / len(values) < entropy + 0.06


def test_ternary_weights_are_packed() -> None:
    values = np.random.default_rng(0).integers(-1, 2, 50_000)
    assert 8 * len(integers.encode([values])) / len(values) < 1.6  # log2(3) is 1.585


def test_tables_are_correctly_rounded() -> None:
    turn = 2 * math.pi / 65536
    assert tables.sine().tolist() == [round(2**14 * math.sin(turn * i)) for i in range(65536)]
    x = [i / 4096 - 8 for i in range(65536)]
    assert tables.gelu().tolist() == [min(32767, round(4096 * v * 0.5 * math.erfc(-v / math.sqrt(2)))) for v in x]
    assert tables.gaussian().tolist() == [round(2**14 * math.exp(-v * v / 2)) for v in x]
    assert tables.squash().tolist() == [min(65535, max(1, round(65536 / (1 + math.exp(-t / 256))))) for t in range(-3072, 3073)]


def test_a_wrong_table_is_refused() -> None:
    right = tables.sine().copy()
    right[7] += 1
    make = tables._checked(hashlib.sha256(tables.sine().tobytes()).hexdigest())(lambda: right)
    with pytest.raises(RuntimeError, match="came out wrong"):
        make()


update, probability = (cast(Any, stage).py_func for stage in (adaptive.update, adaptive.probability))


def test_adaptive_estimate_converges() -> None:
    estimate, age = np.array([adaptive.ONE // 2]), np.array([0])
    for i in range(4000):
        update(estimate, age, 0, int(i % 4 == 0), 255)
    assert abs(probability(estimate, 0) / 65536 - 0.25) < 0.01


@settings(max_examples=30)
@given(st.integers(1, 60), st.integers(1, 5), st.integers(0, 255), st.integers(0, 2**31))
def test_calibration_round_trip(n: int, planes: int, gain: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.integers(-(2**20), 2**20 + 1, (n, planes)).astype(np.int32)
    bits = rng.integers(0, 2, (n, planes)).astype(np.uint8)
    gains = np.full(planes, gain, np.uint8)
    output = coder.Output()
    calibration.Calibration(gains).encode(output, logits, bits)
    assert (calibration.Calibration(gains).decode(coder.Input(output.finish()), logits) == bits).all()


def test_calibration_learns_what_logits_are_worth() -> None:
    """Logits twice too sure cost hardly more than right ones, once their map has adapted."""
    rng = np.random.default_rng(0)
    true = rng.normal(0, 1.5, (40_000, 1))
    bits = (rng.random(true.shape) < 1 / (1 + np.exp(-true))).astype(np.uint8)
    sizes = []
    for scale in (1, 2):
        output = coder.Output()
        calibration.Calibration(np.array([64])).encode(output, np.rint(scale * true * 1024).astype(np.int32), bits)
        sizes.append(len(output.finish()))
    wrong_by_two = np.logaddexp(0, np.where(bits, -2, 2) * true).sum() / math.log(2) / 8
    assert sizes[0] < sizes[1] < sizes[0] + 0.35 * (wrong_by_two - sizes[0])


def test_gain_codes_cover_the_range() -> None:
    gains = [calibration.gain(code) for code in range(256)]
    assert gains[0] == 0
    assert gains[64] == 256
    assert gains == sorted(gains)


def test_the_dictionary_never_changes() -> None:
    found = dictionary.atoms(500, np.arange(1000), 7)
    assert hashlib.sha256(found.tobytes()).hexdigest() == DICTIONARY_SHA256
    assert abs(float(found.mean())) < 0.02
    assert abs(float(found.std()) - 4) < 0.02


def test_dictionary_entries_in_plain_python() -> None:
    def entry(seed: int, column: int, row: int) -> int:
        mask = 2**64 - 1
        z = ((column * 2**32 + row + 1) * 0x9E3779B97F4A7C15 + seed) & mask
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & mask
        return (z ^ z >> 31).bit_count() - 32

    found = dictionary.atoms(5, np.array([0, 9, 4000]), 255)
    assert found.tolist() == [[entry(255, c, r) for r in range(5)] for c in (0, 9, 4000)]


DICTIONARY_SHA256 = "2159304e15ce80e7b0a4f8e223e36a09bdaca56ab19e90d6adbd8a9c5c9fc2c6"
