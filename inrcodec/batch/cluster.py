"""Many machines, by Ray (extra `cluster`): a file is a task of the cluster, and so is a group of the tiles of a large file.

This program reads local sources and writes local targets. The bytes between go to a worker and come back, so workers need no folder in
common. If source and target are addresses, the worker reads and writes them itself.

A task asks for one core, or for as many as its option `threads` says. One that fits a network asks for a GPU too, if the cluster has any;
the tiles of its file are coded by tasks that ask for none. The tiles of a file are coded in the same way wherever that is, so its bytes are
those that one machine writes.
"""

from __future__ import annotations

import importlib
import itertools
import os
import pickle
import re
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeVar

from .. import __version__, parallel
from ..errors import InrcodecError, Stopped, spelling
from ..files.optional import require
from ..storage import scratch
from . import content, places
from . import tasks as tasks_
from .run import TaskExecutor
from .tasks import Product, Result, Task

T = TypeVar("T")
R = TypeVar("R")
Call = tuple[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]]
TRIES = 4  # of a task whose worker is lost
POLL = 0.2  # seconds after which it is asked again whether to stop,
WATCH = 5.0  # and whether the cluster is there
MISSES = 3  # times that it does not answer, after which it is given up
PATIENCE = 5.0  # seconds in which a cluster must answer at first,
STARTING = 120.0  # and its workers, which may have to start
GROUPS = 4  # of tiles of a file, for each core of the cluster: a slow worker then has few of them
SHARED_FROM = 1 << 20  # bytes of a file from which on its tiles are shared
CLIENT_PORT = 10001  # of addresses ray://
NONE_HERE = "none runs on this machine; `ray start --head` starts one, --cluster local uses this machine alone"
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
HASTY = {"RAY_py_gcs_connect_timeout_s": "5", "RAY_gcs_rpc_server_connect_timeout_s": "5", "RAY_NUM_REDIS_GET_RETRIES": "1"}


