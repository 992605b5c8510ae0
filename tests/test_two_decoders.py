"""The package and the standalone decoder, on random networks: samples, what the network alone says, what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench.fuzz.random_networks import FORMS, random_coded
from inrcodec.errors import FormatError
from inrcodec.profiles.inr import coding
from inrcodec.weights import network


def refuses(fault: type[Exception], read: Callable[..., object], *arguments: object) -> bool:
    """Whether something cannot be read."""
    try:
        read(*arguments)
    except fault:
        return True
    return False


@pytest.mark.parametrize("form", FORMS)
def test_random_networks(form: str, linr: ModuleType) -> None:
    """A tile of each comes back from both; they refuse the same where a byte of the section is gone, or one is there too many."""
    theirs = linr.beside("linr_network")
    for seed in range(10):
        coded, values = random_coded(np.random.default_rng(seed), form=form)
        a, content = coded.network.architecture, network.write(coded)
        box = tuple(slice(0, n) for n in a.sizes)
        tile = coding.encode_tile(coded, values, box, a.sizes, lambda n: None)[0] if coded.errors[-1] else b""
        head: Any = SimpleNamespace(axes=a.sizes, channels=a.channels, bits=a.bits)
        net = theirs.read_network(content, head)
        found = theirs.decode_tile(tile, box, head, net)
        assert np.array_equal(found, values.reshape(-1).astype(np.uint64)), seed
        for configuration in a.configurations:
            part = coded.network.part(*configuration) if a.widths else coded.network
            coordinates = coding.coordinates_of(box, a.sizes, 0, math.prod(a.sizes))
            alone = coding.network_values(coded, part, coordinates).reshape(*a.sizes, a.channels)
            assert np.array_equal(theirs.network_values(net, (), 0, configuration), alone.astype(np.uint64)), (seed, configuration)
        for changed in (content[:-1], content + b"\0"):
            ours = refuses(FormatError, network.read, changed, a.sizes, a.channels, a.bits)
            assert ours == refuses(linr.Invalid, theirs.read_network, changed, head), seed
            assert ours or coded.coding == "sinr", seed  # its codes go to the end, where zero bytes may be left out
