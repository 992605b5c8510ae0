"""Fits networks to a signal with torch: the network of profile `inr`, and context networks of `hybrid` to one picture.

Only this package, and the script that trains the priors, import torch and scikit-learn. They come with the extra `fit`. Without them
everything decodes, and `hybrid` encodes. Callers ask `require` or `available` before they import a module of this package.

A fit of `inr` goes through `data` (coordinates, values and bits), `model` (the float network), `train` (the training loop), `codings`
(weight codings, with fine-tuning) and `export` (the integer network of the file); `search` runs them. `context` fits context networks.
"""

from __future__ import annotations

from importlib.util import find_spec

from ..errors import MissingError

NEEDED = {"torch": "torch", "sklearn": "scikit-learn"}  # module: name of its package


def missing() -> list[str]:
    """The packages needed for fitting that are not installed."""
    return [package for module, package in NEEDED.items() if find_spec(module) is None]


def available() -> bool:
    """Whether all packages needed for fitting are installed."""
    return not missing()


def require(what: str) -> None:
    """Raise MissingError if a package is missing; its message says that `what` needs it."""
    if missing():
        raise MissingError(what, missing())
