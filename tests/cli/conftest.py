"""A small trained model, and a way to call the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from onegraph.cli.main import main

SMALL = ("--limit", "64", "--epochs", "2", "--batch-size", "24")
"""Three steps an epoch, the last one smaller."""

Call = Callable[..., Result]


@pytest.fixture(scope="session")
def call() -> Call:
    """Run `onegraph` with arguments in this process."""

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(main, [str(a) for a in arguments])

    return run


@pytest.fixture(scope="session")
def trained(call: Call, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished small run on the digits."""
    out = tmp_path_factory.mktemp("runs") / "small"
    result = call("train", "lenet5", "--out", out, *SMALL)
    assert result.exit_code == 0, result.output
    return out
