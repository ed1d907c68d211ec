"""The page of the docs about agreement with PyTorch, from the table (`agreement.py`) and the reasons (`differences.py`)."""

from __future__ import annotations

from pathlib import Path

from tests.oracle.agreement import COLUMNS, Row, is_clean, totals
from tests.oracle.differences import ABSENT, DIFFERENT, NOT_EXAMINED, reason

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "agreement-with-pytorch.md"

_START = """# Agreement with PyTorch

PyTorch tests its operators with samples of their arguments, among them empty tensors, broadcasting, unusual dtypes and every
option. `python -m tests.oracle` calls ours, by the same public names, with those samples, and compares with what PyTorch
2.13 gives: values, shapes, dtypes, and in float32 the gradients of all inputs. It then makes the calls that PyTorch
refuses, which must raise an error here that is an instance of the same class. It wrote this page; `make opinfo`
measures again, and no number may fall. The reference backend computes here. What has no reason below may be a bug.

Tolerances: 1.3e-5 relative and 1e-5 absolute in float32 (1e-4 for gradients), 1e-7 in float64, 0.2 % in float16 and 1.6 % in
bfloat16. Half precision may also agree with what PyTorch gives for the same values in float32. Samples with random
results, complex numbers and sparse tensors are left out; so are operators whose result is uninitialized memory.
"""


def write_page(table: dict[str, Row | None]) -> None:
    """Write the page for a table."""
    PAGE.write_text(page(table), encoding="utf-8")


def page(table: dict[str, Row | None]) -> str:
    """The text of the page."""
    present = {name: row for name, row in table.items() if row}
    clean = sum(map(is_clean, table.values()))
    parts = [
        _START,
        f"Of {len(table)} operators, counting variants of one, {len(present)} are here and can be compared; {clean} agree on"
        " every sample in float32,\ngradients included.\n",
        _summary(table),
        "## What agrees\n",
        "`yes`: every sample. Otherwise how many of how many. Empty: PyTorch has no samples.\n",
        _rows({name: row for name, row in present.items() if _complete(row)}),
        "## What differs\n",
        _rows({name: row for name, row in present.items() if not _complete(row)}, reasons=True),
        "## What is not here\n",
        _absent([name for name, row in table.items() if row is None]),
    ]
    return "\n".join(parts)


def _complete(row: Row) -> bool:
    return all(agreed == total for agreed, total in row.values())


def _summary(table: dict[str, Row | None]) -> str:
    lines = ["| Samples | agree | of | |", "|---|---|---|---|"]
    for column, (agreed, total) in totals(table).items():
        lines.append(f"| {column} | {agreed:,} | {total:,} | {100 * agreed / max(total, 1):.1f} % |")
    return "\n".join([*lines, ""])


def _cell(row: Row, column: str) -> str:
    if column not in row:
        return ""
    agreed, total = row[column]
    return "yes" if agreed == total else f"{agreed} of {total}"


def _rows(rows: dict[str, Row], reasons: bool = False) -> str:
    header = ["Operator", *COLUMNS] + (["Why"] if reasons else [])
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    for name, row in rows.items():
        cells = [f"`{name}`", *(_cell(row, column) for column in COLUMNS)]
        lines.append("| " + " | ".join(cells + ([reason(name, DIFFERENT) or NOT_EXAMINED] if reasons else [])) + " |")
    return "\n".join([*lines, ""])


def _absent(names: list[str]) -> str:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(reason(name, ABSENT), []).append(f"`{name}`")
    lines = ["| Operators | Why |", "|---|---|"]
    return "\n".join([*lines, *(f"| {', '.join(group)} | {why} |" for why, group in found.items()), ""])
