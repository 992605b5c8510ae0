"""Fits of profile `inr` until every bit is right: steps, seconds, and the payload that remains with 16-bit weights.

    python -m bench.exact small                           64 × 64 RGB 8 and 16 bits, 1 s of 8 kHz 16-bit sound
    python -m bench.exact paper --size 128 --seconds 240  `heads` beside the paper's network and settings, on the CPU
    python -m bench.exact paper --size 256 --device cuda --seconds 600

The paper is Han et al., "Towards Lossless Implicit Neural Representation via Bit Plane Decomposition" (CVPR 2025): SIREN with
5 × 512 units and the bit index as one more coordinate, Adam at 1e-4, full batch. Our own code fits both networks.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import inrcodec
from inrcodec import Signal
from inrcodec.cli.demo import chime
from inrcodec.fit import search
from inrcodec.options import Options
from inrcodec.values import to_values

from .common import photo8, photo16, save, table


def small(seconds: float) -> None:
    """Whole files, with uniform 16-bit weights. seconds: the most that each fit gets."""
    cases = [
        ("64 × 64 RGB 8-bit photograph", Signal(photo8(64), "image")),
        ("64 × 64 RGB 16-bit photograph", Signal(photo16(64), "image")),
        ("1 s of sound, 8 kHz, 16 bits", chime(8000)),
    ]
    rows: list[list[Any]] = []
    for name, signal in cases:
        seen: list[inrcodec.Progress] = []
        data = inrcodec.encode(signal, profile="inr", weights="uniform", bits=16, seconds=seconds, progress=seen.append)
        start = time.perf_counter()
        assert inrcodec.decode(data).equals(signal)
        found, last = inrcodec.info(data), [s for s in seen if s.stage == "fit"][-1]
        n = found["network"]
        share = 100 * found["bytes"]["payload"] / signal.raw_bytes
        rows.append(
            [
                name,
                f"{n['layers']} × {n['hidden']}",
                last.step,
                last.seconds,
                f"{sum(last.bit_errors) / len(last.bit_errors):.1e}",
                signal.raw_bytes,
                found["bytes"]["payload"],
                f"{share:.3f} %",
                found["bytes"]["weights"],
                time.perf_counter() - start,
            ]
        )
    heads = ["signal", "network", "steps", "seconds", "bit error rate", "raw bytes", "payload bytes", "of raw", "weights bytes", "decode s"]
    save("exact-small", "Fits until every bit is right, 16-bit weights", [table(heads, rows)])


def paper(size: int, seconds: float, device: str) -> None:
    """Fits of the float networks, with the same time for each. size: of the square images."""
    rows: list[list[Any]] = []
    networks: list[tuple[str, dict[str, Any]]] = [
        ("heads (ours)", {"network": "heads"}),
        ("paper: SIREN 5 × 512, bit coordinate, Adam 1e-4", {"network": "siren", "hidden": 512, "layers": 5, "learning_rate": 1e-4}),
    ]
    for bits, samples in ((8, photo8(size)), (16, photo16(size))):
        values, value_map = to_values(samples)
        for name, extra in networks:
            batch = size * size if extra["network"] == "siren" else 0  # the paper's is full batch
            given = Options(profile="inr", device=device, batch=batch, **extra)  # type: ignore[arg-type]
            fitted = search.fit_float(values, value_map.bits, given, "exact", seconds)
            o, a = fitted.outcome, fitted.model.architecture
            exact = f"step {o.exact_step}, {o.exact_seconds:.1f} s" if o.exact_step is not None else "not reached"
            error = sum(o.bit_errors) / len(o.bit_errors)
            rows.append(
                [f"{size} × {size}, {bits} bits", name, a.parameters, exact, f"{error:.2e}", o.psnr, o.steps, o.seconds, o.code_bits / 8]
            )
    heads = ["image", "network", "parameters", "bit error rate 0 at", "bit error rate", "PSNR dB", "steps", "seconds", "payload bytes"]
    note = f"Each fit had at most {seconds:g} s on {device}. Payload: what the float network's bits would cost."
    save(f"exact-paper-{size}-{device}", "`heads` beside the paper's network", [note, table(heads, rows)])


def main() -> None:
    """Run the benchmark that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["small", "paper"])
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    arguments = parser.parse_args()
    if arguments.what == "small":
        small(arguments.seconds)
    else:
        paper(arguments.size, arguments.seconds, arguments.device)


if __name__ == "__main__":
    main()
