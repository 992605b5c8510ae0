"""What one machine finds: `python -m bench.arm.worker PART` prints a line for each thing, its name and what was found, as JSON.

A vector's finding is what it decoded to, or "refused: " and the message; that of a view of it, the SHA-256 of the samples; that of a file
is its own SHA-256.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).parent.parent.parent
VECTORS = ROOT / "formats" / "vectors"
STANDALONE = ROOT / "formats" / "standalone"
PACKAGES = ("numpy", "scipy", "numba", "llvmlite", "brotli")
REFUSED = "refused"
Findings = Iterator[tuple[str, str]]


def describe(entry: dict[str, Any]) -> str:
    """One line for an entry of the manifest: SHA-256 of the samples, type, shape, kind, bit depth, rate, metadata."""
    shape = "×".join(map(str, entry["shape"]))
    words = [entry["sha256"], entry["dtype"], shape, entry["kind"], f"{entry['bit_depth']} bits"]
    if entry["sample_rate"] is not None:
        words.append(f"{entry['sample_rate']} Hz")
    if entry.get("bfloat16"):
        words.append("bfloat16")
    if entry["metadata"]:
        words.append(json.dumps(entry["metadata"]))
    return " ".join(words)


def describe_signal(
    samples: npt.NDArray[Any], kind: str, bit_depth: int, sample_rate: int | None, metadata: dict[str, bytes], bfloat16: bool = False
) -> str:
    """The same line for what a decoder gave. The digest is of the samples in little-endian order."""
    little = samples.astype(samples.dtype.newbyteorder("<"))
    entry = {
        "sha256": hashlib.sha256(little.tobytes()).hexdigest(),
        "dtype": samples.dtype.str,
        "shape": samples.shape,
        "kind": kind,
        "bit_depth": bit_depth,
        "sample_rate": sample_rate,
        "metadata": {key: hashlib.sha256(value).hexdigest() for key, value in metadata.items()},
        "bfloat16": bfloat16,
    }
    return describe(entry)


Faults = type[Exception] | tuple[type[Exception], ...]


def view_names(entry: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The views of an entry of the manifest, by what their findings are called."""
    return {f"{entry['file']}, view {i}": view for i, view in enumerate(entry.get("views", []), 1)}


def views(show: Callable[[str, dict[str, Any]], npt.NDArray[Any]], cut: bool) -> Findings:
    """What `show` makes of the views of all vectors; cut: whether it is asked for those of files that were cut, or else of whole ones."""
    for entry in json.loads((VECTORS / "manifest.json").read_text("utf-8")):
        for name, view in view_names(entry).items():
            samples = show(entry["file"] if cut else entry.get("whole", entry["file"]), view)
            yield name, hashlib.sha256(samples.astype(samples.dtype.newbyteorder("<")).tobytes()).hexdigest()


def vectors(decode: Callable[[bytes], str], fault: Faults) -> Findings:
    """What `decode` says of every conformance vector; `fault` is what it raises if it refuses one."""
    for path in sorted(VECTORS.glob("*/*.linr")):
        try:
            found = decode(path.read_bytes())
        except fault as refusal:
            found = f"{REFUSED}: {refusal}"
        yield path.relative_to(VECTORS).as_posix(), found


def about() -> Findings:
    """What machine this is: processor, byte order, versions, and the name by which LLVM knows the processor."""
    from llvmlite import binding

    import inrcodec

    if Path(inrcodec.__file__).parent.parent != ROOT:
        raise SystemExit(f"this is another inrcodec than that of {ROOT}")
    yield "machine", platform.machine()
    yield "byte order", sys.byteorder
    yield "processor", binding.get_host_cpu_name()
    yield "versions", ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in PACKAGES)])


def said_by_standalone(data: bytes) -> str:
    """What the standalone decoder says of a file. Raises what it raises: `linr.Invalid`, `linr.NoSamples`."""
    import linr

    samples, what = linr.decode(data)
    return describe_signal(samples, **what)


def said_by_package(data: bytes) -> str:
    """What the package says of a file. Raises InrcodecError."""
    import inrcodec

    signal = inrcodec.decode(data, threads=2)
    return describe_signal(signal.samples, signal.kind, signal.bit_depth, signal.sample_rate, dict(signal.metadata), signal.bfloat16)


def standalone() -> Findings:
    """All vectors by the standalone decoder."""
    sys.path.insert(0, str(STANDALONE))
    import linr

    def show(file: str, view: dict[str, Any]) -> npt.NDArray[Any]:
        data, more, parts = (VECTORS / file).read_bytes(), view["more_bits"], view["configuration"]
        found = linr.deeper(data, more) if view["known"] else linr.network_only(data, view["size"], more, parts and tuple(parts))
        return found[0]

    yield from vectors(said_by_standalone, (linr.Invalid, linr.NoSamples))
    yield from views(show, cut=False)


def package() -> Findings:
    """All vectors by the package, whose kernels Numba compiles."""
    import inrcodec

    yield from vectors(said_by_package, inrcodec.InrcodecError)
    yield from views(shown_by_package, cut=True)


def shown_by_package(file: str, view: dict[str, Any]) -> npt.NDArray[Any]:
    """A view of a vector by the package."""
    import inrcodec

    data, parts, known = (VECTORS / file).read_bytes(), view["configuration"], view["known"]
    depth = inrcodec.info(data)["bit_depth"] + view["more_bits"] if view["more_bits"] else 0
    fill = "network" if known else "smooth"
    asked: dict[str, Any] = {
        "sizes": tuple(view["size"]),
        "bit_depth": depth,
        "network_only": not known,
        "config": parts and tuple(parts),
        "fill": fill,
    }
    return inrcodec.render(data, threads=2, **asked).samples


def files() -> Findings:
    """The files of the signals of bench.signals. Each is decoded again here."""
    import inrcodec

    from ..signals import digest, signals

    for name, signal, efforts in signals():
        for effort in efforts:
            data = inrcodec.encode(signal, effort=effort, threads=2, verify=False)
            if not np.array_equal(inrcodec.decode(data, threads=2).samples, signal.samples):
                raise SystemExit(f"{name}, effort {effort}: it did not come back")
            yield f"{name}, effort {effort}", digest(data)


PARTS: dict[str, Callable[[], Findings]] = {"standalone": standalone, "package": package, "files": files}


if __name__ == "__main__":
    for found in {"about": about, **PARTS}[sys.argv[1]]():
        print(json.dumps(found), flush=True)
