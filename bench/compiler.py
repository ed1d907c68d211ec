"""`python -m bench compiler [ROW...]`: the table of the compiler, a process for each row.

A row that crashes, hangs or disagrees is reported as such, and the exit status says so. What PyTorch's compiler manages
within two minutes is found out once and remembered, with its compiled code, in a folder of its own.
Read next: `rows.py`, `row.py`, `report.py`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import report
from bench.row import MARK, Options
from bench.rows import ROWS, Row

ROOT = Path(__file__).resolve().parents[1]
COMPILE_LIMIT = 120.0  # seconds that PyTorch's compiler has for a variant
COMPILED = ("compiled", "compiled channels-last")


def run_child(name: str, options: Options, limit: float, folder: Path) -> dict[str, Any]:
    """Measure a row in a process of its own; what goes wrong becomes `{"error": ...}`."""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "2",
        "ONEGRAPH_THREADS": "2",
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor"),
    }
    command = [sys.executable, "-m", "bench.row", name, options.text()]
    # A session of its own: the compiler's helpers end with it.
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        return {"error": f"no result within {limit:.0f} s"}
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    lines = [line for line in output.splitlines() if line.startswith(MARK)]
    if process.returncode == 0 and lines:
        return dict(json.loads(lines[-1].removeprefix(MARK)))
    last = (errors.strip().splitlines() or ["no message"])[-1]
    if process.returncode < 0:
        last = f"{signal.Signals(-process.returncode).name}; {last}"
    return {"error": f"{last[:200]} (exit status {process.returncode})"}


class TorchCompiler:
    """What PyTorch's compiler manages, remembered in a file."""

    def __init__(self, folder: Path, quick: bool, retry: bool = False) -> None:
        self.folder, self.quick = folder, quick
        self.path = folder / "compiled.json"
        self.known: dict[str, Any] = json.loads(self.path.read_text()) if self.path.exists() else {}
        if retry:  # a crowded machine makes compilations fail that would succeed
            self.known = {key: found for key, found in self.known.items() if "error" not in found}

    def find_out(self, row: Row, options: Options) -> tuple[tuple[str, ...], list[str]]:
        """Which variants to skip, and remarks on all of them."""
        assert row.make is not None
        skip, remarks = [], []
        for variant in [v for v in row.make(self.quick).theirs if v.startswith("compiled")]:
            key = f"{row.name}{' quick' if self.quick else ''}: {variant}"
            if key not in self.known:
                self.known[key] = run_child(row.name, replace(options, probe=variant), COMPILE_LIMIT, self.folder)
                self.folder.mkdir(parents=True, exist_ok=True)
                self.path.write_text(json.dumps(self.known, indent=1))
            found = self.known[key]
            if "error" in found:
                skip.append(variant)
                remarks.append(f"{variant}: {found['error']}")
            else:
                remarks.append(f"{variant} took {found['compile']:.0f} s to compile")
        return tuple(skip), remarks


def run_row(row: Row, options: Options, limit: float, torch_compiler: TorchCompiler | None) -> dict[str, Any]:
    """Probe, then race."""
    skip: tuple[str, ...] = COMPILED
    remarks: list[str] = []
    if row.kind == "ratio" and torch_compiler is not None and "theirs" in options.sides:
        skip, remarks = torch_compiler.find_out(row, options)
    result = run_child(row.name, replace(options, skip=skip), limit, torch_compiler_folder(torch_compiler))
    return {**result, "compile": remarks, "quick": options.quick}


def torch_compiler_folder(torch_compiler: TorchCompiler | None) -> Path:
    """Where PyTorch keeps what it compiled."""
    return torch_compiler.folder if torch_compiler is not None else Path(tempfile.gettempdir())


def run(
    rows: list[Row], options: Options, limit: float, torch_compiler: TorchCompiler | None, out: str | None = None
) -> int:
    """Measure rows, print each as it is finished and the tables at the end; returns the exit status."""
    if torch_compiler is not None and not (shutil.which("g++") or shutil.which("clang++")):
        print("no C++ compiler: torch.compile takes no part", file=sys.stderr)
        torch_compiler = None
    results = []
    for row in rows:
        start = time.perf_counter()
        result = run_row(row, options, limit, torch_compiler)
        results.append((row, result))
        cells = report.figure_cells(row, result) if row.kind == "figure" else report.ratio_cells(row, result)
        print(f"[{time.perf_counter() - start:.0f} s] " + " | ".join(cells), file=sys.stderr, flush=True)
        if out:
            Path(out).write_text(json.dumps({r.name: found for r, found in results}, indent=1))
    print(report.document(results))
    return 1 if any(report.failed(result) for _, result in results) else 0


def find_rows(names: list[str]) -> list[Row]:
    """Rows by name, or all; a name may also be the beginning of several.

    Raises:
        KeyError: no row is called so.
    """
    if not names:
        return list(ROWS.values())
    found: dict[str, Row] = {}
    for name in names:
        matches = [ROWS[name]] if name in ROWS else [row for key, row in ROWS.items() if key.startswith(name)]
        if not matches:
            raise KeyError(f"no row is called {name!r}; `python -m bench list` names them")
        found.update({row.name: row for row in matches})
    return list(found.values())
