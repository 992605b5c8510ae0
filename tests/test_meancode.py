"""Values coded with the means of a network: against SPEC.md in plain Python, either way, at all depths; and how many bits it takes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inrcodec.kernels import calibration, coder
from inrcodec.kernels.meancode import Joint, MeanCoder, join_means, rounded
from inrcodec.kernels.tables import exp2_fractions, sigmoids, squash, stretches
from tests.networks import PlainInput, clamp, random_joint

# --- SPEC.md, section 9, in Python integers ----------------------------------------------------------------

SQUASH, STRETCH, SIGMOID, EXP2 = (table().tolist() for table in (squash, stretches, sigmoids, exp2_fractions))


class PlainMaps:
    """The adaptive maps of a tile."""

    def __init__(self, stream: PlainInput, planes: int) -> None:
        self.stream = stream
        self.e = [[2**6 * SQUASH[256 * m] for m in range(25)] for _ in range(planes)]
        self.n = [[12] * 25 for _ in range(planes)]

    def adapted(self, j: int, z: int, gain: int) -> int:
        t = clamp((z * gain) >> 10, -3071, 3071) + 3072
        m, f = t >> 8, t % 256
        q = (self.e[j][m] * (256 - f) + self.e[j][m + 1] * f) >> 14
        b = self.stream.bit(clamp((SQUASH[t] + 3 * q + 2) >> 2, 1, 65535))
        if f >= 128:
            m += 1
        r = 131072 // (2 * self.n[j][m] + 3)
        self.e[j][m] += ((2**22 - self.e[j][m]) * r) >> 16 if b else -((self.e[j][m] * r) >> 16)
        self.n[j][m] = min(self.n[j][m] + 1, 250)
        return b


def mass_below(v: int, z: int, power: int, shift: int, bits: int) -> int:
    """F(v)."""
    u = 2 ** (30 - bits)
    t = clamp((((2 * v - 1) * u // 2 - z) * power) >> shift, -(2**20), 2**20 - 1) + 2**20
    a = SIGMOID[t >> 10]
    f = (a + (((SIGMOID[(t >> 10) + 1] - a) * (t % 2**10)) >> 10)) >> 2
    return int(f - (f >> 12) + v * 2 ** (34 - bits))


def plain_values(data: bytes, means: list[list[int]], scales: list[list[int]], joint: Joint, bits: int, width: int = 2) -> list[list[int]]:
    """The values of a tile, decoded. width: w of SPEC."""
    order, factors, codes = joint.order.tolist(), joint.factors.tolist(), joint.scales.tolist()
    u, out = 2 ** (30 - bits), []
    maps = PlainMaps(PlainInput(data), len(order) * bits)
    errors: list[list[int]] = [[91750] * len(order) for _ in range(width)]  # of the places before the first
    for mean, scale in zip(means, scales, strict=True):
        y, found, r = [0] * len(order), [0] * len(order), [0] * len(order)
        for i, c in enumerate(order):
            z = clamp(mean[c] + sum((factors[i][j] * y[order[j]]) >> 12 for j in range(i)), -(2**32), 2**32)
            a = (((errors[-1][c] + errors[-width][c]) * 195) >> 16) - 512
            e = clamp((clamp(scale[c], -(2**13), 2**13) + 2**6 * codes[c] + a) >> 2, 0, 2**13 - 1)
            power, shift = EXP2[-e % 256] >> 14, 26 - bits - (-e >> 8)
            low, high, below, upto = 0, 2**bits, 0, 2**46
            for b in range(bits):
                middle = (low + high) // 2
                mass = mass_below(middle, z, power, shift, bits)
                assert below < mass < upto  # so no bit is impossible
                p = ((upto - mass) * 2**16) // (upto - below)
                if maps.adapted(c * bits + b, 4 * STRETCH[min(p, 65535) >> 4], 2**8):
                    low, below = middle, mass
                else:
                    high, upto = middle, mass
            found[c] = low
            y[c] = low * u
            r[c] = min((abs(low * u - z) * power) >> shift, 2**18)
        errors.append(r)
        out.append(found)
    return out


# --- round trips --------------------------------------------------------------------------------------------------


def through(
    means: np.ndarray, scales: np.ndarray, values: np.ndarray, joint: Joint, bits: int, cut: int = 0, sizes: tuple[int, ...] = (1,)
) -> bytes:
    """Code values and decode them again, in two calls if `cut` is above 0. sizes: of the tile."""
    output, tile = coder.Output(), MeanCoder(joint, bits, sizes)
    spans = [slice(0, cut), slice(cut, None)] if cut else [slice(None)]
    for span in spans:
        tile.encode(output, means[span].copy(), scales[span], values[span].copy())
    data = output.finish()
    stream, tile = coder.Input(data), MeanCoder(joint, bits, sizes)
    found = np.concatenate([tile.decode(stream, means[span].copy(), scales[span]) for span in spans])
    stream.finish()
    assert (found == values).all()
    return data


def random_signal(rng: np.random.Generator, n: int, channels: int, bits: int, spread: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(means, scales, values) with means up to 2^spread, within the range of the values or far outside."""
    means = rng.integers(-(2**spread), 2**spread + 1, (n, channels))
    scales = rng.integers(-(2**14), 2**14 + 1, (n, channels))
    near = np.clip((means + (1 << (29 - bits))) >> (30 - bits), 0, 2**bits - 1)
    values = np.where(rng.random((n, channels)) < 0.5, near, rng.integers(0, 2**bits, (n, channels)))
    values[rng.random((n, channels)) < 0.1] = 0
    values[rng.random((n, channels)) < 0.1] = 2**bits - 1
    return means, scales, values


