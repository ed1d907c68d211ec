"""Imports go downward only: the layers in `pyproject.toml`, checked with import-linter.

Read next: `[tool.importlinter]` in `pyproject.toml`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[1]
LINT = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]

# Above the front end, code may write `import onegraph` as a user does. Below, that would be an import upward.
USERS = {
    "array_api",
    "onnx",
    "cli",
    "serve",
    "cluster",
    "deploy",
    "board",
    "vision",
    "zoo",
    "keras",
    "inspection",
    "utils",
}


def declared_layers() -> set[str]:
    """Every package and module that the contract names."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (contract,) = settings["contracts"]
    return {name.strip(" ()") for layer in contract["layers"] for name in layer.replace("|", ":").split(":")}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(LINT, cwd=folder, capture_output=True, text=True, check=False)


def test_imports_go_downward() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_package_has_a_layer() -> None:
    packages = {path.parent.name for path in (ROOT / "onegraph").glob("*/__init__.py")}
    homeless = sorted(packages - declared_layers())
    assert not homeless, f"name them in the layers of pyproject.toml: {homeless}"


def test_only_the_upper_layers_import_onegraph_itself() -> None:
    graph = grimp.build_graph("onegraph", cache_dir=None)
    importers = graph.find_modules_that_directly_import("onegraph")
    wrong = {name for name in importers if name.split(".")[1] not in USERS}
    assert not wrong, f"import the module that defines the name instead of `onegraph`: {sorted(wrong)}"


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("frontend", "ops", True),
        ("ops", "frontend", False),
        ("serve", "deploy", False),
        ("nn", "optim", True),
    ],
)
def test_the_contract_tells_down_from_up(tmp_path: Path, importer: str, imported: str, allowed: bool) -> None:
    for name in ("", "config", "errors", importer, imported):
        package = tmp_path / "onegraph" / name
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").touch()
    (tmp_path / "onegraph" / importer / "__init__.py").write_text(f"import onegraph.{imported}.module\n")
    (tmp_path / "onegraph" / imported / "module.py").touch()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    result = lint(tmp_path)
    assert (result.returncode == 0) is allowed, result.stdout + result.stderr
    if not allowed:
        assert f"onegraph.{importer} is not allowed to import onegraph.{imported}" in result.stdout
