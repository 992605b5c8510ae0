"""Fits a network from a prior of the package."""

from __future__ import annotations

from ..errors import FitError, UnsupportedError
from ..kernels.architecture import MAX_VALUE_BITS
from ..kernels.inr import BoundError
from ..options import Options
from ..values import Values
from ..weights.adapted import Adapted
from .difference import fit_difference
from .latents import fit_latents
from .search import limited_threads


def fit_from_prior(values: Values, bits: int, options: Options, peak: float = 0.0, silence: float = 0.0) -> Adapted:
    """Fit a network from the prior that options name.

    values: (height, width, 3), below 2^bits; peak, silence: see `profiles.Subject`.

    Raises:
        UnsupportedError: the signal is no picture of red, green and blue, or is too deep.
        FitError: the fit diverged.
        InrcodecError: the device is not there, or the package lacks its prior.
        Stopped: options.stop said so before the first step.
    """
    if values.ndim != 3 or values.shape[-1] != 3 or bits > MAX_VALUE_BITS:
        raise UnsupportedError(f"prior {options.prior}: it takes pictures of red, green and blue of up to {MAX_VALUE_BITS} bits")
    fit = {"meta": fit_difference, "modulations": fit_latents}[options.prior]
    with limited_threads(options.workers):
        try:
            return fit(values, bits, options, peak, silence)
        except BoundError as fault:
            raise FitError("the fit diverged: its weights are too large for exact evaluation; try a smaller learning rate") from fault
