"""Fitting networks to a signal, with torch: bit-plane networks of `inr`, and the context networks of `hybrid` to one picture.

This room alone imports torch and scikit-learn (and the script that trains the priors). They come with the extra `fit`; without them
everything decodes, and `hybrid` encodes. Nothing here is imported before `require` or `available` has been asked.

data → model → train → codings → export: targets and coordinates, the float network, the training loop, the weight codings with
fine-tuning in the loop, and the integer network that goes into the file.
"""

from __future__ import annotations

from importlib.util import find_spec

from ..errors import MissingError

NEEDED = {"torch": "torch", "sklearn": "scikit-learn"}  # module: package


def missing() -> list[str]:
    """The packages that fitting needs and that are not installed."""
    return [package for module, package in NEEDED.items() if find_spec(module) is None]


def available() -> bool:
    """Whether networks can be fitted."""
    return not missing()


def require(what: str) -> None:
    """Raise MissingError, naming `what` needs it, unless networks can be fitted."""
    if missing():
        raise MissingError(what, missing(), "fit")
