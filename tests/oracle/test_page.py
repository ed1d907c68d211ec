"""The table of what agrees with PyTorch, and its page in the docs; neither needs PyTorch."""

from __future__ import annotations

from pathlib import Path

from tests.oracle.agreement import COLUMNS, Row, is_clean, read, totals, write
from tests.oracle.differences import ABSENT, reason
from tests.oracle.page import PAGE, page

TABLE = read()


def test_the_table_is_written_as_it_is_read(tmp_path: Path) -> None:
    write(TABLE, tmp_path / "table.tsv")
    assert read(tmp_path / "table.tsv") == TABLE
    assert list(TABLE) == sorted(TABLE)


def test_how_much_agrees() -> None:
    found = totals(TABLE)
    assert set(found) == set(COLUMNS)
    floors = dict.fromkeys(COLUMNS, 0.96) | {"errors": 0.93}  # errors are to reach 0.95
    assert {c: cell for c, cell in found.items() if cell[0] < floors[c] * cell[1]} == {}
    assert sum(map(is_clean, TABLE.values())) >= 530


def test_the_page_is_what_the_table_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(TABLE), "write it with: python -m tests.oracle --page"


def test_what_is_absent_has_a_reason() -> None:
    assert [n for n, row in TABLE.items() if row is None and not reason(n, ABSENT)] == []


def test_a_page_shows_what_differs() -> None:
    table: dict[str, Row | None] = {"abs": {"float32": (3, 3)}, "sort": {"float32": (1, 2)}, "fft.fft": None}
    text = page(table)
    assert (
        "| `abs` | yes |" in text
        and "| `sort` | 1 of 2 |" in text
        and "| `fft.fft` | there are no complex dtypes |" in text
    )
    assert "| float32 | 4 | 5 | 80.0 % |" in text
