"""`onegraph explain` for functions in files, machine code, times, traces and reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import onegraph as og

SOURCE = """
import onegraph as og

def step(x, w, labels=None):
    hidden = og.relu(x @ w)
    return hidden.sum() if labels is None else hidden[labels].sum()

def network(num_classes, in_channels):
    return og.nn.Sequential(og.nn.Flatten(), og.nn.Linear(in_channels * 64, num_classes))

class Net(og.nn.Module):
    def forward(self, x):
        return x * 3

def broken(x):
    return x @ x

INPUT_SIZE = (8, 8)
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "mine.py"
    path.write_text(SOURCE)
    return str(path)


@pytest.fixture
def native(call: Any) -> Any:
    def run(*arguments: object) -> Any:
        with og.config.using(backend="native"):
            return call(*arguments)

    return run


def test_a_function_of_a_file(native: Any, file: str) -> None:
    result = native("explain", f"{file}:step", "--input", "4x6", "--input", "6x3", "--stage", "kernels")
    assert result.exit_code == 0, result.output
    assert "matmul f32[4, 3]" in result.stdout and "mine.py:5" in result.stdout and "mine.py:6" in result.stdout
    indexed = native(
        "explain", f"{file}:step", "--input", "4x6", "--input", "6x3", "--input", "2:int64", "--stage", "traced"
    )
    assert "i64[2]" in indexed.stdout


def test_networks_of_a_file(native: Any, file: str) -> None:
    made = native("explain", f"{file}:network", "--batch", 2, "--stage", "traced")
    assert "f32[2, 1, 8, 8]" in made.stdout, made.output
    assert "f32[5, 7]" in native("explain", f"{file}:Net", "--input", "5x7", "--stage", "traced").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{file}:step"], "takes x, w"),
        (["{file}:nothing"], "no function or class 'nothing'"),
        (["{file}:step", "--input", "4xx"], "whole numbers"),
        (["{file}:step", "--input", "4:cat"], "no dtype 'cat'"),
        (["{file}:step", "--input", "4x6"], "w"),
        (["{file}:broken", "--input", "4x6"], "mine.py:16"),
        (["mlp", "--llvm", "nonsense"], "no kernel"),
    ],
)
def test_mistakes_are_explained(native: Any, file: str, arguments: list[str], message: str) -> None:
    result = native("explain", *[a.format(file=file) for a in arguments])
    assert result.exit_code == 1 and message in result.stderr, result.output


def test_machine_code(native: Any) -> None:
    result = native("explain", "mlp", "--llvm", "matmul", "--assembly", "0")
    assert "define void @KERNEL" in result.stdout and "KERNEL:" in result.stdout
    assert "== traced" not in result.stdout


def test_times_trace_and_report(native: Any, tmp_path: Path) -> None:
    trace, report = tmp_path / "trace.json", tmp_path / "plan.html"
    result = native("explain", "mlp", "--train", "--profile", "--repeats", 2, "--trace", trace, "--report", report)
    assert result.exit_code == 0, result.output
    assert "GFLOP/s" in result.stdout and "one run takes" in result.stdout and "== " not in result.stdout
    events = json.loads(trace.read_text())["traceEvents"]
    assert {e["name"] for e in events} >= {"matmul"}
    assert "<h2>Time by kernel</h2>" in report.read_text(encoding="utf-8")


def test_the_reference_backend_cannot_be_profiled(call: Any) -> None:
    with og.config.using(backend="reference"):
        result = call("explain", "mlp", "--profile")
    assert result.exit_code == 1 and "ONEGRAPH_BACKEND=native" in result.stderr
