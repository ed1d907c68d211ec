"""ONNX's own backend test suite, unmodified: `python -m tests.onnx.suite` runs all of it and prints what failed.

Read next: `test_suite.py`, `onegraph/onnx/backend.py`.
"""

from __future__ import annotations

import re
import sys
import time
import unittest
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

LIST = Path(__file__).with_name("failing.tsv")


def cases() -> dict[str, tuple[str, Any]]:
    """All tests by name: the category, and a function that runs it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, as the suite computes what it expects
        import onnx.backend.test

        import onegraph.onnx.backend as backend

        suite = onnx.backend.test.BackendTest(backend, __name__)
        found = {}
        for category, kind in suite.test_cases.items():
            for name in dir(kind):
                if name.startswith("test_") and name.endswith("_cpu"):
                    case = kind(name)
                    label = category.removeprefix("OnnxBackend").removesuffix("Test")
                    found[name] = (re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label), getattr(case, name))
    return found


def run(test: Any) -> str:
    """Nothing where a test passes, else why not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            test()
        except unittest.SkipTest as error:
            return f"skipped: {error}"
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return ""


def expected() -> dict[str, str]:
    """The tests that are known to fail, with the reasons."""
    lines = LIST.read_text().splitlines()[2:]
    return dict(line.split("\t") for line in lines)  # type: ignore[arg-type]


def main() -> int:
    """Run everything."""
    start, passed, every = time.monotonic(), Counter[str](), Counter[str]()
    failed = {}
    for name, (category, test) in cases().items():
        every[category] += 1
        problem = run(test)
        if problem:
            failed[name] = problem
        else:
            passed[category] += 1
    for category, count in every.items():
        print(f"{category:32} {passed[category]:5} of {count}")
    print(f"{'all':32} {sum(passed.values()):5} of {sum(every.values())} in {time.monotonic() - start:.0f} s")
    for name in sorted(failed.keys() ^ expected().keys()):
        print(
            f"{'failed, and is not listed' if name in failed else 'is listed, and passed'}: {name} {failed.get(name, '')[:300]}"
        )
    return int(failed.keys() != expected().keys())


if __name__ == "__main__":
    sys.exit(main())
