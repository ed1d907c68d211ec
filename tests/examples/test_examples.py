"""Every example runs as a script and says something sensible."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

import onegraph as og

FOLDER = Path(__file__).resolve().parents[2] / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))
LONG = ("image_classifier", "language_model")  # run below with less to do
SHORT = {"lenet_digits": ["1"], "fine_tune": ["1"]}  # arguments that keep a test short


def _losses(text: str) -> list[float]:
    return [float(v) for v in re.findall(r"loss (\d+\.\d+)", text)]


@pytest.mark.parametrize("path", [p for p in EXAMPLES if p.stem not in LONG], ids=lambda p: p.stem)
def test_example_runs(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(og.config.settings, "backend", og.config.settings.backend)  # one of them changes it
    monkeypatch.setattr(sys, "argv", [str(path), *SHORT.get(path.stem, [])])
    np.random.seed(0)
    og.manual_seed(0)
    runpy.run_path(str(path), run_name="__main__")
    assert capsys.readouterr().out.strip()


def test_there_are_examples_and_each_is_listed() -> None:
    listed = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert len(EXAMPLES) >= 6
    assert [p.name for p in EXAMPLES if p.name not in listed] == []


def test_eager_and_traced_agree(capsys: pytest.CaptureFixture[str]) -> None:
    names = runpy.run_path(str(FOLDER / "eager101.py"))
    results = []
    for function in (names["by_hand"], names["by_hand_traced"]):
        og.manual_seed(0)
        results.append(function(steps=5))
    losses = _losses(capsys.readouterr().out)
    assert results[0] == results[1] < losses[0]


def test_lenet_learns() -> None:
    assert runpy.run_path(str(FOLDER / "lenet_digits.py"))["main"](epochs=2) > 0.8


def test_language_model_learns_and_writes(capsys: pytest.CaptureFixture[str]) -> None:
    first, last = runpy.run_path(str(FOLDER / "language_model.py"))["main"](steps=12, width=32, layers=1)
    assert last < first - 0.3
    assert len(capsys.readouterr().out.partition("\nT")[2]) >= 20


def test_image_classifier_trains_and_saves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = runpy.run_path(str(FOLDER / "image_classifier.py"))
    names["draw_shapes"](tmp_path / "shapes", count=6)
    found = names["main"](tmp_path / "shapes", epochs=1, batch_size=6, workers=0)
    assert 0 <= found <= 1
    assert og.load_model("classifier").extra["classes"] == ["cross", "disk", "square"]


def test_custom_gradient_finds_the_line() -> None:
    assert runpy.run_path(str(FOLDER / "custom_gradient.py"))["main"]() == (3, -2)


def test_control_flow_learns_a_factor() -> None:
    assert 0.5 < runpy.run_path(str(FOLDER / "control_flow.py"))["main"]() < 1


def test_explain_and_profile_writes_what_it_says(tmp_path: Path) -> None:
    with og.config.using(backend="native"):
        times = runpy.run_path(str(FOLDER / "explain_and_profile.py"))["main"](tmp_path, batch=8)
    assert any("matmul" in name for name in times)
    assert {p.name for p in tmp_path.iterdir()} == {"plan.html", "trace.json"}
