"""Damage files again and again and read them, in a process whose memory is limited: `python -m tests.hostile.harness FORMAT`.

A reader may give a value or one of our typed errors. Another exception, a crash, more than the allowed memory, or no end is a finding;
it is printed with the seed that makes the same file again. Read next: `formats.py`, `mutations.py`.
"""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

from onegraph.errors import OneGraphError
from tests.hostile.formats import FORMATS, Format
from tests.hostile.mutations import mutate

MEMORY = 100 * 1024 * 1024
"""Bytes that reading may take beyond the size of the file and what the process holds already."""
ROOT = Path(__file__).resolve().parents[2]
SLOW = 1.0
"""Seconds after which a file counts as slow. Reported; a test judges only what takes twenty times as long."""


def damaged(kind: Format, original: Path, target: Path, seed: int) -> Path:
    """A damaged copy; for a folder one of its files."""
    chance = random.Random(seed)
    if not kind.files:
        target.write_bytes(mutate(original.read_bytes(), chance))
        return target
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(original, target)
    victim = target / chance.choice(kind.files)
    victim.write_bytes(mutate(victim.read_bytes(), chance))
    return target


def run(name: str, seeds: range) -> int:
    """Read damaged files; prints findings and a summary. Returns how many findings there were."""
    kind, findings, values, slowest = FORMATS[name], 0, 0, (0.0, -1)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what other libraries say of damaged files
        original, target = Path(folder, "original"), Path(folder, "damaged")
        kind.write(original)
        kind.read(original)  # everything is imported and compiled before memory is limited
        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(
            resource.RLIMIT_AS, (held + MEMORY + 64 * 1024 * 1024,) * 2
        )  # the interpreter's own arenas besides
        for seed in seeds:
            path = damaged(kind, original, target, seed)
            print(f"seed {seed}", file=sys.stderr, flush=True)  # the last one before a crash
            start = time.perf_counter()
            try:
                kind.read(path)
                values += 1
            except OneGraphError:
                pass
            except BaseException as error:
                findings += 1
                print(f"{name} seed {seed}: {type(error).__name__}: {str(error)[:200]}", flush=True)
            slowest = max(slowest, (time.perf_counter() - start, seed))
    slow = f"; the slowest took {slowest[0]:.2f} s (seed {slowest[1]})"
    print(f"{name}: {len(seeds)} files, {values} read, {findings} findings{slow}")
    return findings


def run_apart(name: str, first: int, count: int, timeout: float = 240) -> tuple[int, str]:
    """The same in a process of its own. The exit code, and what it printed; after a crash with the guilty seed."""
    command = [sys.executable, "-m", "tests.hostile.harness", name, "--first", str(first), "--count", str(count)]
    try:
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as error:
        last = (error.stderr or b"").decode().splitlines()[-1:]
        return -1, f"{name}: no end within {timeout} s, at {last}"
    if result.returncode not in (0, 1):
        return result.returncode, f"{result.stdout}{name}: ended by {result.returncode}, {result.stderr[-2000:]}"
    return result.returncode, result.stdout


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("format", choices=[*FORMATS, "all"])
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000)
    options = parser.parse_args()
    if options.format != "all":
        return int(run(options.format, range(options.first, options.first + options.count)) > 0)
    codes = []
    for name in FORMATS:
        code, text = run_apart(name, options.first, options.count)
        print(text, end="", flush=True)
        codes.append(code)
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
