"""SciPy's and scikit-learn's functions take tensors and give tensors; what they cannot is listed, with the error.

Read next: `consumers.py`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/howto/scipy-and-scikit-learn.md"
ENVIRONMENT = {**os.environ, "SCIPY_ARRAY_API": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}

OTHERWISE = {
    # through code that is compiled for NumPy: the values are right, the result is no tensor
    "stats.kendalltau": "array", "stats.ks_2samp": "array", "stats.linregress": "array", "linalg.svd": "array",
    # need complex numbers
    "signal.hilbert": "complex128", "signal.fftconvolve": "complex128", "fft.fft": "complex128",
    # call functions of NumPy, or of array classes, that are neither in the standard nor on tensors
    "signal.welch": "np.pad", "stats.spearmanr": "np.apply_along_axis",
    "KMeans": "Cannot interpret", "LinearRegression": "expected a Tensor",
    "metrics.roc_auc_score": "positional argument", "metrics.roc_curve": "positional argument",
}  # fmt: skip


def _run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("library", ["scipy", "sklearn"])
def test_functions_of(library: str) -> None:
    pytest.importorskip("array_api_compat")
    pytest.importorskip("sklearn")
    lines = [line.split("\t") for line in _run("-m", "tests.array_api.consumers", library).splitlines()]
    assert len(lines) > 40
    wrong = {name: said for name, said in lines if OTHERWISE.get(name, "same") not in said}
    assert wrong == {}


def test_the_examples_of_the_page() -> None:
    pytest.importorskip("sklearn")
    blocks = re.findall(r"```py\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) >= 3
    _run("-c", "\n".join(blocks))


def test_the_page_names_what_does_not_work() -> None:
    text = PAGE.read_text()
    for name in OTHERWISE:
        assert name.rpartition(".")[2] in text, name
