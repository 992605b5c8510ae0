"""Writes the conformance files in vectors/, their README.md, and manifest.json with what a decoder must make of them.

    python formats/make_vectors.py [--force]

A vector that exists is never written again unless --force is given: files that a version has written stay for ever, also
where a later encoder would write other bytes. What was written is decoded with the package and with standalone/linr.py.

The vectors are made by subject: vectors_container.py (sections, metadata, tile index), vectors_header.py, vectors_stored.py,
vectors_network.py, vectors_faults.py, vectors_priors.py and vectors_lossy.py (profile inr), vectors_pictures.py,
vectors_sound.py, vectors_bricks.py and vectors_turned.py (arrays), vectors_floats.py, vectors_compact.py (small files) and
vectors_stream.py (files written tile by tile). A new vector belongs to one of their functions; a new function belongs to a
list below. The files in inrcodec/known are vectors of the subset: copy them when they change.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vectors_bricks
import vectors_compact
import vectors_container
import vectors_faults
import vectors_floats
import vectors_header
import vectors_kinds
import vectors_lossy
import vectors_network
import vectors_pictures
import vectors_priors
import vectors_sound
import vectors_stored
import vectors_stream
import vectors_turned
from vector_tools import (
    VECTORS,
    Array,
    NoSamples,
    Recipe,
    Signal,
    View,
    by_package,
    by_standalone,
    view_by_package,
    view_by_standalone,
)

from inrcodec.errors import LossyError


@dataclass
class Folder:
    name: str
    title: str
    subjects: Sequence[Callable[[], Iterable[Recipe]]]


SUBSET = (
    vectors_stored.subset_images,
    vectors_stored.subset_sounds,
    vectors_stored.subset_arrays,
    vectors_container.subset_metadata,
    vectors_container.subset_preview,
    vectors_stored.subset_modes,
    vectors_network.subset_weights,
    vectors_network.subset_signals,
    vectors_network.subset_bodies,
    vectors_network.subset_occupancy,
    vectors_network.subset_tiles,
    vectors_priors.subset,
    vectors_pictures.subset,
    vectors_sound.subset,
    vectors_bricks.subset,
    vectors_turned.subset,
    vectors_floats.subset,
    vectors_kinds.subset,
    vectors_compact.subset,
    vectors_compact.presets,
    vectors_stream.subset,
)
UNCOMMON = (
    vectors_container.uncommon_sections,
    vectors_container.uncommon_metadata,
    vectors_header.uncommon,
    vectors_stored.uncommon,
    vectors_network.uncommon_numbers,
    vectors_network.uncommon_forms,
    vectors_network.uncommon_values,
    vectors_network.uncommon_grids,
    vectors_network.uncommon_sparse,
    vectors_network.uncommon_strings,
    vectors_network.uncommon_tiles,
    vectors_network.uncommon_exact,
    vectors_lossy.of_known_samples,
    vectors_priors.uncommon,
    vectors_pictures.uncommon,
    vectors_sound.uncommon,
    vectors_bricks.uncommon,
    vectors_turned.uncommon,
    vectors_floats.uncommon,
    vectors_kinds.uncommon,
    vectors_compact.uncommon,
    vectors_stream.uncommon,
)
FAULTY = (
    vectors_container.faulty_sections,
    vectors_header.faulty_fields,
    vectors_header.faulty_meaning,
    vectors_header.faulty_signals,
    vectors_header.faulty_constant,
    vectors_container.faulty_index,
    vectors_stored.faulty,
    vectors_container.faulty_metadata,
    vectors_faults.faulty_network,
    vectors_faults.faulty_combinations,
    vectors_faults.faulty_numbers,
    vectors_faults.faulty_strings,
    vectors_faults.faulty_parts,
    vectors_faults.faulty_sparse,
    vectors_faults.faulty_lossy,
    vectors_priors.faulty,
    vectors_pictures.faulty_signals,
    vectors_pictures.faulty_settings,
    vectors_pictures.faulty_sources,
    vectors_pictures.faulty_planes,
    vectors_pictures.faulty_deltas,
    vectors_pictures.faulty_lattice,
    vectors_pictures.faulty_palette,
    vectors_pictures.faulty_tiles,
    vectors_sound.faulty_settings,
    vectors_sound.faulty_channels,
    vectors_sound.faulty_tiles,
    vectors_sound.faulty_steps,
    vectors_bricks.faulty_plans,
    vectors_bricks.faulty_bricks,
    vectors_bricks.faulty_memory,
    vectors_bricks.faulty_tables,
    vectors_bricks.faulty_low_bits,
    vectors_turned.faulty,
    vectors_floats.faulty_maps,
    vectors_floats.faulty_fine,
    vectors_kinds.faulty,
    vectors_compact.faulty,
    vectors_stream.faulty,
)
LOSSY = (
    vectors_lossy.by_fit,
    vectors_lossy.by_hand,
    vectors_lossy.of_samples,
    vectors_lossy.cut,
    vectors_priors.of_networks,
    vectors_floats.lossy,
)
FOLDERS = (
    Folder(
        "subset",
        "What an encoder of version 1 writes. A decoder must decode every file to exactly what ../manifest.json says.",
        SUBSET,
    ),
    Folder(
        "uncommon",
        "Valid files that the encoder does not write, at the limits of SPEC.md. A decoder must decode them as ../manifest.json says.",
        UNCOMMON,
    ),
    Folder(
        "lossy",
        "Files of a network without samples, and such files that were cut. A decoder must give no samples. One that evaluates networks "
        "gives what ../manifest.json says, under views.",
        LOSSY,
    ),
    Folder(
        "faulty",
        "Invalid files. A decoder must refuse them; it gives no samples, and neither crashes nor takes much memory or time.",
        FAULTY,
    ),
)


def decoded(signal: Signal | None) -> dict[str, Any]:
    """What the manifest has of what a file decodes to."""
    if signal is None:
        return {"invalid": True}
    return {
        "sha256": hashlib.sha256(signal.raw).hexdigest(),
        "dtype": signal.samples.dtype.str,
        "shape": list(signal.samples.shape),
        "kind": signal.kind,
        "bit_depth": signal.depth,
        "sample_rate": signal.sample_rate,
        "metadata": {key: hashlib.sha256(value).hexdigest() for key, value in signal.metadata.items()},
        **({"bfloat16": True} if signal.bfloat16 else {}),
    }


def entry_of(file: str, item: Recipe, data: bytes, signal: Signal | None) -> dict[str, Any]:
    entry = {"file": file, "what": item.what, **decoded(signal)}
    if item.lossy:
        entry = {**{key: value for key, value in entry.items() if key != "sha256"}, "lossy": True}
    if item.whole:
        entry["whole"] = item.whole
        data = (VECTORS / item.whole).read_bytes()
    if item.views:
        entry["views"] = [view_of(view, view_by_standalone(data, view)) for view in item.views]
    return entry


def view_of(view: View, samples: Array) -> dict[str, Any]:
    """What the manifest has of a view: what is asked, and the samples, in little-endian order."""
    little = samples.astype(samples.dtype.newbyteorder("<"))
    return {
        "size": list(view.size),
        "more_bits": view.more_bits,
        "configuration": None if view.configuration is None else list(view.configuration),
        "known": view.known,
        "shape": list(samples.shape),
        "bytes": samples.dtype.itemsize,
        "sha256": hashlib.sha256(little.tobytes()).hexdigest(),
    }


def problems_of(item: Recipe, entry: dict[str, Any], data: bytes) -> Iterable[str]:
    """What is wrong with a vector: a decoder that does not make of it what the manifest says."""
    for name, decode in (("the package", by_package), ("linr.py", by_standalone)):
        try:
            found = {"bfloat16": None, **decoded(decode(data))}
        except (LossyError, NoSamples):
            if not item.lossy:
                yield f"{entry['file']}: {name} finds no samples"
            continue
        except Exception as error:  # the purpose of faulty files is to find decoders that crash
            yield f"{entry['file']}: {name} crashes: {error!r}"
            continue
        differing = sorted(key for key in found if entry.get(key) != found[key])
        if item.lossy or differing:
            yield f"{entry['file']}: {name} disagrees in {', '.join(differing)}"
    for view, expected in zip(item.views, entry.get("views", []), strict=True):
        try:
            if view_of(view, view_by_package(data, view)) != expected:
                yield f"{entry['file']}: the package disagrees in {view}"
        except Exception as error:
            yield f"{entry['file']}: the package crashes with {view}: {error!r}"


def readme(folder: Folder, entries: Iterable[dict[str, Any]]) -> str:
    rows = [f"| `{Path(entry['file']).name}` | {entry['what']} |" for entry in entries]
    return "\n".join([f"# {folder.name}", "", folder.title, "", "| file | what it exercises |", "| --- | --- |", *rows, ""])


def main() -> int:
    force = "--force" in sys.argv[1:]
    manifest = VECTORS / "manifest.json"
    known = {entry["file"]: entry for entry in json.loads(manifest.read_text("utf-8"))} if manifest.exists() else {}
    problems = list[str]()
    for folder in FOLDERS:
        (VECTORS / folder.name).mkdir(parents=True, exist_ok=True)
        for item in itertools.chain.from_iterable(subject() for subject in folder.subjects):
            file = f"{folder.name}/{item.file}.linr"
            path = VECTORS / file
            if file in known and path.exists() and not force:
                continue
            data, signal = item.make()
            path.write_bytes(data)
            known[file] = entry_of(file, item, data, signal)
            problems += problems_of(item, known[file], data)
        entries = [entry for file, entry in known.items() if file.startswith(f"{folder.name}/")]
        (VECTORS / folder.name / "README.md").write_text(readme(folder, entries), "utf-8")
    manifest.write_text(json.dumps(list(known.values()), ensure_ascii=False, indent=1) + "\n", "utf-8")
    print("\n".join(problems), end="\n" * bool(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
