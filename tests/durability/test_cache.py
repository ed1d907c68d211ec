"""The cache of compiled kernels while it is deleted and damaged under eight processes that share it: the results stay the same."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORK = """
import sys
import numpy as np
import onegraph as og
from onegraph.runtime.plan import plans
og.config.update(cache_folder=sys.argv[1], threads=1)
for turn in range(int(sys.argv[2])):
    x = og.tensor(np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)).requires_grad_(True)
    # The sizes of a turn are its own, so that each turn needs kernels that were not in memory before.
    w = og.tensor(np.full((4, 5 + turn), 0.25, np.float32))
    y = (x @ w).relu().softmax(1).log().sum()
    y.backward()
    print(turn, y.item(), x.grad.numpy().tobytes().hex())
"""


def start(folder: Path, turns: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "ignore", "-c", WORK, str(folder), str(turns)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def damage(folder: Path, chance: random.Random) -> None:
    """Delete, cut, overwrite or exchange a file, or delete everything."""
    files = [p for p in folder.rglob("*") if p.is_file()]
    if not files:
        return
    victim = chance.choice(files)
    how = chance.randrange(5)
    try:
        if how == 0:
            victim.unlink()
        elif how == 1:
            content = victim.read_bytes()
            victim.write_bytes(content[: chance.randrange(len(content) + 1)])
        elif how == 2:
            content = bytearray(victim.read_bytes())
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
            victim.write_bytes(content)
        elif how == 3:
            shutil.copy(chance.choice(files), victim)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    except (OSError, ValueError):
        pass  # a process was faster, or the file is empty


@pytest.mark.slow
def test_eight_processes_compute_the_same_while_their_cache_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir(mode=0o700)
    expected, errors = start(tmp_path / "alone", 3).communicate(timeout=120)
    assert expected.count("\n") == 3, errors
    folder, chance = tmp_path / "cache", random.Random(5)
    folder.mkdir(mode=0o700)
    processes = [start(folder, 3) for _ in range(8)]
    damaged = 0
    while any(p.poll() is None for p in processes):
        damage(folder, chance)
        damaged += 1
        time.sleep(0.01)
    for process in processes:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        assert output == expected
    assert damaged > 20
