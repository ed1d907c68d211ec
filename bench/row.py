"""Measure one row in a process of its own: `python -m bench.row NAME OPTIONS`, with options and result as JSON.

`compiler.py` starts it. A row has two parts: *probes* find out, each within a time limit, whether PyTorch's compiler
manages a variant; the *race* lets onegraph and PyTorch's best variants take turns. Read next: `compiler.py`.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

from bench.contest import Contest, Contestant
from bench.measure import optional_torch, qualify, race, turn, watch_neighbours
from bench.rivals import against_runtimes
from bench.rows import ROWS, Row

MARK = "result: "  # the line that holds it; libraries may print others


@dataclass(frozen=True)
class Options:
    """How a row is measured.

    Attributes:
        quick: tiny sizes and short times, to see that it runs.
        budget: seconds for the race.
        sides: "ours", "theirs" or both.
        skip: variants of PyTorch that take no part, since they did not compile in time.
        probe: only compile this variant, and say how long it took.
        rivals: the interpreter that has ONNX Runtime and OpenVINO.
    """

    quick: bool = False
    budget: float = 20.0
    sides: tuple[str, ...] = ("ours", "theirs")
    skip: tuple[str, ...] = ()
    probe: str = ""
    rivals: str = ""

    def text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))

    @staticmethod
    def parse(text: str) -> Options:
        """From JSON."""
        values = json.loads(text)
        return Options(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def copiers(footprint: int) -> tuple[dict[str, Contestant], dict[str, int]]:
    """A copy and a triad (a = b + 3 c) by PyTorch on two threads, and the bytes that each reads and writes.

    They touch as much memory as the operator does, and take turns with it. What a cache line costs to allocate is not
    counted, neither here nor there.
    """
    torch = optional_torch()
    half, third = max(1, footprint // 8), max(1, footprint // 12)
    source, target = torch.ones(half), torch.ones(half)
    a, b, c = torch.ones(third), torch.ones(third), torch.ones(third)
    runners = {"copy": lambda: target.copy_(source), "triad": lambda: torch.add(b, c, alpha=3.0, out=a)}
    return runners, {"copy": 8 * half, "triad": 12 * third}


def measure_contest(contest: Contest, options: Options) -> dict[str, Any]:
    """Check that both sides agree, let PyTorch's variants qualify, then race."""
    result: dict[str, Any] = {"ours": None, "theirs": {}, "notes": list(contest.notes)}
    with_torch = optional_torch() is not None
    ours_runs = "ours" in options.sides and not contest.missing
    if contest.missing:
        result["missing"] = contest.missing
    if not with_torch:
        result["notes"].append("PyTorch is not installed")
    if ours_runs and with_torch:
        result["notes"].append(contest.agree())
    runners = {}
    if with_torch and "theirs" in options.sides:
        built = {}
        for name, make in contest.theirs.items():
            if name in options.skip:
                continue
            try:
                built[name] = make()
                built[name]()
            except Exception as error:  # a variant that PyTorch cannot do is no reason to stop
                built.pop(name, None)
                result["notes"].append(f"{name}: {type(error).__name__}: {str(error).splitlines()[0][:100]}")
        times = qualify(built, options.budget / 3)
        result["theirs"] = {name: timing.as_dict() for name, timing in times.items()}
        names = list(times)
        close = [name for name in names[:2] if times[name].median <= 1.1 * times[names[0]].median]
        runners = {name: built[name] for name in close}
    if ours_runs:
        runners["ours"] = contest.ours()
    copying, moved = copiers(contest.footprint) if contest.traffic and with_torch else ({}, {})
    timings = {name: timing.as_dict() for name, timing in race({**runners, **copying}, options.budget).items()}
    speeds = {name: moved[name] / timings.pop(name)["median"] for name in copying}
    result["ours"] = timings.pop("ours", None)
    result["theirs"].update(timings)
    if copying:
        result["traffic"] = contest.traffic
        result["speeds"] = speeds
    return result


def probe(contest: Contest, variant: str) -> dict[str, Any]:
    """How long a variant of PyTorch takes to compile: its first calls beyond a later one."""
    start = time.perf_counter()
    run = contest.theirs[variant]()
    first = turn(run, 1)
    run()
    total = time.perf_counter() - start
    return {"compile": total, "first": first, "later": turn(run, 1)}


def measure(row: Row, options: Options) -> dict[str, Any]:
    """Measure a row; the result is fit for JSON."""
    if row.kind == "figure":
        assert row.make is not None
        crowd: dict[str, Any] = {}
        with watch_neighbours(crowd):
            result = row.make(row.model, options.quick)
        return {**result, **crowd}
    if row.kind == "runtimes":
        if not options.rivals:
            return {"missing": "needs --rivals PYTHON, an interpreter with onnxruntime and openvino"}
        return against_runtimes(row.model, row.number, options.quick, options.rivals, options.budget, options.sides)
    assert row.make is not None
    contest: Contest = row.make(options.quick)
    if options.probe:
        return probe(contest, options.probe)
    crowd = {}
    with watch_neighbours(crowd):  # the qualification as well: a crowd may throw out PyTorch's best variant
        result = measure_contest(contest, options)
    return {**result, **crowd}


if __name__ == "__main__":
    found = measure(ROWS[sys.argv[1]], Options.parse(sys.argv[2]))
    print(f"\n{MARK}{json.dumps(found)}", flush=True)
