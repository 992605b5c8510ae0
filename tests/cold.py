"""New interpreters that find the package's entry points, as after an installation of this tree."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def installed(folder: Path) -> Path:
    """A folder with what an installation notes of this tree: name, version and entry points. It goes before others on the path."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    notes = folder / f"{project['name']}-0.0.0.dist-info"
    notes.mkdir(parents=True)
    (notes / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0.0.0\n", "utf-8")
    groups = {"console_scripts": project.get("scripts", {}), **project.get("entry-points", {})}
    lines = [line for group, entries in groups.items() for line in (f"[{group}]", *(f"{name} = {of}" for name, of in entries.items()))]
    (notes / "entry_points.txt").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


def python(code: str, *arguments: str | Path, notes: Path | None = None) -> str:
    """What a program prints that runs in an interpreter of its own. notes: of `installed`. Raises CalledProcessError."""
    path = [str(p) for p in (notes, ROOT, os.environ.get("PYTHONPATH")) if p]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    command = [sys.executable, "-X", "faulthandler", "-c", code, *map(str, arguments)]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=300).stdout
