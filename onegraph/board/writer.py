"""`SummaryWriter`: what a training run logs, in files that TensorBoard shows while they grow.

A file is only ever appended to, in whole records, so that it is readable whenever the process dies.
Read next: `summary.py`, what becomes of the values; `records.py`, the file; `reader.py`, the way back.
"""

from __future__ import annotations

import itertools
import os
import socket
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from onegraph.board import proto, summary
from onegraph.board.records import frame
from onegraph.errors import ArgumentError, ArgumentTypeError
from onegraph.storage.filesystem import storage_error

_file_numbers = itertools.count()


class EventFile:
    """One event file: a queue of records, written by whoever fills it, by a thread now and then, and at exit.

    Args:
        folder: where the file is created; made if missing.
        max_queue: records that may wait before one more writes them all.
        flush_secs: seconds after which waiting records are written.
        suffix: added to the name of the file.
    """

    def __init__(self, folder: Path, max_queue: int, flush_secs: float, suffix: str) -> None:
        self._folder, self._suffix = folder, suffix
        self._max_queue, self._flush_secs = max_queue, flush_secs
        self._open()

    def _open(self) -> None:
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._queue: list[bytes] = []
        self._process = os.getpid()
        host = socket.gethostname() or "localhost"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
        while True:
            name = f"events.out.tfevents.{int(time.time()):010d}.{host}.{self._process}.{next(_file_numbers)}"
            self.path = self._folder / (name + self._suffix)
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._descriptor = os.open(self.path, flags, 0o666)
                break
            except FileExistsError as error:
                if self._folder.is_dir():
                    continue
                raise storage_error(error, self._folder, "create the folder") from error
            except OSError as error:
                raise storage_error(error, self.path, "write") from error
        self._size = 0
        self.add(proto.event(time.time(), None, proto.file_version()))
        self.flush()
        threading.Thread(
            target=_flush_regularly, args=(weakref.ref(self), self._stop, self._flush_secs), daemon=True
        ).start()

    def add(self, event: bytes) -> None:
        """Queue one event; write the queue when it is full."""
        record = frame(event)
        if os.getpid() != self._process:  # a forked child: its own file, and none of the parent's records
            with suppress(OSError):
                os.close(self._descriptor)
            self._open()
        with self._lock:
            self._queue.append(record)
            if len(self._queue) > self._max_queue:
                self._write()

    def flush(self) -> None:
        """Write what waits, and ask the system to put it on disk."""
        if os.getpid() != self._process:
            return
        with self._lock:
            self._write()
            if self._descriptor >= 0:
                with suppress(OSError):  # pipes and some network file systems cannot sync
                    os.fsync(self._descriptor)

    def close(self) -> None:
        """Write what waits and close the file."""
        if os.getpid() != self._process:
            return
        self._stop.set()
        with self._lock:
            try:
                self._write()
            finally:
                if self._descriptor >= 0:
                    os.close(self._descriptor)
                    self._descriptor = -1

    def _write(self) -> None:
        if not self._queue or self._descriptor < 0:
            return
        data = b"".join(self._queue)
        try:
            written = 0
            while written < len(data):
                written += os.write(self._descriptor, memoryview(data)[written:])
        except OSError as error:
            # Half a record would make all that follows unreadable. The queue is kept for a next try.
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            raise storage_error(error, self.path, "write") from error
        self._size += len(data)
        self._queue.clear()


def _flush_regularly(reference: weakref.ref[EventFile], stop: threading.Event, seconds: float) -> None:
    while not stop.wait(seconds):
        events = reference()
        if events is None:
            return
        with suppress(OSError):  # the training thread meets the same error at its next event
            events.flush()
        del events


def _close_quietly(events: EventFile) -> None:
    with suppress(OSError):
        events.close()


