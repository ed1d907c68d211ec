"""Writes `recorded.json`: what PyTorch answers to each expression. Run it where PyTorch (and torchvision) is installed.

python -m tests.surface.record
"""

from __future__ import annotations

import json
import sys

from tests.surface.names import FOLDER, answer, checks


def main() -> None:
    """Ask PyTorch everything."""
    import torch

    try:
        import torchvision
    except ImportError:
        torchvision = None
    path = FOLDER / "recorded.json"
    recorded = json.loads(path.read_text()) if path.exists() else {}
    for symbol, text in checks().items():
        if symbol.startswith("torchvision.") and torchvision is None:
            continue
        if "--torchvision" in sys.argv and not symbol.startswith("torchvision."):
            continue
        try:
            recorded[symbol] = answer(text, torch, torchvision)
        except Exception as error:
            print(symbol, repr(error)[:200], file=sys.stderr)
    known = {symbol: recorded[symbol] for symbol in sorted(recorded) if symbol in checks()}
    path.write_text("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in known.items()) + "\n}\n")


if __name__ == "__main__":
    main()
