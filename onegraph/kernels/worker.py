"""A process that compiles kernels for another one: texts in, object files out. Started by `builder.py`.

It loads LLVM and `kernels/compile.py` and nothing else of onegraph, so that it starts in a fraction of a second.
Messages are pickles with their length before them; the pipes belong to the parent alone.
"""

from __future__ import annotations

import pickle
import struct
import sys
import types
from pathlib import Path
from typing import Any, BinaryIO


def send(stream: BinaryIO, message: Any) -> None:
    """Write one message."""
    body = pickle.dumps(message, protocol=5)
    stream.write(struct.pack("<q", len(body)) + body)
    stream.flush()


def receive(stream: BinaryIO) -> Any:
    """Read one message; EOFError when the other side has closed or died."""
    head = stream.read(8)
    if len(head) < 8:
        raise EOFError
    (length,) = struct.unpack("<q", head)
    body = stream.read(length)
    if len(body) < length:
        raise EOFError
    return pickle.loads(body)


def main() -> None:
    """Compile what comes until nothing comes any more. The first message is the target."""
    package = types.ModuleType("onegraph")  # so that importing a part does not import all of it
    package.__path__ = [str(Path(__file__).resolve().parents[1])]
    sys.modules["onegraph"] = package
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    try:
        sys.path[:] = receive(source)
        from onegraph.kernels.compile import compile_text

        target = receive(source)
        while True:
            text = receive(source)
            try:
                send(sink, compile_text(text, target))
            except RuntimeError:  # the parent compiles it once more, to raise the error where it belongs
                send(sink, None)
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        pass


if __name__ == "__main__":
    main()