class SummaryWriter:
    """Writes event files for TensorBoard. Names and arguments are those of PyTorch's `SummaryWriter`.

    Values may be tensors, NumPy arrays or numbers. Any thread may write. After `close` the next value opens a
    new file in the same folder.

    Args:
        log_dir: the folder; by default `runs/DATE_TIME_HOST` with `comment` at its end.
        comment: added to the default `log_dir`; without effect when `log_dir` is given.
        purge_step: after a crash at step T, T makes TensorBoard hide what was logged for T and later.
        max_queue: values that may wait before the next one writes all.
        flush_secs: seconds after which waiting values are written.
        filename_suffix: added to the name of each event file.

    Raises:
        StorageError: when the folder or file cannot be written.

    Example:
        >>> import tempfile
        >>> with SummaryWriter(tempfile.mkdtemp()) as writer:
        ...     for step in range(3):
        ...         writer.add_scalar("loss/train", 1.0 / (step + 1), step)
        >>> writer.path.name[:19]
        'events.out.tfevents'
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] | None = None,
        comment: str = "",
        purge_step: int | None = None,
        max_queue: int = 10,
        flush_secs: float = 120,
        filename_suffix: str = "",
    ) -> None:
        if max_queue < 0 or not flush_secs > 0:
            raise ArgumentError(f"SummaryWriter: max_queue={max_queue} must be >= 0, flush_secs={flush_secs} > 0")
        if log_dir is None:
            log_dir = Path("runs", f"{time.strftime('%b%d_%H-%M-%S')}_{socket.gethostname()}{comment}")
        self.log_dir = os.fspath(log_dir)
        self.purge_step = purge_step
        self.max_queue = max_queue
        self.flush_secs = flush_secs
        self.filename_suffix = filename_suffix
        self._lock = threading.Lock()
        self._children: dict[str, SummaryWriter] = {}
        self._events: EventFile | None = None
        self._file()

    @property
    def path(self) -> Path:
        """The event file that is, or was last, written."""
        return self._path

    def get_logdir(self) -> str:
        """The folder that event files are written to."""
        return self.log_dir

    def add_scalar(
        self,
        tag: str,
        scalar_value: Any,
        global_step: Any = None,
        walltime: float | None = None,
        new_style: bool = False,
        double_precision: bool = False,
    ) -> None:
        """Log one number.

        Args:
            tag: its name; `/` groups names.
            scalar_value: a number, or a tensor with one element.
            global_step: the step it belongs to.
            walltime: seconds since 1970, instead of now.
            new_style: write the newer form; double_precision needs it, and implies it here.
            double_precision: keep all 64 bits.

        Raises:
            ShapeError: when there is more than one element.
            ArgumentTypeError: when it is no real number.
        """
        _check_tag(tag, "add_scalar")
        value = summary.to_number(scalar_value, f"add_scalar({tag!r})")
        if new_style or double_precision:
            self._add(proto.scalar_tensor(tag, value, double_precision), global_step, walltime)
        else:
            self._add(proto.simple_value(tag, value), global_step, walltime)

    def add_scalars(
        self,
        main_tag: str,
        tag_scalar_dict: Mapping[str, Any],
        global_step: Any = None,
        walltime: float | None = None,
    ) -> None:
        """Log several numbers into one chart: each becomes a run of its own in a folder below `log_dir`.

        Args:
            main_tag: the name of the chart.
            tag_scalar_dict: numbers by name.
            global_step, walltime: as in `add_scalar`.
        """
        _check_tag(main_tag, "add_scalars")
        for tag, value in summary.to_table(tag_scalar_dict, "add_scalars").items():
            _check_tag(tag, "add_scalars")
            folder = os.path.join(self.log_dir, f"{main_tag}_{tag}".replace("/", "_"))
            with self._lock:
                child = self._children.get(folder)
                if child is None:
                    child = self._children[folder] = self._child(folder)
            child.add_scalar(main_tag, value, global_step, walltime)

    def add_histogram(
        self,
        tag: str,
        values: Any,
        global_step: Any = None,
        bins: Any = "tensorflow",
        walltime: float | None = None,
        max_bins: int | None = None,
    ) -> None:
        """Log how values are distributed. NaN and infinite ones are left out, with a warning.

        Args:
            tag: its name.
            values: any shape, at least one element.
            bins: "tensorflow" (each bucket a tenth wider), or what `numpy.histogram` takes.
            max_bins: merge neighbours until there are no more than this.
            global_step, walltime: as in `add_scalar`.
        """
        _check_tag(tag, "add_histogram")
        value = summary.histogram(tag, values, bins, max_bins)
        if value is not None:
            self._add(value, global_step, walltime)

    def add_image(
        self,
        tag: str,
        img_tensor: Any,
        global_step: Any = None,
        walltime: float | None = None,
        dataformats: str = "CHW",
    ) -> None:
        """Log an image: uint8 from 0 to 255, or other numbers from 0 to 1.

        Args:
            tag: its name.
            img_tensor: 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGBA) channels.
            dataformats: what the dimensions are: "CHW", "HWC", "HW", ...
            global_step, walltime: as in `add_scalar`.
        """
        _check_tag(tag, "add_image")
        self._add(summary.image(tag, img_tensor, dataformats, "add_image"), global_step, walltime)

    def add_images(
        self,
        tag: str,
        img_tensor: Any,
        global_step: Any = None,
        walltime: float | None = None,
        dataformats: str = "NCHW",
    ) -> None:
        """Log a batch of images as one grid, up to eight a row; otherwise as `add_image`."""
        _check_tag(tag, "add_images")
        self._add(summary.image(tag, img_tensor, dataformats, "add_images"), global_step, walltime)

    def add_text(self, tag: str, text_string: str, global_step: Any = None, walltime: float | None = None) -> None:
        """Log a text, shown as Markdown. TensorBoard finds it under `tag/text_summary`, as with PyTorch."""
        _check_tag(tag, "add_text")
        if not isinstance(text_string, str):
            raise ArgumentTypeError(f"add_text({tag!r}): expected a string, got {type(text_string).__name__}")
        self._add(proto.text(f"{tag}/text_summary", text_string), global_step, walltime)

    def add_hparams(
        self,
        hparam_dict: Mapping[str, Any],
        metric_dict: Mapping[str, Any],
        hparam_domain_discrete: Mapping[str, Sequence[Any]] | None = None,
        run_name: str | None = None,
        global_step: Any = None,
    ) -> None:
        """Log the settings of a run and what came out, for comparison with other runs.

        Args:
            hparam_dict: settings by name: numbers, strings, bools or None.
            metric_dict: results by name: numbers.
            hparam_domain_discrete: the values a setting can have, by name.
            run_name: the folder below `log_dir`; the time by default.
            global_step: the step of the results.
        """
        settings = {
            name: summary.to_hparam(name, value) for name, value in summary.to_table(hparam_dict, "add_hparams").items()
        }
        domains = {
            name: [summary.to_hparam(name, value) for value in values]
            for name, values in summary.to_table(hparam_domain_discrete or {}, "add_hparams").items()
        }
        if unknown := domains.keys() - settings.keys():
            raise ArgumentError(f"add_hparams: hparam_domain_discrete names {sorted(unknown)}, not in hparam_dict")
        metrics = {
            name: summary.to_number(value, f"add_hparams({name!r})")
            for name, value in summary.to_table(metric_dict, "add_hparams").items()
        }
        now = time.time()
        with self._child(os.path.join(self.log_dir, str(now) if run_name is None else run_name)) as child:
            for value in proto.hparams_start(settings, list(metrics), domains, now):
                child._add(value, None, now)
            for name, number in metrics.items():
                child.add_scalar(name, number, global_step)
            child._add(proto.hparams_end(time.time()), None, None)

    def flush(self) -> None:
        """Write everything logged so far to disk."""
        for writer in list(self._children.values()):
            writer.flush()
        if self._events is not None:
            self._events.flush()

    def close(self) -> None:
        """Write everything to disk and close the files. Closing twice is fine."""
        with self._lock:
            children, self._children = list(self._children.values()), {}
            events, self._events = self._events, None
        for child in children:
            child.close()
        if events is not None:
            self._finalizer.detach()
            events.close()

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _child(self, folder: str) -> SummaryWriter:
        return SummaryWriter(
            folder,
            purge_step=self.purge_step,
            max_queue=self.max_queue,
            flush_secs=self.flush_secs,
            filename_suffix=self.filename_suffix,
        )

    def _file(self) -> EventFile:
        with self._lock:
            if self._events is None:
                self._events = EventFile(Path(self.log_dir), self.max_queue, self.flush_secs, self.filename_suffix)
                # Also runs at exit, so that a program that forgets to close loses nothing.
                self._finalizer = weakref.finalize(self, _close_quietly, self._events)
                self._path = self._events.path
                if self.purge_step is not None:
                    self._events.add(proto.event(time.time(), int(self.purge_step), proto.session_start()))
                    self._events.flush()
                    self.purge_step = None  # a file opened later must not hide what this one holds
            return self._events

    def _add(self, value: bytes, global_step: Any, walltime: float | None) -> None:
        step = None if global_step is None else int(summary.to_number(global_step, "global_step"))
        when = time.time() if walltime is None else float(walltime)
        self._file().add(proto.event(when, step, proto.summary(value)))


def _check_tag(tag: Any, where: str) -> None:
    if not isinstance(tag, str):
        raise ArgumentTypeError(f"{where}: the tag must be a string, not {type(tag).__name__} ({tag!r})")
