"""Operators agree with PyTorch on PyTorch's own samples: values, dtypes, gradients, and what is refused.

`agreement.tsv` says how many samples agree; the numbers only grow (`python -m tests.oracle` writes it anew). Its page in
the docs is written from it.
"""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("expecttest", reason="what PyTorch's samples need")

from tests.oracle.agreement import read

TABLE = read()
PRESENT = [name for name, row in TABLE.items() if row]

pytestmark = [
    pytest.mark.slow,
    # What importing PyTorch's test tools, and its own operators, warn about.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]


@pytest.fixture(scope="module")
def operators() -> dict[str, Any]:
    from tests.oracle.opinfo import operators

    return operators()


@pytest.mark.parametrize("name", PRESENT)
def test_operator_agrees_with_pytorch(name: str, operators: dict[str, Any]) -> None:
    from tests.oracle.opinfo import measure

    if name not in operators:
        pytest.skip(f"this version of PyTorch has no samples of {name}")
    row = TABLE[name] or {}
    found = measure(operators[name])
    fewer = {c: f"{found[c].agreed} of {found[c].total}: {found[c].first}" for c in row if found[c].agreed < row[c][0]}
    assert not fewer


def test_no_operator_came_and_was_not_measured(operators: dict[str, Any]) -> None:
    from tests.oracle.opinfo import Absent, public_function

    absent = [name for name, row in TABLE.items() if row is None]
    assert sorted(TABLE) == sorted(operators)
    for name in absent:
        with pytest.raises(Absent):
            public_function(name.partition("/")[0])


def test_a_wrong_operator_is_noticed(operators: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.oracle import opinfo

    monkeypatch.setattr(opinfo, "public_function", lambda name: lambda x: x * 1.0001)
    found = opinfo.measure(operators["positive"])
    assert found["float32"].agreed < found["float32"].total and "Not equal" in found["float32"].first
    assert found["int64"].first == "AssertionError: onegraph.float32 instead of torch.int64"


def test_a_call_that_is_not_refused_is_noticed(operators: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.oracle import opinfo

    monkeypatch.setattr(opinfo, "public_function", lambda name: lambda *args, **kwargs: None)
    found = opinfo.measure(operators["trace"], ("errors",))["errors"]
    assert found.agreed == 0 and found.first.startswith("AssertionError: no RuntimeError for ")
