"""Coverage-guided fuzzing of the readers of files: `python -m tests.fuzz.files FORMAT [--seconds 60]` (extra `fuzz`, Linux).

FORMAT is one of `tests/hostile/formats.py`; of a folder's files one is named, as in `model/graph.txt`. It begins with a small valid file.
Anything but a value or a typed error ends the run, and the file that did it is kept as `crash-...` in the folder of the corpus.
Read next: `tests/hostile/harness.py`, which needs no atheris.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

INSTRUMENTED = [
    "onegraph.storage",
    "onegraph.interop",
    "onegraph.data",
    "onegraph.onnx",
    "onegraph.keras",
    "onegraph.ir",
]


def main() -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("format")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path, help="kept from run to run; a new folder by default")
    options = parser.parse_args()
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED):
        from tests.hostile import formats
    from onegraph.errors import OneGraphError

    warnings.simplefilter("ignore")  # what other libraries say of damaged files
    name, _, part = options.format.partition("/")
    kind = formats.FORMATS[name]
    if bool(part) != bool(kind.files) or (part and part not in kind.files):
        parser.error(f"one of {', '.join(f'{name}/{f}' for f in kind.files) or name}")
    work = Path(tempfile.mkdtemp())
    corpus = options.corpus or work / "corpus"
    corpus.mkdir(exist_ok=True, parents=True)
    target = work / "target"
    kind.write(target)
    victim = target / part if part else target
    shutil.copy(victim, corpus / "valid")

    def one_input(data: bytes) -> Any:
        victim.write_bytes(data)
        try:
            kind.read(target)
        except OneGraphError:
            return

    limits = [f"-max_total_time={options.seconds}", "-timeout=20", "-rss_limit_mb=2048", f"-artifact_prefix={corpus}/"]
    atheris.Setup([sys.argv[0], *limits, str(corpus)], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
