"""Checkpoints, exact, beside zstd, Brotli and ZipNN; and lossy: bytes, bits per weight, seconds.

    python -m bench.checkpoints [FILE…] [--radiance FILE] [--zipnn FOLDER] [--effort N]

FILE: .safetensors, .pt or .pth, such as those that packages ship. A small network is trained here on scikit-learn's digits; it and each
FILE in float32 are also measured rounded to BF16 and F16, as checkpoints often are. ZipNN (Hershcovitch et al., "ZipNN: Lossless
Compression for AI Models", 2024) is asked if --zipnn names a virtual environment with its package; it is run by the Python there.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import brotli
import imagecodecs
import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import inrcodec
from inrcodec import Tensor, Tensors, files
from inrcodec.weightfloats import from_double

from .common import save, table, tell

ZSTD = 19
LOSSY = (("uniform", 8), ("lsq", 8), ("lsq", 4), ("sinr", 8), ("ternary", 0))
MOST_SPARSE = 500_000  # elements of a checkpoint: the pursuit of sinr takes minutes beyond
ZIPNN = """
import sys
from pathlib import Path
from zipnn import ZipNN
for name in sys.argv[2:]:
    data = Path(name).read_bytes()
    kind = "bfloat16" if sys.argv[1] == "BF16" else "float16" if sys.argv[1] == "F16" else "float32"
    coder = ZipNN(input_format="byte", bytearray_dtype=kind)
    coded = bytes(coder.compress(bytearray(data)))  # it changes what it is given
    assert bytes(ZipNN(input_format="byte", bytearray_dtype=kind).decompress(coded)) == data
    print(len(coded))
"""


class Digits(nn.Module):
    """A small convolutional network for pictures of 8 × 8."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(),
            nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1024, 128), nn.ReLU(), nn.Linear(128, 10),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: (n, 1, 8, 8) → (n, 10) logits."""
        found: torch.Tensor = self.body(x)
        return found


def digits(steps: int) -> tuple[Digits, Callable[[Mapping[str, Any]], float]]:
    """A network trained on digits, and the share of 497 others that a state dict gets right."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    pictures, labels = load_digits(return_X_y=True)
    x, y = torch.tensor(pictures.reshape(-1, 1, 8, 8) / 16, dtype=torch.float32), torch.tensor(labels)
    network = Digits()
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(steps):
        chosen = torch.randint(1300, (64,))
        loss = nn.functional.cross_entropy(network(x[chosen]), y[chosen])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    def right(state: Mapping[str, Any]) -> float:
        other = Digits()
        other.load_state_dict(state)
        other.eval()
        with torch.no_grad():
            return float((other(x[1300:]).argmax(1) == y[1300:]).double().mean())

    return network, right


def tensors_of(network: nn.Module) -> Tensors:
    """The weights of a network."""
    return Tensors.of({name: value.numpy() for name, value in network.state_dict().items()})


def rounded(tensors: Tensors, dtype: str) -> Tensors:
    """The same with all float32 rounded to another type; those that have numbers outside of it stay."""
    found = {}
    for name, tensor in tensors.tensors.items():
        wide = tensor.numpy().astype(np.float64).reshape(-1) if tensor.dtype == "F32" else None
        fits = wide is not None and bool(np.isfinite(wide).all()) and (dtype == "BF16" or float(np.abs(wide).max(initial=0)) < 65504)
        found[name] = Tensor(dtype, from_double(wide, dtype).reshape(tensor.shape)) if wide is not None and fits else tensor
    return Tensors(found)


def zipnn(tensors: Tensors, folder: Path | None) -> int:
    """Bytes that ZipNN takes: the elements of each type in one piece, as its script for files does, each type by itself; 0: not asked."""
    if folder is None:
        return 0
    total = 0
    with tempfile.TemporaryDirectory() as name:
        for dtype in sorted({tensor.dtype for tensor in tensors.tensors.values()}):
            path = Path(name) / dtype
            path.write_bytes(b"".join(tensor.raw() for tensor in tensors.tensors.values() if tensor.dtype == dtype))
            if path.stat().st_size < 4096:  # it refuses what is very small
                total += path.stat().st_size
                continue
            found = subprocess.run([folder / "bin" / "python", "-c", ZIPNN, dtype, str(path)], capture_output=True, text=True, check=True)
            total += int(found.stdout.split()[-1])
    return total


def worked(call: Callable[[], Any]) -> tuple[Any, float]:
    """The result of a call, and the seconds of the processor that it took: other work may go on beside it."""
    start = time.process_time()
    found = call()
    return found, time.process_time() - start


