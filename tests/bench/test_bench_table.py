"""The table of the compiler's benchmarks: ratios, verdicts, and rows that fail are seen.

Read next: `bench/report.py`, `bench/compiler.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench import compiler, measure, report
from bench.__main__ import main
from bench.figures import ask
from bench.measure import Timing, race
from bench.row import MARK, Options
from bench.rows import ROWS


def timing(median: float) -> dict[str, Any]:
    return Timing(median, 0.9 * median, 0.05, 10).as_dict()


def contest(ours: float | None, **theirs: float) -> dict[str, Any]:
    found = {name: timing(median) for name, median in theirs.items()}
    return {"ours": timing(ours) if ours else None, "theirs": found, "notes": []}


def test_the_ratio_is_that_of_the_best_rival() -> None:
    result = contest(0.5, eager=1.0, compiled=0.9)
    assert report.ratio(result) == pytest.approx(1.8)
    assert report.verdict(ROWS["resnet50"], result) == "hit"
    assert report.verdict(ROWS["two-layer"], result) == "miss"
    cells = report.ratio_cells(ROWS["resnet50"], result)
    assert cells[1:6] == ("1.6", "1.80", "500 ms", "900 ms", "compiled")


def test_what_memory_limits_must_reach_a_share_of_copy_bandwidth() -> None:
    row, result = ROWS["softmax"], {**contest(1.0, eager=2.0), "traffic": 100}
    assert report.verdict(row, {**result, "speeds": {"copy": 120.0, "triad": 120.0}}) == "hit"
    assert report.verdict(row, {**result, "speeds": {"copy": 130.0, "triad": 130.0}}) == "miss"
    assert report.ratio_cells(row, {**result, "speeds": {"copy": 125.0, "triad": 1.0}})[7] == "80%"


def test_durations_have_three_digits() -> None:
    assert [report.duration(t) for t in (4.7e-4, 5.6e-3, 0.0561, 0.858, 1.25, 12.5)] == [
        "470 us",
        "5.60 ms",
        "56.1 ms",
        "858 ms",
        "1.25 s",
        "12.5 s",
    ]


def test_figures_have_limits() -> None:
    row = ROWS["import"]
    assert report.figure_cells(row, {"value": 0.1}) == (row.title, "0.2 s", "0.1 s", "", "hit")
    assert report.verdict(row, {"value": 0.3}) == "miss"
    assert report.verdict(ROWS["peak-memory"], {"value": 0.3, "limit": 0.2}) == "miss"


def test_rows_without_a_result_say_why() -> None:
    row = ROWS["resnet50"]
    assert report.verdict(row, {"error": "SIGSEGV"}) == "failed: SIGSEGV"
    assert report.verdict(row, {"missing": "autocast"}) == "not there: autocast"
    assert report.verdict(row, contest(None, eager=1.0)) == "one side only"
    text = report.document([(row, {"error": "SIGSEGV"}), (ROWS["import"], {"error": "no memory"})])
    assert "| failed: SIGSEGV |" in text
    assert "| failed: no memory |" in text


def test_a_race_times_everybody() -> None:
    calls = {"a": 0, "b": 0}

    def runner(name: str) -> None:
        calls[name] += 1

    times = race({"a": lambda: runner("a"), "b": lambda: runner("b")}, budget=0.0, least=0.0, minimum=4)
    assert calls == {"a": 6, "b": 6}  # two that are not counted, and four turns
    assert all(t.turns == 4 and 0 < t.minimum <= t.median for t in times.values())


def test_neighbours_are_what_this_process_did_not_use(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, busy = iter([10.0, 20.0]), iter([(100.0, 5.0), (118.0, 14.0)])
    monkeypatch.setattr(measure.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(measure, "busy_cores", lambda: next(busy))
    result: dict[str, Any] = {}
    with measure.watch_neighbours(result):
        pass
    assert result == {"others": pytest.approx(0.9)}


def test_neither_hit_nor_miss_counts_in_a_crowd() -> None:
    row, result = ROWS["resnet50"], contest(0.5, eager=1.0)
    assert report.verdict(row, {**result, "others": 0.1}) == "hit"
    assert report.verdict(row, {**result, "others": 0.9}) == "hit? others kept 0.9 cores busy"
    assert report.verdict(ROWS["import"], {"value": 0.6, "others": 1.4}) == "miss? others kept 1.4 cores busy"


def test_tiny_sizes_have_no_verdict() -> None:
    assert report.verdict(ROWS["resnet50"], {**contest(0.5, eager=1.0), "quick": True}) == "tiny sizes"
    assert report.verdict(ROWS["resnet50"], {"error": "SIGSEGV", "quick": True}) == "failed: SIGSEGV"


def test_a_row_runs_in_a_process_of_its_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    options = ["--quick", "--only", "ours", "--no-compile", "--budget", "0.01", "--json", str(tmp_path / "all.json")]
    assert main(["compiler", "matmul-thin", *options]) == 0
    output = capsys.readouterr().out
    assert "| matmul 64x1000x100 | 1.5 |" in output
    assert "| tiny sizes |" in output
    assert '"median"' in (tmp_path / "all.json").read_text()


def test_a_row_that_breaks_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = compiler.run_child("no-such-row", Options(), 60.0, tmp_path)
    assert "KeyError: 'no-such-row'" in found["error"]
    assert "no result within" in compiler.run_child("matmul-thin", Options(), 0.01, tmp_path)["error"]
    monkeypatch.setattr(compiler, "run_child", lambda *_: {"error": "SIGSEGV"})
    assert compiler.run([ROWS["import"]], Options(quick=True), 1.0, None) == 1


def test_a_crash_names_the_signal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\necho '{MARK}{{}}'\nkill -ABRT $$\n")
    script.chmod(0o700)
    monkeypatch.setattr(compiler.sys, "executable", str(script))
    assert "SIGABRT" in compiler.run_child("matmul-thin", Options(), 60.0, tmp_path)["error"]


def test_what_does_not_compile_is_remembered_until_retried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[str] = []

    def child(name: str, options: Options, *_: Any) -> dict[str, Any]:
        asked.append(options.probe)
        return {"error": "no result within 120 s"} if "last" in options.probe else {"compile": 25.0}

    monkeypatch.setattr(compiler, "run_child", child)
    row, skipped = ROWS["lenet5"], ("compiled channels-last",)
    skip, remarks = compiler.TorchCompiler(tmp_path, False).find_out(row, Options())
    assert skip == skipped
    assert remarks == ["compiled took 25 s to compile", "compiled channels-last: no result within 120 s"]
    assert compiler.TorchCompiler(tmp_path, False).find_out(row, Options())[0] == skipped
    assert asked == ["compiled", "compiled channels-last"]
    compiler.TorchCompiler(tmp_path, False, retry=True).find_out(row, Options())
    assert asked == ["compiled", "compiled channels-last", "compiled channels-last"]


def test_rows_are_found_by_name_or_beginning() -> None:
    assert [row.name for row in compiler.find_rows(["matmul5", "import"])] == ["matmul512", "import"]
    assert [row.name for row in compiler.find_rows(["two-layer"])] == ["two-layer"]
    assert len(compiler.find_rows([])) == len(ROWS)
    with pytest.raises(KeyError, match="no row is called 'x'"):
        compiler.find_rows(["x"])


def test_every_row_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in ROWS)


def test_figures_are_measured_in_fresh_processes() -> None:
    assert ask("import", "json")["value"] > 0
    with pytest.raises(RuntimeError, match="the process for nothing ended"):
        ask("nothing")
