"""The network `heads` of profile `inr` beside the published network that has the bit as a coordinate, the same time for each.

    python -m bench.implicit.paper --size 16 --seconds 60
    python -m bench.implicit.paper --size 128 --seconds 240
    python -m bench.implicit.paper --size 256 --seconds 600 --device cuda

The published one: Han et al., "Towards Lossless Implicit Neural Representation via Bit Plane Decomposition" (CVPR 2025). SIREN of six sine
layers of 512 units, all of frequency 30, with the index of the bit as one more coordinate: 1,316,867 parameters for RGB. Adam at 1e-4 with
all places in each step, cross-entropy. Our own code fits both networks; its random weights of the last layer are larger than theirs.
"""

from __future__ import annotations

import argparse
from typing import Any

from inrcodec.fit import search
from inrcodec.options import Options, goal_of

from ..common import photo8, photo16, save, table, tell
from .watching import planes_of, threads, with_machine

NETWORKS: dict[str, dict[str, Any]] = {
    "heads": {"network": "heads"},
    "paper": {"network": "siren", "hidden": 512, "layers": 6, "omega": 30.0, "learning_rate": 1e-4},
}
HEADS = ["image", "network", "parameters", "bit error rate 0 at", "bit error rate", "PSNR dB", "steps", "seconds", "payload bytes"]
GPU = "python -m bench.implicit.paper --size 256 --seconds 600 --device cuda"


def measure(size: int, seconds: float, device: Any, networks: dict[str, dict[str, Any]]) -> list[list[Any]]:
    """A row for each image and network, with the columns HEADS. size: of the square images; seconds: the most that a fit gets."""
    rows: list[list[Any]] = []
    for bits, samples in ((8, photo8(size)), (16, photo16(size))):
        for name, given in networks.items():
            options = Options(profile="inr", device=device, **({"seconds": seconds, "batch": size * size} | given))
            fitted = search.fit_float(planes_of(samples, bits), bits, options, goal_of("exact"))
            o, a = fitted.outcome, fitted.model.architecture
            exact = f"step {o.exact_step}, {o.exact_seconds:.1f} s" if o.exact_step is not None else "not reached"
            error = f"{sum(o.bit_errors) / len(o.bit_errors):.2e}"
            rows.append([f"{size} × {size}, {bits} bits", name, a.parameters, exact, error, o.psnr, o.steps, o.seconds, o.code_bits / 8])
            tell(f"{rows[-1]}")
    return rows


def main() -> None:
    """Fit both networks, and save the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=128, help="of the square images, in pixels")
    parser.add_argument("--seconds", type=float, default=240, help="the most that each fit gets")
    given = with_machine(parser).parse_args()
    with threads(given.threads):
        rows = measure(given.size, given.seconds, given.device, NETWORKS)
    note = (
        f"Each fit had at most {given.seconds:g} s on {given.device}, with {given.threads} thread(s) if that is the CPU. `heads`: one "
        "output for each bit-plane, size and learning rate by the signal. `paper`: SIREN of six sine layers of 512 units, the bit as a "
        "coordinate, Adam at 1e-4. Both take all places in each step, and the cross-entropy. Payload: what the bits would cost by the "
        "float network."
    )
    parts = [note, table(HEADS, rows), f"On a GPU: `{GPU}`."]
    save(
        f"implicit-paper-{given.size}-{given.device}",
        "`heads` beside the paper's network",
        parts,
        "scikit-learn",
        module="bench.implicit.paper",
    )


if __name__ == "__main__":
    main()
