"""Where the files inside a zip archive lie, checked so that none overlaps another or leaves the archive.

Only stored entries are taken, as `torch.save` writes them: what is not compressed cannot explode. The layout is that of
PKWARE's APPNOTE.TXT 6.3, sections 4.3.7 (local header), 4.3.12 (directory), 4.3.14 to 4.3.16 (its end) and 4.5.3 (zip64).
Read next: `pytorch_reader.py`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

from onegraph.interop.pickle_machine import Refused

_LOCAL: Final = struct.Struct("<4s5H3L2H")
_DIRECTORY: Final = struct.Struct("<4s6H3L5H2L")
_END: Final = struct.Struct("<4s4H2LH")
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR: Final = struct.Struct("<4sLQL")
_MAX_DIRECTORY: Final = 64 << 20  # bytes; enough for half a million tensors
_FULL: Final = 0xFFFFFFFF
_DAMAGED: Final = "the file is damaged, truncated, or no zip archive"


@dataclass(frozen=True)
class Entry:
    """One file inside: where its bytes are, and their CRC-32 (0: not computed)."""

    name: str
    start: int
    size: int
    crc: int


def read_entries(content: Any) -> dict[str, Entry]:
    """The files of an archive by name.

    Args:
        content: the bytes of the archive, or a memory map of it.

    Raises:
        Refused: it is damaged, compressed or encrypted, or entries overlap.
    """
    try:
        start, size, count = _find_directory(content)
        return _check(content, _read_directory(content, start, size, count))
    except (struct.error, UnicodeDecodeError) as error:
        raise Refused(f"its directory is damaged ({error})", _DAMAGED) from error


def _find_directory(content: Any) -> tuple[int, int, int]:
    """Start, bytes and number of entries of the directory, from the record at the end of the file."""
    tail = max(0, len(content) - _END.size - 0xFFFF)
    at = content.rfind(b"PK\5\6", tail)
    if at < 0:
        raise Refused("the directory at the end of the archive is missing", _DAMAGED)
    _, disk, _, _, count, size, start, _ = _END.unpack_from(content, at)
    if at >= _LOCATOR.size and (start == _FULL or size == _FULL or count == 0xFFFF):
        mark, _, at64, _ = _LOCATOR.unpack_from(content, at - _LOCATOR.size)
        if mark == b"PK\6\7" and at64 + _END64.size <= at:
            mark, _, _, _, disk, _, _, count, size, start = _END64.unpack_from(content, at64)
            if mark != b"PK\6\6":
                raise Refused("the directory at the end of the archive is damaged", _DAMAGED)
    if disk or start + size > at or size > _MAX_DIRECTORY:
        raise Refused("the directory at the end of the archive is damaged", _DAMAGED)
    return start, size, count


def _read_directory(content: Any, start: int, size: int, count: int) -> list[tuple[Entry, int]]:
    """Every entry with the position of its local header; its own start is not known yet."""
    found = []
    text = bytes(content[start : start + size])
    at = 0
    for _ in range(count):
        (mark, _, _, flags, method, _, _, crc, packed, plain, name_size, extra_size, comment_size, _, _, _, header) = (
            _DIRECTORY.unpack_from(text, at)
        )
        at += _DIRECTORY.size
        name = text[at : at + name_size].decode("utf-8")
        extra = text[at + name_size : at + name_size + extra_size]
        at += name_size + extra_size + comment_size
        if mark != b"PK\1\2" or at > size:
            raise Refused("an entry of the archive's directory is damaged", _DAMAGED)
        if flags & 1:
            raise Refused(f"its part {name[:200]!r} is encrypted")
        plain, packed, header = _wide(extra, plain, packed, header)
        if method != 0 or plain != packed:
            raise Refused(
                f"its part {name[:200]!r} is compressed, which torch.save never does",
                "unpack it and pack it again without compression: zip -0 -r",
            )
        found.append((Entry(name, 0, plain, crc), header))
    return found


def _wide(extra: bytes, *values: int) -> list[int]:
    """Numbers of which those that do not fit 32 bits stand in the zip64 field."""
    result, at = list(values), 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, at)
        at += 4
        if kind == 1:
            inside = at
            for i, value in enumerate(values):
                if value == _FULL:
                    (result[i],) = struct.unpack_from("<Q", extra, inside)
                    inside += 8
            break
        at += size
    return result


def _check(content: Any, found: list[tuple[Entry, int]]) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    position = 0
    for entry, header in sorted(found, key=lambda pair: pair[1]):
        if header < position or header + _LOCAL.size > len(content):
            raise Refused(f"its part {entry.name[:200]!r} overlaps another one", _DAMAGED)
        mark, _, _, method, *_, name_size, extra_size = _LOCAL.unpack_from(content, header)
        name_at = header + _LOCAL.size
        start = name_at + name_size + extra_size
        if mark != b"PK\3\4" or method != 0 or content[name_at : name_at + name_size] != entry.name.encode():
            raise Refused(f"its part {entry.name[:200]!r} does not fit the directory", _DAMAGED)
        if start + entry.size > len(content) or entry.name in entries:
            raise Refused(f"its part {entry.name[:200]!r} is truncated or there twice", _DAMAGED)
        position = start + entry.size
        entries[entry.name] = Entry(entry.name, start, entry.size, entry.crc)
    return entries