def exact(name: str, tensors: Tensors, effort: int, folder: Path | None) -> list[Any]:
    """The row of a checkpoint: shares of its elements' bytes."""
    raw = b"".join(tensor.raw() for tensor in tensors.tensors.values())
    data, encode = worked(lambda: inrcodec.encode(tensors, threads=1, effort=effort, verify=False))
    back, decode = worked(lambda: inrcodec.decode_tensors(data, threads=1))
    if not back.equals(tensors):
        raise SystemExit(f"{name}: it did not come back")
    zstd = len(imagecodecs.zstd_encode(raw, level=ZSTD))
    brotlied = len(brotli.compress(raw, quality=9, lgwin=24))
    other = zipnn(tensors, folder)
    tell(f"{name}: {len(raw)} → {len(data)}, {encode:.1f} s")
    per = [f"{100 * n / len(raw):.1f}" if n else "–" for n in (zstd, brotlied, other, len(data))]
    speed = [f"{len(raw) / 1e6 / seconds:.2f}" for seconds in (encode, decode)]
    elements = sum(tensor.size for tensor in tensors.tensors.values())
    return [name, elements, len(raw), len(data), *per, f"{8 * len(data) / max(1, elements):.2f}", *speed]


def lossy(name: str, tensors: Tensors, effort: int, judge: Callable[[Tensors], str]) -> list[list[Any]]:
    """A row for each weight coding."""
    rows: list[list[Any]] = []
    for coding, bits in LOSSY:
        elements = sum(tensor.size for tensor in tensors.tensors.values())
        if coding == "sinr" and elements > MOST_SPARSE:
            continue
        asked: dict[str, Any] = {"weights": coding, "bits": bits, "effort": effort}
        data, seconds = worked(partial(inrcodec.encode, tensors, threads=1, lossy=True, **asked))
        noise = [about["lossy"]["snr"] for about in inrcodec.info(data)["tensors"] if "lossy" in about]
        label = f"{coding} {bits}" if bits else coding
        told = judge(inrcodec.decode_tensors(data))
        rows.append([name, label, len(data), 8 * len(data) / elements, f"{min(noise):.1f} to {max(noise):.1f}", told, f"{seconds:.1f}"])
        tell(f"{name}, {label}: {len(data)} bytes")
    return rows


def judge_of(right: Callable[[Mapping[str, Any]], float]) -> Callable[[Tensors], str]:
    """How many digits tensors get right, as text."""
    return lambda found: f"{100 * right({name: torch.from_numpy(t.numpy().copy()) for name, t in found.tensors.items()}):.1f} % right"


def label_of(path: Path) -> str:
    """A short name of a file."""
    return "/".join(path.parts[-2:]) if len(path.parts) > 1 else path.name


def read(paths: Sequence[Path]) -> dict[str, Tensors]:
    """The files by their names."""
    return {label_of(path): files.read_tensors(path) for path in paths}


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--radiance", type=Path, help="the network of bench.implicit.radiance")
    parser.add_argument("--zipnn", type=Path, help="a virtual environment with the package zipnn")
    parser.add_argument("--effort", type=int, default=inrcodec.Options.effort)
    parser.add_argument("--steps", type=int, default=400, help="of the network for digits")
    parser.add_argument("--short", type=int, default=20_000_000, help="files of more bytes are not rounded to BF16 and F16 too")
    given = parser.parse_args()
    warnings.simplefilter("ignore", inrcodec.Notice)
    network, right = digits(given.steps)
    checkpoints = {"digits, trained here": tensors_of(network)}
    if given.radiance:
        checkpoints["radiance, trained here"] = files.read_tensors(given.radiance)
    checkpoints |= read(given.files)
    first = next(iter(checkpoints.values()))
    inrcodec.encode(first, threads=1, effort=given.effort)  # compiles kernels
    rows = []
    for name, tensors in checkpoints.items():
        rows.append(exact(name, tensors, given.effort, given.zipnn))
        if tensors.nbytes <= given.short and any(tensor.dtype == "F32" for tensor in tensors.tensors.values()):
            rows += [exact(f"{name}, as {dtype}", rounded(tensors, dtype), given.effort, given.zipnn) for dtype in ("BF16", "F16")]
    heads = ["checkpoint", "elements", "bytes", "inrcodec, bytes", f"zstd {ZSTD}, %", "Brotli 9, %", "ZipNN, %", "inrcodec, %"]
    heads += ["bits per element", "encodes, MB/s", "decodes, MB/s"]
    noisy = lossy("digits", first, given.effort, judge_of(right))
    before = f"Exact, the network for digits gets {100 * right(network.state_dict()):.1f} % of 497 digits right."
    about = f"Shares are of the bytes of all elements, effort {given.effort}, one thread, without verification; "
    about += "seconds are those of the processor. "
    about += "zstd and Brotli: all elements in one piece; "
    about += "ZipNN: those of a type in one piece. Published shares of ZipNN: about 67 % of BF16, 83 % of FP32."
    save(
        "checkpoints",
        "Checkpoints",
        [
            "## Exact",
            about,
            table(heads, rows),
            "## Lossy, without fine-tuning",
            before,
            table(["checkpoint", "weights", "bytes", "bits per element", "signal-to-noise ratio, dB", "digits", "seconds"], noisy),
        ],
        "imagecodecs",
        "brotli",
    )


if __name__ == "__main__":
    main()
