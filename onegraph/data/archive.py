"""Tar archives of images: read where they lie, without unpacking them to disk, and unpacked safely where files are needed.

A plain archive is read at the places of its members, in any process; of a compressed one the members, which are
compressed images, are kept in memory. Read next: `folder.py`, whose classes it shares.
"""

from __future__ import annotations

import os
import stat
import tarfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any, Final

from onegraph.data.folder import ImageFolder
from onegraph.errors import DataError

MOST_BYTES: Final = 4 << 30
"""Most content that is taken out of an archive by default."""
_CHUNK: Final = 1 << 20
_SUFFIXES: Final = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


def is_archive(path: str | os.PathLike[str]) -> bool:
    """Whether a path ends as tar archives do.

    >>> is_archive("photos.tar.xz"), is_archive("photos")
    (True, False)
    """
    return os.fspath(path).lower().endswith(_SUFFIXES)


class TarFiles:
    """The files in a tar archive, by name.

    Args:
        path: the archive, plain or compressed with gzip, bzip2 or xz.
        max_bytes: most content of a compressed archive, which is kept in memory.

    Raises:
        DataError: missing, damaged, no archive, or too large.
    """

    def __init__(self, path: str | os.PathLike[str], max_bytes: int = MOST_BYTES) -> None:
        self.path = os.fspath(path)
        self._places: dict[str, tuple[int, int]] = {}
        self._content: bytes | None = None
        try:
            with tarfile.open(self.path, "r:*") as archive:
                compressed = archive.fileobj is not None and not _is_plain(self.path)
                self._index(archive, compressed, max_bytes)
        except (OSError, EOFError, tarfile.TarError, ValueError) as error:
            raise DataError(f"{self.path}: no tar archive that can be read: {error}") from error
        except Exception as error:  # lzma and zlib have errors of their own
            if isinstance(error, DataError):
                raise
            raise DataError(f"{self.path}: the archive is truncated or corrupt: {error}") from error

    def _index(self, archive: tarfile.TarFile, compressed: bool, max_bytes: int) -> None:
        parts: list[bytes] = []
        end = 0
        for member in archive:
            if not member.isfile() or member.issparse():
                continue
            if not compressed:
                self._places[_clean(member.name)] = (member.offset_data, member.size)
                continue
            if end + member.size > max_bytes:
                raise DataError(
                    f"{self.path}: more than max_bytes={max_bytes:,} of content", hint="unpack it to a folder"
                )
            file = archive.extractfile(member)
            content = file.read(member.size) if file is not None else b""
            if len(content) != member.size:
                raise DataError(f"{self.path}: truncated in {member.name}")
            parts.append(content)
            self._places[_clean(member.name)] = (end, member.size)
            end += member.size
        self._content = b"".join(parts) if compressed else None

    def names(self) -> list[str]:
        """The names of the files, sorted."""
        return sorted(self._places)

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            DataError: no such file in it, or the archive changed.
        """
        if name not in self._places:
            raise DataError(f"{self.path}: no {name} in it")
        start, size = self._places[name]
        if self._content is not None:
            return self._content[start : start + size]
        try:
            with open(self.path, "rb") as file:  # opened anew each time: processes must not share a position
                content = os.pread(file.fileno(), size, start)
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read: {error.strerror}") from error
        if len(content) != size:
            raise DataError(f"{self.path}: truncated in {name}")
        return content


def _is_plain(path: str) -> bool:
    with open(path, "rb") as file:
        start = file.read(6)
    return not start.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00"))


def _clean(name: str) -> str:
    return str(PurePosixPath(name))


class TarImageFolder(ImageFolder):
    """An `ImageFolder` inside a tar archive.

    Args:
        files: the archive, opened by `TarFiles`, or its path.
        folder: the folder in it that holds one folder a class; "" for the top.
        options: those of `ImageFolder`.
    """

    def __init__(self, files: TarFiles | str | os.PathLike[str], folder: str = "", **options: Any) -> None:
        self.files = files if isinstance(files, TarFiles) else TarFiles(files)
        self.folder = folder.strip("/")
        super().__init__(os.path.join(self.files.path, self.folder), **options)

    def find_classes(self, directory: str | os.PathLike[str]) -> tuple[list[str], dict[str, int]]:
        return numbered(classes_in(self.files, self.folder))

    def paths_of(self, name: str) -> list[str]:
        start = f"{self.folder}/{name}/" if self.folder else f"{name}/"
        return [f"{self.files.path}/{inside}" for inside in self.files.names() if inside.startswith(start)]

    def source(self, path: str) -> Any:
        return self.files.read(path[len(self.files.path) + 1 :])


def classes_in(files: TarFiles, folder: str = "") -> list[str]:
    """Names of the folders below a folder of an archive, sorted.

    Raises:
        DataError: there are none.
    """
    depth = len(PurePosixPath(folder).parts)
    parts = [PurePosixPath(name).parts for name in files.names()]
    inside = {p[depth] for p in parts if len(p) > depth + 1 and "/".join(p[:depth]) == folder and p[depth][0] != "."}
    if not inside:
        raise DataError(f"{os.path.join(files.path, folder)}: no folders of classes in it")
    return sorted(inside)


def numbered(classes: list[str]) -> tuple[list[str], dict[str, int]]:
    """Classes with their numbers by name."""
    return classes, {name: number for number, name in enumerate(classes)}


def extract_archive(
    path: str | os.PathLike[str], folder: str | os.PathLike[str], max_bytes: int = MOST_BYTES
) -> list[Path]:
    """Unpack the files of a tar or zip archive into a folder; returns their paths.

    Nothing is written outside of the folder, links and devices are refused, and so is more than `max_bytes`.

    Raises:
        DataError: damaged, no archive, unsafe, or too large.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                entries = [(e.filename, e.file_size, e) for e in archive.infolist() if not e.is_dir()]
                links = [e.filename for e in archive.infolist() if stat.S_ISLNK(e.external_attr >> 16)]
                return _write_all(path, folder, entries, links, max_bytes, archive.open)
        with tarfile.open(path, "r:*") as tar:
            members = tar.getmembers()
            files = [(m.name, m.size, m) for m in members if m.isfile()]
            others = [m.name for m in members if not m.isfile() and not m.isdir()]
            return _write_all(path, folder, files, others, max_bytes, tar.extractfile)
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{path}: no archive that can be unpacked: {error}") from error


def _write_all(
    path: Any, folder: Any, entries: list[tuple[str, int, Any]], others: list[str], max_bytes: int, open_entry: Any
) -> list[Path]:
    if others:
        raise DataError(f"{path}: holds links or devices ({', '.join(others[:3])}), which are refused")
    total = sum(size for _, size, _ in entries)
    if total > max_bytes:
        raise DataError(f"{path}: {total:,} bytes of content, more than max_bytes={max_bytes:,}")
    for name, _, _ in entries:
        inside = PurePosixPath(name.replace("\\", "/"))
        if inside.is_absolute() or ".." in inside.parts or ":" in name:
            raise DataError(f"{path}: {name!r} would be written outside of {folder}")
    written = []
    for name, size, entry in entries:
        target = Path(folder, *PurePosixPath(name).parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        left = size
        with open_entry(entry) as source, open(target, "wb") as file:
            while left and (chunk := source.read(min(_CHUNK, left))):
                file.write(chunk)
                left -= len(chunk)
        if left:
            raise DataError(f"{path}: truncated in {name}")
        written.append(target)
    return written
