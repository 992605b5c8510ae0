"""Where the time of decoding goes: `python -m bench.stages FILE… [--effort 4]`, of pictures and sounds.

Decodes each file, of which at most a part is taken, by kernels in which every call of a stage reads the processor's time-stamp counter
before and after. A table of a file has, for each stage, ticks of this counter per value, and calls per value; stages within a stage are
indented. What reading the counter takes is measured and subtracted, but it also keeps instructions of neighbouring stages apart, so the sum
is more than the time without counters, which is given above the table. Beside it stands what the multiplications and additions of a stage
would take at one vector of each per tick. x86 only.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

FOLDER = tempfile.mkdtemp() if __name__ == "__main__" else ""
if FOLDER:
    os.environ["NUMBA_CACHE_DIR"] = FOLDER  # kernels with counters must not be kept as those without

from llvmlite import binding, ir  # noqa: E402  after the folder is set
from numba import types  # noqa: E402
from numba.extending import intrinsic  # noqa: E402

from inrcodec import kernels  # noqa: E402
from inrcodec.kernels import contextnet, mixer, predictors  # noqa: E402
from inrcodec.kernels.compiling import kernel  # noqa: E402

from .common import save, table, tell  # noqa: E402

binding.initialize_native_asmparser()

SIDE, SECONDS = 512, 5.0  # what is taken of a file: the middle of a picture, the beginning of a sound
TIMED = {  # functions of other modules of which calls are timed
    "forward", "learn", "find_lines", "look_up", "remember", "mix", "refine", "adjust", "calibrate", "code_bit",
    "local_block", "local_learn", "learn_batch", "solve", "lms_learn",
}  # fmt: skip
INTO = {
    "code_rows",
    "code_value",
    "code_mixed",
    "predict",
    "begin",
    "learn_predictors",
    "code_frames",
    "code_all",
    "code_sample",
}  # with stages within
MOST = 256  # timed calls
ticks_of = np.zeros(MOST, np.int64)
calls_of = np.zeros(MOST, np.int64)


READ = "lfence; rdtsc; shl $$32, %rdx; or %rdx, %rax"  # the fence, and that it touches memory, keep the stages' instructions apart


def counter(builder: Any) -> Any:
    """Code that reads the time-stamp counter."""
    return builder.asm(ir.FunctionType(ir.IntType(64), []), READ, "={rax},~{rdx},~{memory},~{flags}", [], True)


@intrinsic
def now(context: Any) -> Any:
    """The time-stamp counter."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return counter(builder)

    return types.int64(), generate


@intrinsic
def count(context: Any, place: Any, before: Any) -> Any:
    """Add the ticks since `before` to a counter, and one to its calls. place: a constant."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        passed = builder.sub(counter(builder), arguments[1])
        for array, more in ((ticks_of, passed), (calls_of, ir.Constant(word, 1))):
            at = builder.inttoptr(
                builder.add(ir.Constant(word, array.ctypes.data), builder.shl(arguments[0], ir.Constant(word, 3))), word.as_pointer()
            )
            builder.store(builder.add(builder.load(at), more), at)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


class Timing(ast.NodeTransformer):
    """Brackets the statements of a function that call a stage. names: gets (function, stage) of each."""

    def __init__(self, function: str, stages: set[str], names: list[tuple[str, str]]) -> None:
        self.function, self.stages, self.names = function, stages, names

    def bracket(self, node: Any) -> Any:
        """The statement, with the counter read before and after it if it calls a stage."""
        if not isinstance(node.value, ast.Call):
            return node
        called = node.value.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if name not in self.stages:
            return node
        number = len(self.names)
        self.names.append((self.function, name))
        return [*ast.parse(f"before{number} = now()").body, node, *ast.parse(f"count({number}, before{number})").body]

    visit_Expr = visit_Assign = visit_AnnAssign = bracket


def instrument(name: str, names: list[tuple[str, str]]) -> ModuleType:
    """Put a module of kernels, by its name, with counters in the place of the module without. names: see `Timing`."""
    path = Path(kernels.__path__[0]) / f"{name}.py"
    tree = ast.parse(path.read_text("utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    stages = {f.name for f in functions if any(isinstance(d, ast.Name) and d.id == "stage" for d in f.decorator_list)} | TIMED
    for f in functions:
        if f.name in INTO:
            Timing(f.name, stages, names).visit(f)
    copy = Path(FOLDER) / f"{name}.py"
    copy.write_text(ast.unparse(ast.fix_missing_locations(tree)), "utf-8")
    full = f"{kernels.__name__}.{name}"
    spec = importlib.util.spec_from_file_location(full, copy)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    vars(module).update(now=now, count=count)
    sys.modules[full] = module
    spec.loader.exec_module(module)
    setattr(kernels, name, module)
    return module


@kernel
def nothing(times: int) -> None:
    """Read the counter as stages are timed, around nothing."""
    for _ in range(times):
        before: int = now()  # type: ignore[call-arg]
        count(MOST - 1, before)


def vector_lanes() -> int:
    """float32 lanes of this processor's vectors."""
    features = binding.get_host_cpu_features()
    return 16 if features.get("avx512f") else 8 if features.get("avx2") else 4


