"""Read event files: records with verified checksums, and the events in them.

A file whose last record is cut off (the writer was killed, or is still writing) is read up to there. Anything
else that is wrong is a `StorageError`. Read next: `writer.py`.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from onegraph.board import proto
from onegraph.board.records import FOOTER_SIZE, HEADER_SIZE, masked_crc32c
from onegraph.errors import StorageError
from onegraph.storage.filesystem import storage_error


@dataclass(frozen=True)
class Value:
    """One value of an event.

    Args:
        tag: its name.
        kind: scalar, histogram, image, text, or the name of another plugin (hparams, ...).
        content: the number; the dict of a histogram; the PNG bytes; the text; the raw message of the value.
    """

    tag: str
    kind: str
    content: Any


@dataclass(frozen=True)
class Event:
    """One event: seconds since 1970, step, the values, and whether it restarts the run at that step."""

    wall_time: float
    step: int
    values: tuple[Value, ...]
    restart: bool = False


def read_records(path: str | os.PathLike[str]) -> Iterator[bytes]:
    """The records of an event file, checksums verified; a cut off last record is left out.

    Raises:
        StorageError: when the file cannot be read, or a checksum does not fit.
    """
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            position = 0
            while len(header := file.read(HEADER_SIZE)) == HEADER_SIZE:
                (length,) = struct.unpack("<Q", header[:8])
                _verify(name, position, "length", header[:8], header[8:])
                if length > max(size, os.fstat(file.fileno()).st_size) - position - HEADER_SIZE - FOOTER_SIZE:
                    return
                content, footer = file.read(length), file.read(FOOTER_SIZE)
                if len(footer) < FOOTER_SIZE:
                    return
                _verify(name, position, "content", content, footer)
                position += HEADER_SIZE + length + FOOTER_SIZE
                yield content
    except StorageError:
        raise
    except OSError as error:
        raise storage_error(error, path, "read") from error


def read_events(path: str | os.PathLike[str]) -> Iterator[Event]:
    """The events of an event file.

    Raises:
        StorageError: when the file cannot be read, is damaged, or holds something else than events.

    Example:
        >>> import tempfile
        >>> from onegraph.board import SummaryWriter
        >>> with SummaryWriter(tempfile.mkdtemp()) as writer:
        ...     writer.add_scalar("loss", 0.5, 3)
        >>> version, loss = read_events(writer.path)
        >>> loss.step, loss.values
        (3, (Value(tag='loss', kind='scalar', content=0.5),))
    """
    for number, record in enumerate(read_records(path)):
        try:
            yield _event(record)
        except (ValueError, TypeError, KeyError, AttributeError, struct.error) as error:
            raise StorageError(
                f"cannot read {os.fspath(path)!r}: record {number} is not an event ({error})",
                hint="the file is damaged or no event file",
            ) from error


def _verify(name: str, position: int, part: str, data: bytes, expected: bytes) -> None:
    if struct.pack("<I", masked_crc32c(data)) != expected:
        raise StorageError(
            f"cannot read {name!r}: the {part} of the record at byte {position} does not fit its checksum",
            hint="the file is damaged or no event file",
        )


def _fields(data: Any) -> dict[int, Any]:
    """The last value of each field; enough for messages without repeated fields."""
    return dict(proto.fields(data))


def _double(data: bytes) -> float:
    return float(struct.unpack("<d", data)[0])


def _event(record: bytes) -> Event:
    content = _fields(record)
    step = content.get(2, 0)
    values = tuple(_value(item) for number, item in proto.fields(content.get(5, b"")) if number == 1)
    restart = 7 in content and _fields(content[7]).get(1) == 1
    return Event(_double(content.get(1, bytes(8))), step - (1 << 64) if step >> 63 else step, values, restart)


def _value(data: Any) -> Value:
    content = _fields(data)
    tag = content.get(1, b"").decode("utf-8")
    if 2 in content:
        return Value(tag, "scalar", float(struct.unpack("<f", content[2])[0]))
    if 4 in content:
        return Value(tag, "image", _fields(content[4])[4])
    if 5 in content:
        return Value(tag, "histogram", _histogram(_fields(content[5])))
    plugin = _fields(_fields(content[9])[1])
    name = plugin[1].decode("utf-8")
    if name == "text":
        return Value(tag, name, _fields(content[8])[8].decode("utf-8"))
    if name == "scalars":
        tensor = _fields(content[8])
        number = _double(tensor[6]) if 6 in tensor else float(struct.unpack("<f", tensor[5])[0])
        return Value(tag, "scalar", number)
    return Value(tag, name, data)


def _histogram(content: dict[int, Any]) -> dict[str, Any]:
    names = ("min", "max", "num", "sum", "sum_squares")
    result: dict[str, Any] = {
        name: _double(content.get(number, bytes(8))) for number, name in enumerate(names, start=1)
    }
    result["bucket_limit"] = np.frombuffer(content.get(6, b""), "<f8").tolist()
    result["bucket"] = np.frombuffer(content.get(7, b""), "<f8").tolist()
    return result
