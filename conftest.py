"""What tests and the examples in docs share: where examples run, and where their output ends.

Read next: `tests/conftest.py` (tests only), `[tool.pytest.ini_options]` in `pyproject.toml`.
"""

from __future__ import annotations

import doctest
import getpass
import os
import re
import tempfile
from pathlib import Path

import pytest

# One folder of compiled kernels for all runs and all workers of the tests, and not the user's own.
os.environ.setdefault("ONEGRAPH_CACHE_FOLDER", str(Path(tempfile.gettempdir()) / f"onegraph-tests-{getpass.getuser()}"))

import onegraph.ops  # noqa: F401  (pytest would otherwise load the first family it collects twice, and its ops collide)

_FENCE = re.compile(r"^[ >]*(```|~~~).*$", re.MULTILINE)


class _FencedParser(doctest.DocTestParser):
    """The closing fence of a Markdown code block ends the expected output: it is not printed."""

    def parse(self, string: str, name: str = "<string>") -> list[str | doctest.Example]:
        return super().parse(_FENCE.sub("", string), name)


def pytest_configure() -> None:
    doctest.DocTestParser = _FencedParser  # type: ignore[misc]  # pytest looks the name up for each text file


@pytest.fixture(autouse=True)
def _examples_run_in_an_empty_folder(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Examples save files under plain names, as a reader would; those land in a scratch folder."""
    if isinstance(request.node, pytest.DoctestItem):
        folder: Path = tmp_path_factory.mktemp("example")
        monkeypatch.chdir(folder)
