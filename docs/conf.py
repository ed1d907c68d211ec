"""Sphinx settings: Markdown pages, and reference pages made from docstrings. Run `make docs`."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[1]
_PROJECT = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]

project = _PROJECT["name"]
release = version = _PROJECT["version"]
author = "the onegraph authors"
copyright = f"{author}. Licensed under the Apache License 2.0"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build", "README.md", "decisions/template.md"]
html_theme = "furo"
html_title = f"onegraph {version}"

# Three front ends have a class Tensor, two an Optimizer: a name in a signature may mean several.
suppress_warnings = ["ref.python"]

# `x` in a docstring is code, as it is in Markdown.
default_role = "code"
myst_heading_anchors = 3
myst_enable_extensions = ["dollarmath", "colon_fence"]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_default_options = {"members": True, "show-inheritance": True}


def setup(app: Any) -> None:
    """Make the reference page of the ops before Sphinx reads the pages, and docstrings readable for it."""

    def generate(app: Any) -> None:
        sys.path[:0] = [str(_ROOT), str(_ROOT / "docs")]
        from generate_ops import generate

        generate()

    def escape(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
        from docstrings import to_rst

        lines[:] = to_rst(lines)

    app.connect("builder-inited", generate)
    app.connect("autodoc-process-docstring", escape, priority=100)  # before napoleon reads "Args:"