def network_work(inputs: int, units: int) -> dict[str, float]:
    """Multiplications, each with an addition, that the context network takes for a value."""
    forward = sum(rows * columns for rows, columns in contextnet.shapes(inputs, units))
    return {"forward": forward, "learn": forward + units * (units + contextnet.OUTPUTS) + 6 * forward / contextnet.BATCH}


def work_of(opened: Any) -> dict[str, float]:
    """Multiplications, each with an addition, of the stages that have many of them, for a value, by name of the stage."""
    from inrcodec.kernels import picture
    from inrcodec.profiles.hybrid.pictures import coding as pictures
    from inrcodec.profiles.hybrid.pictures import contexts, scan, tile

    decoder = opened.decoder
    if not isinstance(decoder, pictures.Decoder):
        return {}
    plan = decoder.plan
    found: dict[str, float] = {}
    references = max(len(p.references) for p in plan.planes)
    taps = scan.taps(scan.RASTER[0], references, range(references))
    if plan.model.units:
        found |= network_work(tile.inputs_of(taps), plan.model.units)
    if plan.model.least_squares:
        n = len(scan.predictor_taps(scan.RASTER[0], references)[0])
        windows = predictors.WINDOWS[plan.model.least_squares]
        found["local_learn"] = n * n / 2
        found["local_block"] = 2 * sum(n**3 / 6 / every / predictors.BLOCK for every, _ in windows)  # of float64, half as many lanes
    count_of = len(contexts.context_taps(plan.model.contexts, taps))
    inputs = len(picture.first_weights(count_of))
    found["mix"] = found["adjust"] = mixer.SETS * inputs  # of a decision
    return found


def rows_of(names: list[tuple[str, str]], values: int, own: float, work: dict[str, float], caller: str, depth: int = 0) -> list[list[Any]]:
    """The rows of a table: the stages of `caller`, and below each its own. own: ticks that reading the counter takes."""
    found: list[list[Any]] = []
    for number, (function, stage) in enumerate(names):
        if function != caller or not calls_of[number]:
            continue
        inner = rows_of(names, values, own, work, stage, depth + 1) if stage in INTO else []
        calls = int(calls_of[number])
        ticks = float(ticks_of[number]) - own * values * sum(row[2] for row in inner)  # without the reading of counters within
        need = work.get(stage, 0.0) * (calls / values if stage in ("mix", "adjust") else 1.0) / vector_lanes()
        net = max(0.0, ticks - own * calls) / values
        found.append(["· " * depth + stage, round(net), calls / values, round(net * values / calls), round(need) if need else ""])
        found += inner
    return found


def part_of(signal: Any) -> Any:
    """The middle of a picture, the beginning of a sound."""
    samples = signal.samples
    if signal.kind == "audio":
        return replace(signal, samples=samples[: int(SECONDS * signal.sample_rate)])
    top, left = (max(0, n - SIDE) // 2 for n in samples.shape[:2])
    return replace(signal, samples=np.ascontiguousarray(samples[top : top + SIDE, left : left + SIDE]), metadata={})


def main() -> None:
    """Write the table of every file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--effort", type=int, default=4)
    parser.add_argument("--name", default="stages", help="of the result")
    options = parser.parse_args()
    names: list[tuple[str, str]] = []
    for name in ("picture", "sound"):
        instrument(name, names)
    assert len(names) < MOST - 1
    import inrcodec
    from inrcodec import codec, files

    nothing(1000)
    ticks_of[MOST - 1] = calls_of[MOST - 1] = 0
    nothing(1 << 20)
    own = float(ticks_of[MOST - 1] / calls_of[MOST - 1])
    parts = []
    for path in options.files:
        signal = part_of(files.read(path))
        data = inrcodec.encode(signal, effort=options.effort, threads=1, verify=False)
        inrcodec.decode(data, threads=1)
        ticks_of[:] = calls_of[:] = 0
        started = time.perf_counter()
        inrcodec.decode(data, threads=1)
        seconds = time.perf_counter() - started
        values = signal.samples.size
        caller = "code_frames" if signal.kind == "audio" else "code_rows"
        found = rows_of(names, values, own, work_of(codec.open_bytes(data)), caller)
        tell(f"{path.name}: {seconds / values * 1e6:.2f} µs per value with counters")
        heads = ["stage", "ticks per value", "calls per value", "ticks per call", "arithmetic alone, ticks per value"]
        text = f"{values} values, {8 * len(data) / values:.3f} bits each; {1e6 * seconds / values:.2f} µs per value with counters"
        parts.append(
            f"## {path.name}, effort {options.effort}\n\n{text}; reading the counter takes {own:.0f} ticks.\n\n{table(heads, found)}"
        )
    save(options.name, "Where the time of decoding goes", parts, "numba", module="bench.stages")


if __name__ == "__main__":
    main()
