"""Write a file or a folder so that nobody ever sees half of it, whatever kills the process or the machine.

A file is written beside its target under a temporary name, synced, and renamed over the target. A folder is
built the same way and exchanged with the old one in one step (`renameat2` with RENAME_EXCHANGE), or, where
the system lacks that, by two renames that `recover` finishes or undoes.

Read next: `safetensors.py`, which writes through `atomic_write`.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, TypeVar

from onegraph.errors import StorageError
from onegraph.storage.filesystem import (
    TEMPORARY_SUFFIX,
    Identity,
    copy_mode,
    create_locked,
    exchange,
    hidden_name,
    hidden_prefix,
    identity,
    is_disk_full,
    keep_alive,
    list_names,
    make_new_directory,
    open_new_file,
    remove_abandoned,
    resolve,
    storage_error,
    sync_directory,
    sync_tree,
)

# A complete folder that a swap of two renames moved aside.
REPLACED_SUFFIX = ".onegraph-old"

_Result = TypeVar("_Result")
_ATTEMPTS = 1000  # each one means that another writer won a race in between


def atomic_write(path: str | os.PathLike[str]) -> AtomicFile:
    """Open a binary file that replaces `path` as a whole when the block ends, or not at all.

    Readers see the complete old content or the complete new content. If the block raises, or the process
    dies, the old file stays. Of two writers the one that finishes last wins. A symbolic link is followed.

    Args:
        path: the file to write; its folder must exist.

    Returns:
        A context manager that gives a writable binary file.

    Raises:
        StorageError: on a full or read-only disk, missing permission, or a missing folder.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "notes.txt"
        >>> with atomic_write(path) as file:
        ...     _ = file.write(b"complete")
        >>> path.read_bytes()
        b'complete'
    """
    return AtomicFile(path)


def atomic_directory(path: str | os.PathLike[str]) -> AtomicDirectory:
    """Build a folder that replaces `path` as a whole when the block ends, or not at all.

    The block gets an empty folder to fill. Everything in it is synced to disk before it takes the place of
    `path`; an old folder of that name is then deleted. Of two writers the one that finishes last wins; their
    files never mix. Readers should go through `read_directory`, or call `recover` first.

    Args:
        path: the folder to write; its parent must exist.

    Returns:
        A context manager that gives the `Path` of the folder to fill.

    Raises:
        StorageError: on a full or read-only disk, missing permission, a missing parent folder, or when
            `path` is a file.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "model"
        >>> with atomic_directory(path) as folder:
        ...     _ = (folder / "graph.txt").write_text("input x")
        >>> [file.name for file in path.iterdir()]
        ['graph.txt']
    """
    return AtomicDirectory(path)


def recover(path: str | os.PathLike[str]) -> None:
    """Finish or undo what a killed `atomic_directory(path)` left behind; delete leftovers of dead writers.

    Safe to call at any time, also while another process writes; does nothing where there is nothing to do.

    Args:
        path: the folder about to be read or written.

    Raises:
        StorageError: when a folder that was moved aside cannot be put back.
    """
    target = resolve(path)
    for _ in range(_ATTEMPTS):
        # The order matters: what stood aside before `target` was seen to exist is older than `target`.
        aside = _moved_aside(target)
        if os.path.lexists(target) or not aside:
            break
        try:
            os.rename(aside[-1], target)
        except (FileNotFoundError, FileExistsError):
            continue  # another reader or the writer was faster
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise storage_error(error, path, "restore") from error
    if os.path.lexists(target):
        for old in aside:
            _delete_aside(old)
    remove_abandoned(target.parent)


def read_directory(path: str | os.PathLike[str], load: Callable[[Path], _Result]) -> _Result:
    """Call `load(path)` and return its result, which is sure to come from one version of the folder.

    If a writer replaces the folder while `load` runs, what it read is thrown away and it runs again.

    Args:
        path: a folder written by `atomic_directory`.
        load: reads what it wants below the folder it is given.

    Raises:
        StorageError: when there is no such folder, or it is replaced faster than it can be read.

    Example:
        >>> import tempfile
        >>> read_directory(tempfile.mkdtemp(), lambda folder: len(list(folder.iterdir())))
        0
    """
    target = resolve(path)
    for attempt in range(100):
        recover(target)
        with keep_alive(target), suppress(_Replaced):
            before = identity(target)
            if before is not None:
                return _load_unchanged(Path(path), target, before, load)
        if attempt >= 10 and not os.path.lexists(target):
            raise StorageError(f"cannot read {os.fspath(path)!r}: no such folder", hint="check the path")
        time.sleep(0.001)  # a live writer may be between its two renames
    raise StorageError(f"cannot read {os.fspath(path)!r}: it was replaced 100 times while it was being read")


def delete_directory(path: str | os.PathLike[str]) -> None:
    """Delete a folder; nobody sees half of it, whatever kills the process.

    Raises:
        StorageError: when it cannot be deleted. One that is not there is no error.
    """
    target = resolve(path)
    doomed = hidden_name(target, TEMPORARY_SUFFIX)
    try:
        os.rename(target, doomed)
    except FileNotFoundError:
        return
    except OSError as error:
        raise storage_error(error, path, "delete") from error
    shutil.rmtree(doomed, ignore_errors=True)


class _Replaced(Exception):
    """The folder was replaced while it was read."""


def _load_unchanged(path: Path, target: Path, before: Identity, load: Callable[[Path], _Result]) -> _Result:
    try:
        result = load(path)
    except Exception:
        if identity(target) == before:
            raise
        raise _Replaced from None
    if identity(target) != before:
        raise _Replaced
    return result


class AtomicFile:
    """The context manager behind `atomic_write`."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        self._target = resolve(path)
        self._temporary = Path()
        self._descriptor = -1  # locked as long as the writer lives; outlives a close() by the user
        self._file: BinaryIO | None = None

    def __enter__(self) -> BinaryIO:
        try:
            if self._target.is_dir():
                raise IsADirectoryError(errno.EISDIR, "Is a directory")
            remove_abandoned(self._target.parent)
            self._temporary, self._descriptor = create_locked(self._target, open_new_file)
            copy_mode(self._target, self._temporary)
            self._file = os.fdopen(os.dup(self._descriptor), "wb")
            return self._file
        except OSError as error:
            self._clean_up()
            raise storage_error(error, self._path, "write") from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._publish()
            elif is_disk_full(error):
                raise storage_error(error, self._path, "write") from error  # type: ignore[arg-type]
        finally:
            self._clean_up()

    def _publish(self) -> None:
        assert self._file is not None
        try:
            if not self._file.closed:
                self._file.flush()
            os.fsync(self._descriptor)
            if sys.platform == "win32":
                self._close()  # an open file cannot be renamed there
            os.replace(self._temporary, self._target)
            sync_directory(self._target.parent)
        except OSError as error:
            raise storage_error(error, self._path, "write") from error

    def _close(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _clean_up(self) -> None:
        if self._descriptor >= 0:
            with suppress(OSError):
                os.unlink(self._temporary)
        self._close()


class AtomicDirectory:
    """The context manager behind `atomic_directory`."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        self._target = resolve(path)
        self._temporary = Path()
        self._descriptor: int | None = None

    def __enter__(self) -> Path:
        recover(self._target)
        try:
            before = identity(self._target)
            if before is not None and not before.is_folder:
                raise StorageError(
                    f"cannot write folder {os.fspath(self._path)!r}: a file of that name exists",
                    hint="choose another name or delete the file",
                )
            self._temporary, self._descriptor = create_locked(self._target, make_new_directory)
        except StorageError:
            raise
        except OSError as error:
            raise storage_error(error, self._path, "write") from error
        return self._temporary

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                copy_mode(self._target, self._temporary)
                sync_tree(self._temporary)
                _put_in_place(self._temporary, self._target)
                sync_directory(self._target.parent)
            elif is_disk_full(error):
                raise storage_error(error, self._path, "write") from error  # type: ignore[arg-type]
        except StorageError:
            raise
        except OSError as failure:
            raise storage_error(failure, self._path, "write") from failure
        finally:
            # The temporary name now holds what failed, or the old folder after an exchange, or nothing.
            shutil.rmtree(self._temporary, ignore_errors=True)
            if self._descriptor is not None and self._descriptor >= 0:
                os.close(self._descriptor)


def _put_in_place(new: Path, target: Path) -> None:
    """Make `new` stand at `target`; an old folder ends at the name `new`, moved aside, or deleted."""
    for _ in range(_ATTEMPTS):
        try:
            os.rename(new, target)  # takes the place of nothing, or of an empty folder
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        try:
            if exchange(new, target):
                return
            aside = hidden_name(target, REPLACED_SUFFIX)
            os.rename(target, aside)
        except FileNotFoundError:
            continue  # another writer is in the middle of its own swap
        try:
            os.rename(new, target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                with suppress(OSError):
                    os.rename(aside, target)
                raise
            _delete_aside(aside)
            continue  # another writer, or a reader's `recover`, has put a folder there: replace that one
        _delete_aside(aside)
        return
    raise StorageError(f"cannot write {str(target)!r}: other writers replaced it {_ATTEMPTS} times meanwhile")


def _moved_aside(target: Path) -> list[Path]:
    """Complete folders moved away from `target`, the newest last (a rename sets the change time)."""
    prefix = hidden_prefix(target)
    found = []
    for name in list_names(target.parent):
        if name.startswith(prefix) and name.endswith(REPLACED_SUFFIX):
            with suppress(OSError):
                found.append((os.lstat(target.parent / name).st_ctime_ns, target.parent / name))
    return [path for _, path in sorted(found)]


def _delete_aside(aside: Path) -> None:
    """Delete a folder moved aside. It loses its name first: a half deleted one must never be restored."""
    doomed = aside.with_name(aside.name.removesuffix(REPLACED_SUFFIX) + TEMPORARY_SUFFIX)
    with suppress(OSError):
        os.rename(aside, doomed)
        shutil.rmtree(doomed, ignore_errors=True)
