"""The table of what agrees with PyTorch, `agreement.tsv`: a row an operator, a column a dtype, its gradient, or errors.

A cell says how many of PyTorch's samples agree out of how many there are, `12/12`; it is empty where PyTorch has no
samples; `absent` in the first column says that there is no such operator here. The table only grows: `test_opinfo.py`
measures each row again.

Read next: `opinfo.py` (how a row is measured).
"""

from __future__ import annotations

from pathlib import Path

COLUMNS = ("float32", "gradient", "int64", "bool", "bfloat16", "float16", "float64", "errors")
PATH = Path(__file__).with_name("agreement.tsv")
Row = dict[str, tuple[int, int]]


def read(path: Path = PATH) -> dict[str, Row | None]:
    """The rows by operator; None for an operator that does not exist here."""
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    if tuple(header.split("\t")[1:]) != COLUMNS:
        raise ValueError(f"{path.name} has other columns than {COLUMNS}")
    table: dict[str, Row | None] = {}
    for line in lines:
        name, *cells = line.split("\t")
        table[name] = None if cells[0] == "absent" else _row(cells)
    return table


def _row(cells: list[str]) -> Row:
    pairs = {column: cell.split("/") for column, cell in zip(COLUMNS, cells, strict=True) if cell}
    return {column: (int(agreed), int(total)) for column, (agreed, total) in pairs.items()}


def write(table: dict[str, Row | None], path: Path = PATH) -> None:
    """Write the rows in order of names."""
    lines = ["\t".join(("operator", *COLUMNS))]
    for name, row in sorted(table.items()):
        if row is None:
            cells = ["absent"] + [""] * (len(COLUMNS) - 1)
        else:
            cells = ["{}/{}".format(*row[column]) if column in row else "" for column in COLUMNS]
        lines.append("\t".join((name, *cells)))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def is_clean(row: Row | None) -> bool:
    """Whether values and gradients in float32 agree on all samples."""
    return bool(row) and all(row[c][0] == row[c][1] for c in ("float32", "gradient") if c in row)


def totals(table: dict[str, Row | None]) -> Row:
    """Samples that agree, and all samples, of what exists here, for each column."""
    rows = [row for row in table.values() if row]
    return {c: (sum(r[c][0] for r in rows if c in r), sum(r[c][1] for r in rows if c in r)) for c in COLUMNS}
