"""Makes a Debian system for 64-bit Arm in a folder, and runs its Python by QEMU, which emulates the processor.

It needs Linux, the Debian package mmdebstrap (elsewhere also debian-archive-keyring), pip, and access to a Debian mirror and to PyPI. No
program of the system runs while it is made, so neither the rights of root nor binfmt_misc are needed.

    root/       Debian: Python and the libraries it needs
    qemu/       qemu-aarch64, of a later Debian, since older ones do not tell programs which processor they emulate
    packages/   wheels for Arm: the versions that are installed here
    source/     a copy of this checkout, so that editing it does not disturb a run
    kernels/    compiled kernels of both machines; they are kept
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from .worker import PACKAGES, ROOT

SUITE = "bookworm"  # of the system; its Python is 3.11
GLIBC = 36  # it has glibc 2.36, and takes wheels made for earlier ones
QEMU_SUITE = "trixie"
MIRROR = "http://deb.debian.org/debian"
PROGRAMS = ("python3-minimal", "libpython3-stdlib", "libstdc++6")
COPIED = ("inrcodec", "bench", "formats")


def call(command: list[str], needed: str) -> None:
    """Run a program. Raises SystemExit, one line, if it is not there or fails; `needed` says what it is for and where it is from."""
    try:
        subprocess.run(command, check=True, stdout=sys.stderr)
    except FileNotFoundError:
        raise SystemExit(f"{command[0]} is not there; {needed}") from None
    except subprocess.CalledProcessError as fault:
        raise SystemExit(f"{command[0]} ended with status {fault.returncode}; {needed}") from None


def extract(target: Path, suite: str, packages: tuple[str, ...], architecture: str = "") -> None:
    """Unpack Debian packages and what they depend on in `target`, unless it is there; architecture: "" is this machine's."""
    if target.exists():
        return
    unfinished = target.with_name(f"{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    options = ["--variant=extract", f"--include={','.join(packages)}", *([f"--architectures={architecture}"] if architecture else [])]
    call(["mmdebstrap", "--quiet", *options, suite, str(unfinished), MIRROR], "it unpacks Debian packages: apt install mmdebstrap")
    unfinished.rename(target)


@dataclass(frozen=True)
class Place:
    """The folder. cpu: which processor is emulated, one of those that `qemu-aarch64 -cpu help` names."""

    path: Path
    cpu: str

    @property
    def source(self) -> Path:
        return self.path / "source"

    @property
    def qemu(self) -> Path:
        return self.path / "qemu" / "usr" / "bin" / "qemu-aarch64"

    def make(self) -> None:
        """Make what is missing, and renew the copy of the sources. Raises SystemExit."""
        self.path.mkdir(parents=True, exist_ok=True)
        extract(self.path / "qemu", QEMU_SUITE, ("qemu-user",))
        for other in self.qemu.parent.iterdir():  # the emulators of other processors, which take 400 MB
            if other.name != self.qemu.name:
                other.unlink()
        extract(self.path / "root", SUITE, PROGRAMS, "arm64")
        self._make_packages()
        shutil.rmtree(self.source, ignore_errors=True)
        for folder in COPIED:
            shutil.copytree(ROOT / folder, self.source / folder, ignore=shutil.ignore_patterns("__pycache__", "results"))

    def _make_packages(self) -> None:
        """Install wheels, unless those of the wanted versions are there."""
        folder = self.path / "packages"
        wanted = [f"{name}=={version(name)}" for name in PACKAGES]
        kept = folder / "wanted.txt"
        if kept.exists() and kept.read_text("ascii").split() == wanted:
            return
        shutil.rmtree(folder, ignore_errors=True)
        python = (self.path / "root" / "usr" / "bin" / "python3").readlink().name.removeprefix("python")
        tags = ["manylinux2014", *(f"manylinux_2_{n}" for n in range(17, GLIBC + 1))]
        options = ["--target", str(folder), "--no-deps", "--no-compile", "--only-binary=:all:", "--implementation=cp"]
        options += [f"--python-version={python}", *(f"--platform={tag}_aarch64" for tag in tags)]
        call([sys.executable, "-m", "pip", "install", "--quiet", *options, *wanted], "it installs wheels for Arm")
        kept.write_text("\n".join(wanted), "ascii")

    def command(self, emulated: bool) -> list[str]:
        """How Python is started: the emulated one, or that of this machine."""
        if not emulated:
            return [sys.executable]
        root = self.path / "root"
        return [str(self.qemu), "-cpu", self.cpu, "-L", str(root), str(root / "usr" / "bin" / "python3")]

    def environment(self, emulated: bool) -> dict[str, str]:
        """The environment of a worker: without settings of Numba, with its own cache of compiled kernels."""
        paths = [self.source, *([self.path / "packages"] if emulated else [])]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "PYTHON", "QEMU_"))}
        ours = {"PYTHONPATH": os.pathsep.join(map(str, paths)), "NUMBA_CACHE_DIR": str(self.path / "kernels")}
        return kept | ours | {"PYTHONDONTWRITEBYTECODE": "1"}
