"""Faults cross processes: by pickle, and made from their message, as PyTorch's DataLoader makes them."""

from __future__ import annotations

import pickle

import pytest

from inrcodec import LossyError, MissingError, Stopped, errors

FAULTS: tuple[Exception, ...] = (
    LossyError(),
    MissingError("this", ["one", "two"]),
    Stopped(),
    *(kind("a.linr: damaged") for kind in (errors.InrcodecError, errors.FormatError, errors.UnsupportedError, errors.LimitError)),
    errors.FitError("diverged"),
)


def test_all_faults_are_here() -> None:
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert kinds - {errors.Notice} == {type(fault) for fault in FAULTS}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_faults_cross_processes(fault: Exception) -> None:
    fault.args = (f"a.linr: {fault}",)  # as `naming` does
    back = pickle.loads(pickle.dumps(fault))
    assert (type(back), str(back)) == (type(fault), str(fault))
    assert str(type(fault)(str(fault))) == str(fault)
