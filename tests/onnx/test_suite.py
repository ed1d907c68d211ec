"""ONNX's backend test suite: all of it passes but what `failing.tsv` lists, each with a reason."""

from __future__ import annotations

import pytest

from tests.onnx import suite


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_all_pass_but_those_that_are_listed() -> None:
    found = suite.cases()
    assert len(found) >= 2033
    failed = {name: problem for name, (_, test) in found.items() if (problem := suite.run(test))}
    listed = suite.expected()
    new = {name: problem[:300] for name, problem in failed.items() if name not in listed}
    assert new == {}
    assert sorted(listed.keys() - failed.keys()) == [], "these pass now: take them off the list"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_whole_models_pass() -> None:
    models = {name: test for name, (category, test) in suite.cases().items() if category.startswith("Real")}
    assert len(models) == 9
    assert {name: problem for name, test in models.items() if (problem := suite.run(test))} == {}


def test_every_failure_has_a_reason() -> None:
    listed = suite.expected()
    assert listed and all(len(reason) > 20 for reason in listed.values())
    assert list(listed) == sorted(listed)
