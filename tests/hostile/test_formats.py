"""Damaged files of every format give a value or a typed error, in bounded memory; `python -m tests.hostile.harness all` runs many."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path

import pytest

from tests.hostile import formats, harness
from tests.hostile.mutations import mutate


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits the memory of a process, and reads /proc")
@pytest.mark.parametrize("name", formats.FORMATS)
def test_damaged_files_end_in_a_value_or_a_typed_error(name: str) -> None:
    needed = formats.NEEDS.get(name)
    if needed is not None and importlib.util.find_spec(needed) is None:
        pytest.skip(f"needs {needed}")
    code, text = harness.run_apart(name, first=0, count=300)
    assert code == 0, text


# Damage that was once a finding.
FOUND = [("checkpoint", 0), ("h5", 99), ("idx", 2636)]


@pytest.mark.skipif(sys.platform != "linux", reason="limits the memory of a process, and reads /proc")
@pytest.mark.parametrize(("name", "seed"), FOUND)
def test_what_was_found_stays_fixed(name: str, seed: int) -> None:
    code, text = harness.run_apart(name, seed, 1)
    assert code == 0, text


def test_the_harness_notices_a_reader_that_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def read(path: Path) -> int:
        return path.read_bytes().index(b"valid")

    monkeypatch.setitem(formats.FORMATS, "own", formats.Format(lambda p: p.write_bytes(b"valid"), read))
    monkeypatch.setattr(harness.resource, "setrlimit", lambda *limits: None)
    assert harness.run("own", range(20)) > 5
    assert "ValueError" in capsys.readouterr().out


def test_damage_is_the_same_for_the_same_seed() -> None:
    content = bytes(range(200)) * 3
    made = [mutate(content, random.Random(seed)) for seed in range(200)]
    assert made == [mutate(content, random.Random(seed)) for seed in range(200)]
    assert sum(m != content for m in made) > 180
