"""What gets installed: the wheel carries every file of the package, and core needs only four libraries.

Read next: `[project]` and `[tool.setuptools]` in `pyproject.toml`.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OPTIONAL = ("PIL", "tensorboard", "torch", "IPython", "safetensors", "matplotlib")


def package_files() -> set[str]:
    """Files of the package in this commit, notes for readers of the source aside."""
    listed = subprocess.run(
        ["git", "ls-files", "onegraph"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    return {name for name in listed if not name.endswith(".md") and (ROOT / name).exists()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of the files in a wheel built from a copy of the checkout."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in {*package_files(), "pyproject.toml", "README.md", "LICENSE"}:
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", str(out)]
    result = subprocess.run([*build, str(source)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    with zipfile.ZipFile(next(out.glob("*.whl"))) as archive:
        return set(archive.namelist())


def test_the_wheel_carries_the_whole_package(wheel: set[str]) -> None:
    missing = package_files() - wheel
    assert not missing, f"name them in [tool.setuptools.package-data]: {sorted(missing)}"


def test_the_wheel_carries_nothing_else(wheel: set[str]) -> None:
    strangers = {name.split("/")[0] for name in wheel}
    assert all(re.fullmatch(r"onegraph(-.*\.dist-info)?", name) for name in strangers), strangers


def test_core_needs_four_libraries() -> None:
    names = {re.split(r"[<>=!~\[ ]", requirement)[0] for requirement in PROJECT["dependencies"]}
    assert names == {"numpy", "llvmlite", "click", "tqdm"}


def test_importing_onegraph_imports_no_optional_library() -> None:
    code = f"import sys, onegraph; print([name for name in {OPTIONAL!r} if name in sys.modules])"
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout.strip()) == (0, "[]"), result.stdout + result.stderr


def test_the_readme_shows_the_two_commands() -> None:
    readme, makefile = (ROOT / "README.md").read_text(), (ROOT / "Makefile").read_text()
    for target in ("demo", "test"):
        assert re.search(rf"^ *make {target}\b", readme, re.MULTILINE), f"README.md lacks `make {target}`"
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"the Makefile has no target {target}"
    assert "make test" in (ROOT / ".ci" / "run").read_text()
