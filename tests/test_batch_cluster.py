"""Many machines: a Ray cluster of two workers on this one, of which some are killed; the bytes are those of one process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import inrcodec
from inrcodec import InrcodecError, batch
from inrcodec.batch import cluster, tasks
from inrcodec.batch.cluster import RayExecutor
from inrcodec.cli import main
from inrcodec.errors import MissingError, Stopped
from tests import trees

ray = pytest.importorskip("ray")
filelock = pytest.importorskip("filelock")  # comes with Ray

RANDOM = np.random.default_rng(5)
SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}  # nothing goes out, no token is put in the home


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """This process is connected to a cluster of two workers. One is up at a time, whatever other processes run tests."""
    with pytest.MonkeyPatch.context() as patch, filelock.FileLock(tmp_path_factory.getbasetemp().parent / "ray.lock"):
        for name, value in (SETTINGS | cluster.QUIET).items():
            patch.setenv(name, value)
        with tempfile.TemporaryDirectory(prefix="r") as folder:  # a short name: those of sockets are in it, and have a limit
            ray.init(num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False, logging_level="FATAL", _temp_dir=folder)
            yield
            ray.shutdown()


@pytest.fixture
def executor(connection: None) -> Iterator[RayExecutor]:
    with RayExecutor() as found:
        yield found


def fill(folder: Path) -> dict[str, bytes]:
    """Small files of several kinds, below a folder; the .linr files that one process makes of them, by name."""
    y, x = np.mgrid[0:40, 0:50]
    signals: dict[str, Any] = {
        "a/photo.png": inrcodec.Signal((x + y + RANDOM.integers(0, 4, (40, 50))).astype(np.uint8), "image"),
        "a/b/volume.npy": inrcodec.Signal(RANDOM.integers(0, 9, (9, 20, 20), np.uint8), "array"),
        "tone.wav": inrcodec.Signal((900 * np.sin(np.arange(3000) / 9)).astype(np.int16)[:, None], "audio", sample_rate=8000),
        "other.npy": inrcodec.Signal(np.arange(999, dtype=np.int32), "array"),
    }
    for name, sound in signals.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        inrcodec.files.write(folder / name, sound)
    (folder / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    (folder / "notes.txt").write_text("of no known type")
    report = batch.encode(folder, folder.with_name("alone"), jobs=1, effort=1)
    assert len(report.done) == len(signals)
    return contents(folder.with_name("alone"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_files_come_and_go_as_on_one_machine(executor: RayExecutor, tmp_path: Path) -> None:
    wanted = fill(tmp_path / "in")
    report = batch.encode(tmp_path / "in", tmp_path / "out", executor=executor, effort=1)
    assert [(r.task.name, r.status) for r in report.results if r.status != "done"] == [("damaged.png", "failed"), ("notes.txt", "skipped")]
    assert str(tmp_path / "in" / "damaged.png") in report.failed[0].fault
    assert contents(tmp_path / "out") == wanted
    assert (tmp_path / "out" / "tone.wav.linr").stat().st_mtime == (tmp_path / "in" / "tone.wav").stat().st_mtime
    assert batch.verify(tmp_path / "out", executor=executor).ok
    back = batch.decode(tmp_path / "out", tmp_path / "back", executor=executor)
    assert back.ok
    assert contents(tmp_path / "back") == {name.removesuffix(".linr"): (tmp_path / "in" / name[:-5]).read_bytes() for name in wanted}
    again = batch.encode(tmp_path / "in", tmp_path / "out", executor=executor, effort=1, update=True)
    assert len(again.current) == len(wanted)


def test_addresses_are_read_and_written_by_workers(executor: RayExecutor, tmp_path: Path) -> None:
    """simplecache::… is no path of this machine, so a worker does all of it; the files lie here all the same."""
    pytest.importorskip("fsspec")
    wanted = fill(tmp_path / "in")
    source, target = f"dir://in::file://{tmp_path}", f"dir://out::file://{tmp_path}"
    assert cluster._is_away(source)
    report = batch.encode(source, target, executor=executor, effort=1)
    assert len(report.done) == len(wanted)
    assert contents(tmp_path / "out") == wanted
    mixed = batch.decode(target, tmp_path / "back", executor=executor)
    assert mixed.ok
    assert len(mixed.done) == len(wanted)


def waits_once(folder: Path) -> Callable[..., Any]:
    """Work that tells its process in the folder and then waits for ever; at the second time it does what it should."""

    def work(task: Any, source: Any, cores: int) -> Any:
        import os
        import time
        from pathlib import Path

        from inrcodec.batch import cluster

        told = Path(folder, task.name.replace("/", "_"))
        if not told.exists():
            told.with_suffix(".new").write_text(str(os.getpid()))
            told.with_suffix(".new").rename(told)
            time.sleep(600)
        return cluster._work_away(task, source, cores)

    return work


def killed(folder: Path, name: str) -> threading.Thread:
    """Kills the process that has told in the folder that it works on this file, as soon as it has."""

    def kill() -> None:
        while not (folder / name).exists():
            time.sleep(0.05)
        os.kill(int((folder / name).read_text()), signal.SIGKILL)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    return thread


@pytest.mark.slow
def test_200_files_and_a_worker_that_is_killed(executor: RayExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line in one process, and two workers of which one is killed at two of the files: the same bytes, the same faults."""
    names, told = trees.make(tmp_path / "in"), tmp_path / "told"
    assert sum(path.is_file() for path in (tmp_path / "in").rglob("*")) == 200
    alone = CliRunner().invoke(main, ["encode", str(tmp_path / "in"), "-o", str(tmp_path / "alone"), "--effort", "1", "--jobs", "1"])
    assert alone.exit_code == 1  # some files are at fault
    told.mkdir()
    die = ("000.npy", "deep/001.flac")
    for name in {path.relative_to(tmp_path / "in").as_posix() for path in (tmp_path / "in").rglob("*")} - set(die):
        (told / name.replace("/", "_")).touch()  # these do not wait
    monkeypatch.setattr(cluster, "_work_away", waits_once(told))
    threads = [killed(told, name.replace("/", "_")) for name in die]
    report = batch.encode(tmp_path / "in", tmp_path / "out", executor=executor, effort=1)
    for thread in threads:
        thread.join()
    wanted = contents(tmp_path / "alone")
    assert sorted(wanted) == sorted(f"{name}.linr" for name in names)
    assert contents(tmp_path / "out") == wanted
    assert sorted(trees.names_of(report.failed)) == sorted(trees.FAULTY)
    assert sorted(notice.rpartition("/in/")[2] for notice in report.notices) == [
        f"{name}: 1 worker was lost; another one did the work" for name in die
    ]


