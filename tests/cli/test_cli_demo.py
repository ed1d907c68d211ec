"""What `make demo` runs, as it is run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.slow
def test_the_demo_classifies_98_percent_of_the_held_out_digits(call: Any, tmp_path: Path) -> None:
    result = call("train", "lenet5", "--out", tmp_path / "demo")
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "demo" / "result.json").read_text())
    assert report["test_accuracy"] >= 0.98
    example = result.stdout.splitlines()[-1].split()[-1]
    predicted = json.loads(call("predict", tmp_path / "demo" / "model", example, "--json").stdout)
    assert Path(example).stem.endswith(f"is-{predicted[0]['predictions'][0]['class']}")
