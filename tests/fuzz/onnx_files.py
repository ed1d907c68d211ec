"""An atheris target: any bytes as an ONNX model end in a model or in a typed error.

    pip install onegraph[onnx,fuzz]
    python -m tests.fuzz.onnx_files -max_total_time=600 CORPUS_FOLDER

The corpus may be empty; files of `og.onnx.export` are good to begin with. Read next: `tests/onnx/test_hostile.py`.
"""

from __future__ import annotations

import sys


def one_input(data: bytes) -> None:
    """Read a model; anything but a typed error ends the run."""
    import onegraph as og
    from onegraph.errors import OneGraphError

    try:
        og.onnx.load(data)
    except OneGraphError:
        return


def main() -> None:
    """Run atheris with the options of the command line."""
    import atheris

    with atheris.instrument_imports(include=["onegraph.onnx"]):
        import onegraph.onnx  # noqa: F401
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
