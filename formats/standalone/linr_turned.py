"""Turned arrays in the profile `hybrid` of linr.py (SPEC.md, 21.8), written from SPEC.md alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from linr import Head, Reader, Span, Words, hybrid, require


@dataclass
class Plan:
    """HYBR of a turned array, read and checked.

    Attributes:
        way: bit 0: rows in reverse order; bit 1: columns; bit 2: rows and columns are exchanged after that.
        head: what HEAD would say of the array that was coded.
        module, inner: what knows its plan, and this plan.
    """

    way: int
    head: Head
    module: ModuleType
    inner: Any


def read_plan(content: bytes, head: Head) -> Plan:
    """The content of HYBR."""
    require(len(head.axes) == 2 and head.tile == head.axes, "a turned array that has not two axes, or several tiles")
    reader = Reader(content)
    require(reader.byte() == 5, "not the plan of a turned array")
    way, plan = reader.byte(), reader.rest()
    require(1 <= way <= 7, "an array that is turned in an unknown way")
    require(plan[:1] != b"\5", "an array that is turned twice")
    axes = head.axes[::-1] if way & 4 else head.axes
    inner_head = replace(head, shape=(*axes, *head.shape[2:]), tile=axes)
    module = hybrid(plan)
    return Plan(way, inner_head, module, module.read_plan(plan, inner_head))


def decode_tile(tile: bytes, span: Span, head: Head, plan: Plan) -> Words:
    """The values of the tile, those of a place together."""
    axes = plan.head.axes
    values = plan.module.decode_tile(tile, tuple(slice(0, size) for size in axes), plan.head, plan.inner)
    turned: Words = values.reshape(*axes, head.channels)
    if plan.way & 1:
        turned = turned[::-1]
    if plan.way & 2:
        turned = turned[:, ::-1]
    if plan.way & 4:
        turned = turned.swapaxes(0, 1)
    return turned.reshape(-1)
