"""Some thousand changed `.linr` files, as `python -m bench.fuzz` makes them; and whether these are what they should be.

Nothing is asserted by a clock, and memory only by the limits that the decoder is given.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

import inrcodec
from bench.fuzz import __main__ as runner
from bench.fuzz import linr_inventions, trial
from bench.fuzz.fields import write
from bench.fuzz.linr_mutations import KINDS, UNMENDED, Case, Draft, case
from bench.fuzz.linr_seeds import Seed, seeds
from inrcodec import InrcodecError, codec, compact, container
from inrcodec.errors import LossyError
from inrcodec.profiles.hybrid.pictures.plan import BRIEF
from inrcodec.profiles.hybrid.pictures.transforms import TRANSFORMS

RUN = 1  # the seed of all cases here
CASES = 2000 if os.environ.get("NUMBA_BOUNDSCHECK") == "1" else 400  # `make bounds` runs all of them, `make test` some


@pytest.fixture(scope="module")
def judge() -> trial.Judge:
    """What tells right from wrong."""
    found = trial.Judge()
    assert all(found.learn(seed.data) for seed in seeds())
    return found


def test_changed_files_decode_rightly_or_are_refused(judge: trial.Judge) -> None:
    seen: Counter[str] = Counter()
    for number in range(CASES):
        one = case(RUN, number)
        outcome = trial.run(judge, number, one.data, one.seed if one.kind in UNMENDED else None)
        assert outcome.what in trial.RIGHT, f"case {number} ({one.kind}): {outcome.what}"
        seen[outcome.what] += 1
    assert all(seen[what] > 0 for what in ("decoded", "lossy", "refused", "closed"))


# --- the generator ------------------------------------------------------------------------------------------------


def test_a_case_depends_on_its_numbers_alone() -> None:
    numbers = range(200, 260)
    first = [case(RUN, number) for number in numbers]
    assert [case(RUN, number) for number in reversed(numbers)] == first[::-1]
    assert sum(case(RUN + 1, number).data != one.data for number, one in zip(numbers, first, strict=True)) > 40
    assert sum(one.data != seeds()[one.seed].data for one in first) > 40


def _rebuilt(seed: Seed) -> bytes:
    """A file written anew from its fields."""
    draft = Draft(seed, list(seed.parts))
    for place, part in enumerate(seed.parts):
        draft.put(place, part.fields)
    return draft.written()


def test_fields_are_those_of_the_format() -> None:
    """A file that is taken apart and written again shows the same signal. So nothing is taken for a field that is none."""
    assert {(seed.opened.profile.name, seed.opened.header.lossy) for seed in seeds()} == {
        ("stored", False),
        ("inr", False),
        ("inr", True),
        ("hybrid", False),
    }
    for seed in seeds():
        if seed.opened.header.lossy:
            first, second = (inrcodec.render(data, network_only=True, threads=1) for data in (_rebuilt(seed), seed.data))
        else:
            first, second = (inrcodec.decode(data, threads=1) for data in (_rebuilt(seed), seed.data))
        assert first.equals(second), seed.name


def test_checksums_of_parts_follow_what_they_are_of() -> None:
    """A number in the last part of a network is changed: its length and its CRC are right again."""
    seed = next(seed for seed in seeds() if seed.name == "lossy/inr-supernet.linr")
    draft = Draft(seed, list(seed.parts))
    place = draft.places(b"NETW")[0]
    fields = list(seed.parts[place].fields)
    last = max(i for i, f in enumerate(fields) if f.form == "integers")
    fields[last] = replace(fields[last], value=[7 * array for array in fields[last].value])
    draft.put(place, fields)
    assert not inrcodec.render(draft.written(), network_only=True).equals(inrcodec.render(seed.data, network_only=True))
    fields[last - 1] = replace(fields[last - 1], value=5)
    assert fields[last - 1].form == "crc"
    draft.put(place, fields)
    with pytest.raises(inrcodec.FormatError, match="checksum"):
        inrcodec.info(draft.written())


def test_lengths_and_sizes_follow_what_they_are_of() -> None:
    part = next(part for seed in seeds() for part in seed.parts if part.type == b"meta")
    size, items = part.fields
    longer = replace(items, value=items.value + b"\0\0")
    assert container.Reader(write([size, longer]), "a test").varint() == len(items.value) + 2


def test_a_mended_digest_is_that_of_the_samples() -> None:
    seed = next(seed for seed in seeds() if seed.opened.header.kind == "audio" and seed.opened.profile.name == "stored")
    draft = Draft(seed, list(seed.parts))
    place = draft.places(b"HEAD")[0]
    rate = [replace(f, value=11025) if f.name == "rate" else f for f in seed.parts[place].fields]
    draft.put(place, rate)
    with pytest.raises(InrcodecError, match="digest"):
        inrcodec.decode(draft.written())
    draft.digest = True
    assert inrcodec.decode(draft.written()).sample_rate == 11025


def _depth(data: bytes) -> str:
    """How far a file gets."""
    try:
        compact.sections_of(data)
    except InrcodecError:
        return "container"
    try:
        codec.open_bytes(data)
    except InrcodecError:
        return "sections"
    return "tiles"


def _depths() -> Iterator[tuple[str, str]]:
    for number in range(100 * len(KINDS)):
        one = case(RUN, number)
        yield one.kind, _depth(one.data)


def test_many_cases_get_past_the_checksums() -> None:
    """At least nine in ten of the mended cases pass the container's checks, and a third of them are decoded as far as the tiles."""
    blind = (*UNMENDED, "halves of two files", "faulty vector", "network cut", "network cut, of parts")
    depths = list(_depths())
    found = Counter((kind in blind, depth) for kind, depth in depths)
    mended = sum(count for (is_blind, _), count in found.items() if not is_blind)
    assert found[False, "sections"] + found[False, "tiles"] > 0.9 * mended
    assert found[False, "tiles"] > mended / 3
    by_kind = Counter(kind for kind, depth in depths if depth != "container")
    # of a compact file, the header is read with the sections, so what is changed there gets less far
    assert all(by_kind[kind] > (60 if kind == "bytes of a compact file" else 80) for kind in KINDS if kind not in blind)


