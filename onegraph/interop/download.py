"""Download a file whole or not at all: kept in a folder, resumed where it stopped, checked, shown with a progress bar.

What has arrived stands in `NAME.partial` beside the target, and the server's mark of the version in `NAME.partial.json`,
so that pieces of two versions are never joined. The file gets its name when it is complete and its checksum fits.
Read next: `onegraph/hub.py`, which offers this under PyTorch's names.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn

from onegraph.config import settings
from onegraph.errors import ArgumentError, DownloadError, StorageError
from onegraph.storage.filesystem import storage_error, sync_directory

try:
    import fcntl
except ImportError:  # Windows: two downloads of one file at once are then not kept apart
    fcntl = None  # type: ignore[assignment]

_CHUNK: Final = 1 << 18
_ATTEMPTS: Final = 3  # in a row without a single new byte
_NOT_WORTH_REPEATING: Final = (400, 401, 403, 404, 405, 410, 451)
_DIGESTS: Final = {"sha256": 64, "md5": 32}


def download(
    url: str,
    folder: str | os.PathLike[str] | None = None,
    sha256: str | None = None,
    progress: bool = True,
    *,
    name: str | None = None,
    md5: str | None = None,
    timeout: float | None = None,
    force: bool = False,
) -> Path:
    """Fetch a file into a folder, unless it is there already, and return its path.

    A download that was interrupted goes on where it stopped, if the server can do that and still has the same version.
    Two programs that want the same file at the same time fetch it once.

    Args:
        url: an address that starts with https:, http: or file:.
        folder: where to keep the file, made when it is missing; None is `config.settings.download_folder`.
        sha256: the checksum in hexadecimal, whole or its first digits (torchvision's file names carry eight); None
            checks nothing. A file that is there with another checksum is fetched again.
        progress: show a bar.
        name: of the file; None takes the last part of the address.
        md5: the same for an MD5 checksum, which old data sets give.
        timeout: seconds without a byte after which the server is given up; None is `config.settings.download_timeout`.
        force: fetch the file again even if it is there.

    Raises:
        DownloadError: no network, no such file on the server, a connection that keeps breaking, a wrong checksum. It
            names the address and the cause, and says where to put the file by hand.
        StorageError: the folder cannot be written.
        ArgumentError: an address or a checksum that is none.

    >>> import pathlib
    >>> _ = pathlib.Path("weights.bin").write_bytes(b"abc")
    >>> address = pathlib.Path("weights.bin").resolve().as_uri()
    >>> download(address, "cache", sha256="ba7816bf", progress=False).read_bytes()
    b'abc'
    """
    job = _Job(_check_url(url), _target(url, folder, name), _Checksum.of(sha256, md5), bool(progress), timeout)
    try:
        job.target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, job.target.parent, "write") from error
    if not force and job.is_there():
        return job.target
    with _alone(job.partial) as file:
        if not force and job.is_there():  # another program has fetched it meanwhile
            return job.target
        job.fetch(file)
    return job.target


def file_name(url: str) -> str:
    """The name that a downloaded file gets: the last part of its address.

    >>> file_name("https://example.org/models/resnet18-f37072fd.pth?download=1")
    'resnet18-f37072fd.pth'
    """
    found = os.path.basename(urllib.parse.unquote(urllib.parse.urlsplit(url).path))
    if not found or found in (".", "..") or "\0" in found or "\\" in found:
        raise ArgumentError(f"the address {url!r} does not end in the name of a file", hint="give name=")
    return found


@dataclass(frozen=True)
class _Checksum:
    """What a file should hash to; with no digits it fits everything."""

    kind: str
    digits: str

    @classmethod
    def of(cls, sha256: str | None, md5: str | None) -> _Checksum:
        if sha256 and md5:
            raise ArgumentError("download: give one of sha256 and md5, not both")
        kind, digits = ("md5", md5) if md5 else ("sha256", sha256)
        digits = (digits or "").lower()
        if not re.fullmatch(rf"[0-9a-f]{{0,{_DIGESTS[kind]}}}", digits):
            raise ArgumentError(f"download: {digits!r} is no {kind} checksum: at most {_DIGESTS[kind]} digits 0-9, a-f")
        return cls(kind, digits)

    def __bool__(self) -> bool:
        return bool(self.digits)

    def found(self, path: Path) -> str:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, self.kind).hexdigest()

    def fits(self, path: Path) -> bool:
        return not self.digits or self.found(path).startswith(self.digits)


class _Job:
    """One file to fetch."""

    def __init__(self, url: str, target: Path, checksum: _Checksum, progress: bool, timeout: float | None) -> None:
        self.url = url
        self.target = target
        self.partial = target.with_name(target.name + ".partial")
        self.note = target.with_name(target.name + ".partial.json")  # the version that the partial file is of
        self.checksum = checksum
        self.progress = progress
        self.timeout = settings.download_timeout if timeout is None else timeout

    def is_there(self) -> bool:
        try:
            return self.target.is_file() and self.checksum.fits(self.target)
        except OSError as error:
            raise storage_error(error, self.target, "read") from error

    def fail(self, cause: str, error: BaseException | None = None, hint: str | None = None) -> NoReturn:
        raise DownloadError(
            f"cannot download {self.url!r}: {cause}",
            hint=hint or f"without a network: fetch it elsewhere and put it at {str(self.target)!r}",
        ) from error

    def fetch(self, file: BinaryIO) -> None:
        """Fill the partial file, check it, and give it its name."""
        resumed = self._resumable(file)
        if not resumed:
            _empty(file)
        self._fill(file)
        if self.checksum and not self.checksum.fits(self.partial):
            if resumed:  # what was there before may have been wrong: once more, from the start
                _empty(file)
                self._fill(file)
            self._refuse_wrong_checksum(file)
        self._publish(file)

    def _refuse_wrong_checksum(self, file: BinaryIO) -> None:
        if self.checksum.fits(self.partial):
            return
        found, kind = self.checksum.found(self.partial), self.checksum.kind
        size = os.path.getsize(self.partial)
        _empty(file)
        self.fail(
            f"its {kind} checksum is {found}, not {self.checksum.digits}{'...' * (len(self.checksum.digits) < len(found))}"
            f" ({size:,} bytes came)",
            hint="the file on the server was replaced or the connection is tampered with; nothing was kept",
        )

    def _publish(self, file: BinaryIO) -> None:
        try:
            os.fsync(file.fileno())
            os.replace(self.partial, self.target)
            sync_directory(self.target.parent)
        except OSError as error:
            raise storage_error(error, self.target, "write") from error
        with suppress(OSError):
            self.note.unlink()

    def _resumable(self, file: BinaryIO) -> bool:
        """Whether what is there may be the start of what the server has: by its mark, or by a checksum at the end."""
        return file.seek(0, os.SEEK_END) > 0 and self._mark() is not None

    def _mark(self) -> str | None:
        """The server's mark of the version that the partial file is of; "" where only the checksum can tell."""
        try:
            note = json.loads(self.note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if not isinstance(note, dict) or note.get("url") != self.url or not isinstance(note.get("mark"), str):
            return None
        return note["mark"] if note["mark"] or self.checksum else None

    def _fill(self, file: BinaryIO) -> None:
        """Ask again as long as new bytes come."""
        failures, before = 0, file.seek(0, os.SEEK_END)
        while True:
            cause: Exception
            try:
                if self._receive(file):
                    return
                cause = http.client.IncompleteRead(b"")
            except StorageError:
                raise
            except urllib.error.HTTPError as error:
                with error:
                    if error.code == 416:  # more is here than the server has: another version
                        _empty(file)
                    elif error.code in _NOT_WORTH_REPEATING:
                        self.fail(f"the server answered {error.code} ({error.reason})", error)
                cause = error
            except (OSError, http.client.HTTPException) as error:
                cause = error
            now = file.seek(0, os.SEEK_END)
            failures = 0 if now > before else failures + 1
            before = now
            if failures >= _ATTEMPTS or isinstance(getattr(cause, "reason", None), FileNotFoundError):
                self.fail(_explain(cause, self.timeout, now), cause)
            time.sleep(0.1 * 2**failures if failures else 0)

    def _receive(self, file: BinaryIO) -> bool:
        """One request. True when the file is complete, False when the connection ended early."""
        start = file.seek(0, os.SEEK_END)
        headers = {"User-Agent": "onegraph"}
        mark = self._mark()
        if start and mark is not None:
            headers["Range"] = f"bytes={start}-"
            if mark:
                headers["If-Range"] = mark
        with urllib.request.urlopen(urllib.request.Request(self.url, headers=headers), timeout=self.timeout) as answer:
            self._check_redirect(answer.geturl())
            if answer.status != 206:  # None for file:
                start = 0
            elif not re.match(rf"bytes {start}-", answer.headers.get("Content-Range", "")):
                self.fail(f"asked for bytes from {start} on, the server sent {answer.headers.get('Content-Range')!r}")
            if start == 0:
                _empty(file)
                self._write_note(answer)
            length = answer.headers.get("Content-Length")
            total = start + int(length) if length and length.isdigit() else None
            self._copy(answer, file, start, total)
        return total is None or file.tell() == total

    def _check_redirect(self, url: str) -> None:
        if self.url.startswith("https:") and not url.startswith("https:") and not self.checksum:
            self.fail(f"it leads to {url!r}, which is not encrypted, and there is no checksum", hint="give sha256=")

    def _write_note(self, answer: Any) -> None:
        """Keep the mark of this version; a weak one does not promise the same bytes."""
        tag = answer.headers.get("ETag", "")
        mark = tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified", "")
        with suppress(OSError):  # without the note the next run starts from the beginning
            self.note.write_text(json.dumps({"url": self.url, "mark": mark}), encoding="utf-8")

    def _copy(self, answer: Any, file: BinaryIO, start: int, total: int | None) -> None:
        from tqdm import tqdm

        bar = tqdm(
            total=total,
            initial=start,
            unit="B",
            unit_scale=True,
            unit_divisor=1024,
            desc=self.target.name,
            disable=not self.progress,
        )
        with bar:
            while block := answer.read(_CHUNK):
                try:
                    file.write(block)
                except OSError as error:
                    raise storage_error(error, self.partial, "write") from error
                bar.update(len(block))


@contextmanager
def _alone(partial: Path) -> Iterator[BinaryIO]:
    """The partial file, open for writing, and locked against other programs that fetch the same one."""
    while True:
        try:
            file = open(partial, "ab", buffering=0)  # noqa: SIM115  (it leaves this function open)
        except OSError as error:
            raise storage_error(error, partial, "write") from error
        with file:
            if fcntl is not None:
                with suppress(OSError):  # a file system without locks
                    fcntl.flock(file.fileno(), fcntl.LOCK_EX)
            try:
                same = os.path.samestat(os.fstat(file.fileno()), os.stat(partial))
            except OSError:
                same = False
            if not same:  # the program that held the lock has finished and given the file its name
                continue
            try:
                yield file
            finally:
                with suppress(OSError):
                    if partial.stat().st_size == 0:
                        partial.unlink()
                        partial.with_name(partial.name + ".json").unlink()
            return


def _empty(file: BinaryIO) -> None:
    file.truncate(0)
    file.seek(0)


def _check_url(url: str) -> str:
    if not isinstance(url, str) or not url.startswith(("https://", "http://", "file:")):
        raise ArgumentError(f"download: {url!r} is no address", hint="it starts with https://, http:// or file:")
    return url


def _target(url: str, folder: str | os.PathLike[str] | None, name: str | None) -> Path:
    if name is not None and (os.path.basename(name) != name or name in ("", ".", "..")):
        raise ArgumentError(f"download: name={name!r} is not the plain name of a file")
    return Path(settings.download_folder if folder is None else folder).expanduser() / (name or file_name(url))


def _explain(cause: Exception, timeout: float, received: int) -> str:
    """In words, why nothing more came."""
    reason = getattr(cause, "reason", cause)
    if isinstance(cause, urllib.error.HTTPError):
        text = f"the server answered {cause.code} ({cause.reason})"
    elif isinstance(reason, TimeoutError):
        text = f"no answer within {timeout:g} seconds"
    elif isinstance(cause, (http.client.IncompleteRead, http.client.RemoteDisconnected, ConnectionResetError)):
        text = "the connection breaks off"
    else:
        text = f"no connection ({reason})" if isinstance(cause, urllib.error.URLError) else str(reason)
    return f"{text}; {received:,} bytes are kept, the next try goes on from there" if received else text
