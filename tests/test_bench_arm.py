"""bench.arm notices what differs between two machines. INRCODEC_ARM_PLACE names a folder for an emulated system, to run it in full."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.arm import __main__ as command
from bench.arm import compare, place, worker
from bench.arm.compare import Found
from bench.arm.place import Place

NAMES = ("x86_64", "aarch64")
VALID = {
    "file": "subset/a.linr", "sha256": "ab" * 32, "dtype": "<i2", "shape": [3, 2], "kind": "audio", "bit_depth": 12, "sample_rate": 8000,
    "metadata": {"k": "cd" * 32},
}  # fmt: skip
MANIFEST = [VALID, {"file": "faulty/b.linr", "invalid": True}]
EXPECTED = compare.expectations(MANIFEST)
SAID = {"subset/a.linr": worker.describe(VALID), "faulty/b.linr": "refused: it is damaged"}
FILES = {"a sound, effort 5": "12" * 32}


def judged(here: Found, there: Found, part: str = "package") -> list[str]:
    return command.judge({part: (here, there)}, EXPECTED, NAMES)


def test_the_same_is_no_fault() -> None:
    assert judged(SAID, dict(SAID)) == []
    assert judged(FILES, dict(FILES), "files") == []


@pytest.mark.parametrize("field", ["sha256", "dtype", "shape", "kind", "bit_depth", "sample_rate", "metadata", "bfloat16"])
def test_a_signal_that_differs_in_one_thing(field: str) -> None:
    others: dict[str, Any] = {
        "sha256": "ab" * 31 + "ac", "dtype": ">i2", "shape": [2, 3], "kind": "array", "bit_depth": 13, "sample_rate": None, "metadata": {},
        "bfloat16": True,
    }  # fmt: skip
    other = worker.describe(VALID | {field: others[field]})
    first, second = judged(SAID, SAID | {"subset/a.linr": other})
    assert first == f"package: subset/a.linr: {SAID['subset/a.linr']} on x86_64, {other} on aarch64"
    assert second == f"package: subset/a.linr: {other} on aarch64, {SAID['subset/a.linr']} in the manifest"


def test_another_message_is_a_difference_but_not_from_the_manifest() -> None:
    assert judged(SAID, SAID | {"faulty/b.linr": "refused: too long"}) == [
        "package: faulty/b.linr: refused: it is damaged on x86_64, refused: too long on aarch64"
    ]


def test_both_against_the_manifest() -> None:
    """Two machines that agree can both be wrong."""
    decoded = SAID | {"faulty/b.linr": SAID["subset/a.linr"]}
    assert [line.split(" on ")[1] for line in judged(decoded, decoded)] == [
        f"{name}, refused in the manifest" for name in NAMES
    ]  # fmt: skip
    refused = SAID | {"subset/a.linr": "refused: it is damaged"}
    assert len(judged(refused, refused)) == 2


def test_what_only_one_side_has() -> None:
    few = {"faulty/b.linr": SAID["faulty/b.linr"]}
    assert [line.split(": ")[2].startswith("nothing on aarch64") for line in judged(SAID, few)] == [False, True]
    assert len(judged(few, few)) == 2  # the manifest has more
    assert len(judged(SAID | {"new.linr": "x"}, SAID | {"new.linr": "x"})) == 2  # the manifest has less
    assert judged(FILES, {}, "files") == [f"files: a sound, effort 5: {FILES['a sound, effort 5']} on x86_64, nothing on aarch64"]
    assert judged({}, FILES, "files")[0].endswith(f"nothing on x86_64, {FILES['a sound, effort 5']} on aarch64")


def test_nothing_found_is_a_fault() -> None:
    assert judged({}, {}, "files") == ["files: nothing was encoded"]
    assert len(judged({}, {})) == 4


def test_digest_of_all_findings() -> None:
    assert compare.digest_of({"b": "2", "a": "1"}) == hashlib.sha256(b"a\t1\nb\t2\n").hexdigest()
    assert compare.digest_of({"b": "2", "a": "1"}) != compare.digest_of({"b": "1", "a": "2"})


def test_rows_tell_what_differs() -> None:
    wrong = SAID | {"subset/a.linr": "refused: it is damaged"}
    first, second = compare.vector_rows("who", (SAID, wrong), EXPECTED, NAMES)
    assert first == ["who", "x86_64", "1 of 1", "1 of 1", "1 of 2", f"`{compare.digest_of(SAID)[:16]}`"]
    assert second == ["who", "aarch64", "0 of 1", "1 of 1", "1 of 2", f"`{compare.digest_of(wrong)[:16]}`"]
    assert compare.file_rows({"a": "1" * 64, "b": "2" * 64}, {"a": "1" * 64}) == [
        ["a", f"`{'1' * 16}`", f"`{'1' * 16}`", "yes"],
        ["b", f"`{'2' * 16}`", "`nothing`", "**no**"],
    ]
    assert compare.file_rows({}, {"a": "1" * 64}) == [["a", "`nothing`", f"`{'1' * 16}`", "**no**"]]


def test_listing_has_both_sides() -> None:
    assert compare.listing({"files": ({"a": "1"}, {"a": "2", "b": "3"})}, NAMES) == (
        "part\tname\tx86_64\taarch64\nfiles\ta\t1\t2\nfiles\tb\tnothing\t3\n"
    )


@pytest.mark.parametrize("name", ["image-metadata", "array-int16-be", "audio-mono-8", "kind-bfloat16"])
def test_a_decoded_vector_is_described_as_in_the_manifest(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.syspath_prepend(worker.STANDALONE)
    manifest = {entry["file"]: entry for entry in json.loads((worker.VECTORS / "manifest.json").read_text("utf-8"))}
    data = (worker.VECTORS / f"subset/{name}.linr").read_bytes()
    assert worker.said_by_package(data) == worker.said_by_standalone(data) == worker.describe(manifest[f"subset/{name}.linr"])


def test_the_digest_is_of_little_endian_samples() -> None:
    little, big = (worker.describe_signal(np.array([1, 2, 3], t), "array", 16, None, {}) for t in ("<i2", ">i2"))
    assert little.split()[0] == big.split()[0] == hashlib.sha256(b"\1\0\2\0\3\0").hexdigest()


def test_worker_asks_of_every_vector() -> None:
    def decode(data: bytes) -> str:
        if len(data) % 2:
            raise KeyError("odd")
        return "even"

    found = dict(worker.vectors(decode, KeyError))
    sizes = {path.relative_to(worker.VECTORS).as_posix(): path.stat().st_size for path in worker.VECTORS.glob("*/*.linr")}
    assert found == {name: "refused: 'odd'" if size % 2 else "even" for name, size in sizes.items()}


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A place whose emulated machine is this one."""
    found = Place(tmp_path, "a53")
    (found.source / command.MANIFEST).parent.mkdir(parents=True)
    (found.source / command.MANIFEST).write_text(json.dumps(MANIFEST), "utf-8")
    monkeypatch.setattr(Place, "make", lambda self: None)
    monkeypatch.setattr(Place, "command", lambda self, emulated: [sys.executable])
    monkeypatch.setattr(command, "RESULTS", tmp_path)
    monkeypatch.setattr(command, "heading", lambda place, abouts: "# Title")
    return found


