"""Protocol buffers by hand: the wire format, and the few messages that TensorBoard reads.

A message is a sequence of fields, each a key (number and wire type) and a value. Field numbers are those of
TensorFlow's event.proto, summary.proto, tensor.proto and TensorBoard's hparams plugin_data.proto, api.proto.

Read next: `summary.py`, which fills the messages; `reader.py`, which takes them apart.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_DT_FLOAT, _DT_DOUBLE, _DT_STRING = 1, 2, 7

HParam = bool | float | str | None


def varint(value: int) -> bytes:
    """Seven bits a byte, lowest first; negative numbers as their 64-bit two's complement.

    >>> varint(300).hex()
    'ac02'
    """
    value &= 0xFFFFFFFFFFFFFFFF
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def integer(number: int, value: int) -> bytes:
    """A field holding an int32, int64, bool or enum."""
    return varint(number << 3 | VARINT) + varint(value)


def double(number: int, value: float) -> bytes:
    """A field holding a double."""
    return varint(number << 3 | FIXED64) + struct.pack("<d", value)


def single(number: int, value: float) -> bytes:
    """A field holding a float; numbers beyond its range become infinite."""
    with np.errstate(over="ignore"):
        return varint(number << 3 | FIXED32) + np.array(value, "<f4").tobytes()


def message(number: int, *parts: bytes | str) -> bytes:
    """A field holding bytes, a string, or a message made of `parts`."""
    content = b"".join(part.encode("utf-8", "replace") if isinstance(part, str) else part for part in parts)
    return varint(number << 3 | BYTES) + varint(len(content)) + content


def doubles(number: int, values: Any) -> bytes:
    """A field holding many doubles, packed."""
    return message(number, np.ascontiguousarray(values, "<f8").tobytes())


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Take a message apart: field numbers and raw values (an integer for a varint, else the bytes).

    Raises:
        ValueError: when the bytes are no message.

    Example:
        >>> list(fields(integer(2, 300) + message(5, "ab")))
        [(2, 300), (5, b'ab')]
    """
    position = 0
    while position < len(data):
        key, position = _read_varint(data, position)
        wire_type = key & 7
        if wire_type == VARINT:
            value, position = _read_varint(data, position)
            yield key >> 3, value
            continue
        if wire_type == BYTES:
            size, position = _read_varint(data, position)
        elif wire_type in (FIXED64, FIXED32):
            size = 8 if wire_type == FIXED64 else 4
        else:
            raise ValueError(f"unknown wire type {wire_type}")
        if size > len(data) - position:
            raise ValueError("a field is longer than its message")
        yield key >> 3, data[position : position + size]
        position += size


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise ValueError("a number is cut off")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, position
    raise ValueError("a number has more than ten bytes")


def event(wall_time: float, step: int | None = None, content: bytes = b"") -> bytes:
    """Event: when, at which step, and one of the contents below."""
    return double(1, wall_time) + (b"" if step is None else integer(2, step)) + content


def file_version() -> bytes:
    """Content of the first event of every file."""
    return message(3, "brain.Event:2")


def session_start() -> bytes:
    """Content that tells TensorBoard to forget events of earlier files from this step on."""
    return message(7, integer(1, 1))


def summary(*values: bytes) -> bytes:
    """Content that carries values."""
    return message(5, *values)


def _plugin(name: str, content: bytes = b"") -> bytes:
    return message(9, message(1, message(1, name), message(2, content)))


def _tensor(dtype: int, shape: Sequence[int], content: bytes) -> bytes:
    dimensions = b"".join(message(2, integer(1, size)) for size in shape)
    return message(8, integer(1, dtype), message(2, dimensions), content)


def simple_value(tag: str, value: float) -> bytes:
    """A scalar in the older, compact form."""
    return message(1, message(1, tag), single(2, value))


def scalar_tensor(tag: str, value: float, double_precision: bool) -> bytes:
    """A scalar in the newer form, which can hold a double."""
    content = double(6, value) if double_precision else single(5, value)
    tensor = _tensor(_DT_DOUBLE if double_precision else _DT_FLOAT, (), content)
    return message(1, message(1, tag), tensor, _plugin("scalars"))


def histogram(tag: str, moments: Sequence[float], limits: Any, counts: Any) -> bytes:
    """A histogram: min, max, number, sum, sum of squares; right edges of the buckets; counts."""
    parts = [double(number, value) for number, value in enumerate(moments, start=1)]
    return message(1, message(1, tag), message(5, *parts, doubles(6, limits), doubles(7, counts)))


def image(tag: str, height: int, width: int, channels: int, png: bytes) -> bytes:
    """An image as PNG; channels are 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA."""
    content = message(4, integer(1, height), integer(2, width), integer(3, channels), message(4, png))
    return message(1, message(1, tag), content)


def text(tag: str, content: str) -> bytes:
    """A text; TensorBoard renders it as Markdown."""
    tensor = _tensor(_DT_STRING, (1,), message(8, content))
    return message(1, message(1, tag), tensor, _plugin("text"))


def hparams_start(
    hparams: Mapping[str, HParam],
    metrics: Sequence[str],
    discrete: Mapping[str, Sequence[HParam]],
    start: float,
) -> tuple[bytes, bytes]:
    """The two values that open a session of the hparams plugin: which names exist, and the settings."""
    infos = b"".join(message(4, _hparam_info(name, value, discrete.get(name))) for name, value in hparams.items())
    metric_infos = b"".join(message(5, message(1, message(2, name))) for name in metrics)
    settings = b"".join(
        message(1, message(1, name), message(2, _struct_value(value))) for name, value in hparams.items()
    )
    return (
        _hparams_value("_hparams_/experiment", message(2, infos, metric_infos)),
        _hparams_value("_hparams_/session_start_info", message(3, settings, double(5, start))),
    )


def hparams_end(end: float) -> bytes:
    """The value that closes a session of the hparams plugin, as a success."""
    return _hparams_value("_hparams_/session_end_info", message(4, integer(1, 1), double(2, end)))


def _hparams_value(tag: str, content: bytes) -> bytes:
    # The plugin wants a tensor, and looks at its metadata alone: an empty one serves.
    return message(1, message(1, tag), _tensor(_DT_FLOAT, (0,), b""), _plugin("hparams", content))


def _hparam_info(name: str, value: HParam, domain: Sequence[HParam] | None) -> bytes:
    data_type = 1 if isinstance(value, str) else 2 if isinstance(value, bool) else 0 if value is None else 3
    parts = message(1, name) + integer(4, data_type)
    if domain is not None:
        parts += message(5, b"".join(message(1, _struct_value(item)) for item in domain))
    return parts


def _struct_value(value: HParam) -> bytes:
    """google.protobuf.Value"""
    if value is None:
        return integer(1, 0)
    if isinstance(value, bool):
        return integer(4, int(value))
    if isinstance(value, str):
        return message(3, value)
    return double(2, value)
