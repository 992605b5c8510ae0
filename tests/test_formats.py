"""What other programs are told of .linr: linr.ksy and linr.magic say what SPEC.md and the package say."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from inrcodec import profiles

ROOT = Path(__file__).parent.parent
FORMATS = ROOT / "formats"
VECTORS = FORMATS / "vectors"
MAGIC = FORMATS / "linr.magic"
SPEC = (ROOT / "SPEC.md").read_text("utf-8")
AS_BYTES = {"NETW", "TILE"}  # sections that linr.ksy leaves as they are


@pytest.fixture(scope="module")
def ksy() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml")
    loaded: dict[str, Any] = yaml.safe_load((FORMATS / "linr.ksy").read_text("utf-8"))
    return loaded


def registered() -> dict[int, str]:
    return {profile.number: profile.name for profile in profiles.registered()}


def chapter(start: str, end: str) -> str:
    return SPEC[SPEC.index(f"\n## {start}") : SPEC.index(f"\n## {end}")]


def sections_of_spec() -> set[str]:
    """The first column of the table in section 1."""
    return set(re.findall(r"^\| `(\w{4})` \|", chapter("1. ", "2. "), re.M))


def numbers_of_spec(field: str) -> dict[int, str]:
    """The names that SPEC.md gives to the values of a byte of HEAD: "0 image, 1 audio, 2 array"."""
    line = re.search(rf"^ *{field} .*?(0 .*)$", chapter("2. ", "3. "), re.M)
    assert line is not None
    return {int(number): name for number, name in re.findall(r"(\d+) (\w+)", line[1])}


def numbers_of_magic(offset: int) -> dict[int, str]:
    """The names that linr.magic gives to the values of the byte there."""
    lines = re.findall(rf"^>>{offset}\tubyte(?:&0xbf)?\t(\d+)\t(?:\\b, )?(\w+)$", MAGIC.read_text("utf-8"), re.M)
    return {int(number): name for number, name in lines}


def test_spec_has_the_profiles_and_their_sections() -> None:
    assert numbers_of_spec("profile") == registered()
    assert {profile.section.decode() for profile in profiles.registered() if profile.section} <= sections_of_spec()


def test_kaitai_has_the_profiles(ksy: dict[str, Any]) -> None:
    assert ksy["enums"]["profile"] == registered()


def test_kaitai_has_the_kinds(ksy: dict[str, Any]) -> None:
    assert ksy["enums"]["kind"] == numbers_of_spec("kind")


def test_kaitai_has_the_sections(ksy: dict[str, Any]) -> None:
    content = next(field for field in ksy["types"]["section"]["seq"] if field["id"] == "content")
    cases = {code.strip('"'): kind for code, kind in content["type"]["cases"].items()}
    assert cases.keys() | AS_BYTES == sections_of_spec()
    assert not cases.keys() & AS_BYTES
    assert set(cases.values()) <= ksy["types"].keys() | {ksy["meta"]["id"]}


@pytest.mark.parametrize(
    ("vector", "kind"),
    [("hybrid_grey_net", "planes"), ("hybrid_lattice", "lattice"), ("hybrid_palette", "palette"), ("sound_pair", "sound")],
)
def test_kaitai_has_the_plans(vector: str, kind: str, ksy: dict[str, Any]) -> None:
    data = (VECTORS / "subset" / f"{vector}.linr").read_bytes()
    start = data.index(b"HYBR") + 4
    while data[start] >= 128:  # the length of the content
        start += 1
    assert ksy["enums"]["plan_kind"][data[start + 1]] == kind
    assert ksy["types"]["plan"]["seq"][0] == {"id": "kind", "type": "u1", "enum": "plan_kind"}


def test_magic_has_the_profiles() -> None:
    assert numbers_of_magic(15) == registered()


def test_magic_has_the_kinds() -> None:
    assert numbers_of_magic(16) == {0: "image", 1: "sound", 2: "array", 3: "stack"}


@pytest.mark.skipif(shutil.which("file") is None or sys.platform == "win32", reason="file(1) is not installed")
@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("subset/audio-stereo-24", "LINR losslessly compressed sound, 24 bit, stored, version 1"),
        ("subset/inr-exact", "LINR losslessly compressed image, 8 bit, inr, version 1"),
        ("subset/hybrid_lattice", "LINR losslessly compressed image, 8 bit, hybrid, version 1"),
        ("subset/sound_pair", "LINR losslessly compressed sound, 16 bit, hybrid, version 1"),
        ("uncommon/section-order-reversed", "LINR losslessly compressed samples, version 1"),
        ("../bundles/valid/tied", "LINR compressed tensors or arrays, version 1"),
    ],
)
def test_file_recognizes(name: str, description: str) -> None:
    def said(*options: str) -> str:
        command = ["file", "-b", *options, "-m", str(MAGIC), str(VECTORS / f"{name}.linr")]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    assert said() == description
    assert said("--mime-type") == "application/x-linr"
