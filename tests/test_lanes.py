"""Inner loops: operations in the order that SPEC.md fixes, so that results are equal to the last bit; functions near what they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from inrcodec.kernels import lanes

F32 = np.float32
Singles = npt.NDArray[np.float32]


@njit
def dot16(w, first, x, n):  # type: ignore[no-untyped-def]
    return lanes.dot16(w, first, x, n)


@njit
def sum_batch(x, f, y, weighted, out, d, n):  # type: ignore[no-untyped-def]
    lanes.weigh_batch(x, f, y, n, x.shape[1], weighted, out)
    lanes.square_batch(d, x, weighted, n, x.shape[1], d.shape[1])


@njit
def fade_and_take(a, d, u, n, decay, ridge):  # type: ignore[no-untyped-def]
    lanes.fade_square(a, d, n, a.shape[1], d.shape[1], decay)
    lanes.take_square(a, u, n, a.shape[1], u.shape[1], ridge)


@njit
def weigh_rows(x, w, out):  # type: ignore[no-untyped-def]
    lanes.weigh_rows(x, w, out, w.shape[0], w.shape[1])


@njit
def add_outer(xs, ss, g):  # type: ignore[no-untyped-def]
    lanes.add_outer(xs, ss, g, xs.shape[0], xs.shape[1], ss.shape[1])


@njit
def functions(x, powers, shares):  # type: ignore[no-untyped-def]
    lanes.exp2s(x, powers)
    lanes.sigmoids(x, shares)


@njit
def solve(u, z, inverse, w, n):  # type: ignore[no-untyped-def]
    done = lanes.eliminate(u, z, inverse, n, u.shape[1], u.shape[1])
    if done == n:
        lanes.substitute(u, z, inverse, w, n, u.shape[1])
    return done


@njit
def pick(x, where, out):  # type: ignore[no-untyped-def]
    lanes.pick(x, where, out, where.shape[0])


@njit
def ask(edge, logistics, masses, inputs):  # type: ignore[no-untyped-def]
    lanes.ask_all(edge, logistics, masses, inputs)


def halves(v: Singles) -> Any:
    """The sum of the lanes: the upper half is added to the lower half, and so on."""
    while len(v) > 1:
        v = v[: len(v) // 2] + v[len(v) // 2 :]
    return v[0]


def noise(*shape: int, seed: int = 0) -> Singles:
    return np.random.default_rng(seed).normal(0, 3, shape).astype(F32)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_a_dot_product_has_sixteen_partial_sums(vectors: int, first: int, seed: int) -> None:
    n = 16 * vectors
    w, x = noise(first + n, seed=seed), noise(n, seed=seed + 1)
    sums = w[first : first + 16] * x[:16]
    for i in range(16, n, 16):
        sums = sums + w[first + i : first + i + 16] * x[i : i + 16]
    assert dot16(w, first, x, n) == halves(sums)


@pytest.mark.parametrize("columns", [16, 32, 48, 64, 112])
@pytest.mark.parametrize("rows", [4, 20, 92])
def test_rows_are_weighed_in_two_partial_sums(rows: int, columns: int) -> None:
    x, w, out = noise(rows), noise(rows, columns, seed=1), np.zeros(columns, F32)
    weigh_rows(x, w, out)
    sums = [np.zeros(columns, F32), np.zeros(columns, F32)]
    for i in range(rows):
        sums[i & 1] = sums[i & 1] + x[i] * w[i]
    assert np.array_equal(out, sums[0] + sums[1])


@pytest.mark.parametrize(("rows", "columns"), [(4, 16), (12, 32), (20, 48)])
def test_outer_products_are_added_one_after_the_other(rows: int, columns: int) -> None:
    xs, ss, g = noise(64, rows), noise(64, columns, seed=1), np.zeros((rows, columns), F32)
    add_outer(xs, ss, g)
    expected = np.zeros((rows, columns), F32)
    for x, s in zip(xs, ss, strict=True):
        expected = expected + x[:, None] * s
    assert np.array_equal(g, expected)


@pytest.mark.parametrize(("n", "stride", "wide"), [(8, 8, 8), (24, 40, 32), (48, 48, 64)])
def test_a_batch_is_summed_one_after_the_other_and_added_to_what_fades(n: int, stride: int, wide: int) -> None:
    g = np.random.default_rng(n)
    x, f, y = g.normal(size=(8, stride)), g.random(8), g.normal(size=8)
    d, e, weighted = np.zeros((wide, wide)), np.zeros(wide), np.zeros((8, stride))
    sum_batch(x, f, y, weighted, e, d, n)
    square, right = np.zeros((n, n)), np.zeros(n)
    for k in range(8):
        square = square + np.multiply.outer(f[k] * x[k, :n], x[k, :n])
        right = right + (f[k] * x[k, :n]) * y[k]
    upper = np.triu_indices(n)
    assert np.array_equal(d[:n, :n][upper], square[upper])
    assert np.array_equal(e[:n], right)
    a, u = g.normal(size=(stride, stride)), np.zeros((wide, wide))
    faded = a[:n, :n] * 0.9 + square
    fade_and_take(a, d, u, n, 0.9, 0.25)
    assert np.array_equal(a[:n, :n][upper], faded[upper])
    assert np.array_equal(u[:n, :n][upper], (faded + 0.25 * np.eye(n))[upper])


def test_functions_are_near_what_they_approximate() -> None:
    for start in np.linspace(-15, 14, 300):
        x = (start + np.linspace(0, 1, 16)).astype(F32)
        powers, shares = np.zeros(16, F32), np.zeros(16, F32)
        functions(x, powers, shares)
        assert np.allclose(powers, np.exp2(x.astype(np.float64)), rtol=3e-7)
        assert np.allclose(shares, 1 / (1 + np.exp(-x.astype(np.float64))), atol=2e-7)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_elimination_solves_positive_definite_systems(pairs: int, seed: int) -> None:
    n = 2 * pairs
    g = np.random.default_rng(seed)
    root = g.normal(0, 1, (n, n))
    a, b = root @ root.T + np.eye(n), g.normal(0, 1, n)
    u, z, inverse, w = np.zeros((n, lanes.padded(n, 8))), b.copy(), np.zeros(n), np.zeros(n)
    u[:, :n] = a
    assert solve(u, z, inverse, w, n) == n
    assert np.allclose(w, np.linalg.solve(a, b), atol=1e-8)


@pytest.mark.parametrize("place", [0, 3, 6, 7])
def test_elimination_ends_at_a_pivot_that_is_not_positive(place: int) -> None:
    u = np.eye(8)
    u[place, place] = -1.0 if place % 2 else np.nan
    assert solve(u, np.ones(8), np.zeros(8), np.zeros(8), 8) == place


def test_elements_are_picked() -> None:
    x, where, out = noise(100), np.random.default_rng(0).integers(0, 100, 48), np.zeros(48, F32)
    pick(x, where, out)
    assert np.array_equal(out, x[where])


def test_experts_say_how_likely_a_value_is_at_an_edge_or_above() -> None:
    g = np.random.default_rng(0)
    logistics = np.zeros((4, 16), F32)
    logistics[0], logistics[1] = g.normal(0, 2, 16), g.uniform(0.2, 2, 16)
    logistics[2, :4] = 0.1, 0.2, 0.3, 0.4
    logistics[3, 3:12] = 1
    masses = np.repeat(np.array([[0], [0], [1]], F32), 16, 1)
    inputs = np.ones(32, F32)
    ask(F32(0.5), logistics, masses, inputs)
    below = 1 / (1 + np.exp(-(0.5 - logistics[0].astype(np.float64)) * logistics[1]))
    below[3] = (below[:4] * logistics[2, :4]).sum()
    expected = np.log((1 - below) / below)
    assert np.allclose(inputs[3:12], expected[3:12], atol=2e-4)
    assert not inputs[:3].any()
    assert not inputs[12:16].any()
    assert (inputs[16:] == 1).all()  # what contexts say stays
    assert np.allclose(masses[1, 3:12], below[3:12], atol=1e-6)
