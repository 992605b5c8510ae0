"""Whether the conformance vectors are what they were: one digest over all of them, kept in SHA256 of vectors/, bundles/ and arrays/.

    python formats/check_digest.py            compare
    python formats/check_digest.py --write    renew it, after vectors were added

It is the SHA-256 of what `sha256sum` prints of the files and the manifest, sorted by name: a line for each, "digest  name".
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

VECTORS = Path(__file__).resolve().parent / "vectors"
FOLDERS = (VECTORS, VECTORS.with_name("bundles"), VECTORS.with_name("arrays"))
KEPT = "SHA256"


def digest_of(vectors: Path) -> str:
    """The digest of all vector files and of the manifest, as hexadecimal digits."""
    files = {path.relative_to(vectors).as_posix(): path for path in [*vectors.glob("*/*.linr"), vectors / "manifest.json"]}
    lines = []
    for name in sorted(files):
        content = files[name].read_bytes()
        if name.endswith(".json"):
            content = content.replace(b"\r\n", b"\n")  # git may check a text out with the line ends of the system
        lines.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def main(arguments: Sequence[str] | None = None, vectors: Path = VECTORS) -> int:
    parser = argparse.ArgumentParser(description="Compare the digest of the conformance vectors with the one that is kept.")
    parser.add_argument("--write", action="store_true", help="renew the digest that is kept")
    write = parser.parse_args(arguments).write
    kept = vectors / KEPT
    try:
        found = digest_of(vectors)
        if write:
            kept.write_text(f"{found}\n", "ascii", newline="\n")
            return 0
        expected = kept.read_text("ascii").strip()
    except OSError as fault:
        print(f"{fault.filename}: {fault.strerror}", file=sys.stderr)
        return 1
    if found == expected:
        return 0
    remedy = "if that is meant: python formats/check_digest.py --write"
    print(f"{kept.parent.name}/{kept.name}: the vectors have the digest {found}, not {expected}; {remedy}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(max(main(vectors=folder) for folder in FOLDERS))
