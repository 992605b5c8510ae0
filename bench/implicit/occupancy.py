"""Occupancy fields: networks fitted to a mesh's voxels and to a gyroid, in several weight codings, beside what exact coders take.

    python -m bench.implicit.occupancy armadillo.obj          a mesh; also draws docs/implicit-occupancy.png
    python -m bench.implicit.occupancy                        a gyroid
    python -m bench.implicit.occupancy --closest              of each coding the network that is closest, not the smallest file

The networks are those of Ramasinghe and Lucey, "Beyond Periodicity" (ECCV 2022): Gaussian units. IoU is intersection over union of the
voxels that are 1, and of the integer network of the file, but for the row of the float network. Every file is decoded and compared.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import brotli
import numpy as np
import numpy.typing as npt
import torch

import inrcodec
from inrcodec import Signal
from inrcodec.fit import search
from inrcodec.fit.choices import goal_for
from inrcodec.fit.codings import Sinr
from inrcodec.fit.model import Plain
from inrcodec.options import Options, goal_of
from inrcodec.values import to_values
from inrcodec.weights.network import CodedNetwork

from ..common import save, table, tell, timed
from .shaded import draw

CODINGS: tuple[tuple[str, int], ...] = (("uniform", 8), ("lsq", 8), ("lsq", 4), ("ternary", 0))
SMALL_CODING = "lsq", 5
MORE_STEPS = 2  # of a small network, times those of the usual one
TUNED = 0.5  # of the steps of the fit, for sparse codes, which move the weights far
Bits = npt.NDArray[np.bool_]


def gyroid(size: int) -> Bits:
    """(size, size, size) bool: the sheet around a gyroid, two periods each way, within a ball."""
    t = np.linspace(-2 * np.pi, 2 * np.pi, size)
    x, y, z = np.meshgrid(t, t, t, indexing="ij")
    wave = np.sin(x) * np.cos(y) + np.sin(y) * np.cos(z) + np.sin(z) * np.cos(x)
    return np.asarray((np.abs(wave) < 0.4) & (x * x + y * y + z * z < (1.9 * np.pi) ** 2))


def iou(found: Bits, wanted: Bits) -> float:
    """Intersection over union."""
    return float((found & wanted).sum() / (found | wanted).sum())


@dataclass(frozen=True)
class Case:
    """A volume to be fitted, under a name."""

    name: str
    signal: Signal


def fitted(case: Case, options: Options) -> tuple[search.Fitted, float]:
    """A float network of a volume, and the seconds of its fit."""
    values, value_map = to_values(case.signal.samples)
    with search.limited_threads(1):
        return timed(lambda: search.fit_float(values[..., None], value_map.bits, options, goal_for(options, "mdl")))


def float_iou(found: search.Fitted, wanted: Bits) -> float:
    """IoU of a float network, over all places."""
    data, source = found.targets, Plain(found.model, torch.Generator())
    with torch.no_grad(), search.limited_threads(1):
        said = [found.model(part, source, [])[:, 0, 0] > 0 for part in torch.split(data.inputs, 1 << 15)]
    return iou(torch.cat(said).numpy().reshape(wanted.shape), wanted)


def file_of(case: Case, coded: CodedNetwork) -> bytes:
    """The exact file of a volume with this network, which is decoded and compared."""
    with mock.patch.object(search, "fit_network", return_value=coded):
        return inrcodec.encode(case.signal, profile="inr", threads=1)


def row(network: str, label: str, data: bytes, seconds: float) -> list[Any]:
    """A row of the table of a file."""
    found = inrcodec.info(data)
    net, sizes = found["network"], found["bytes"]
    return [network, label, f"{net['iou']:.4f}", f"{sizes['weights']:,}", f"{sizes['payload']:,}", f"{len(data):,}", f"{seconds:.0f}"]


def networks(case: Case, options: Options, shares: list[float], closest: bool) -> tuple[list[list[Any]], dict[str, bytes]]:
    """The rows of a network of the usual size in every coding, and its files by coding. closest: see `main`."""
    found, seconds = fitted(case, options)
    if closest:  # fine-tuning makes a network better, but hardly its file smaller
        found = replace(found, goal=goal_of("psnr=99"))
    a = found.model.architecture
    size = f"{a.layers} × {a.hidden}"
    rows: list[list[Any]] = [[size, "none: floats", f"{float_iou(found, case.signal.samples):.4f}", "", "", "", f"{seconds:.0f}"]]
    files: dict[str, bytes] = {}
    for name, bits in CODINGS:
        result, spent = timed(lambda name=name, bits=bits: search.best_of(found, name, bits))  # type: ignore[misc]
        files[result.label] = file_of(case, result.coded)
        rows.append(row(size, result.label, files[result.label], spent))
        tell(f"{case.name}: {rows[-1]}")
    for share in shares:
        with mock.patch.object(Sinr, "settings", return_value=(share,)), mock.patch.object(search, "FINE_TUNE", TUNED):
            result, spent = timed(lambda: search.best_of(found, "sinr", 0))
        files[result.label] = file_of(case, result.coded)
        rows.append(row(size, result.label, files[result.label], spent))
        tell(f"{case.name}: {rows[-1]}")
    return rows, files


def smallest(case: Case, options: Options) -> list[Any]:
    """The row of a smaller network, fitted longer, which makes a smaller exact file."""
    found, seconds = fitted(case, replace(options, steps=MORE_STEPS * options.steps))
    a = found.model.architecture
    result, spent = timed(lambda: search.best_of(found, *SMALL_CODING))
    return row(f"{a.layers} × {a.hidden}", f"{result.label}, {MORE_STEPS} × the steps", file_of(case, result.coded), seconds + spent)


def others(case: Case) -> list[list[Any]]:
    """The rows of exact coders without a network of coordinates."""
    bits = np.packbits(case.signal.samples).tobytes()
    packed, seconds = timed(lambda: brotli.compress(bits, quality=11, lgwin=24))
    coded, spent = timed(lambda: inrcodec.encode(case.signal, threads=1, verify=False))
    return [
        ["", "packed bits + Brotli 11", "1", "", "", f"{len(packed):,}", f"{seconds:.0f}"],
        ["", f"profile auto: {inrcodec.info(coded)['profile']}", "1", "", "", f"{len(coded):,}", f"{spent:.0f}"],
    ]


def study(case: Case, options: Options, shares: list[float], small: list[int], closest: bool) -> tuple[list[str], dict[str, bytes]]:
    """The part of the report on a volume, and the files of its usual network."""
    rows, files = networks(case, options, shares, closest)
    for hidden in small:
        rows.append(smallest(case, replace(options, hidden=hidden)))
        tell(f"{case.name}: {rows[-1]}")
    rows += others(case)
    samples = case.signal.samples
    told = f"{' × '.join(map(str, samples.shape))} voxels, {int(samples.sum()):,} of them 1; packed {case.signal.raw_bytes:,} bytes."
    heads = ["network", "weights", "IoU alone", "weights, bytes", "payload", "file, exact", "seconds"]
    return [f"## {case.name}", told, table(heads, rows)], files


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mesh", type=Path, nargs="?", help="a closed mesh")
    parser.add_argument("--voxels", type=int, default=128, help="along each axis")
    parser.add_argument("--steps", type=int, default=4000, help="of each fit")
    parser.add_argument("--hidden", type=int, default=128, help="units of the network that is coded in many ways")
    parser.add_argument("--small", type=int, nargs="*", default=[56], help="units of networks for the smallest exact file")
    parser.add_argument("--shares", type=float, nargs="*", default=[1 / 4, 1 / 2], help="non-zeros per weight of sinr")
    parser.add_argument("--picture", type=Path, help="to draw the mesh before and after into; default: docs/implicit-occupancy.png")
    parser.add_argument("--closest", action="store_true", help="of each coding, take the network with the best PSNR, not the smallest file")
    given = parser.parse_args()
    options = Options(threads=1, steps=given.steps, hidden=given.hidden)
    if given.mesh:
        from inrcodec.files import mesh

        signal, seconds = timed(lambda: mesh.read(given.mesh, given.voxels))
        case = Case(f"{given.mesh.stem}, {given.voxels}³, voxelized in {seconds:.1f} s", signal)
    else:
        case = Case(f"a gyroid, {given.voxels}³", Signal(gyroid(given.voxels)))
    parts, files = study(case, options, given.shares, given.small, given.closest)
    if given.mesh and not given.closest:
        draw(given.picture or Path("docs") / "implicit-occupancy.png", given.mesh, files)
    name = "implicit-occupancy" if given.mesh else "implicit-occupancy-gyroid"
    name += "-closest" if given.closest else ""
    save(name, f"Occupancy fields: {given.mesh.stem if given.mesh else 'a gyroid'}", parts, "brotli", module="bench.implicit.occupancy")


if __name__ == "__main__":
    main()
