"""A picture of a fit of profile `inr`: how it went, which weights came of it, and where in the signal the bits are spent.

It needs matplotlib, which comes with the extra `plot`.
"""

from __future__ import annotations

import math
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import codec
from .errors import InrcodecError, MissingError
from .floats import to_integers
from .kernels.architecture import MEAN_BITS
from .kernels.calibration import gain
from .kernels.meancode import EVEN, FACTOR_BITS, FINEST_SCALE, SCALE_CODE, SCALE_LIMIT
from .options import Progress
from .profiles.inr import coding
from .signal import Signal
from .values import Values, plane_bits, to_gray, to_values
from .weights.adapted import Adapted, Difference
from .weights.network import CodedNetwork

SUFFIXES = (".png", ".svg", ".pdf")
MOST_MATRICES = 6  # whose weights are shown one by one
LIMIT = 12.0  # of a logit, as while coding


def check(path: Path) -> None:
    """Raise MissingError if matplotlib is not installed, InrcodecError if it cannot write a file of this name."""
    try:
        import_module("matplotlib")  # that it is found would not say that it can be imported
    except ImportError:
        raise MissingError("a plot", ["matplotlib"]) from None
    if path.suffix.lower() not in SUFFIXES:
        raise InrcodecError(f"{path}: a plot is {', '.join(SUFFIXES)}")


class Recorder:
    """Keeps what `Options.progress` is told. It is called like it, and calls `also` in turn."""

    def __init__(self, also: Any = None) -> None:
        self.also = also
        self.seen: list[tuple[float, Progress]] = []  # (seconds since the fit began, report) of each report of a fit
        self.before = 0.0  # seconds of the stages that are over

    def __call__(self, status: Progress) -> None:
        """Take a report."""
        if status.bit_errors:
            last = self.seen[-1][1] if self.seen else status
            if status.stage != last.stage or status.step < last.step:  # a stage can come again
                self.before = self.seen[-1][0]
            self.seen.append((self.before + status.seconds, status))
        if self.also:
            self.also(status)


def bits_spent(coded: CodedNetwork, values: Values) -> npt.NDArray[np.float64]:
    """Bits that the payload spends at each place, (axes…) float64, before adaptive maps learn. values: (axes…, channels)."""
    axes, flat = values.shape[:-1], values.reshape(-1, values.shape[-1])
    out = np.empty(len(flat))
    for places, coordinates in coding.pieces(coded.network.architecture, tuple(slice(0, n) for n in axes), axes):
        out[places] = _bits_of_values(coded, coordinates, flat[places]) if coded.joint else _bits_of_bits(coded, coordinates, flat[places])
    return out.reshape(axes)


def _bits_of_bits(coded: CodedNetwork, coordinates: npt.NDArray[np.int64], values: Values) -> npt.NDArray[np.float64]:
    network = coded.network
    bits = plane_bits(to_gray(values) if coded.gray else values, network.architecture.bits)
    gains = np.array([gain(int(code)) for code in coded.gains]) / 2.0**18
    logits = np.clip(network.logits(coordinates) * gains, -LIMIT, LIMIT)
    found: npt.NDArray[np.float64] = np.logaddexp(0, np.where(bits > 0, -logits, logits)).sum(1) / math.log(2)
    return found


def _bits_of_values(coded: CodedNetwork, coordinates: npt.NDArray[np.int64], values: Values) -> npt.NDArray[np.float64]:
    joint, bits = coded.joint, coded.network.architecture.bits
    assert joint is not None
    means, scales = coded.network.means(coordinates)
    unit = 2.0 ** (MEAN_BITS - bits)
    total = np.zeros(len(values))
    for i, channel in enumerate(joint.order):
        mean = means[:, channel] / unit
        for j in range(i):
            mean = mean + joint.factors[i, j] / 2.0**FACTOR_BITS * values[:, joint.order[j]].astype(np.float64)
        code = np.clip(scales[:, channel], -SCALE_LIMIT, SCALE_LIMIT) + (int(joint.scales[channel]) << SCALE_CODE)
        inverse = np.exp2(FINEST_SCALE - code / 1024)
        distance = values[:, channel].astype(np.float64) - mean
        upper, lower = (0.5 * (1 + np.tanh(np.clip(0.5 * (distance + half) * inverse, -20, 20))) for half in (0.5, -0.5))
        total -= np.log2((upper - lower) * (1 - 2.0**-EVEN) + 2.0 ** -(EVEN + bits))
    return total


