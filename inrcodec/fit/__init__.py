"""Fitting bit-plane networks to a signal. The only part of the package that imports torch; the decoder never does.

data → model → train → quantize → export: targets and coordinates, the float network, the training loop, the weight
codings with fine-tuning in the loop, and the integer network that goes into the file.
"""

from .search import fit, fit_if_smaller

__all__ = ["fit", "fit_if_smaller"]
