"""What the file system offers and refuses: typed errors, locks that die with their process, syncing, swaps.

Private to this folder, except for `storage_error`. Read next: `atomic.py`, which is built from these pieces.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from onegraph.errors import StorageError

try:
    import fcntl
except ImportError:  # Windows: leftovers of killed processes are then kept rather than guessed about
    fcntl = None  # type: ignore[assignment]

# Being written, or about to be deleted: never worth keeping once its writer is dead.
TEMPORARY_SUFFIX = ".onegraph-tmp"

# Opens a file or a folder, never follows a link, never waits for the other end of a pipe.
_READ_ENTRY = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NOT_SUPPORTED = (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.ENOSYS)
_REASONS: dict[int | None, tuple[str, str]] = {
    errno.ENOSPC: ("the disk is full", "free space on that disk or write to another one"),
    errno.EDQUOT: ("the disk quota is used up", "free space or write to another disk"),
    errno.EFBIG: ("the file would be larger than allowed", "raise the file size limit (ulimit -f)"),
    errno.EROFS: ("the file system is read-only", "write to a folder on a writable file system"),
    errno.EACCES: ("permission denied", "choose a folder you may write to, or change its permissions"),
    errno.EPERM: ("permission denied", "choose a folder you may write to, or change its permissions"),
    errno.ENOENT: ("no such file or folder", "check the path; its parent folder must exist"),
    errno.ENOTDIR: ("a part of the path is a file, not a folder", "check the path"),
    errno.EISDIR: ("it is a folder, not a file", "give the name of a file"),
    errno.ENAMETOOLONG: ("the name is too long", "use a shorter name"),
    errno.EIO: ("the disk reported an input/output error", "check the disk; do not trust what is on it"),
}


def storage_error(error: OSError, path: str | os.PathLike[str], action: str) -> StorageError:
    """Turn an `OSError` into a `StorageError` that says what failed, on which file, why, and what to do.

    Args:
        error: what the operating system reported.
        path: the file or folder the user named.
        action: what was being done, as a verb ("write", "read").

    Example:
        >>> error = storage_error(OSError(errno.ENOSPC, ""), "model.safetensors", "write")
        >>> error.message
        "cannot write 'model.safetensors': the disk is full"
    """
    reason, hint = _REASONS.get(error.errno, (error.strerror or str(error), None))
    result = StorageError(f"cannot {action} {os.fspath(path)!r}: {reason}", hint=hint)
    result.errno = error.errno
    return result


def remove_abandoned(folder: Path) -> None:
    """Delete temporary files and folders whose writer is dead: a live one holds a lock, gone with it."""
    for name in list_names(folder):
        if not (name.startswith(".") and name.endswith(TEMPORARY_SUFFIX)):
            continue
        path = folder / name
        try:
            descriptor = os.open(path, _READ_ENTRY)
        except OSError:
            continue
        try:
            if _try_lock(descriptor) is True and _is_at(descriptor, path):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink()
        except OSError:
            continue  # litter that cannot be deleted must not stop the work
        finally:
            os.close(descriptor)


def exchange(first: Path, second: Path) -> bool:
    """Swap two names in one step. False where the system or the file system cannot."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):  # macOS, musl, Windows
        return False
    names = (ctypes.c_char_p(os.fsencode(first)), ctypes.c_char_p(os.fsencode(second)))
    directory = ctypes.c_int(_AT_FDCWD)
    if renameat2(directory, names[0], directory, names[1], ctypes.c_uint(_RENAME_EXCHANGE)) == 0:
        return True
    code = ctypes.get_errno()
    if code in _NOT_SUPPORTED:
        return False
    raise OSError(code, os.strerror(code))


def create_locked(target: Path, create: Callable[[Path], int]) -> tuple[Path, int]:
    """A new temporary file or folder beside `target`, locked against `remove_abandoned` of others.

    Returns:
        Its path, and the descriptor to close when done (-1 where folders cannot be opened).
    """
    while True:
        path = hidden_name(target, TEMPORARY_SUFFIX)
        descriptor = create(path)
        if descriptor < 0 or (_try_lock(descriptor) is not False and _is_at(descriptor, path)):
            return path, descriptor
        os.close(descriptor)  # someone cleaning up got hold of it before it was locked


def open_new_file(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)


def make_new_directory(path: Path) -> int:
    while True:
        os.mkdir(path)
        if sys.platform == "win32":
            return -1
        with suppress(FileNotFoundError):  # deleted by someone cleaning up before it could be locked
            return os.open(path, os.O_RDONLY | os.O_DIRECTORY)


def _try_lock(descriptor: int) -> bool | None:
    """True: locked. False: held by a living process. None: this file system cannot tell."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except OSError:
        return False


class Identity(NamedTuple):
    """What changes when a folder is replaced."""

    is_folder: bool
    device: int
    inode: int
    modified: int


def identity(path: Path) -> Identity | None:
    """Which file or folder has that name now; None when there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return Identity(stat.S_ISDIR(status.st_mode), status.st_dev, status.st_ino, status.st_mtime_ns)


@contextmanager
def keep_alive(folder: Path) -> Iterator[None]:
    """Hold the folder open, so that its inode number is not given to a new one should it be deleted."""
    descriptor = -1
    with suppress(OSError):  # Windows opens no folders
        descriptor = os.open(folder, _READ_ENTRY)
    try:
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def resolve(path: str | os.PathLike[str]) -> Path:
    return Path(os.path.realpath(path))


def hidden_prefix(target: Path) -> str:
    name = target.name
    if len(os.fsencode(name)) > 200:  # file systems allow 255 bytes, and ours are added
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:40]
    return f".{name}."


def hidden_name(target: Path, suffix: str) -> Path:
    return target.parent / f"{hidden_prefix(target)}{secrets.token_hex(8)}{suffix}"


def list_names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def copy_mode(source: Path, destination: Path) -> None:
    """Keep the permissions of what is replaced: a private file must not become public."""
    with suppress(OSError):
        os.chmod(destination, os.stat(source).st_mode & 0o777)


def is_disk_full(error: BaseException | None) -> bool:
    return isinstance(error, OSError) and not isinstance(error, StorageError) and error.errno in _DISK_FULL


def sync_directory(folder: Path) -> None:
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED:
            raise
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Sync every file below, then the folders from the inside out."""
    for root, _, files in os.walk(folder, topdown=False):
        for name in files:
            path = Path(root, name)
            if path.is_symlink():
                continue
            descriptor = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_directory(Path(root))
