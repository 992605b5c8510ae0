"""Runs changed `.linr` files through inrcodec, and judges what comes out. Also the child process of `python -m bench.fuzz`.

It imports nothing of this package, so that the inrcodec under test can be that of another checkout, also an older one. What small files
of networks and stored ones give is compared with the standalone decoder of formats/standalone.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import itertools
import json
import math
import os
import resource
import struct
import sys
import time
import warnings
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any, BinaryIO

import numpy as np

import inrcodec
from inrcodec import InrcodecError

SAMPLES = 1 << 20  # limits that inrcodec is given
MEMORY = 1 << 28
SECONDS = 20.0  # for a case; the worst that is allowed takes a few
GROWTH = MEMORY + (64 << 20)  # bytes by which a case may let the process grow, and so much again per byte of input:
GROWTH_PER_BYTE = 100
ADDRESSES = 6 << 30  # RLIMIT_AS; libraries reserve much more than they use
FRAME = struct.Struct("<II")  # sizes of the JSON and of the file in a message to the child
SHORT = 8  # hexadecimal digits of the digest that a compact file has
COMPILED = [0]  # kernels compiled in this process
RIGHT = ("decoded", "refused", "limited", "closed", "lossy")  # outcomes that may be
STANDALONE = Path(__file__).resolve().parents[2] / "formats" / "standalone" / "linr.py"
COMPARED_BITS = 20_000  # of values, and parameters of networks, that the standalone decoder, which is slow, is given at most
COMPARED_PARAMETERS = 20_000
COMPARED_BYTES = 2000  # of a file that the package does not open
LARGER = 3  # times the size of an axis that is rendered, at most
RENDERED = 1 << 14  # places that are rendered at random sizes, or smoothly, at most
RENDERED_SAMPLES = 1 << 17  # the limit for rendering, where a sample takes longer: a whole network is evaluated for it
Judged = tuple[str, int, str]  # what `judge` returns


@dataclass(frozen=True)
class Outcome:
    """How a case ended.

    Attributes:
        number: of the case.
        what: "decoded", "lossy" (a network without samples), "refused" (its tiles or samples), "limited" (LimitError), "closed" (before its
            tiles), or what is wrong.
        size: of the file, in bytes.
        declared: bytes of the samples that its header declares; 0 if it cannot be read.
        salvaged: "all", "some", or "nothing".
        seconds: of all calls.
        growth: bytes by which the process grew at most; 0 where the system does not tell.
    """

    number: int
    what: str
    size: int
    declared: int
    salvaged: str
    seconds: float
    growth: int

    @property
    def failed(self) -> bool:
        """Whether this must not happen."""
        return self.what not in RIGHT or self.seconds > SECONDS or self.growth > GROWTH + GROWTH_PER_BYTE * self.size

    @property
    def fault(self) -> str:
        """What is wrong with an outcome that failed."""
        if self.seconds > SECONDS:
            return f"it took {self.seconds:.1f} s ({self.what})"
        return self.what if self.what not in RIGHT else f"it took {self.growth} bytes ({self.what})"


class Wrong(Exception):
    """An answer that must not be."""


def same(a: Any, b: Any) -> bool:
    """Whether two arrays have the same shape and the same bits: NaNs too."""
    raw = [x.astype(x.dtype.newbyteorder("<")).tobytes() for x in (a, b)]
    return bool(a.shape == b.shape) and raw[0] == raw[1]


def meaning_of(signal: Any) -> bytes:
    """SHA-256 of all that a signal is, metadata aside."""
    x = signal.samples
    about = f"{signal.kind} {x.dtype.str} {x.shape} {signal.bit_depth} {signal.sample_rate} ".encode()
    return hashlib.sha256(about + x.tobytes()).digest()


def digest_of(signal: Any, of_samples: bool = False, about: Mapping[str, Any] | None = None) -> str:
    """The digest that SPEC.md 2 gives a signal, as hexadecimal digits, computed apart from the package.

    of_samples: that of the samples alone, which older checkouts want; about: what `info` says of the file, which may have one of the tiles'
    digests.
    """

    def varint(n: int) -> bytes:
        return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)

    x = signal.samples
    paired, brain = x.dtype.kind == "c", getattr(signal, "bfloat16", False)  # older checkouts have no such field
    kind, width = "buifc".index("f" if brain else x.dtype.kind) - paired, x.dtype.itemsize >> paired
    type_ = kind | (width.bit_length() - 1) << 2 | 16 * paired | 32 * (x.dtype.str[0] == ">") | 64 * brain
    fixed = bytes([("image", "audio", "array", "stack").index(signal.kind), type_, signal.bit_depth, x.ndim])
    rate = b"" if signal.sample_rate is None else varint(signal.sample_rate)
    little = x.astype(x.dtype.newbyteorder("<"))
    raw = little.tobytes()
    if about is not None and "digest_of" in about:
        tile = about["tiles"]["shape"]
        cuts = [[slice(start, start + size) for start in range(0, n, size)] for n, size in zip(x.shape, tile, strict=False)]
        digests = [hashlib.sha256(little[box].tobytes()).digest() for box in itertools.product(*cuts)]
        raw = b"".join([*map(varint, tile), *digests])
    meaning = b"" if of_samples else fixed + b"".join(map(varint, x.shape)) + rate
    return hashlib.sha256(meaning + raw).hexdigest()


def _limited(function: Callable[..., Any], samples: int = SAMPLES) -> Callable[..., Any]:
    """A function with the limits, as far as it has such parameters."""
    known = inspect.signature(function).parameters
    given = {"max_samples": samples, "max_memory": MEMORY, "threads": 1}
    options = {name: value for name, value in given.items() if name in known}
    any_name = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
    return lambda data, **more: function(data, **options | {name: value for name, value in more.items() if any_name or name in known})


FAULTS = ("FormatError", "LimitError")


def _ask(function: Callable[..., Any], *args: Any, allowed: tuple[str, ...] = FAULTS, **options: Any) -> tuple[Any, InrcodecError | None]:
    """(result, None) or (None, fault). allowed: types of the fault. Raises Wrong: the fault is not one line, or of another type."""
    try:
        return function(*args, **options), None
    except InrcodecError as fault:
        if "\n" in str(fault) or not str(fault):
            raise Wrong(f"not one line: {fault!r}") from fault
        if type(fault).__name__ not in allowed:
            raise Wrong(f"{type(fault).__name__} where a FormatError should be: {fault}") from fault
        return None, fault


class Judge:
    """Runs files. It knows the signals of the valid files that they were made of. of_samples: see `digest_of`."""

    def __init__(self, of_samples: bool = False) -> None:
        self.of_samples = of_samples
        self.info = _limited(inrcodec.info)
        self.decode = _limited(inrcodec.decode)
        salvage = getattr(inrcodec, "salvage", None)
        self.salvage = _limited(salvage) if salvage else None
        render = getattr(inrcodec, "render", None)
        self.render = _limited(render, RENDERED_SAMPLES) if callable(render) else None
        self.standalone = _standalone() if self.render else None
        self.signals: list[Any] = []
        self.seeds: list[bytes] = []
        self.by_digest: dict[str, bytes] = {}

    def learn(self, data: bytes) -> bool:
        """Learn a valid file, the next one; whether it can be decoded."""
        signal, fault = _ask(self.decode, data, allowed=(*FAULTS, "LossyError"))
        self.signals.append(signal)
        self.seeds.append(data)
        if fault is not None and _is_lossy(fault):
            return self.render is not None and self.render(data, network_only=True) is not None
        if signal is None:
            return False
        found = digest_of(signal, self.of_samples, self.info(data))
        self.by_digest[found] = self.by_digest[found[:SHORT]] = meaning_of(signal)
        self.info(data, stages=True)
        if self.salvage:
            self.salvage(data)
        return True

    def judge(self, data: bytes, seed: int | None, threads: int = 1) -> Judged:
        """(what, declared bytes, what was salvaged): see Outcome. Raises Wrong, or whatever inrcodec raises that it must not.

        seed: the valid file whose intact sections are all that is intact in this one; None: there is no such file.
        """
        about, closed = _ask(self.info, data)
        declared = _declared(about) if about else 0
        signal, fault = _ask(self.decode, data, allowed=(*FAULTS, "LossyError"), threads=threads)
        if signal is not None:
            if about is None:
                raise Wrong(f"it decodes, but info says: {closed}")
            self._right(signal, about)
            _, refused = _ask(self.info, data, stages=True)
            if refused:
                raise Wrong(f"it decodes, but info with stages says: {refused}")
            if signal.kind == "audio":
                self._part(data, signal)
        lossy = fault is not None and _is_lossy(fault)
        if lossy != bool(about and not about.get("lossless", True)):
            raise Wrong(f"info and decode do not agree whether it has samples: {fault}")
        salvaged = self._salvaged(data, signal, fault, seed) if self.salvage else "nothing"
        if self.render:
            self._rendered(data, about, signal, seed)
        if signal is not None:
            return "decoded", declared, salvaged
        if type(fault).__name__ == "LimitError":
            return "limited", declared, salvaged
        return "lossy" if lossy else "refused" if about else "closed", declared, salvaged

    def _right(self, signal: Any, about: dict[str, Any]) -> None:
        """Raise Wrong if a decoded signal is not that of the digest which the file gives."""
        claimed = about["digest"]
        found = digest_of(signal, self.of_samples, about)
        if claimed not in (found, found[:SHORT]):
            raise Wrong("it decodes to samples that its digest is not of")
        if self.by_digest.get(claimed, meaning_of(signal)) != meaning_of(signal):
            raise Wrong("it decodes to another signal than the valid file with this digest")

    def _part(self, data: bytes, signal: Any) -> None:
        """Raise Wrong if the beginning of a sound decodes to other samples."""
        part, fault = _ask(self.decode, data, start=0.0, duration=1e-9)
        if fault or not same(part.samples, signal.samples[: len(part.samples)]):
            raise Wrong(f"a part of it decodes otherwise: {fault}")

    def _salvaged(self, data: bytes, signal: Any, refused: Exception | None, seed: int | None) -> str:
        """What salvage gives: see Outcome. Raises Wrong if it should not."""
        assert self.salvage
        found, fault = _ask(self.salvage, data, allowed=(*FAULTS, "LossyError"))
        if found is None:
            if signal is not None:
                raise Wrong(f"it decodes, but salvage says: {fault}")
            return "nothing"
        if refused is not None and _is_lossy(refused):
            raise Wrong("salvage gives samples of a file that has none")
        report = found.report()
        if signal is not None and (report or meaning_of(found.signal) != meaning_of(signal)):
            raise Wrong(f"it decodes, but salvage finds faults or other samples: {report[:1]}")
        if signal is None and not report:
            raise Wrong(f"salvage finds no fault, but decode says: {refused}")
        if any("\n" in line for line in report):
            raise Wrong("a fault of several lines")
        samples, intact = found.signal.samples, found.intact
        if found.lost and any(samples[~intact].tobytes()):
            raise Wrong("lost samples are not 0")
        if seed is not None and self.signals[seed] is not None:
            right = self.signals[seed].samples
            if right.shape != samples.shape or not same(samples[intact], right[intact]):
                raise Wrong("salvage gives wrong samples for intact ones")
        return "some" if found.lost else "all"

    def _rendered(self, data: bytes, about: dict[str, Any] | None, signal: Any, seed: int | None) -> None:
        """Raise Wrong if what the file shows contradicts itself, its samples, or the file that it was cut from."""
        assert self.render
        shown, fault = _ask(self.render, data, allowed=(*FAULTS, "UnsupportedError"), network_only=True)
        if about is None:
            if seed is not None and self.seeds[seed].startswith(data):
                self._cut(data, self.seeds[seed])
            return
        network = about["profile"] == "inr"
        if shown is None:
            if type(fault).__name__ == "UnsupportedError" if network else type(fault).__name__ not in ("UnsupportedError", "LimitError"):
                raise Wrong(f"the network of a file of profile {about['profile']} is asked: {fault}")
            if network and signal is not None and type(fault).__name__ == "FormatError":
                raise Wrong(f"it decodes, but its network says nothing: {fault}")
        if shown is not None and not network:
            raise Wrong(f"a file of profile {about['profile']} has a network that is asked")
        if shown is not None:
            if list(shown.samples.shape) != about["shape"] or shown.samples.dtype.kind != _kind(about["dtype"]):
                raise Wrong("what its network says has another shape or type")
            region = tuple(slice(n // 3, n // 3 + max(1, n // 2)) for n in _axes(about))
            part, fault = _ask(self.render, data, network_only=True, region=region)
            if fault or not same(part.samples, shown.samples[region]):
                raise Wrong(f"a region of what its network says is another: {fault}")
        if signal is not None and about["bit_depth"] < 32 and "float_map" not in about:
            self._deeper(data, about, signal)

    def _deeper(self, data: bytes, about: dict[str, Any], signal: Any) -> None:
        """Raise Wrong if samples of more bits do not begin with those of the file."""
        assert self.render
        rng = Random(zlib.crc32(data))
        depth = rng.randint(about["bit_depth"] + 1, 32)
        for fill in ("zero", "midpoint", "network", "smooth"):
            if fill == "smooth" and signal.samples.size > RENDERED:
                continue
            allowed = (*FAULTS, "UnsupportedError") if fill == "network" else FAULTS
            found, fault = _ask(self.render, data, allowed=allowed, bit_depth=depth, fill=fill)
            if found is None and type(fault).__name__ == "FormatError":
                raise Wrong(f"it decodes, but not with more bits: {fault}")
            if found is not None:
                below = depth - about["bit_depth"]
                if not np.array_equal(found.samples.astype(np.int64) >> below, signal.samples.astype(np.int64)):
                    raise Wrong(f"samples of {depth} bits do not begin with those of the file (fill {fill})")

    def _cut(self, data: bytes, whole: bytes) -> None:
        """Raise Wrong if a network in the beginning of a file says something else than in the whole file."""
        assert self.render
        about, _ = _ask(self.info, whole)
        parts = about.get("network", {}).get("configurations", [{}]) if about else []
        for part in parts:
            config = (part["layers"], part["hidden"]) if part else None
            shown, _ = _ask(self.render, data, allowed=(*FAULTS, "UnsupportedError"), network_only=True, config=config)
            if shown is not None and not same(shown.samples, self.render(whole, network_only=True, config=config).samples):
                raise Wrong(f"a network says something else after the file was cut: {config}")

    def compare(self, data: bytes, what: str) -> None:
        """Raise Wrong if the standalone decoder makes something else of a file than the package, which said `what` of it.

        Only of small files with a network, and of small stored ones: it is slow.
        """
        linr = self.standalone
        if linr is None or what == "limited":
            return
        if what == "closed":
            if b"NETW" in data and len(data) <= COMPARED_BYTES:
                _stands(linr, lambda: linr.read_file(data), None, "the package does not open it")
            return
        about, _ = _ask(self.info, data)
        bits = math.prod(about["shape"]) * max(about["value_map"]["bits"], 1)
        if about["profile"] == "hybrid" or bits > COMPARED_BITS or (about["weights"] or {}).get("parameters", 0) > COMPARED_PARAMETERS:
            return
        signal, fault = _ask(self.decode, data, allowed=(*FAULTS, "LossyError"))
        if what != "lossy":
            _stands(linr, lambda: linr.decode(data)[0], None if signal is None else signal.samples, f"decode: {fault}")
        if about["profile"] == "inr":
            self._views(data, about)

    def _views(self, data: bytes, about: dict[str, Any]) -> None:
        """`compare` of what the network says, as it is and in a view at random."""
        linr = self.standalone
        assert linr
        assert self.render
        rng = Random(zlib.crc32(data) + 1)
        bits, depth, axes = about["value_map"]["bits"], about["bit_depth"], _axes(about)
        sizes = tuple(rng.choice((1, n, rng.randint(1, LARGER * n))) for n in axes)
        parts = [(part["layers"], part["hidden"]) for part in about["network"].get("configurations", [])]
        config = rng.choice(parts) if parts else None
        more = 0 if "float_map" in about else rng.choice((0, rng.randint(0, max(0, 30 - bits))))
        for view in (((), 0, None), (sizes, more, config)):
            if math.prod(view[0] or axes) > RENDERED or (view[1] and depth + view[1] > 32):
                continue
            options: dict[str, Any] = {"sizes": view[0], "bit_depth": depth + view[1] if view[1] else 0, "config": view[2]}
            ours, fault = _ask(self.render, data, network_only=True, **options)
            if type(fault).__name__ == "LimitError":
                continue
            try:
                theirs = linr.network_only(data, *view)[0]
            except linr.Invalid:
                theirs = None
            except ValueError:  # so many bits it does not give; the package takes the middle of what is left
                continue
            if (ours is None) != (theirs is None) or (ours is not None and not same(ours.samples, theirs)):
                raise Wrong(f"the standalone decoder has another view {view}: {fault}")


def _kind(name: str) -> str:
    """NumPy's letter for samples of a type that info names; those of bfloat16 are patterns of bits."""
    return "u" if name.endswith("bfloat16") else np.dtype(name).kind


