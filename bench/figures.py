"""Figures with a limit of their own: time to compile and to import, memory, what a step costs in Python.

Each is measured in fresh processes: this file starts itself again with the name of a probe. Read next: `rows.py`.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.measure import race
from bench.training import our_step, their_step, two_layer_step
from bench.work import find_work

ROOT = Path(__file__).resolve().parents[1]
GROWTH_STEPS = 10_000


# -------------------------------------------------------------------------------------------------- in a fresh process


def _step(name: str, side: str, quick: bool) -> Callable[[], object]:
    if name == "two-layer":
        import onegraph as og

        return two_layer_step(og, True, quick)
    number = 128 if name == "lenet5" else 8
    work = find_work(name, number, quick)
    return our_step(work) if side == "ours" else their_step(work, last=side == "channels-last")


def probe_compile(name: str, quick: bool) -> dict[str, float]:
    """What the first call takes beyond a later one: tracing, compiling, loading."""
    step = _step(name, "ours", quick)
    times = []
    for _ in range(4):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return {"first": times[0], "later": min(times[1:]), "value": times[0] - min(times[1:])}


def probe_peak(name: str, side: str, quick: bool) -> dict[str, float]:
    """The peak of memory over three steps, in MB, interpreter and libraries included."""
    step = _step(name, side, quick)
    for _ in range(3):
        step()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"value": peak / (1e6 if sys.platform == "darwin" else 1e3)}


def _resident() -> float:
    """Memory in use, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def probe_growth(quick: bool) -> dict[str, float]:
    """By how many MB memory grows over 10,000 steps of the two-layer network, after 500 to settle; jit and loop."""
    import onegraph as og

    grown = {}
    for which, jit in (("jit", True), ("loop", False)):
        step = two_layer_step(og, jit, quick)
        for _ in range(500):
            step()
        before = _resident()
        for _ in range(GROWTH_STEPS // (10 if quick else 1)):
            step()
        grown[which] = _resident() - before
    return {**grown, "value": max(grown.values())}


def probe_python(quick: bool) -> dict[str, float]:
    """Microseconds of a cached step whose arithmetic is next to nothing: what is left is Python and the call."""
    import onegraph as og

    step = two_layer_step(og, True, quick=True)
    timing = race({"step": step}, budget=0.5 if quick else 5.0)["step"]
    return {"value": timing.median * 1e6, "minimum": timing.minimum * 1e6}


PROBES: dict[str, Callable[..., dict[str, float]]] = {
    "compile": probe_compile,
    "peak": probe_peak,
    "growth": probe_growth,
    "python": probe_python,
}


# ------------------------------------------------------------------------------------------------------- the figures


def ask(probe: str, *arguments: Any, cache: str | None = None) -> dict[str, float]:
    """Run a probe in a fresh process, which starts with an empty cache of compiled code unless one is given."""
    with tempfile.TemporaryDirectory() as empty:
        bytecode = os.path.join(tempfile.gettempdir(), f"onegraph-bench-bytecode-{os.getuid()}")
        environment = {**os.environ, "ONEGRAPH_CACHE_FOLDER": cache or empty, "PYTHONPYCACHEPREFIX": bytecode}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as installed: bytecode exists
        if probe == "import":  # nothing else may be imported before
            library = arguments[0]
            code = f"import time; t = time.perf_counter(); import {library}; print(time.perf_counter() - t)"
            command = [sys.executable, "-c", code]
        else:
            command = [sys.executable, "-m", "bench.figures", probe, json.dumps(arguments)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RuntimeError(f"the process for {probe} ended with {done.returncode}: {last}")
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    return {"value": answer} if probe == "import" else answer


def cold_compile(name: str, quick: bool) -> dict[str, Any]:
    """Seconds to compile with an empty cache; the median of three."""
    ask("compile", "two-layer", True)  # for the bytecode
    answers = [ask("compile", name, quick) for _ in range(1 if quick else 3)]
    return {"value": statistics.median(a["value"] for a in answers), "note": f"a step {answers[-1]['later']:.3g} s"}


def warm_compile(name: str, quick: bool) -> dict[str, Any]:
    """Seconds to compile in a new process when the cache on disk is full; the median of three."""
    with tempfile.TemporaryDirectory() as cache:
        cold = ask("compile", name, quick, cache=cache)["value"]
        files = sum(len(names) for _, _, names in os.walk(cache))
        values = [ask("compile", name, quick, cache=cache)["value"] for _ in range(1 if quick else 3)]
    return {"value": statistics.median(values), "note": f"cold {cold:.3g} s; {files} files in the cache"}


def import_time(name: str, quick: bool) -> dict[str, Any]:
    """Seconds of `import onegraph`, once its bytecode exists; the median of seven."""
    ask("import", "onegraph")
    value = statistics.median(ask("import", "onegraph")["value"] for _ in range(2 if quick else 7))
    base = statistics.median(ask("import", "numpy")["value"] for _ in range(2 if quick else 7))
    return {"value": value, "note": f"of it NumPy {base:.3f} s"}


def peak_memory(name: str, quick: bool) -> dict[str, Any]:
    """MB at the peak of training, against the better of PyTorch's layouts."""
    sides = {side: ask("peak", name, side, quick)["value"] for side in ("ours", "eager", "channels-last")}
    ours, best = sides.pop("ours"), min(sides, key=lambda side: sides[side])
    return {"value": ours, "limit": sides[best], "note": f"the limit is PyTorch's, {best}"}


def growth(name: str, quick: bool) -> dict[str, Any]:
    """MB that memory grows over 10,000 steps."""
    answer = ask("growth", quick)
    return {"value": answer["value"], "note": f"jit {answer['jit']:.2f}, loop {answer['loop']:.2f}"}


def python_time(name: str, quick: bool) -> dict[str, Any]:
    """Microseconds of a cached step under jit beside its arithmetic."""
    answer = ask("python", quick)
    return {"value": answer["value"], "note": f"a whole step of 4x6x5; at best {answer['minimum']:.1f}"}


if __name__ == "__main__":
    print(json.dumps(PROBES[sys.argv[1]](*json.loads(sys.argv[2]))))
