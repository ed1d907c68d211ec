"""JSON files that notice damage: each carries a checksum of itself and of the files beside it.

Checksums find accidents (a truncated copy, a flipped bit). Whoever can write the files can also write checksums that
fit, so that readers still trust nothing they read.

Read next: `checkpoint.py` and `model.py`, which write such files.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NoReturn

from onegraph.errors import StorageError
from onegraph.storage.filesystem import storage_error

MAX_JSON: Final = 256 << 20
_MAX_PARTS: Final = 4_000_000  # bounds what a hostile file unfolds to in memory
_CHUNK: Final = 1 << 20


def damaged(path: str | os.PathLike[str], reason: str, hint: str | None = None) -> NoReturn:
    """Raise a StorageError for a file."""
    raise StorageError(f"cannot read {os.fspath(path)!r}: {reason}", hint=hint or "the file is damaged or incomplete")


def read_bytes(path: Path, limit: int, count: int = -1) -> bytes:
    """A regular file of at most `limit` bytes (or its first `count`); a StorageError that names it otherwise."""
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                damaged(path, "it is not a regular file")
            if status.st_size > limit:
                damaged(path, f"it has {status.st_size} bytes, more than the {limit} that it may have")
            return file.read(count if count >= 0 else status.st_size + 1)  # Python allocates what is asked for
    except StorageError:
        raise
    except OSError as error:
        raise storage_error(error, path, "read") from error


def checksum(path: Path) -> dict[str, Any]:
    """Size and SHA-256 of a file, as manifests list them."""
    digest, size = hashlib.sha256(), 0
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(descriptor, "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                damaged(path, "it is not a regular file")
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
    except StorageError:
        raise
    except OSError as error:
        raise storage_error(error, path, "read") from error
    return {"bytes": size, "sha256": digest.hexdigest()}


def to_json(value: Any) -> str:
    """The canonical text of a value: ASCII, without nan and inf, the same for equal values."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def from_json(text: str | bytes, path: str | os.PathLike[str]) -> Any:
    """The value of a text that may come from anybody; a StorageError that names the file."""

    def refuse(name: str) -> NoReturn:
        damaged(path, f"{name} is no JSON")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            damaged(path, "a key of its JSON is there twice")
        return found

    marks: Iterable[Any] = "{[," if isinstance(text, str) else (b"{", b"[", b",")
    if sum(text.count(mark) for mark in marks) > _MAX_PARTS:
        damaged(path, f"its JSON has more than {_MAX_PARTS} parts")
    try:
        return json.loads(text, parse_constant=refuse, object_pairs_hook=unique)
    except RecursionError:
        damaged(path, "its JSON is nested too deeply")
    except StorageError:
        raise
    except ValueError as error:  # also bad UTF-8, and numbers of thousands of digits
        damaged(path, f"it is no valid JSON ({error})")


def _self_checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(to_json({k: v for k, v in content.items() if k != "sha256"}).encode()).hexdigest()


def write_manifest(path: Path, content: dict[str, Any], files: Iterable[str]) -> None:
    """Write a JSON file that lists the checksums of files beside it, and its own."""
    content = {**content, "files": {name: checksum(path.parent / name) for name in files}}
    content["sha256"] = _self_checksum(content)
    lines = [f"{to_json(key)}: {to_json(value)}" for key, value in content.items()]  # a line each, for readers
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="ascii")


def read_manifest(path: Path, kind: str, version: int, files: set[str]) -> dict[str, Any]:
    """Read a file of `write_manifest` and check all files that it lists.

    Args:
        path: the JSON file.
        kind, version: its fields `format` and `version` must be these.
        files: the names that it must list, no more and no less.

    Raises:
        StorageError: naming the file that is missing, truncated, changed, or of another format.
    """
    content = from_json(read_bytes(path, MAX_JSON), path)
    if not isinstance(content, dict) or content.get("format") != kind:
        damaged(path, f"it is no {kind}", "check the path")
    if content.get("version") != version:
        damaged(
            path,
            f"it has version {str(content.get('version'))[:40]} of the format, this program reads version {version}",
            "use a newer onegraph",
        )
    try:
        own = _self_checksum(content)
    except (ValueError, RecursionError):  # a number that JSON has no text for
        own = ""
    if content.get("sha256") != own:
        damaged(path, "its content does not fit its checksum")
    listed = content.get("files")
    if not isinstance(listed, dict) or listed.keys() != files:
        damaged(path, f"it must list the files {', '.join(sorted(files))}")
    for name in sorted(files):
        found = checksum(path.parent / name)
        if found != listed[name]:
            wanted = listed[name].get("bytes") if isinstance(listed[name], dict) else None
            damaged(
                path.parent / name,
                f"it has {found['bytes']} bytes instead of {str(wanted)[:40]}"
                if found["bytes"] != wanted
                else "its content does not fit its checksum",
            )
    return content
