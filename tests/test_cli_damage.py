"""The command line with damaged files, and with files that ask for too much."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import inrcodec
from inrcodec import cli, compact, compression, container, header, limits
from inrcodec.files import bounds
from inrcodec.profiles import stored


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli.main, [str(a) for a in arguments])


@pytest.fixture
def damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, np.ndarray]:
    """A picture of 40 × 30 in 8 tiles of 10 × 15, of which the second is damaged."""
    monkeypatch.setattr(stored, "TILE_PLACES", 3 * 150)
    samples = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    parts = compact.sections_of(inrcodec.encode(samples, kind="image", profile="stored"))
    data = bytearray(container.write(parts))
    second = [i for i, part in enumerate(parts) if part.type == b"TILE"][1]
    data[container.FIRST + sum(part.size for part in parts[:second]) + 50] ^= 8
    path = tmp_path / "photo.linr"
    path.write_bytes(data)
    return path, samples


def test_salvage_writes_what_is_intact_and_says_what_is_lost(damaged: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    path, samples = damaged
    out = tmp_path / "out.png"
    assert run("decode", path, "-o", out).exit_code == 1
    assert not out.exists()
    result = run("decode", path, "-o", out, "--salvage")
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert len(lines) == 2
    assert lines[1] == f"inrcodec: {path}: tile 2 of 8 is lost, rows 0 to 9, columns 15 to 29: its bytes are damaged"
    found = np.asarray(Image.open(out))
    assert not found[:10, 15:].any()
    found = found.copy()
    found[:10, 15:] = samples[:10, 15:]
    assert (found == samples).all()


def test_salvage_of_an_intact_file_is_decoding(tmp_path: Path) -> None:
    samples = np.arange(60, dtype=np.uint8).reshape(6, 10)
    (tmp_path / "a.linr").write_bytes(inrcodec.encode(samples))
    result = run("decode", tmp_path / "a.linr", "-o", tmp_path / "a.npy", "--salvage")
    assert (result.exit_code, result.output) == (0, "")
    assert (np.load(tmp_path / "a.npy") == samples).all()
    assert run("decode", tmp_path / "a.linr", "-o", tmp_path / "b.npy", "--salvage", "--start", 0).exit_code == 2


def test_nothing_is_written_if_nothing_can_be_salvaged(tmp_path: Path) -> None:
    (tmp_path / "a.linr").write_bytes(inrcodec.encode(np.arange(60), compact=False)[:40])
    result = run("decode", tmp_path / "a.linr", "-o", tmp_path / "a.npy", "--salvage")
    assert result.exit_code == 1
    assert "cannot be salvaged" in result.stderr
    assert not (tmp_path / "a.npy").exists()


def test_verify_names_the_damaged_parts(damaged: tuple[Path, np.ndarray]) -> None:
    path, _ = damaged
    result = run("verify", path)
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert "the checksum of section TILE does not match" in lines[0]
    assert "rows 0 to 9, columns 15 to 29" in lines[2]
    path.write_bytes(path.read_bytes()[:-30])
    assert sum("is lost" in line for line in run("verify", path).stderr.splitlines()) == 2


def test_a_report_is_not_endless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "TILE_PLACES", 1)
    path = tmp_path / "a.linr"
    data = inrcodec.encode(np.random.default_rng(0).integers(0, 256, 200, np.uint8), profile="stored")
    path.write_bytes(data[:-700])
    lines = run("verify", path).stderr.splitlines()
    assert len(lines) == 21
    assert lines[-1].endswith("more")


@pytest.mark.parametrize("command", ["decode", "verify", "info"])
def test_limits(tmp_path: Path, command: str) -> None:
    path = tmp_path / "a.linr"
    path.write_bytes(inrcodec.encode(np.arange(5000, dtype=np.int64)))
    more: dict[str, list[object]] = {"decode": ["-o", tmp_path / "a.npy"], "verify": [], "info": ["--stages"]}
    out = more[command]
    for limit in ("--max-samples", "--max-memory"):
        result = run(command, path, *out, limit, "4k")
        assert result.exit_code == 1
        assert result.stderr.startswith(f"inrcodec: {path}: it ")
        assert limit in result.stderr
        assert not (tmp_path / "a.npy").exists()
    assert run(command, path, *out, "--max-samples", "5k", "--max-memory", "1G").exit_code == 0
    assert run(command, path, *out, "--max-samples", "many").exit_code == 2


def test_limits_of_encoding_are_those_of_its_input(tmp_path: Path) -> None:
    Image.new("L", (100, 100)).save(tmp_path / "a.png")
    result = run("encode", tmp_path / "a.png", "--max-samples", 9999)
    assert result.exit_code == 1
    assert "10000 samples" in result.stderr
    assert run("encode", tmp_path / "a.png", "--max-samples", "10k").exit_code == 0


def test_a_small_file_that_declares_much_is_refused_before_anything_is_allocated() -> None:
    small = inrcodec.encode(np.zeros(10, np.int64))
    parts = compact.sections_of(small)
    told = header.read_header(parts[0].content)
    huge = container.Section(b"HEAD", header.write_header(header.Header(**{**vars(told), "shape": (1 << 35,)})))
    index = container.Section(b"TIDX", container.varint(1 << 35) + container.varint(0))
    data = container.write([huge, index, *parts[2:]])
    assert inrcodec.info(data)["shape"] == [1 << 35]  # that costs nothing
    for decode in (inrcodec.decode, inrcodec.salvage):
        with pytest.raises(inrcodec.LimitError, match="34359738368 samples"):
            decode(data)
        with pytest.raises(inrcodec.LimitError, match="of memory"):
            decode(data, max_samples=1 << 36, max_memory=10**9)
    with pytest.raises(inrcodec.LimitError, match="34359738368 samples"):
        inrcodec.info(data, stages=True)


def test_metadata_counts_against_the_limit_of_memory() -> None:
    """106 bytes took half a gigabyte."""
    parts = compact.sections_of(inrcodec.encode(np.zeros(10, np.int64)))
    size = 1 << 28
    meta = container.Section(b"meta", container.varint(size) + compression.compress(bytes(1 << 20), 1))
    data = container.write([parts[0], meta, *parts[1:]])
    for decode in (inrcodec.decode, inrcodec.salvage, inrcodec.info):
        with pytest.raises(inrcodec.LimitError, match=f"{2 * size} bytes of memory"):
            decode(data, max_memory=10**8)
    with pytest.raises(inrcodec.FormatError, match="the metadata"):
        inrcodec.decode(data)


def test_a_container_may_have_less_memory_than_its_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CONTAINER_LIMIT", tmp_path / "memory.max")
    whole = limits.machine_memory()
    for told, expected in (("max\n", whole), ("1000000\n", 1000000), (f"{1 << 61}\n", min(whole, 1 << 61))):
        (tmp_path / "memory.max").write_text(told)
        limits.machine_memory.cache_clear()
        assert limits.machine_memory() == expected
    (tmp_path / "memory.max").write_text("5000\n")
    limits.machine_memory.cache_clear()
    with pytest.raises(inrcodec.LimitError, match="the limit is 5000"):
        inrcodec.decode(inrcodec.encode(np.arange(10000)))
    limits.machine_memory.cache_clear()


def test_only_the_first_bytes_of_other_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of /dev/zero was read first."""
    other = tmp_path / "a.linr"
    other.write_bytes(bytes(1000))
    monkeypatch.setattr(bounds, "contents", lambda *_: pytest.fail("it was read"))
    for command in (
        ["decode", other, "-o", tmp_path / "x.npy"],
        ["decode", other, "-o", tmp_path / "x.npy", "--salvage"],
        ["info", other],
        ["verify", other],
    ):
        result = run(*command)
        assert result.exit_code == 1
        assert "not a .linr file" in result.stderr


