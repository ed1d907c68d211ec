"""ResNet-50 inference beside ONNX Runtime and OpenVINO, which run in an interpreter of their own.

    python -m venv RIVALS
    RIVALS/bin/pip install onnxruntime==1.32.0 openvino==2026.4.1 torch==2.13.0 onnx onnxscript
    python -m bench compiler resnet50-runtimes-1 --rivals RIVALS/bin/python

That interpreter runs this file as a server: it answers each line of JSON with one. Blocks of calls alternate between it
and onegraph; in between, the threads of the one before get time to fall asleep. It never imports onegraph.
Read next: `figures.py`.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.contest import check
from bench.inference import our_forward
from bench.measure import Timing, turn, watch_neighbours
from bench.models import copy_arrays, first_arrays
from bench.work import Work, find_work

RUNTIMES = ("onnxruntime", "openvino")
ROOT = Path(__file__).resolve().parents[1]
PAUSE = 0.25  # seconds between blocks, in which spinning threads fall asleep


# --------------------------------------------------------------------------------------- in the other interpreter


def _export(work: Work, path: str) -> None:
    import torch

    model = work.make(torch)
    copy_arrays(torch, model, first_arrays(model)).eval()
    x = torch.from_numpy(work.batch(np.random.default_rng(1))[0])
    torch.onnx.export(model, (x,), path, dynamo=True, external_data=False, input_names=["x"], verbose=False)


def _onnxruntime(path: str, x: Any) -> Callable[[], Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"x": x})[0]


def _openvino(path: str, x: Any) -> Callable[[], Any]:
    import openvino

    settings = {"INFERENCE_NUM_THREADS": 2, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    model = openvino.Core().compile_model(path, "CPU", settings)
    request = model.create_infer_request()
    return lambda: next(iter(request.infer({0: x}, share_inputs=True, share_outputs=True).values()))


def serve(runtime: str, name: str, number: int, quick: bool) -> None:
    """Answer requests on standard input: `result` (the logits) or `turn` (seconds a call)."""
    answers = sys.stdout
    sys.stdout = sys.stderr  # what libraries print is no answer
    work = find_work(name, number, quick)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/model.onnx"
        _export(work, path)
        run = {"onnxruntime": _onnxruntime, "openvino": _openvino}[runtime](
            path, work.batch(np.random.default_rng(1))[0]
        )
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "result":
            answer = {"logits": np.asarray(run()).tolist()}
        else:
            run()
            answer = {"seconds": turn(run, request["repeats"])}
        print(json.dumps(answer), file=answers, flush=True)


# ---------------------------------------------------------------------------------------------- in this interpreter


class Server:
    """A runtime in its own process."""

    def __init__(self, interpreter: str, runtime: str, name: str, number: int, quick: bool) -> None:
        command = [interpreter, "-m", "bench.rivals", runtime, name, str(number), str(int(quick))]
        self.runtime = runtime
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
        )

    def ask(self, **request: Any) -> Any:
        """One request, one answer."""
        assert self.process.stdin and self.process.stdout and self.process.stderr
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            errors = self.process.stderr.read().strip().splitlines() or ["no message"]
            raise RuntimeError(f"{self.runtime} ended: {errors[-1]}")
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()


def against_runtimes(
    name: str, number: int, quick: bool, interpreter: str, budget: float, sides: tuple[str, ...]
) -> dict[str, Any]:
    """Race onegraph against both runtimes; gives the same dictionary as `row.measure`."""
    work = find_work(name, number, quick)
    servers = {runtime: Server(interpreter, runtime, name, number, quick) for runtime in RUNTIMES}
    watch, neighbours = contextlib.ExitStack(), dict[str, Any]()
    watch.enter_context(watch_neighbours(neighbours))
    try:
        turns: dict[str, Callable[[int], float]] = {}
        if "ours" in sides:
            ours, logits = our_forward(work)
            ours()
            turns["ours"] = lambda repeats: turn(ours, repeats + 1) if repeats < 2 else (ours(), turn(ours, repeats))[1]
        results = {runtime: server.ask(do="result")["logits"] for runtime, server in servers.items()}
        reference = results[RUNTIMES[0]]
        notes = [check("runtimes' logits", results[RUNTIMES[1]], reference)]
        if "ours" in sides:
            notes = [check("logits", logits(), reference)]
        if "theirs" in sides:
            for runtime, server in servers.items():
                turns[runtime] = lambda repeats, server=server: server.ask(do="turn", repeats=repeats)["seconds"]
        repeats = {which: max(1, min(500, int(0.3 / run(1)))) for which, run in turns.items()}
        times: dict[str, list[float]] = {which: [] for which in turns}
        start = time.perf_counter()
        while time.perf_counter() - start < budget or len(next(iter(times.values()))) < 3:
            for which, run in turns.items():
                time.sleep(PAUSE)
                times[which].append(run(repeats[which]))
    finally:
        for server in servers.values():
            server.close()
    watch.close()  # now that the servers have ended, their time counts as ours
    timings = {which: Timing.of(values).as_dict() for which, values in times.items()}
    return {"ours": timings.pop("ours", None), "theirs": timings, "notes": notes, **neighbours}


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], int(sys.argv[3]), bool(int(sys.argv[4])))
