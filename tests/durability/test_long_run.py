"""Nothing grows in a long run; `python -m tests.durability.long_run` does 50,000 steps."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.durability.long_run import Sample, growth

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_nothing_grows_in_a_few_thousand_steps() -> None:
    # In a process of its own: what other tests left behind would move meanwhile.
    command = [sys.executable, "-m", "tests.durability.long_run", "--steps", "3000"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert result.returncode == 0 and result.stdout.endswith("nothing grew\n"), result.stdout + result.stderr


def test_growth_would_be_noticed() -> None:
    before = Sample(100_000_000, 1, 10, 5, 1000, 1e-3)
    after = Sample(110_000_000, 2, 11, 6, 2000, 1e-3)
    assert growth([before, before, before]) == []
    assert [text.split()[0] for text in growth([before, before, after])] == [
        "memory",
        "threads",
        "files",
        "plans",
        "objects",
    ]
