"""Object files on disk, by name: owner-only, checked when read, limited in size, safe with many processes.

A file is a magic line, the SHA-256 of the rest, and the rest. It is written under another name and renamed, so a reader
sees all of it or nothing. Whatever goes wrong with the disk, the answer is "not there", never an error.

Read next: `builder.py`, which asks here before it compiles.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
import threading
import time
import warnings
from pathlib import Path

from onegraph.config import settings

_MAGIC = b"onegraph object 2\n"
_HEAD = len(_MAGIC) + 32
_TOUCH_AFTER = 3600.0  # seconds: a hit renews the time of use only when it is older than this
_CHECK_EVERY = 64  # writes between two looks at the size of the folder
_OLD_TEMPORARY = 3600.0  # seconds after which a temporary file is what a killed process left


def _head(name: str, body: bytes) -> bytes:
    """What stands before a content: its checksum with its name, since the code of another kernel is as bad as damage."""
    return _MAGIC + hashlib.sha256(name.encode() + b"\0" + body).digest()


class DiskCache:
    """A folder of object files.

    Args:
        folder: made when it is missing. It must belong to this user and be writable by nobody else.
        limit: bytes of all files together; the least recently used go first.

    >>> import tempfile
    >>> cache = DiskCache(tempfile.mkdtemp(), limit=1 << 20)
    >>> cache.put("name", b"code")
    >>> cache.get("name"), cache.get("other")
    (b'code', None)
    """

    def __init__(self, folder: str | os.PathLike[str], limit: int) -> None:
        self.folder = Path(folder)
        self.limit = limit
        self._writes = 0
        self._lock = threading.Lock()
        self.usable = self._prepare()

    def _prepare(self) -> bool:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = os.stat(self.folder)
        except OSError:
            return False
        if not stat.S_ISDIR(found.st_mode):
            return False
        if hasattr(os, "geteuid") and (found.st_uid != os.geteuid() or found.st_mode & 0o022):
            reason = "belongs to another user" if found.st_uid != os.geteuid() else "can be written to by other users"
            warnings.warn(
                f"compiled kernels are not kept on disk: the folder {self.folder} {reason}. "
                f"Choose another (setting cache_folder, ONEGRAPH_CACHE_FOLDER) or run chmod 700 on it",
                stacklevel=2,
            )
            return False
        return True

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.o"

    def get(self, name: str) -> bytes | None:
        """The content of a file, or None. A damaged one is deleted."""
        if not self.usable:
            return None
        path = self._path(name)
        try:
            with open(path, "rb") as file:
                content = file.read()
                age = time.time() - os.fstat(file.fileno()).st_mtime
        except OSError:
            return None
        body = content[_HEAD:]
        if content[:_HEAD] != _head(name, body):
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        if age > _TOUCH_AFTER:
            with contextlib.suppress(OSError):
                os.utime(path)
        return body

    def has(self, name: str) -> bool:
        """Whether there is a file of that name; it may still turn out to be damaged."""
        return self.usable and self._path(name).exists()

    def put(self, name: str, body: bytes) -> None:
        """Keep a content under a name."""
        if not self.usable:
            return
        temporary = None
        try:
            descriptor, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=self.folder)  # mode 0600
            with os.fdopen(descriptor, "wb") as file:
                file.write(_head(name, body) + body)
            os.replace(temporary, self._path(name))
        except OSError:  # disk full, read-only, folder gone
            if temporary is not None:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
            return
        with self._lock:
            self._writes += 1
            look = self._writes % _CHECK_EVERY == 1
        if look:
            self.shrink()

    def shrink(self) -> None:
        """Delete the files that were not used for longest until the rest is within the limit, with some room."""
        files = []
        now = time.time()
        try:
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    with contextlib.suppress(OSError):  # another process may have deleted it
                        found = entry.stat(follow_symlinks=False)
                        if entry.name.endswith(".o"):
                            files.append((found.st_mtime, found.st_size, entry.path))
                        elif entry.name.endswith(".part") and now - found.st_mtime > _OLD_TEMPORARY:
                            os.unlink(entry.path)
        except OSError:
            return
        total = sum(size for _, size, _ in files)
        if total <= self.limit:
            return
        for _, size, path in sorted(files):
            with contextlib.suppress(OSError):
                os.unlink(path)
            total -= size
            if total <= self.limit * 3 // 4:
                break


_opened: dict[tuple[str, int], DiskCache] = {}


def disk_cache() -> DiskCache | None:
    """The cache that the settings choose, or None when it is switched off."""
    if not settings.cache:
        return None
    key = (settings.cache_folder, settings.cache_bytes)
    cache = _opened.get(key)
    if cache is None:
        cache = _opened[key] = DiskCache(Path(settings.cache_folder).expanduser() / "kernels", settings.cache_bytes)
    return cache
