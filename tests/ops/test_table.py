"""The reference page of ops lists every record and every function, and is written when the docs are built."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from onegraph.ops import OPS, PUBLIC
from onegraph.ops.table import function_table, op_table, reference_page

DOCS = Path(__file__).resolve().parents[2] / "docs"


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_op_has_a_row() -> None:
    rows = [line.split(" | ")[0] for line in op_table().splitlines()]
    assert [name for name in OPS if rows.count(f"| `{name}`") != 1] == []


def test_every_function_has_a_row() -> None:
    table = function_table()
    assert [entry.names for entry in PUBLIC for name in entry.names if f"`{name}`" not in table] == []


def test_gradients_are_told_apart() -> None:
    assert "| `where` | a where the condition holds, else b | bool | input 1, 2 | yes |" in op_table()
    assert "bool, uint, int, float | no | yes |" in op_table()


def test_every_row_has_as_many_cells_as_its_header() -> None:
    for table in (op_table(), function_table()):
        for block in table.split("\n\n"):
            lines = [line.replace("\\|", "") for line in block.splitlines() if line.startswith("|")]
            assert len({line.count("|") for line in lines}) <= 1, lines[0]


def test_the_page_is_generated(tmp_path: Path) -> None:
    page = _load(DOCS / "generate_ops.py").generate(tmp_path / "ops.md")
    written = page.stat().st_mtime_ns
    assert page.read_text(encoding="utf-8") == reference_page()
    _load(DOCS / "generate_ops.py").generate(page)
    assert page.stat().st_mtime_ns == written, "an up-to-date page is not written again"


def test_building_the_docs_generates_the_page() -> None:
    assert callable(_load(DOCS / "conf.py").setup)
