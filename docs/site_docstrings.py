"""Docstrings, which are plain text with Google's sections, as reStructuredText.

A name in backquotes becomes a link if the site documents an object of this name, and code otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from docutils import nodes
from docutils.nodes import Element
from numpy.typing import ArrayLike, DTypeLike
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.domains.python import PythonDomain
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode
from sphinx.util.typing import stringify_annotation

ROOT = "inrcodec."
MARKUP = re.compile(r"\*|(?<=\w)_(?=\W|$)|\|")  # what means something else in reStructuredText
COLUMNS = re.compile(r"\S {3,}\S")
NO_TYPE = "NO_TYPE"
OBJECTS = re.compile(r"\((?:<[^>]*>(?:, ?)?)+\)")  # a default that is a tuple of objects, which Python does not read
SECTION = re.compile(r"\w+:$")
QUOTED = re.compile(r"(``[^`]+``|`[^`]+`)")
UNIONS = {
    stringify_annotation(union, "smart"): f"~numpy.typing.{name}" for name, union in (("ArrayLike", ArrayLike), ("DTypeLike", DTypeLike))
}


def plain(line: str) -> str:
    """A line of a docstring, without what would be markup outside of backquotes."""
    parts = QUOTED.split(line)
    parts[::2] = [MARKUP.sub(lambda found: "".join("\\" + c for c in found.group()), part) for part in parts[::2]]
    return "".join(parts)


def _escape(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Before napoleon: escape markup, and make literal blocks of code and of columns."""
    end = next((i for i, line in enumerate(lines) if SECTION.match(line)), len(lines))
    lines[:] = [*_blocks(lines[:end]), *(plain(line) for line in lines[end:])]
    for i, line in enumerate(lines[:-1]):
        if line == "Returns:":  # what is before a colon would be taken for a type
            lines[i + 1] = f"    {NO_TYPE}: {lines[i + 1].strip()}"


def _blocks(lines: list[str]) -> Iterator[str]:
    """What is above the sections, paragraph by paragraph."""
    for blank, group in groupby(lines, key=lambda line: not line.strip()):
        paragraph = list(group)
        if blank or paragraph[0].startswith(">>>"):
            yield from paragraph
        elif all(line.startswith("    ") for line in paragraph) or any(line.startswith("|") or COLUMNS.search(line) for line in paragraph):
            yield from (".. code-block:: " + ("python" if "import" in paragraph[0] else "text"), "")
            yield from ("    " + line for line in paragraph)
        else:
            yield from map(plain, paragraph)


def _name_errors(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """After napoleon: names of errors are links."""
    lines[:] = [line for line in lines if line != f":rtype: {NO_TYPE}"]
    inside = False
    for i, line in enumerate(lines):
        if line.startswith(":"):
            inside = line.startswith(":Raises:")
        if inside:
            lines[i] = re.sub(r"\*\*([\w., ]+)\*\*", lambda found: re.sub(r"[\w.]+", r"`\g<0>`", found.group(1)), line)


def _name(
    role: str, raw: str, text: str, line: int, inliner: Any, options: Any = None, content: Any = None
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """The role of text in backquotes: a name that may be documented here, or code."""
    code = nodes.literal(raw, nodes.unescape(text), classes=["code"])
    env: BuildEnvironment = inliner.document.settings.env
    target = nodes.unescape(text).removesuffix("()")
    if not re.fullmatch(r"[A-Za-z_][\w.]*", target):
        return [code], []
    place = {"py:module": env.ref_context.get("py:module"), "py:class": env.ref_context.get("py:class")}
    xref = addnodes.pending_xref(raw, code, refdoc=env.current_document.docname, refdomain="py", reftype="maybe", reftarget=target, **place)
    return [xref], []


def _find(domain: PythonDomain, node: Element) -> str | None:
    """The full name of the object that a reference means: what is nearest, or else the only one that ends so."""
    target, module, owner = node["reftarget"], node.get("py:module"), node.get("py:class")
    around = [f"{module}.{owner}.{target}", f"{module}.{target}", target, f"{ROOT}{target}"]
    known = next((name for name in around if name in domain.objects), None)
    if known is None and node["reftype"] != "maybe":
        ends = [name for name in domain.objects if name.endswith(f".{target.rpartition('.')[2]}") and name.startswith(ROOT)]
        short = [name for name in ends if name.count(".") == min(n.count(".") for n in ends)]
        known = short[0] if len(short) == 1 else None
    return known


def _resolve(app: Sphinx, env: BuildEnvironment, node: Element, content: Element) -> Element | None:
    """Names that Sphinx does not find by its own rules. None: it shall warn, or leave them."""
    if node.get("refdomain") != "py":
        return None
    domain = env.domains.python_domain
    if (name := _find(domain, node)) is not None:
        found = domain.objects[name]
        return make_refnode(app.builder, node["refdoc"], found.docname, found.node_id, [content], name)
    return content if node["reftype"] == "maybe" else None


def _defaults(app: Sphinx, what: str, name: str, thing: object, options: object, signature: str | None, returned: str | None) -> Any:
    """Make signatures short: NumPy's unions by their names; defaults without a text in Python as {} or `...`."""
    if signature is None:
        return None
    signature = OBJECTS.sub("...", signature.replace("<factory>", "{}"))
    for union, short in UNIONS.items():
        signature = signature.replace(union, short)
    return signature, returned


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_role("name", _name)
    app.connect("autodoc-process-docstring", _escape, priority=400)
    app.connect("autodoc-process-docstring", _name_errors, priority=600)
    app.connect("autodoc-process-signature", _defaults)
    app.connect("missing-reference", _resolve)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