class RayExecutor(TaskExecutor):
    """An executor of concurrent.futures over a Ray cluster, for `inrcodec.batch`; a context manager.

    A task whose worker is lost, or has no memory left, is done again by another one, up to TRIES times in all. Workers must have this
    version of inrcodec: that is checked, since another version may write other bytes.

    Attributes:
        workers: cores of the cluster when it was connected to.
        gpus: its GPUs.

    _most: cores of the largest machine, and of the largest one with a GPU.
    """

    def __init__(self, address: str = "auto", *, cores: int = 0, shared_from: int = SHARED_FROM) -> None:
        """Connect to a cluster, or start one on this machine.

        Args:
            address: "auto": the cluster that runs on this machine, or that RAY_ADDRESS names; "host:port": one that this machine is part
                of; "ray://host:port": one elsewhere (needs ray[client]); "local": workers are started here, and end with the executor.
                If the program has called ray.init, that connection is used.
            cores: of "local": how many workers; 0: as many as there are cores.
            shared_from: bytes of a file from which on other workers code its tiles too.

        Raises:
            MissingError: Ray is not installed.
            InrcodecError: there is no such cluster, it does not answer, or its workers lack this version of inrcodec.
        """
        require("a cluster", {"ray": "ray"})
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        self._ray: Any = importlib.import_module("ray")
        ray = self._ray
        self._own = not ray.is_initialized()
        self._stopping, self._lost, self._ended = threading.Event(), threading.Event(), threading.Event()
        self._said: Any = None
        if self._own:
            self._connect(address, cores)
        try:
            found = ray.cluster_resources()
            self.workers, self.gpus = max(1, int(found.get("CPU", 1))), int(found.get("GPU", 0))
            self.shared_from = shared_from
            self._most = [max((cores for cores, has in self._machines() if has >= gpus), default=1) for gpus in (0, 1)]
            self._work_of = ray.remote(max_retries=0)(_unpacked)  # once: Ray sends each function that it makes to all machines
            self._check_workers()
            self._head, self._here = self._to_watch(address)
            self._looked = 0.0  # when Ray's process on this machine was looked for last
        except BaseException:
            self._disconnect()
            raise
        self._pool = ThreadPoolExecutor(self.workers + 2, "inrcodec")  # the waiting is done by threads; two files are read ahead
        if self._head:
            threading.Thread(target=self._watch, daemon=True).start()

    def _connect(self, address: str, cores: int) -> None:
        """Raises InrcodecError."""
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "FATAL", "configure_logging": True}
        if address == "local":
            given: dict[str, Any] = {"num_cpus": cores or os.cpu_count() or 1, "include_dashboard": False}
        else:
            _check_listens(address)
            given = {"address": address}
        handler = signal.getsignal(signal.SIGTERM)
        try:
            with _environment({} if address == "local" else HASTY), _silent():
                self._ray.init(**given, **quiet)
        except (Exception, SystemExit) as fault:  # Ray exits where something answers that is no cluster
            with suppress(Exception):
                self._ray.shutdown()
            raise InrcodecError(f"cluster {address}: {_why_not(address, fault)}") from fault
        finally:
            if threading.current_thread() is threading.main_thread() and handler is not None:
                signal.signal(signal.SIGTERM, handler)
        self._said = _mute()

    def _check_workers(self) -> None:
        """Raise InrcodecError if a machine of the cluster lacks this version of inrcodec."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        def version() -> str:  # inside of a function, so that it is sent whole: there may be no module to find it in
            try:
                import inrcodec
            except ImportError:
                return ""
            return inrcodec.__version__

        ask, names = self._ray.remote(num_cpus=0, max_retries=1)(version), {}
        for node in self._ray.nodes():
            if node["Alive"] and node["Resources"].get("CPU"):
                there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
                names[ask.options(scheduling_strategy=there).remote()] = node["NodeManagerHostname"]
        for asked, name in names.items():
            try:
                found = self._ray.get(asked, timeout=STARTING)
            except Exception as fault:
                why = "does not answer" if isinstance(fault, TimeoutError) else " ".join(str(fault).split())
                raise InrcodecError(f"cluster: machine {name}: {why}") from fault
            _check_version(name, found)

    def _to_watch(self, address: str) -> tuple[str, str]:
        """host:port of the head of the cluster, and of Ray's process on this machine; "" for what is not to be watched."""
        if not self._own:
            return "", ""
        if address.startswith("ray://"):
            return address, ""
        context = self._ray.get_runtime_context()
        here = next(node for node in self._ray.nodes() if node["NodeID"] == context.get_node_id())
        return str(context.gcs_address), f"{here['NodeManagerAddress']}:{here['NodeManagerPort']}"

    def _watch(self) -> None:
        """Look whether the cluster is there, until it is gone: Ray itself waits a minute, and then ends this process without a word."""
        misses = 0
        while misses < MISSES and not self._ended.wait(WATCH):
            misses = 0 if _answers(self._head) else misses + 1
        if misses == MISSES:
            self._lost.set()

    def _check_there(self) -> None:
        """Raise InrcodecError if the cluster is gone. If Ray's process on this machine has ended, a call of Ray would end this one, too."""
        now = time.monotonic()
        if self._here and not self._lost.is_set() and now - self._looked > POLL:
            self._looked = now
            if not _answers(self._here):
                self._lost.set()
        if self._lost.is_set():
            raise InrcodecError("the cluster does not answer any more")

    # --- tasks --------------------------------------------------------------------------------------------------------

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        """The future of fn(*args, **kwargs), which a worker calls; what it raises is raised.

        Raises InrcodecError in the future: its worker was lost, each time.
        """
        return self._pool.submit(self._call, fn, args, kwargs)

    def _call(self, fn: Callable[..., R], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> R:
        found: R
        found, _ = self._away((fn, args, kwargs), {"num_cpus": 1}, self._stopping.is_set)
        return found

    def submit_task(self, task: Task, stop: Callable[[], bool] | None = None) -> Future[Result]:
        """The future of `tasks.run`; its notices say if a worker was lost. stop: asked now and then; the future then raises Stopped."""
        return self._pool.submit(self._run, task, lambda: self._stopping.is_set() or (stop is not None and stop()))

    def _run(self, task: Task, stop: Callable[[], bool]) -> Result:
        """Do a task, of which what is local is done here."""
        started = time.perf_counter()
        try:
            if _is_away(task.source) and (not task.target or _is_away(task.target)):
                result = self._work(_run_away, task, None, stop)
                assert isinstance(result, Result)
            else:
                result = self._with_local(task, stop)
        except (InrcodecError, OSError, MemoryError) as fault:
            result = tasks_.failed(task, fault)
        return replace(result, seconds=time.perf_counter() - started)

    def _with_local(self, task: Task, stop: Callable[[], bool]) -> Result:
        """Do a task whose source or target is here, as `tasks.run` does. Raises InrcodecError; OSError; MemoryError; Stopped."""
        if (found := tasks_.done_already(task)) is not None:
            return tasks_.without_original(found)
        before = tasks_.stamp(task.source)
        product = self._work(_work_away, task, None if _is_away(task.source) else _read(task.source), stop)
        if isinstance(product, Result):
            return product
        tasks_.check_unchanged(task, before)
        return tasks_.finish(task, product)

    def _work(self, work: Callable[..., R], task: Task, source: Any, stop: Callable[[], bool]) -> R | Product | Result:
        """work(task, source, …) by a worker, with a notice if others were lost before. Raises InrcodecError; Stopped."""
        gpus = 1 if self.gpus and task.fits and task.options.get("device") != "cpu" else 0
        most = self._most[gpus]
        threads = max(1, min(int(task.options.get("threads") or 1), most))
        resources = {"num_cpus": min(threads, most)} | ({"num_gpus": gpus} if gpus else {})
        sent = replace(task, options={**task.options, "threads": threads})
        shared = self.workers if self.workers > 1 and task.size >= self.shared_from else 0
        made: Any
        made, lost = self._away((work, (sent, source, shared), {}), resources, stop)
        result = made.result if isinstance(made, Product) else made
        if lost and isinstance(result, Result):
            told = f"{task.source}: {lost} worker{'s were' if lost > 1 else ' was'} lost; another one did the work"
            result = replace(result, notices=(*result.notices, told))
        if isinstance(result, Result):
            result = replace(result, task=task)
        return replace(made, result=result) if isinstance(made, Product) else result

    def _machines(self) -> list[tuple[int, int]]:
        """(cores, GPUs) of each machine of the cluster that is up."""
        found = (node["Resources"] for node in self._ray.nodes() if node["Alive"])
        return [(int(each.get("CPU", 0)), int(each.get("GPU", 0))) for each in found]

    def _fits(self, resources: Mapping[str, float]) -> bool:
        """Whether a machine that is up has so many cores and GPUs, used or not."""
        wanted = resources.get("num_cpus", 0), resources.get("num_gpus", 0)
        return any(cores >= wanted[0] and gpus >= wanted[1] for cores, gpus in self._machines())

    def _away(self, call: Call, resources: Mapping[str, float], stop: Callable[[], bool]) -> tuple[Any, int]:
        """(what a worker returns for a call, how many were lost before).

        Raises InrcodecError: all tries were lost; Stopped; and what the function raises.
        """
        errors = self._ray.exceptions
        lost_by = (
            errors.WorkerCrashedError,
            errors.NodeDiedError,
            errors.OutOfMemoryError,
            errors.ObjectLostError,
            errors.LocalRayletDiedError,
        )
        packed = self._ray.cloudpickle.dumps(call)
        self._check_there()
        run = self._work_of.options(**resources)
        with _ray_faults():
            kept = self._ray.put(packed)
        for lost in range(TRIES):
            self._check_there()
            try:
                with _ray_faults(*lost_by):
                    reference = run.remote(kept)
                    self._wait(reference, resources, stop)
                return self._ray.get(reference), lost
            except lost_by as fault:
                if stop():
                    raise Stopped from fault
                why = "had no memory left" if isinstance(fault, errors.OutOfMemoryError) else "was lost"
            except errors.RayTaskError as fault:
                raise (fault.cause if isinstance(fault.cause, Exception) else fault) from fault
            except errors.RayError as fault:
                raise InrcodecError(f"cluster: {' '.join(str(fault).split())}") from fault
        raise InrcodecError(f"the worker {why}; so did it end {TRIES} times")

    def _wait(self, reference: Any, resources: Mapping[str, float], stop: Callable[[], bool]) -> None:
        """Wait until a task has ended.

        Raises InrcodecError: the cluster is gone, or has had no machine with these resources for STARTING seconds; Stopped.
        """
        looked = fitted = time.monotonic()
        while not self._ray.wait([reference], timeout=POLL)[0]:
            self._check_there()
            if stop():
                self._ray.cancel(reference, force=True)
                raise Stopped
            if (now := time.monotonic()) - looked < WATCH:
                continue
            looked = now
            if self._fits(resources):
                fitted = now
            elif now - fitted > STARTING:  # until then, one may be started
                self._ray.cancel(reference, force=True)
                gpus = " and a GPU" if resources.get("num_gpus") else ""
                raise InrcodecError(f"the cluster has no machine with {resources['num_cpus']:g} cores{gpus} any more")

    # --- tiles --------------------------------------------------------------------------------------------------------

    def sharing(self) -> AbstractContextManager[None]:
        """Inside the `with` block, let workers code and decode the tiles of what this program encodes and decodes by `inrcodec`."""
        return parallel.sending(Groups(self.workers))

    # --- its end ------------------------------------------------------------------------------------------------------

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> Literal[False]:
        """As `shutdown`; if an exception ends the block, tasks that run are given up."""
        self.shutdown(cancel_futures=kind is not None)
        return False

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Disconnect, or end the workers that were started here. cancel_futures: whether tasks that run are given up."""
        if cancel_futures:
            self._stopping.set()
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)
        self._disconnect()

    def _disconnect(self) -> None:
        self._ended.set()
        if not self._own:
            return
        self._own = False
        if not self._lost.is_set():
            with suppress(Exception), _silent():
                self._ray.shutdown()
        if self._said is not None:
            self._said()


class Groups:
    """Lets workers do what `parallel.spread` is to do: some items are a task. In a worker, or in a program that has called ray.init.

    cores: of the cluster.
    """

    def __init__(self, cores: int) -> None:
        self.cores = cores
        self._run: Any = None  # what does a group: made once, since Ray sends each function that it makes to all machines

    def __call__(self, work: Callable[[T, parallel.Tick], R], items: Iterable[T], count: int, tick: parallel.Tick) -> Iterator[R]:
        """See `parallel.Elsewhere`. Raises what the work raises."""
        import ray

        if self._run is None:
            self._run = ray.remote(num_cpus=1, max_retries=TRIES - 1)(_do_group)
        kept = ray.put(pickle.dumps(work))
        size = max(1, -(-count // (GROUPS * self.cores)))
        left, running = iter(items), deque[Any]()
        try:
            while True:
                while len(running) < 2 * self.cores and (group := list(itertools.islice(left, size))):
                    running.append(self._run.remote(kept, pickle.dumps(group)))
                if not running:
                    return
                while not ray.wait([running[0]], timeout=POLL)[0]:
                    tick(0.0)  # which asks whether to stop
                found, done = pickle.loads(ray.get(running.popleft()))
                if isinstance(found, InrcodecError):
                    raise found
                tick(done)
                yield from found
        finally:
            for reference in running:
                with suppress(Exception):
                    ray.cancel(reference, force=True)


def _do_group(work: bytes, items: bytes) -> bytes:
    """Do the work on a group. It is pickled here and there, since arrays that Ray unpickles cannot be written to."""
    try:
        return pickle.dumps(parallel.do_all(pickle.loads(work), pickle.loads(items)))
    except InrcodecError as fault:
        return pickle.dumps((fault, 0.0))


# --- what a worker does ---------------------------------------------------------------------------------------------


def _unpacked(packed: bytes) -> Any:
    fn, args, kwargs = pickle.loads(packed)
    return fn(*args, **kwargs)


def _run_away(task: Task, source: None, cores: int) -> Result:
    """Do a task whose source and target are addresses. cores: of the cluster if its tiles are shared, else 0."""
    with _shared(cores):
        return tasks_.run(task)


def _work_away(task: Task, source: bytes | dict[str, bytes] | None, cores: int) -> Product | Result:
    """Do what needs no more than the source. source: its bytes; of a folder, those of its files; None: it is at an address."""
    try:
        with scratch() as folder, spelling(path := folder / places.last_part(task.source), task.source):
            if source is None:
                with places.local(task.source) as copy:
                    return _worked(task, copy, cores)
            if isinstance(source, dict):
                path.mkdir()
            for name, data in source.items() if isinstance(source, dict) else [("", source)]:
                (path / name).write_bytes(data)
            return _worked(task, path, cores)
    except (InrcodecError, OSError, MemoryError) as fault:
        return tasks_.failed(task, fault)


def _worked(task: Task, path: Path, cores: int) -> Product:
    """`tasks.work`; what is decoded becomes the bytes of a file. Raises InrcodecError; OSError; MemoryError."""
    with _shared(cores):
        product = tasks_.work(task, path)
    output = product.output
    if output is None or isinstance(output, bytes) or content.is_folder(output):
        return product
    with scratch() as folder:
        made = folder / places.last_part(task.target)
        with spelling(made, task.target):
            lost = content.write(made, output)
        told = tasks_.told_lost(task, lost)
        result = replace(product.result, notices=(*product.result.notices, *told))
        return Product(result, made.read_bytes())


def _shared(cores: int) -> AbstractContextManager[None]:
    return parallel.sending(Groups(cores)) if cores else nullcontext()


# --- small things ---------------------------------------------------------------------------------------------------


def _is_away(name: str) -> bool:
    return places.disk_path(name) is None


def _read(name: str) -> bytes | dict[str, bytes]:
    """The bytes of a file, or of each file in a folder. Raises InrcodecError."""
    path = places.disk_path(name)
    if path is not None and path.is_dir():
        return {entry.relative: places.read_bytes(entry.name) for entry in places.walk(name)}
    return places.read_bytes(name)


def _check_version(name: str, found: str) -> None:
    """Raise InrcodecError if a machine has not the version of inrcodec that this program is of. found: its version; "": it has none."""
    if not found:
        raise InrcodecError(f"cluster: machine {name} has no inrcodec; install inrcodec {__version__} there")
    if found != __version__:
        raise InrcodecError(f"cluster: machine {name} has inrcodec {found}, and this program is {__version__}; install the same version")


def _check_listens(address: str) -> None:
    """Raise InrcodecError if nothing listens at an address: Ray itself would try for minutes, and may then end this program."""
    plain = os.environ.get("RAY_ADDRESS") or "auto" if address == "auto" else address
    if plain == "auto":
        if (last := _last_started()) and not _answers(last):
            raise InrcodecError(f"cluster auto: {NONE_HERE} (that at {last} has ended)")
        return
    if plain.startswith("ray://"):
        require(f"cluster {plain}", {"grpc": "ray[client]"})
    host, port = _host_port(plain)
    if not host or not port.isdigit() or "://" in host:
        raise InrcodecError(f"cluster {plain}: no address of a cluster; give auto, local, host:port or ray://host:port")
    try:
        socket.create_connection((host, int(port)), PATIENCE).close()
    except (OSError, OverflowError) as fault:
        why = getattr(fault, "strerror", None) or str(fault)
        raise InrcodecError(f"cluster {plain}: cannot be reached: {why.lower()}") from fault


def _last_started() -> str:
    """host:port of the cluster that Ray takes for "auto", as it finds it: by its processes, or by a file that also stays when the cluster
    has not ended in order. "" if it finds none, or cannot be asked.
    """
    try:
        from ray._private.services import get_ray_address_from_environment
    except ImportError:
        return ""
    with suppress(Exception):  # ConnectionError: there is none, which ray.init says too
        found = str(get_ray_address_from_environment("auto", None))
        return found if _host_port(found)[1].isdigit() else ""
    return ""


def _host_port(address: str) -> tuple[str, str]:
    """The host and the port of an address host:port or ray://host[:port]; "" for what it lacks."""
    bare = address.removeprefix("ray://")
    if bare != address and not re.search(r":\d*$", bare):
        bare += f":{CLIENT_PORT}"
    host, _, port = bare.rpartition(":")
    return host.strip("[]"), port


def _answers(address: str) -> bool:
    """Whether something listens at an address."""
    host, port = _host_port(address)
    try:
        socket.create_connection((host, int(port)), PATIENCE).close()
    except OSError:
        return False
    return True


def _why_not(address: str, fault: BaseException) -> str:
    """Why a cluster could not be connected to, in words."""
    words = " ".join(str(fault).split())
    if address == "auto" and isinstance(fault, ConnectionError):
        return NONE_HERE
    if isinstance(fault, SystemExit | ConnectionError):
        return "what answers there is no Ray cluster, or this machine is no part of it (ray://host:port needs none)"
    return words or type(fault).__name__


@contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for the `with` block, but for those that are set already."""
    new = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            os.environ.pop(name, None)


@contextmanager
def _ray_faults(*passed: type[Exception]) -> Iterator[None]:
    """Raise what Ray raises inside as an InrcodecError of one line, but for Stopped and those that are passed on.

    Ray has exceptions of its own, and raises those of Python too, where it cannot send what it is given.
    """
    try:
        yield
    except Exception as fault:
        if isinstance(fault, (InrcodecError, Stopped, *passed)):
            raise
        raise InrcodecError(f"cluster: {' '.join(str(fault).split()) or type(fault).__name__}") from fault


@contextmanager
def _silent() -> Iterator[None]:
    """Drop what is written to standard error inside the `with` block: Ray's own processes write there, past Python."""
    try:
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    except OSError:
        yield
        return
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _mute() -> Callable[[], None]:
    """Keep Ray from printing on standard output that a worker has died, which may be where JSON goes. Returns what ends that."""
    import ray._private.worker as worker

    before = getattr(worker, "print_to_stdstream", None)
    if before is None:
        return lambda: None
    worker.print_to_stdstream = lambda *_, **__: None

    def again() -> None:
        worker.print_to_stdstream = before

    return again
