"""Scripts as users write them, run in processes of their own."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("needs fork and its relatives", allow_module_level=True)


@pytest.mark.slow
def test_a_script_without_a_guard_may_have_threads_and_workers(tmp_path: Path) -> None:
    script = """
        import threading
        import numpy as np
        from onegraph.data import DataLoader, TensorDataset, numpy_collate
        print("started")
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        loader = DataLoader(TensorDataset(np.arange(4)), 2, num_workers=1, collate_fn=numpy_collate)
        print([batch[0].tolist() for batch in loader])
    """
    (tmp_path / "train.py").write_text(textwrap.dedent(script))
    done = subprocess.run(
        [sys.executable, "train.py"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["started", "[[0,", "1],", "[2,", "3]]"]