Prepare = Callable[[dict[str, Found]], None]


@pytest.fixture
def emulated(there: Place, monkeypatch: pytest.MonkeyPatch) -> Prepare:
    """Sets what the emulated machine finds that differs from this one, by part."""

    def prepare(changed: dict[str, Found]) -> None:
        found = {"about": {"machine": "x86_64"}, "standalone": SAID, "package": SAID, "files": FILES}
        other = {part: what | changed.get(part, {}) for part, what in found.items()}
        monkeypatch.setattr(command, "run", lambda place, part, emulated: (other if emulated else found)[part])

    return prepare


ARM = {"about": {"machine": "aarch64"}}


def test_machines_that_agree(there: Place, emulated: Prepare, capsys: pytest.CaptureFixture[str]) -> None:
    emulated(ARM)
    assert command.main([str(there.path)]) == 0
    assert capsys.readouterr().err == ""
    text = (there.path / "architectures.md").read_text("utf-8")
    assert text.count("| 2 of 2 |") == 4
    assert f"| a sound, effort 5 | `{'12' * 8}` | `{'12' * 8}` | yes |" in text
    assert (there.path / "architectures.tsv").read_text("utf-8").count("\n") == 6


@pytest.mark.parametrize(("part", "name"), [("standalone", "subset/a.linr"), ("package", "faulty/b.linr"), ("files", "a sound, effort 5")])
def test_machines_that_differ(there: Place, emulated: Prepare, capsys: pytest.CaptureFixture[str], part: str, name: str) -> None:
    emulated(ARM | {part: {name: "refused: this is another"}})
    assert command.main([str(there.path)]) == 1
    told = capsys.readouterr()
    assert told.err.startswith(f"{part}: {name}: ")
    assert "refused: this is another on aarch64" in told.err
    assert ("**no**" in told.out) == (part == "files")


