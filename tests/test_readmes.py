"""Folders whose README says what each file is for name all of their files."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ["onegraph/kernels", "onegraph/backends/native", "onegraph/runtime"]


@pytest.mark.parametrize("name", FOLDERS)
def test_every_file_is_named(name: str) -> None:
    text = (ROOT / name / "README.md").read_text(encoding="utf-8")
    files = sorted(p.name for p in (ROOT / name).glob("*.py") if p.name != "__init__.py")
    assert files and [f for f in files if f"`{f}`" not in text] == []


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = sorted(int(p.name[:4]) for p in (ROOT / "docs/decisions").glob("[0-9]*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_replaced_decision_says_by_which() -> None:
    for page in (ROOT / "docs/decisions").glob("[0-9]*.md"):
        text = page.read_text(encoding="utf-8")
        assert "Status: accepted" in text or "Status: replaced by [" in text, page.name
