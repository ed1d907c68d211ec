"""The same seed gives the same bits: from run to run, on 1 to 4 threads, in every front end, with the cache cold or warm.

Each way of training the network of `program.py` runs in a process of its own. Fast tests at the top, the others are slow.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import onegraph as og
from tests.determinism import program

ROOT = Path(__file__).resolve().parents[2]
Result = dict[str, str]


def test_static_graphs_threads_and_loops_in_one_process() -> None:
    with og.config.using(backend="native", threads=1):
        expected = program.functions()
        assert program.static() == expected
    with og.config.using(backend="native", threads=3):
        assert program.functions() == expected


def test_hashes_tell_bits_apart() -> None:
    values = [
        og.tensor([1.0, 0.0]),
        og.tensor([1.0, -0.0]),
        og.tensor([1.0, 0.0], dtype=og.float64),
        og.tensor([[1.0, 0.0]]),
    ]
    assert len({program.digest([v]) for v in values}) == 4


@functools.cache
def outcome(way: str, again: int = 0, **settings: str) -> Result:
    """What a way gives in a process of its own; `again` tells repeated runs apart."""
    environment = {**os.environ, "ONEGRAPH_BACKEND": "native", "ONEGRAPH_THREADS": "2", **settings}
    done = subprocess.run(
        [sys.executable, "-m", "tests.determinism.program", way],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)  # type: ignore[no-any-return]


PAIRS = [
    ("define_by_run", "traced"),
    ("define_by_run", "loaded"),
    ("traced", "loaded"),
    ("functions", "static"),
    ("keras_fit", "keras_batches"),
    ("keras_fit", "keras_loop"),
    ("keras_batches", "keras_loop"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_front_ends(first: str, second: str) -> None:
    assert outcome(first) == outcome(second)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["define_by_run", "traced", "static", "keras_fit"])
def test_runs(way: str) -> None:
    assert outcome(way) == outcome(way, again=1)


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2, 3, 4])
@pytest.mark.parametrize("way", ["define_by_run", "static", "keras_fit"])
def test_threads(way: str, threads: int) -> None:
    assert outcome(way, ONEGRAPH_THREADS=str(threads)) == outcome(way)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["define_by_run", "keras_fit"])
def test_cache_cold_or_warm(way: str, tmp_path: Path) -> None:
    folder = {"ONEGRAPH_CACHE_FOLDER": str(tmp_path / "cache")}
    cold = outcome(way, **folder)
    compiled = list((tmp_path / "cache").rglob("*"))
    assert len(compiled) > 10
    assert outcome(way, again=1, **folder) == cold == outcome(way)


@pytest.mark.slow
def test_without_a_cache() -> None:
    assert outcome("define_by_run", ONEGRAPH_CACHE="0") == outcome("define_by_run")


@pytest.mark.slow
def test_another_seed_gives_other_bits() -> None:
    other = subprocess.run(
        [sys.executable, "-m", "tests.determinism.program", "define_by_run", "8"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert all(
        a != b for a, b in zip(json.loads(other.stdout).values(), outcome("define_by_run").values(), strict=True)
    )