def test_only_a_run_of_all_parts_is_kept(there: Place, emulated: Prepare, capsys: pytest.CaptureFixture[str]) -> None:
    emulated(ARM)
    assert command.main([str(there.path), "--parts", "files"]) == 0
    assert "Encoded files" in capsys.readouterr().out
    assert not list(there.path.glob("architectures.*"))


def test_the_same_architecture_is_refused(there: Place, emulated: Prepare) -> None:
    emulated({})
    with pytest.raises(SystemExit, match="both machines are x86_64: there is nothing to compare"):
        command.main([str(there.path)])


def test_unknown_part(there: Place, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        command.main([str(there.path), "--parts", "files,other"])
    assert raised.value.code == 2
    assert "there is no part other" in capsys.readouterr().err


def test_a_worker_that_ends_early(there: Place) -> None:
    """What it found until then is no result."""
    stand_in = there.source / "bench" / "arm" / "worker.py"
    stand_in.parent.mkdir(parents=True)
    for folder in (stand_in.parent, stand_in.parent.parent):
        (folder / "__init__.py").touch()
    stand_in.write_text("import sys\nprint('[\"a\", \"1\"]')\nif sys.argv[1] == 'files': sys.exit(3)\n", "utf-8")
    assert command.run(there, "package", True) == {"a": "1"}
    with pytest.raises(SystemExit, match="files, emulated: the worker ended with status 3 after 1 findings"):
        command.run(there, "files", True)


def test_programs_that_are_missing_or_fail() -> None:
    with pytest.raises(SystemExit, match=r"^no-such-program is not there; install it$"):
        place.call(["no-such-program"], "install it")
    with pytest.raises(SystemExit, match=r"ended with status 4; look$"):
        place.call([sys.executable, "-c", "raise SystemExit(4)"], "look")


def test_a_system_that_was_not_finished_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []

    def call(arguments: list[str], needed: str) -> None:
        calls.append(arguments)
        Path(arguments[-2]).mkdir()
        if len(calls) == 1:
            raise SystemExit("no network")

    monkeypatch.setattr(place, "call", call)
    with pytest.raises(SystemExit):
        place.extract(tmp_path / "root", "suite", ("one", "two"), "arm64")
    assert not (tmp_path / "root").exists()
    for _ in range(2):
        place.extract(tmp_path / "root", "suite", ("one", "two"), "arm64")
    assert (tmp_path / "root").is_dir()
    assert len(calls) == 2  # what is there is kept
    assert "--architectures=arm64" in calls[1]
    assert "--include=one,two" in calls[1]


@pytest.mark.skipif("INRCODEC_ARM_PLACE" not in os.environ, reason="INRCODEC_ARM_PLACE names no folder for an emulated system")
def test_64_bit_arm_gives_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "RESULTS", tmp_path)
    assert command.main([os.environ["INRCODEC_ARM_PLACE"]]) == 0