@pytest.mark.parametrize("make", [linr_inventions.sound, linr_inventions.picture, linr_inventions.coordinate_network])
def test_invented_files_are_valid_up_to_their_tiles(make: Callable[[Random], bytes]) -> None:
    """Their tiles and digest are at random, and nothing else is wrong with them. Some are decoded to the end."""
    faults = "a coded string|their digest|a network alone"
    wrong = Counter[bool]()
    for number in range(60):
        data = make(Random(number))
        lossy = codec.open_bytes(data).header.lossy
        with pytest.raises(inrcodec.InrcodecError, match=faults) as caught:
            inrcodec.decode(data, threads=1)
        assert isinstance(caught.value, LossyError if lossy else inrcodec.FormatError)
        wrong["digest" in str(caught.value)] += 1
    assert wrong[True] > 3


def test_invented_pictures_have_plans_of_all_forms() -> None:
    """Long plans of all transforms; brief ones with planes in all ways."""
    firsts = set()
    for number in range(150):
        first = next(s.content[0] for s in container.read(linr_inventions.picture(Random(number))) if s.type == b"HYBR")
        firsts.add((first >> 4 & 3, "brief") if first & BRIEF else (first, "long"))
    assert firsts == {*((way, "brief") for way in range(4)), *((number, "long") for number in TRANSFORMS)}


def test_invented_files_with_values_are_valid() -> None:
    forms = set()
    for number in range(40):
        data = linr_inventions.coded_values(Random(number))
        inrcodec.decode(data, threads=1)
        forms.add(inrcodec.info(data)["network"]["form"])
    assert forms == {"heads", "siren", "bitlinear", "values"}


# --- the judge ----------------------------------------------------------------------------------------------------