def test_a_file_counts_against_the_limit_of_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.linr"
    path.write_bytes(inrcodec.encode(np.zeros(10, np.int64)) + bytes(100_000))
    result = run("decode", path, "-o", tmp_path / "x.npy", "--max-memory", "50k")
    assert result.exit_code == 1
    assert "of memory" in result.stderr


def test_nothing_is_written_if_nothing_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.linr"
    data = bytearray(inrcodec.encode(np.arange(5000, dtype=np.int64), compact=False))
    data[-20] ^= 1
    path.write_bytes(data)
    result = run("decode", path, "-o", tmp_path / "x.npy", "--salvage")
    assert result.exit_code == 1
    assert "nothing is left" in result.stderr
    assert not (tmp_path / "x.npy").exists()
    result = run("decode", path, "-o", tmp_path / "x.npy")
    assert result.stderr.count("\n") == 1
    assert "--salvage" in result.stderr


def test_long_lists_of_names_are_shortened(tmp_path: Path) -> None:
    path = tmp_path / "a.linr"
    many = {f"tag/{i:05}": b"x" for i in range(3000)}
    path.write_bytes(inrcodec.encode(np.zeros((9, 9), np.uint8), kind="image", metadata=many))
    assert len(run("info", path).stdout.splitlines()) < 60
    told = run("decode", path, "-o", tmp_path / "x.bmp").stderr
    assert "more" in told
    assert len(told) < 1000


def test_limits_are_not_for_samples_that_are_there() -> None:
    with pytest.raises(TypeError, match="max_samples"):
        inrcodec.encode(np.zeros(10, np.uint8), max_samples=5)
