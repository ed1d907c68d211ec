"""Started by test_storage_atomic.py: kills writers with SIGKILL at random moments, checks what they leave.

Usage: kill_driver.py KIND FOLDER ROUNDS SEED. KIND is file, exchange (one step) or renames (two renames).
One process forks all the writers, so that the package is imported once.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

from onegraph.storage import atomic

FILES = ("a.bin", "b.bin", "sub/c.bin")
SIZE = 20_000


def write_forever(kind: str, target: Path, seed: int) -> None:
    version = seed
    while True:
        version = (version + 1) % 256
        if kind == "file":
            with atomic.atomic_write(target) as file:
                for _ in range(10):
                    file.write(bytes([version]) * SIZE)
        else:
            with atomic.atomic_directory(target) as folder:
                (folder / "sub").mkdir()
                for name in FILES:
                    (folder / name).write_bytes(bytes([version]) * SIZE)


def check_folder(folder: Path) -> None:
    contents = [(folder / name).read_bytes() for name in FILES]
    assert contents[0] == contents[0][:1] * SIZE, "a file is incomplete"
    assert contents.count(contents[0]) == len(FILES), "files of two versions are mixed"
    assert sorted(path.name for path in folder.iterdir()) == ["a.bin", "b.bin", "sub"]


def check(kind: str, target: Path) -> None:
    if kind == "file":
        content = target.read_bytes()
        assert content == content[:1] * (10 * SIZE), "the file is incomplete"
    else:
        atomic.read_directory(target, check_folder)


def main() -> None:
    kind, root, rounds, seed = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    if kind == "renames":
        atomic.exchange = lambda first, second: False
    target = root / "target"
    chance = random.Random(seed)
    for number in range(rounds):
        writers = []
        for index in range(2):
            process = os.fork()
            if process == 0:
                write_forever(kind, target, number * 16 + index * 8)
            writers.append(process)
        while not target.exists():  # the first version of all takes as long as it takes
            time.sleep(0.001)
        time.sleep(chance.uniform(0.0, 0.04))
        for process in writers:
            if kind != "file":
                check(kind, target)  # a reader while a writer is alive
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
        check(kind, target)
    atomic.recover(target)
    left = sorted(path.name for path in root.iterdir())
    assert left == ["target"], left
    print("complete after every kill")


if __name__ == "__main__":
    main()
