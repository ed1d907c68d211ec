"""The page of imported operators is that of the code; what is not there is refused by name."""

from __future__ import annotations

import pytest

pytest.importorskip("onnx")

from tests.onnx import operator_page


def test_the_page_is_up_to_date() -> None:
    assert operator_page.PAGE.read_text(encoding="utf-8") == operator_page.text(), (
        "write it anew: python -m tests.onnx.operator_page"
    )


def test_every_registered_name_is_an_operator_of_onnx() -> None:
    import onegraph.onnx.operators  # noqa: F401  (fills the table)
    from onegraph.onnx.registry import OPERATORS

    known = operator_page.newest_schemas()
    assert sorted(key for key in OPERATORS if key not in known) == []
