"""Conformance vectors of networks from priors (SPEC.md 19): what the encoder writes, what it does not write, lossy and faulty files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import brotli
import linr
import linr_prior
import numpy as np
from vector_tools import (
    Recipe,
    Sections,
    Signal,
    View,
    by_encoder,
    coded,
    coded_integers,
    fault,
    file_of,
    head,
    lossy,
    picture,
    recipe,
    signed,
    tiled,
    varint,
)

PRIORS = Path(linr_prior.__file__).resolve().parents[2] / "inrcodec" / "weights" / "priors"
META, MODULATIONS = (f"2026-11-{name}.prior" for name in ("meta", "modulations"))
IMAGE = Signal(picture(35, 41, 3, 8, seed=5), "image", 8)  # of two patches each way, the last of which are small
SMALL_IMAGE = Signal(picture(3, 4, 3, 8, seed=6), "image", 8)
VIEWS = (View(), View((1, 50)), View((70, 9)), View((35, 41), 8))
SINR = linr.SINR


@cache
def prior_of(file: str) -> tuple[bytes, linr_prior.Prior]:
    """(the first bytes of its hash, the prior)."""
    data = (PRIORS / file).read_bytes()
    return hashlib.sha256(data).digest()[:8], linr_prior.Prior(data)


@dataclass(frozen=True)
class FromPrior:
    """A section NETW that names a prior, field by field; numbers are small and random, or given."""

    signal: Signal
    file: str
    name: bytes | None = None
    coding: int = 0
    setting: int = 7
    error: int = 5000
    bits: int = 8
    scale: tuple[int, int] | None = None  # of the last layer
    biases: Sequence[int] = (0, 1 << 23, 0)
    scale_codes: Sequence[int] = (110, 120, 110)
    steps: Sequence[int] = ()
    latent_scale: tuple[int, int] = (1, 0)
    largest: int = 3  # of the numbers
    missing: int = 0  # numbers
    sparse: bytes | None = None
    end: bytes = b""

    def content(self) -> bytes:
        name, prior = prior_of(self.file)
        rng = np.random.default_rng(len(self.end) + self.largest)
        last = prior.layers[-1]
        multiplier, shift = self.scale or (last.multiplier, last.shift)
        out = [
            b"\x40",
            self.name or name,
            bytes([self.coding, self.setting]),
            varint(self.error) + (varint(4000) if self.bits == 1 else b""),
            varint(multiplier) + bytes([shift]),
            *map(signed, self.biases),
            bytes(self.scale_codes),
        ]

        def numbers(count: int) -> list[int]:
            found: list[int] = rng.integers(-self.largest, self.largest, count, endpoint=True).tolist()
            return found

        if not prior.patch:
            steps = self.steps or [11] * len(prior.layers) + [64] * (len(prior.layers) - 1)
            arrays = [numbers(layer.outputs) for layer in prior.layers[:-1]] + [numbers(x.outputs * x.inputs) for x in prior.layers]
            arrays[-1] = arrays[-1][: len(arrays[-1]) - self.missing]
            return b"".join([*out, *map(varint, steps), coded_integers(arrays), self.end])
        patches = int(np.prod([-(-n >> prior.patch) for n in self.signal.axes]))
        out.append(varint(self.latent_scale[0]) + bytes([self.latent_scale[1]]))
        if self.coding == SINR:
            return b"".join([*out, self.sparse_codes(prior.latents, patches) if self.sparse is None else self.sparse, self.end])
        return b"".join([*out, coded_integers([numbers(patches * prior.latents - self.missing)], [prior.latents]), self.end])

    def sparse_codes(self, latents: int, patches: int) -> bytes:
        """A sparse section of one matrix with one non-zero in each vector: the first atom."""
        vectors = latents if patches >= 50 else -(-latents * patches // 2500)
        octets = bytes(2 * vectors) + bytes([5]) * vectors + bytes([128]) * vectors  # gaps of 0, values of 5
        stream: bytes = brotli.compress(octets)
        return bytes([0, 16]) + varint(1) + stream


Options = dict[str, Any]


def subset() -> Iterable[Recipe]:
    """What the encoder writes."""
    fit: Options = {"profile": "inr", "threads": 1, "steps": 6}
    yield by_encoder("inr-prior-meta", "a difference from learned first weights", IMAGE, prior="meta", **fit)
    yield by_encoder("inr-prior-modulations", "shifts of a shared network by patch", IMAGE, prior="modulations", **fit)
    deep = Signal(picture(20, 33, 3, 12, seed=7), "image", 12)
    yield by_encoder("inr-prior-12-bits", "a prior made for 8 bits, with values of 12", deep, prior="modulations", **fit)
    yield by_encoder("inr-prior-sinr", "sparse latent values", SMALL_IMAGE, prior="modulations", weights="sinr", **fit)


def uncommon() -> Iterable[Recipe]:
    """What the encoder does not write."""
    files: dict[str, tuple[str, FromPrior, int]] = {
        "meta-steps": ("steps of 0 and of 2^16", FromPrior(SMALL_IMAGE, META, steps=[0, 1 << 16, 1, 0, 0, 1 << 16, 0], largest=1), 8),
        "meta-biases": ("the largest biases", FromPrior(SMALL_IMAGE, META, biases=(1 << 25, -(1 << 25), 0)), 8),
        "modulations-0": ("a scale of 0: all patches alike", FromPrior(IMAGE, MODULATIONS, latent_scale=(0, 62)), 8),
        "modulations-large": ("large shifts, which wrap", FromPrior(IMAGE, MODULATIONS, latent_scale=(1 << 20, 0), largest=200), 8),
        "modulations-sinr": (
            "sparse latent values by hand",
            FromPrior(IMAGE, MODULATIONS, coding=SINR, setting=200, latent_scale=(1, 6)),
            8,
        ),
    }
    for name, (what, spec, bits) in files.items():
        made = partial(_file, spec, bits)
        yield recipe(f"inr-prior-{name}", what, spec.signal, made)
    one = Signal(picture(6, 5, 3, 1, seed=8), "image", 1)
    yield recipe("inr-prior-1-bit", "values of one bit", one, partial(_file, FromPrior(one, META, bits=1), 1))


def _file(spec: FromPrior, bits: int) -> bytes:
    return file_of(coded(spec.signal, spec.content(), bits=bits))


def _lossy_file(spec: FromPrior) -> bytes:
    return file_of(lossy(spec.signal, spec.content(), bits=8))


def of_networks() -> Iterable[Recipe]:
    """What the networks alone give, also between the pixels."""
    for name, file in (("meta", META), ("modulations", MODULATIONS)):
        spec = FromPrior(IMAGE, file)
        yield recipe(f"inr-prior-{name}", f"a network from the prior {name}", IMAGE, partial(_lossy_file, spec), VIEWS, lossy=True)


def faulty() -> Iterable[Recipe]:
    """What may not be in a section that names a prior."""
    files: dict[str, tuple[str, Callable[[], FromPrior]]] = {
        "unknown": ("a prior that nobody has", lambda: FromPrior(SMALL_IMAGE, META, name=bytes(8))),
        "hybrid": ("a prior of the profile hybrid", lambda: FromPrior(SMALL_IMAGE, META, name=bytes.fromhex("6e7a39dee21e1dd8"))),
        "coding": ("a coding that it cannot have", lambda: FromPrior(SMALL_IMAGE, META, coding=1)),
        "sparse-difference": ("a sparse difference", lambda: FromPrior(SMALL_IMAGE, META, coding=SINR)),
        "bias": ("a bias that is too large", lambda: FromPrior(SMALL_IMAGE, META, biases=(0, (1 << 25) + 1, 0))),
        "bias-64-bits": ("a bias of more than 64 bits", lambda: FromPrior(SMALL_IMAGE, META, biases=(0, 1 << 64, 0))),
        "multiplier": ("a multiplier that is too large", lambda: FromPrior(SMALL_IMAGE, META, scale=(1 << 31, 0))),
        "shift": ("a shift that is too large", lambda: FromPrior(SMALL_IMAGE, META, scale=(1, 63))),
        "product": ("sums that are not exact", lambda: FromPrior(SMALL_IMAGE, META, scale=((1 << 31) - 1, 0))),
        "step": ("a step that is too large", lambda: FromPrior(SMALL_IMAGE, META, steps=[(1 << 16) + 1, 1, 1, 1, 1, 1, 1])),
        "weight": ("a weight that is too large", lambda: FromPrior(SMALL_IMAGE, META, steps=[1 << 16] * 7, largest=1 << 20)),
        "short": ("too few numbers", lambda: FromPrior(SMALL_IMAGE, META, missing=2000)),
        "long": ("bytes that are left over", lambda: FromPrior(SMALL_IMAGE, META, end=bytes(40))),
        "grey": ("a grey picture", lambda: FromPrior(Signal(picture(3, 4, 1, 8)[..., None], "image", 8), META)),
        "latent-scale": ("a shift of latent values that is too large", lambda: FromPrior(SMALL_IMAGE, MODULATIONS, latent_scale=(1, 63))),
        "latent-product": (
            "sums of latent values that are not exact",
            lambda: FromPrior(SMALL_IMAGE, MODULATIONS, latent_scale=((1 << 31) - 1, 0), largest=1 << 20),
        ),
        "latents-short": ("too few latent values", lambda: FromPrior(IMAGE, MODULATIONS, missing=600)),
        "latents-long": ("bytes after the latent values", lambda: FromPrior(SMALL_IMAGE, MODULATIONS, end=bytes(40))),
        "sparse-empty": ("no sparse section", lambda: FromPrior(SMALL_IMAGE, MODULATIONS, coding=SINR, sparse=b"")),
    }
    for name, (what, spec) in files.items():
        yield fault(f"netw-prior-{name}", f"NETW from a prior: {what}", partial(_faulty, spec))


def _faulty(spec: Callable[[], FromPrior]) -> Sections:
    """The file of a section that no decoder can read; so it has a tile of any bytes."""
    made = spec()
    return [(b"HEAD", head(made.signal, 1, bits=8)), (b"NETW", made.content()), *tiled([bytes(6)], made.signal.axes)]