def test_a_task_that_kills_each_worker_is_given_up(executor: RayExecutor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(9))
    monkeypatch.setattr(cluster, "TRIES", 2)
    monkeypatch.setattr(cluster, "_work_away", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    (result,) = batch.encode(tmp_path / "a.npy", tmp_path / "a.linr", executor=executor).results
    assert result.fault == f"{tmp_path}/a.npy: the worker was lost; so did it end 2 times"
    assert not (tmp_path / "a.linr").exists()


@pytest.mark.slow
def test_tiles_are_shared(executor: RayExecutor, tmp_path: Path) -> None:
    y, x = np.mgrid[0:70, 0:90]
    picture = inrcodec.Signal((x + y + RANDOM.integers(0, 4, (70, 90))).astype(np.uint8), "image")
    here = inrcodec.encode(picture, effort=1, tile=32)
    with executor.sharing():
        assert inrcodec.encode(picture, effort=1, tile=32) == here
        assert inrcodec.decode(here).equals(picture)
        with pytest.raises(inrcodec.FormatError, match="damaged"):
            inrcodec.decode(here[:-200] + bytes([here[-200] ^ 255]) + here[-199:])
        with pytest.raises(Stopped):
            inrcodec.encode(picture, effort=1, tile=32, stop=lambda: True)
    inrcodec.files.write(tmp_path / "x.png", picture)
    executor.shared_from = 0  # tasks share their tiles with other tasks: nested ones, for which cores are free while these wait
    report = batch.encode(tmp_path / "x.png", tmp_path / "x.linr", executor=executor, effort=1, tile=32)
    assert report.ok
    assert (tmp_path / "x.linr").read_bytes() == here


@pytest.mark.slow
def test_fits_ask_for_a_gpu_and_tiles_do_not(executor: RayExecutor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(9))
    asked: list[dict[str, float]] = []
    away = executor._away

    def recorded(call: Any, resources: Any, stop: Any) -> Any:
        asked.append(dict(resources))
        return away((cluster._work_away, call[1], {}), {"num_cpus": 1}, stop)

    monkeypatch.setattr(executor, "_away", recorded)
    assert executor.gpus == 1
    for options in ({"profile": "stored"}, {"profile": "inr", "steps": 1}, {"profile": "inr", "steps": 1, "device": "cpu"}, {"threads": 9}):
        batch.encode(tmp_path / "a.npy", tmp_path / "a.linr", executor=executor, force=True, **options)
    assert asked == [{"num_cpus": 1}, {"num_cpus": 1, "num_gpus": 1}, {"num_cpus": 1}, {"num_cpus": 2}]


def test_originals_are_deleted(executor: RayExecutor, tmp_path: Path) -> None:
    """Also those of which the .linr file was there already."""
    np.save(tmp_path / "a.npy", np.arange(9))
    assert batch.encode(tmp_path / "a.npy", tmp_path / "a.linr", executor=executor).ok
    again = batch.encode(tmp_path / "a.npy", tmp_path / "a.linr", executor=executor, update=True, delete_original=True)
    assert len(again.current) == 1
    assert again.current[0].deleted
    assert not (tmp_path / "a.npy").exists()


def test_a_task_that_fits_no_machine(executor: RayExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks for no more cores than the machines with a GPU have; if they go, it ends with a line."""
    nodes = [{"Alive": True, "Resources": {"CPU": 64.0}}, {"Alive": True, "Resources": {"CPU": 1.0, "GPU": 1.0}}]
    monkeypatch.setattr(ray, "nodes", lambda: [*nodes, {"Alive": False, "Resources": {"CPU": 99.0, "GPU": 9.0}}])
    assert executor._fits({"num_cpus": 64})
    assert executor._fits({"num_cpus": 1, "num_gpus": 1})
    assert not executor._fits({"num_cpus": 2, "num_gpus": 1})
    assert not executor._fits({"num_cpus": 65})
    asked: list[dict[str, float]] = []

    def recorded(call: Any, resources: Any, stop: Any) -> tuple[None, int]:
        asked.append(resources)
        return None, 0

    with monkeypatch.context() as patch:
        patch.setattr(executor, "_most", [64, 1])
        patch.setattr(executor, "_away", recorded)
        for profile in ("inr", "stored"):
            executor._work(pow, tasks.Task("encode", "a.npy", options={"profile": profile, "threads": 8}), None, lambda: False)
    assert asked == [{"num_cpus": 1, "num_gpus": 1}, {"num_cpus": 8}]
    monkeypatch.setattr(cluster, "WATCH", 0.0)
    monkeypatch.setattr(cluster, "STARTING", 0.0)
    with pytest.raises(InrcodecError, match=r"^the cluster has no machine with 1000 cores any more$"):
        executor._away((pow, (2, 3), {}), {"num_cpus": 1000}, lambda: False)


@pytest.mark.parametrize("fault", [ray.exceptions.RaySystemError("no\nroom"), ValueError("no room")])
def test_faults_of_ray_are_those_of_a_file(
    executor: RayExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """Where something is handed to it, too."""
    np.save(tmp_path / "a.npy", np.arange(9))

    def refuse(*_: Any) -> None:
        raise fault

    for place, name in ((ray, "put"), (executor, "_wait")):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, refuse)
            (result,) = batch.encode(tmp_path / "a.npy", tmp_path / "a.linr", executor=executor).results
        assert result.fault.startswith(f"{tmp_path}/a.npy: cluster: ")
        assert "\n" not in result.fault


def test_functions_are_sent_once(executor: RayExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    remote = ray.remote

    def recorded(*given: Any, **more: Any) -> Any:
        made.append(given)
        return remote(*given, **more)

    monkeypatch.setattr(ray, "remote", recorded)
    assert [executor.submit(pow, 2, i).result() for i in range(3)] == [1, 2, 4]
    with executor.sharing():
        for _ in range(3):
            inrcodec.encode(inrcodec.Signal(np.zeros((40, 40), np.uint8), "image"), effort=1, tile=16)
    assert len(made) <= 1


def test_the_end_of_a_with_block(connection: None) -> None:
    """Tasks are given up if an exception ends it, and not if one was being handled before it began."""
    with suppress(ValueError), RayExecutor() as first:
        raise ValueError
    assert first._stopping.is_set()
    try:
        raise ValueError
    except ValueError:
        with RayExecutor() as second:
            late = second.submit(pow, 2, 3)
    assert late.result() == 8
    assert not second._stopping.is_set()


def test_ray_prints_again_after_a_cluster_was_lost(connection: None, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    found = RayExecutor()
    monkeypatch.setattr(found, "_own", True)
    monkeypatch.setattr(found, "_said", lambda: said.append("again"))
    found._lost.set()
    found.shutdown()
    assert said == ["again"]


def test_any_function(executor: RayExecutor) -> None:
    assert executor.submit(pow, 2, 10).result() == 1024
    assert list(executor.map(lambda x: x * 2, range(3))) == [0, 2, 4]
    with pytest.raises(ZeroDivisionError):
        executor.submit(lambda: 1 // 0).result()


def test_a_stop_ends_tasks_that_run(executor: RayExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, told = fill(tmp_path / "in"), tmp_path / "told"
    told.mkdir()
    monkeypatch.setattr(cluster, "_work_away", waits_once(told))
    report = batch.encode(tmp_path / "in", tmp_path / "out", executor=executor, effort=1, stop=lambda: any(told.iterdir()))
    assert not report.complete
    assert len(report.done) < len(wanted)
    assert executor.submit(pow, 2, 3).result() == 8  # its core is free again


def test_a_cluster_that_is_lost(executor: RayExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not answer any more while two tasks run: they fail, and so does what comes after them, each with a line."""
    for name in ("a", "b", "c"):
        np.save(tmp_path / f"{name}.npy", np.arange(9))
    (tmp_path / "told").mkdir()
    monkeypatch.setattr(cluster, "_work_away", waits_once(tmp_path / "told"))
    monkeypatch.setattr(cluster, "WATCH", 0.05)
    monkeypatch.setattr(cluster, "_answers", lambda address: not list((tmp_path / "told").glob("*.npy")))
    executor._head = "127.0.0.1:1"
    threading.Thread(target=executor._watch, daemon=True).start()
    report = batch.encode([tmp_path / f"{name}.npy" for name in "abc"], tmp_path / "out", executor=executor)
    assert [result.fault for result in report.results] == [
        f"{tmp_path}/{name}.npy: the cluster does not answer any more" for name in ("a", "b", "c")
    ]
    for told in (tmp_path / "told").glob("*.npy"):
        os.kill(int(told.read_text()), signal.SIGKILL)  # this cluster is there after all, and its cores are needed


def test_what_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as there:
        address = f"127.0.0.1:{there.getsockname()[1]}"
        assert cluster._answers(address)
    assert not cluster._answers(address)
    known = {"ray://head:99": ("head", "99"), "ray://head": ("head", "10001"), "head:99": ("head", "99"), "[::1]:9": ("::1", "9")}
    assert {address: cluster._host_port(address) for address in known} == known


def test_workers_of_another_version(executor: RayExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "__version__", "99.0")
    with pytest.raises(
        InrcodecError, match=r"^cluster: machine \S+ has inrcodec \S+, and this program is 99\.0; install the same version$"
    ):
        RayExecutor()
    with pytest.raises(InrcodecError, match=r"^cluster: machine far has no inrcodec; install inrcodec 99\.0 there$"):
        cluster._check_version("far", "")


def test_clusters_that_are_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]  # nothing listens
        with pytest.raises(InrcodecError, match=rf"^cluster 127\.0\.0\.1:{port}: cannot be reached: .*refused"):
            RayExecutor(f"127.0.0.1:{port}")
        with monkeypatch.context() as patch:  # the file that Ray keeps of a cluster stays if that was killed
            patch.setattr("ray._private.services.get_ray_address_from_environment", lambda *_: f"127.0.0.1:{port}")
            with pytest.raises(
                InrcodecError, match=rf"^cluster auto: none runs on this machine; .* \(that at 127\.0\.0\.1:{port} has ended\)$"
            ):
                RayExecutor()
    for address in ("nowhere", "host:port", ":5", "http://host:80"):
        with pytest.raises(InrcodecError, match=f"^cluster {address}: no address of a cluster; give auto"):
            RayExecutor(address)
    monkeypatch.setattr(ray, "init", lambda **_: sys.exit(15))  # what it does where something else answers
    with pytest.raises(InrcodecError, match=r"^cluster local: what answers there is no Ray cluster"):
        RayExecutor("local")

    def refuse(**_: Any) -> None:
        raise ConnectionError("Could not find any running Ray instance.")

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(InrcodecError, match=r"^cluster auto: none runs on this machine; `ray start --head` starts one"):
        RayExecutor()
    monkeypatch.setattr("inrcodec.files.optional.find_spec", lambda name: None)
    with pytest.raises(MissingError, match=r"^a cluster needs ray; install"):
        RayExecutor()


def command(folder: Path, *arguments: object) -> subprocess.Popen[str]:
    """The command line in a session of its own, as a terminal has it; what Ray keeps goes into the folder."""
    settings = {**os.environ, **SETTINGS, "RAY_TMPDIR": str(folder)}
    line = [sys.executable, "-m", "inrcodec", *map(str, arguments)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=settings, start_new_session=True)


def test_the_command_line_and_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for i in range(6):
        inrcodec.files.write(tmp_path / "in" / f"{i}.png", inrcodec.Signal(RANDOM.integers(0, 200, (160, 160), np.uint8), "image"))
    arguments = ("encode", tmp_path / "in", "-o", tmp_path / "out", "--effort", 5, "--cluster", "local", "--manifest", tmp_path / "m.json")
    with tempfile.TemporaryDirectory(prefix="r") as folder:
        process = command(Path(folder), *arguments)
        while process.poll() is None and not list((tmp_path / "out").glob("*.linr")):
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 130, out + err
        assert err.splitlines()[-1].startswith("inrcodec: interrupted; ")
        assert "Traceback" not in err
        assert "raylet" not in out + err
    left = contents(tmp_path / "out")
    assert left
    assert all(name.endswith(".linr") and not name.startswith(".") for name in left)
    listed = json.loads((tmp_path / "m.json").read_text())
    assert listed["complete"] is False
    assert {entry["target"] for entry in listed["files"]} == set(left)
    assert batch.verify(tmp_path / "out", jobs=1).ok


def test_the_command_line_without_a_cluster(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(9))
    for more, status, said in (
        (["--cluster", "nowhere"], 1, "inrcodec: cluster nowhere: no address of a cluster"),
        (["--cluster", "local", "--jobs", "2"], 2, "--jobs is for this machine alone"),
    ):
        process = command(tmp_path, "encode", tmp_path / "a.npy", *more)
        _, err = process.communicate(timeout=60)
        assert process.returncode == status
        assert said in err
    assert not (tmp_path / "a.linr").exists()