@settings(max_examples=80)
@given(st.integers(1, 24), st.integers(1, 4), st.integers(1, 40), st.sampled_from([3, 29, 30, 31]), st.integers(0, 2**32))
def test_values_round_trip(bits: int, channels: int, n: int, spread: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    means, scales, values = random_signal(rng, n, channels, bits, spread)
    joint = random_joint(channels, rng)
    data = through(means, scales, values, joint, bits)
    assert through(means, scales, values, joint, bits, n // 2) == data  # how many at a time does not matter


@pytest.mark.parametrize("bits", [1, 2, 8, 15, 16, 23, 24])
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_plain_python_decodes_the_same(bits: int, channels: int) -> None:
    for seed, spread in enumerate((5, 29, 30, 31)):
        rng = np.random.default_rng(seed)
        means, scales, values = random_signal(rng, 24, channels, bits, spread)
        if seed == 1:
            scales[:] = 0
        joint = random_joint(channels, rng)
        width = int(rng.integers(1, 30))
        data = through(means, scales, values, joint, bits, sizes=(9, width))
        assert plain_values(data, means.tolist(), scales.tolist(), joint, bits, width) == values.tolist()


def test_plain_python_decodes_the_same_bits() -> None:
    """The same maps code the bits of a network of logits."""
    rng = np.random.default_rng(0)
    logits = rng.integers(-(2**20), 2**20 + 1, (60, 5)).astype(np.int32) >> rng.integers(0, 20, (60, 5)).astype(np.int32)
    bits = (rng.random((60, 5)) < 0.5).astype(np.uint8)
    for codes in ([0, 1, 64, 100, 255], [63, 16, 80, 128, 200]):
        output = coder.Output()
        calibration.Calibration(np.array(codes)).encode(output, logits, bits.copy())
        maps = PlainMaps(PlainInput(output.finish()), 5)
        gains = [0 if g == 0 else (16 + g % 16) * 2 ** (g // 16) for g in codes]
        assert [[maps.adapted(j, z, gains[j]) for j, z in enumerate(row)] for row in logits.tolist()] == bits.tolist()


@pytest.mark.parametrize("bits", [1, 8, 24])
def test_means_at_the_ends_of_what_a_network_says(bits: int) -> None:
    """The largest factors, on means of ±2^31, with the finest and the widest scale."""
    ends = np.array([-(2**31), 2**31, 0, 2**30, -1])
    means = np.stack(np.meshgrid(ends, ends, ends), -1).reshape(-1, 3)
    values = np.random.default_rng(0).integers(0, 2**bits, means.shape)
    for factor in (-(2**15), 2**15 - 1):
        for code, scale in ((0, -(2**14)), (255, 2**14), (64, 0)):
            joint = Joint(np.array([2, 0, 1]), np.tril(np.full((3, 3), factor), -1), np.full(3, code))
            data = through(means, np.full(means.shape, scale), values, joint, bits)
            assert plain_values(data, means.tolist(), np.full(means.shape, scale).tolist(), joint, bits) == values.tolist()


# --- code lengths -------------------------------------------------------------------------------------------------


def noisy(scale: float, bits: int, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, float]:
    """(means, values) of logistic noise around moving means, and the bits that it takes at least."""
    rng = np.random.default_rng(seed)
    peak = 2.0**bits - 1
    centre = peak * (0.5 + 0.3 * np.sin(np.arange(n) / 500))[:, None]
    u = rng.random((n, 1))
    values = np.clip(np.rint(centre + scale * np.log(u / (1 - u))), 0, peak)
    upper = np.where(values == peak, 1.0, 1 / (1 + np.exp(-(values + 0.5 - centre) / scale)))
    lower = np.where(values == 0, 0.0, 1 / (1 + np.exp(-(values - 0.5 - centre) / scale)))
    return np.rint(centre * 2 ** (30 - bits)).astype(np.int64), values.astype(np.int64), float(-np.log2(upper - lower).sum())


@pytest.mark.parametrize("scale", [0.25, 1.0, 7.0])
def test_logistic_noise_costs_about_its_entropy(scale: float) -> None:
    means, values, ideal = noisy(scale, 8, 30_000)
    code = round(16 * (math.log2(scale) + 4))  # 1/16 octave, from 2^-4 values
    joint = Joint(np.zeros(1, np.int64), np.zeros((1, 1), np.int64), np.array([code]))
    right = 8 * len(through(means, np.zeros_like(means), values, joint, 8))
    assert ideal - 16 < right < 1.03 * ideal + 400
    # a scale that the network says counts as one of the channel
    moved = joint._replace(scales=np.array([0]))
    assert 8 * len(through(means, np.full_like(means, 64 * code), values, moved, 8)) == right
    # a wrong scale costs more, but not much more: the maps mend it
    wrong = joint._replace(scales=np.array([code + 16]))
    assert right < 8 * len(through(means, np.zeros_like(means), values, wrong, 8)) < 1.1 * ideal + 400


@pytest.mark.parametrize("bits", [12, 16, 24])
def test_noise_in_deep_values_costs_about_its_entropy(bits: int) -> None:
    scale = 2.0 ** (bits - 6)
    means, values, ideal = noisy(scale, bits, 20_000)
    joint = Joint(np.zeros(1, np.int64), np.zeros((1, 1), np.int64), np.array([16 * (bits - 6 + 4)]))
    if bits == 24:  # wider than a scale code reaches: the network says the rest
        joint = joint._replace(scales=np.array([255]))
    scales = np.full_like(means, 64 * (16 * (bits - 2)) - 64 * int(joint.scales[0]))
    assert 8 * len(through(means, scales, values, joint, bits)) < 1.01 * ideal + 100 * bits


@pytest.mark.parametrize("across", [False, True])
def test_the_scale_follows_the_errors_before(across: bool) -> None:
    """Half of a picture is 16 times as noisy: its upper half, or its left half, where the row above tells."""
    parts = [noisy(scale, 8, 10_000, seed)[:2] for seed, scale in enumerate((0.7, 11.0))]
    means, values = (np.concatenate([p[i].reshape(100, 100) for p in parts], axis=int(across)).reshape(-1, 1) for i in (0, 1))
    joint = Joint(np.zeros(1, np.int64), np.zeros((1, 1), np.int64), np.array([96]))
    scales, sizes = np.zeros_like(means), (100, 200) if across else (200, 100)
    found = len(through(means, scales, values, joint, 8, sizes=sizes))
    mixed = np.random.default_rng(0).permutation(len(values))
    assert found < 0.97 * len(through(means[mixed], scales, values[mixed], joint, 8, sizes=sizes))


def test_values_that_the_network_gives_are_nearly_free() -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2**16, (5000, 3))
    joint = Joint(np.arange(3), np.zeros((3, 3), np.int64), np.zeros(3, np.int64))
    assert len(through(values << 14, np.zeros_like(values), values, joint, 16)) < 60


def test_a_channel_that_follows_another_costs_less() -> None:
    """Also by as much as the first differs from its own mean."""
    rng = np.random.default_rng(0)
    first = rng.integers(0, 200, (5000, 1))
    values = np.concatenate([first // 2 + rng.integers(0, 3, (5000, 1)), first], axis=1)
    means = np.tile(np.array([[0, 100 << 22]]), (5000, 1))
    codes = np.array([64, 160])
    alone = Joint(np.array([1, 0]), np.zeros((2, 2), np.int64), np.array([144, 160]))
    follows = Joint(np.array([1, 0]), np.array([[0, 0], [1 << 11, 0]]), codes)
    scales = np.zeros_like(means)
    sizes = [len(through(means, scales, values, joint, 8)) for joint in (alone, follows)]
    assert sizes[1] < sizes[0] - 5000 * 3 / 8


# --- what the network alone says ----------------------------------------------------------------------------------


@settings(max_examples=60)
@given(st.integers(1, 24), st.integers(1, 8), st.integers(0, 2**32))
def test_joined_means_stay_within_the_values(bits: int, channels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    means = rng.integers(-(2**31), 2**31 + 1, (30, channels)) >> rng.integers(0, 8, (30, channels))
    joint = random_joint(channels, rng)
    for whole in (False, True):
        joined = means.copy()
        join_means(joined, joint, bits, whole)
        first = np.clip(means[:, joint.order[0]], 0, (2**bits - 1) << (30 - bits))
        own = rounded(joined, bits)
        assert (joined[:, joint.order[0]] == (rounded(first, bits) << (30 - bits) if whole else first)).all()
        assert 0 <= int(own.min()) <= int(own.max()) <= 2**bits - 1
        if whole:
            assert (joined == own << (30 - bits)).all()
            continue
        for extra in (1, 30 - bits):
            assert (rounded(joined, bits, extra) >> extra == own).all()


def test_means_round_to_the_nearest_value() -> None:
    means = np.array([[0, 2**21 - 1, 2**21, 2**22, 255 << 22]])
    assert rounded(means, 8).tolist() == [[0, 0, 1, 1, 255]]
    assert rounded(means, 8, 2).tolist() == [[2, 3, 4, 6, 1022]]