def can_draw(data: bytes, recorder: Recorder) -> bool:
    """Whether a network of profile `inr` was fitted, and is in the file."""
    return bool(recorder.seen) and isinstance(codec.open_bytes(data).decoder, coding.Decoder)


def draw(path: Path, data: bytes, original: Signal, recorder: Recorder) -> None:
    """Write the picture of a fit to a file. data: the `.linr` file; original: what it was made of; recorder: what was told of the fit.

    The file must be one for which `can_draw` is true.
    """
    opened = codec.open_bytes(data)
    decoder, float_map = opened.decoder, opened.header.float_map
    assert isinstance(decoder, coding.Decoder)
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    coded = decoder.coded()
    values, _ = to_values(to_integers(original.samples, float_map) if float_map else original.samples)
    shaped = values.reshape(*decoder.layout.axes, decoder.layout.channels)
    figure, panels = plt.subplots(2, 2, figsize=(11, 8), constrained_layout=True)
    _draw_length(panels[0, 0], recorder, len(data))
    _draw_errors(panels[0, 1], recorder)
    _draw_weights(panels[1, 0], coded)
    _draw_spent(figure, panels[1, 1], bits_spent(coded, shaped), decoder.written.exact)
    figure.savefig(path, metadata={"Software" if path.suffix.lower() == ".png" else "Creator": "inrcodec"})
    plt.close(figure)


def _draw_length(panel: Any, recorder: Recorder, size: int) -> None:
    stages: dict[str, list[tuple[float, float]]] = {}
    for seconds, status in recorder.seen:
        stages.setdefault(status.stage, []).append((seconds, status.payload_bytes + status.weights_bytes))
    for stage, points in stages.items():
        panel.plot(*zip(*points, strict=True), marker="." if len(points) < 3 else None, label=stage)
    panel.axhline(size, color="0.5", linestyle=":", label="the file")
    panel.set(title="Code length", xlabel="seconds", ylabel="bytes", yscale="log")
    panel.legend(fontsize="small")


def _draw_errors(panel: Any, recorder: Recorder) -> None:
    planes = len(recorder.seen[0][1].bit_errors)
    seconds = [s for s, _ in recorder.seen]
    for b in range(planes):
        errors = [status.bit_errors[b] for _, status in recorder.seen]
        shade = b / max(planes - 1, 1)
        label = "most significant" if b == 0 else "least significant" if b == planes - 1 else None
        panel.plot(seconds, errors, color=(0.1 + 0.8 * shade, 0.3, 0.9 - 0.8 * shade), label=label)
    panel.set(title="Wrong bits of each bit-plane", xlabel="seconds", ylabel="share")
    panel.set_yscale("symlog", linthresh=1e-4)
    panel.legend(fontsize="small")


def _draw_weights(panel: Any, coded: CodedNetwork) -> None:
    shown: list[tuple[str, str, npt.NDArray[Any]]]
    if isinstance(coded, Adapted):
        own = coded.content
        matrices = own.weights if isinstance(own, Difference) else [own.values]
        shown = [(f"{'difference' if len(matrices) > 1 else 'vectors'} {i + 1}", "-", m) for i, m in enumerate(matrices[:MOST_MATRICES])]
    else:
        shown = [
            *((f"matrix {i + 1}", "-", layer.weights) for i, layer in enumerate(coded.network.layers[0][:MOST_MATRICES])),
            *((f"cells {i + 1}", "--", cells.numbers) for i, cells in enumerate(coded.network.cells[:MOST_MATRICES])),
        ]
    for name, style, numbers in shown:
        levels, counts = np.unique(numbers.astype(np.float64), return_counts=True)
        top = max(1.0, float(np.abs(levels).max()))
        panel.plot(levels / top, counts / counts.sum(), style, marker="|", linewidth=0.8, label=f"{name}: {len(levels)} levels")
    panel.set(title=f"Weights at their levels ({coded.coding})", xlabel="of the largest", ylabel="share", yscale="log")
    panel.legend(fontsize="x-small")


def _draw_spent(figure: Any, panel: Any, spent: npt.NDArray[np.float64], exact: bool) -> None:
    title = f"Bits a payload would spend (there is none): {spent.mean():.2f}" if exact else f"Bits spent: {spent.mean():.2f} at a place"
    if spent.ndim == 1:
        panel.plot(spent, linewidth=0.5)
        panel.set(title=title, xlabel="place", ylabel="bits")
        return
    flat = spent if spent.ndim == 2 else spent.mean(tuple(range(spent.ndim - 2)))
    shown = panel.imshow(flat, cmap="magma", interpolation="nearest")
    panel.set(title=title)
    figure.colorbar(shown, ax=panel)
