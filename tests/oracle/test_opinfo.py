"""Operators agree with PyTorch on PyTorch's own samples: values, dtypes and gradients.

`clean.txt` lists those that do; it only grows (`python -m tests.oracle.opinfo` writes it anew).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("expecttest", reason="what PyTorch's samples need")

NAMES = Path(__file__).with_name("clean.txt").read_text().split()

pytestmark = [
    pytest.mark.slow,
    # What importing PyTorch's test tools, and its own operators, warn about.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]


@pytest.fixture(scope="module")
def operators() -> dict[str, Any]:
    from tests.oracle.opinfo import operators

    return operators()


@pytest.mark.parametrize("name", NAMES)
def test_operator_agrees_with_pytorch(name: str, operators: dict[str, Any]) -> None:
    from tests.oracle.opinfo import check

    if name not in operators:
        pytest.skip(f"this version of PyTorch has no samples of {name}")
    assert check(name, operators[name]) > 0


def test_a_wrong_operator_is_noticed(operators: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.oracle import opinfo

    monkeypatch.setattr(opinfo, "public_function", lambda name: lambda x: x * 1.0001)
    with pytest.raises(AssertionError):
        opinfo.check("positive", operators["positive"])


def test_the_table_is_in_order_and_large() -> None:
    assert sorted(set(NAMES)) == NAMES and len(NAMES) >= 400