def _is_lossy(fault: Exception) -> bool:
    return type(fault).__name__ == "LossyError"


def _axes(about: Mapping[str, Any]) -> list[int]:
    """Sizes of the coordinate axes, by what info says."""
    shape: list[int] = about["shape"]
    return shape[:-1] if len(shape) == {"image": 3, "audio": 2, "stack": 4}.get(about["kind"]) else shape


def _standalone() -> ModuleType | None:
    """The standalone decoder, if it is there."""
    if not STANDALONE.exists():
        return None
    spec = importlib.util.spec_from_file_location("linr", STANDALONE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["linr"] = module  # dataclasses look for their module there
    spec.loader.exec_module(module)
    return module


def _stands(linr: ModuleType, ask: Callable[[], Any], expected: Any, why: str) -> None:
    """Raise Wrong if the standalone decoder gives something else than samples; None: than a refusal, for which the package has a reason."""
    try:
        found = ask()
    except linr.Invalid as invalid:
        if expected is not None:
            raise Wrong(f"the standalone decoder refuses it: {invalid}") from invalid
        return
    if expected is None:
        raise Wrong(f"the standalone decoder takes it: {why}")
    if found.dtype != expected.dtype or not same(found, expected):
        raise Wrong("the standalone decoder has other samples")


def _declared(about: dict[str, Any]) -> int:
    """Bytes of the samples of a file, by what info says of it."""
    count = 1
    for n in about["shape"]:
        count *= n
    digits = "".join(c for c in about["dtype"] if c.isdigit())
    size = int(digits or 8)
    in_bytes = about["dtype"].startswith(">") and not about["dtype"].endswith("bfloat16")
    return int(count * (size if in_bytes else size // 8))


def memory_of(field: str) -> int:
    """Bytes of a field of /proc/self/status, 0 where there is none."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            return next((int(line.split()[1]) << 10 for line in status if line.startswith(field)), 0)
    except OSError:
        return 0


def forget_peak() -> None:
    """Let VmHWM count from now on, where the system can."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        pass


def run(judge: Judge, number: int, data: bytes, seed: int | None) -> Outcome:
    """Run a case in this process; once more if kernels were compiled, since that is done once on a machine."""
    threads = 2 if number % 8 == 0 else 1
    while True:
        forget_peak()
        compiled, before, start = COMPILED[0], memory_of("VmRSS"), time.perf_counter()
        declared, salvaged = 0, "nothing"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                what, declared, salvaged = judge.judge(data, seed, threads)
        except Wrong as wrong:
            what = str(wrong)
        except BaseException as fault:  # whatever it is, it is to be found
            what = f"{type(fault).__name__}: {fault}"
        seconds = time.perf_counter() - start
        growth = max(0, memory_of("VmHWM") - before)
        if COMPILED[0] == compiled:
            if what in RIGHT:
                what = _compared(judge, data, what)
            return Outcome(number, what, len(data), declared, salvaged, seconds, growth)


def _compared(judge: Judge, data: bytes, what: str) -> str:
    """The outcome, after a comparison with the standalone decoder."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            judge.compare(data, what)
    except Wrong as wrong:
        return str(wrong)
    except BaseException as fault:
        return f"compared: {type(fault).__name__}: {fault}"
    return what


def count_compilations() -> None:
    """Let COMPILED count from now on."""
    from numba.core import event

    events: Any = event  # it is not typed

    class Listener(event.Listener):
        """Counts."""

        def on_start(self, event: Any) -> None:
            COMPILED[0] += 1

        def on_end(self, event: Any) -> None:
            pass

    events.register("numba:compile", Listener())


def _message(source: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """The next message to the child, (JSON, file); None: there is no more."""
    sizes = source.read(FRAME.size)
    if len(sizes) < FRAME.size:
        return None
    about, size = FRAME.unpack(sizes)
    return json.loads(source.read(about)), source.read(size)


def serve() -> None:
    """The child: messages come on standard input, an answer to each, a line of JSON, goes to standard output.

    The argument "of-samples" says that digests are of the samples alone.
    """
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer
    warnings.filterwarnings("ignore")
    count_compilations()
    judge = Judge("of-samples" in sys.argv[1:])
    while (message := _message(sys.stdin.buffer)) is not None:
        about, data = message
        answer: Any
        if "learn" in about:
            answer = {"learned": judge.learn(data), "from": inrcodec.__file__}
        else:
            answer = asdict(run(judge, about["number"], data, about["seed"]))
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve()
