"""`--json`: one object on standard output in every command, also after a fault."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import inrcodec
from inrcodec import cli, files
from inrcodec.tensors import Tensors


def run(*arguments: object, status: int = 0, stdin: bytes | None = None) -> dict[str, Any]:
    """The object that a command prints."""
    result = CliRunner().invoke(cli.main, [*map(str, arguments), "--json"], input=stdin)
    assert result.exit_code == status, result.output
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    assert found["ok"] == (status == 0)
    assert found["command"] == arguments[0]
    if status == 1:
        assert result.stderr.startswith(f"inrcodec: {found['fault']}")
    return found


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path / "photo.png"
    Image.fromarray(np.cumsum(rng.integers(-2, 3, (20, 24, 3)), axis=1).astype(np.uint8)).save(path)
    return path


def test_encode_decode_verify_info_render(photo: Path, tmp_path: Path) -> None:
    target = photo.with_suffix(".linr")
    found = run("encode", photo, "--profile", "stored")
    size = target.stat().st_size
    assert found["seconds"] >= 0
    known = inrcodec.info(target.read_bytes())
    expected = {"input": str(photo), "output": str(target), "kind": "image", "shape": [20, 24, 3], "profile": "stored", "raw_bytes": 1440}
    expected |= {"source_bytes": photo.stat().st_size, "file_bytes": size, "ratio": round(1440 / size, 4), "lossless": True}
    assert found | expected | {"digest": known["digest"]} == found

    found = run("decode", target, "-o", tmp_path / "back.pgm", status=1)
    assert found["fault"].startswith(f"{tmp_path / 'back.pgm'}: ")
    found = run("decode", target, "-o", tmp_path / "back.png")
    expected = {"input": str(target), "output": str(tmp_path / "back.png"), "not_kept": [], "whole": True, "digest": known["digest"]}
    assert found | expected | {"output_bytes": (tmp_path / "back.png").stat().st_size, "file_bytes": size} == found
    assert run("decode", target, "-o", tmp_path / "part.png", "--region", "0,0,4,4")["whole"] is False

    found = run("verify", target, photo)
    assert (found["input"], found["original"], found["digest"]) == (str(target), str(photo), known["digest"])
    found = run("verify", target, tmp_path / "part.png", status=1)
    assert "differs from" in found["fault"]

    found = run("info", target)
    assert {key: value for key, value in found.items() if key not in ("ok", "command", "input")} == json.loads(json.dumps(known))
    found = run("render", target, "-o", tmp_path / "deep.png", "--bit-depth", "16")
    assert found["output_bytes"] == (tmp_path / "deep.png").stat().st_size


def test_tensors_and_several_arrays(tmp_path: Path) -> None:
    files.write_tensors(tmp_path / "m.safetensors", Tensors.of({"a": np.ones((4, 3), np.float32)}))
    found = run("encode", tmp_path / "m.safetensors")
    assert (found["tensors"], found["raw_bytes"], found["lossless"]) == (1, 48, True)
    np.savez(tmp_path / "r.npz", x=np.arange(9), y=np.ones(3))
    found = run("encode", tmp_path / "r.npz", "--effort", "1")
    assert (found["arrays"], found["raw_bytes"]) == (2, 96)
    for name in ("m", "r"):
        assert run("verify", tmp_path / f"{name}.linr")["digest"]
        assert run("info", tmp_path / f"{name}.linr")["file_bytes"] == (tmp_path / f"{name}.linr").stat().st_size


def test_faults(photo: Path, tmp_path: Path) -> None:
    found = run("encode", tmp_path / "missing.png", status=1)
    assert found["fault"] == f"{tmp_path / 'missing.png'}: cannot be read: no such file or directory"
    found = run("encode", photo, "-o", tmp_path / "x.png", status=2)
    assert "must be named .linr" in found["fault"]
    found = run("encode", photo, "-o", "-", status=2)
    assert "both go to standard output" in found["fault"]
    found = run("encode", "-", "-o", tmp_path / "x.linr", status=1, stdin=b"hello")
    assert found["fault"].startswith("standard input: ")
    assert not list(tmp_path.glob("*.linr"))


def test_damaged_files(tmp_path: Path) -> None:
    x = np.cumsum(np.random.default_rng(0).integers(-9, 10, (40, 48)), axis=1).astype(np.uint8)
    data = bytearray(inrcodec.encode(x, kind="image", effort=1, tile=16, compact=False))
    data[-200] ^= 1
    (tmp_path / "cut.linr").write_bytes(data)
    found = run("verify", tmp_path / "cut.linr", status=1)
    assert found["faults"]
    assert found["fault"].endswith(found["faults"][0])
    found = run("decode", tmp_path / "cut.linr", "-o", tmp_path / "left.png", "--salvage", status=1)
    assert found["output"] == str(tmp_path / "left.png")
    assert (tmp_path / "left.png").exists()


def test_quiet_and_json_go_together(photo: Path) -> None:
    assert run("encode", photo, "--profile", "stored", "-q")["profile"] == "stored"


def test_every_command_has_it() -> None:
    for name in cli.COMMANDS:
        assert "--json" in CliRunner().invoke(cli.main, [name, "--help"]).stdout
