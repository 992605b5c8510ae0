"""The documentation site: Sphinx over the Markdown files that GitHub shows too.

    make docs                               builds it into build/docs
    INVENTORIES=1 make docs                 also links the types of Python and NumPy to their own pages; needs the network

The source folder is the root of the repository, so that relative links lead to the same files in both places.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from inrcodec import __version__  # noqa: E402

project = "inrcodec"
author = "the authors of inrcodec"
release = version = __version__
copyright = "MIT licence"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "site_docstrings",
    "site_links",
]
root_doc = "docs/index"
include_patterns = [
    "README.md",
    "SPEC.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "RELEASING.md",
    "SECURITY.md",
    "docs/**.md",
    "formats/README.md",
    "bench/results/**.md",
]
exclude_patterns = ["docs/README.md", ".*", "build", "dist", "demo", "htmlcov", "inrcodec", "share", "tests", "formats/*/**", "*.egg-info"]

# Markdown as GitHub reads it
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 6
myst_links_external_new_tab = False

smartquotes_action = "D"  # dashes alone: "" is a value of options

# docstrings: plain text with sections of Google's style; names in backquotes become links
add_module_names = False
autodoc_class_signature = "mixed"
autodoc_member_order = "bysource"
autodoc_mock_imports = [name for name in ("torch",) if find_spec(name) is None]  # too large to be needed for a class of two methods
autodoc_typehints_format = "short"
autodoc_use_type_comments = False
default_role = "name"
maximum_signature_line_length = 88
napoleon_custom_sections = [("Raises", "params_style"), ("Attributes", "params_style")]
napoleon_numpy_docstring = False
napoleon_use_param = False
nitpick_ignore_regex = [(r"py:.*", r"(?!inrcodec\b).*")]  # types of other packages, whose pages are elsewhere
INSIDE = ("arrays.Item", "batch.cluster.R", "batch.doing.How", "stream.writer.Declared")  # types that no user of the package meets
nitpick_ignore = [("py:class", f"inrcodec.{name}") for name in INSIDE]

if os.environ.get("INVENTORIES"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "torch": ("https://docs.pytorch.org/docs/stable", None),
        "zarr": ("https://zarr.readthedocs.io/en/stable", None),
    }

html_theme = "furo"
html_title = f"inrcodec {release}"
html_static_path = ["theme"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0a7f6f", "color-brand-content": "#0a7f6f", "color-brand-visited": "#0a7f6f"},
    "dark_css_variables": {"color-brand-primary": "#4fd1bd", "color-brand-content": "#4fd1bd", "color-brand-visited": "#4fd1bd"},
}
pygments_style = "default"
pygments_dark_style = "github-dark"

copybutton_prompt_text = r"\$ "
copybutton_prompt_is_regexp = True
copybutton_line_continuation_character = "\\"