def test_a_judge_sees_wrong_samples(judge: trial.Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder that does not check the digest is caught."""
    data = next(seed.data for seed in seeds() if seed.opened.profile.name == "stored")
    assert judge.judge(data, None)[0] == "decoded"
    signal = inrcodec.decode(data)
    samples = signal.samples.copy()
    samples.flat[0] ^= 1
    monkeypatch.setattr(judge, "decode", lambda *_, **__: replace(signal, samples=samples))
    outcome = trial.run(judge, 1, data, None)
    assert outcome.failed
    assert "digest" in outcome.what


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        (ValueError("a hole"), "ValueError: a hole"),
        (MemoryError(), "MemoryError"),
        (InrcodecError("no FormatError"), "where a FormatError should be"),
        (inrcodec.FormatError("two\nlines"), "not one line"),
        (inrcodec.FormatError("of a good file"), "salvage finds no fault"),
    ],
)
def test_a_judge_sees_wrong_errors(judge: trial.Judge, monkeypatch: pytest.MonkeyPatch, fault: Exception, what: str) -> None:
    def broken(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr(judge, "decode", broken)
    outcome = trial.run(judge, 1, seeds()[0].data, None)
    assert outcome.failed
    assert what in outcome.what


@pytest.mark.parametrize(
    ("kind", "what"),
    [("inr", "other samples"), ("inr", "takes it"), ("inr", "refuses it"), ("inr", "another view"), ("closed", "takes it")],
)
def test_a_judge_sees_what_the_standalone_decoder_sees_otherwise(
    judge: trial.Judge, monkeypatch: pytest.MonkeyPatch, kind: str, what: str
) -> None:
    seed = next(seed for seed in seeds() if seed.name == "uncommon/inr-deeper-values.linr")
    data = seed.data if kind == "inr" else seed.data[:-1]
    assert trial.run(judge, 1, data, None).what == ("decoded" if kind == "inr" else "closed")
    theirs = judge.standalone
    assert theirs
    right, about = theirs.decode(seed.data)
    refused = inrcodec.FormatError("a fault")

    def never(*_: object, **__: object) -> None:
        raise theirs.Invalid("another fault")

    def refusing(*_: object, **__: object) -> None:
        raise refused

    if what == "other samples":
        monkeypatch.setattr(theirs, "decode", lambda _: (right ^ 1, about))
    elif what == "refuses it":
        monkeypatch.setattr(theirs, "decode", never)
    elif what == "another view":
        monkeypatch.setattr(theirs, "network_only", lambda *_: (right ^ 1, about))
    elif kind == "closed":
        monkeypatch.setattr(theirs, "read_file", lambda _: None)
    else:
        monkeypatch.setattr(judge, "decode", refusing)
        monkeypatch.setattr(judge, "salvage", None)
    outcome = trial.run(judge, 1, data, None)
    assert outcome.failed
    assert what in outcome.what


def test_a_judge_sees_a_network_that_says_otherwise_after_a_cut(judge: trial.Judge, monkeypatch: pytest.MonkeyPatch) -> None:
    number, seed = next((i, seed) for i, seed in enumerate(seeds()) if seed.name == "lossy/inr-supernet.linr")
    data = seed.data[:-20]
    assert trial.run(judge, 1, data, number).what == "closed"
    true = judge.render
    assert true

    def other(given: bytes, **options: Any) -> Any:
        found = true(given, **options)
        return replace(found, samples=found.samples ^ 1) if given == data else found

    monkeypatch.setattr(judge, "render", other)
    outcome = trial.run(judge, 1, data, number)
    assert outcome.failed
    assert "after the file was cut" in outcome.what


# --- the runner ---------------------------------------------------------------------------------------------------

BROKEN = """
import os, time

class InrcodecError(Exception): ...
class FormatError(InrcodecError): ...

def info(data):
    raise FormatError("no")

def decode(data):
    if data == b"end":
        os._exit(3)
    if data == b"hang":
        time.sleep(600)
    if data == b"large":
        bytes(8 << 30)
    raise FormatError("no")
"""


def test_the_runner_sees_ends_hangs_and_requests_for_memory(tmp_path: Path) -> None:
    """With an inrcodec that does all this. It has neither limits nor salvage, as older ones."""
    (tmp_path / "inrcodec").mkdir()
    (tmp_path / "inrcodec" / "__init__.py").write_text(BROKEN, "utf-8")
    wanted = [Case(i, "cut", 0, data) for i, data in enumerate((b"good", b"end", b"hang", b"large", b"good"))]
    note: dict[str, Any] = {}
    found = list(runner.run(wanted, tmp_path, note, patience=2))
    assert note["origin"] == str(tmp_path / "inrcodec" / "__init__.py")
    assert [case for case, _ in found] == wanted
    assert [outcome.failed for _, outcome in found] == [False, True, True, True, False]
    assert [outcome.what.split(" ")[0] for _, outcome in found] == ["closed", "the", "no", "MemoryError:", "closed"]
    row = runner.summary(found)["all"]
    assert [row[name] for name in ("cases", "closed", "decoded")] == [5, 2, 0]
    assert [failure["number"] for failure in row["failures"]] == [1, 2, 3]
