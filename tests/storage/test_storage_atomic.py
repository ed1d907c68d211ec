"""Atomic files and folders: whole or not at all, whatever fails, whoever else writes, whenever one dies."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from onegraph.errors import StorageError
from onegraph.storage import atomic, filesystem
from onegraph.storage.atomic import REPLACED_SUFFIX, atomic_directory, atomic_write, read_directory, recover
from onegraph.storage.filesystem import TEMPORARY_SUFFIX

REPOSITORY = Path(__file__).parents[2]


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=120)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_folder(path: Path, text: str) -> None:
    with atomic_directory(path) as folder:
        (folder / "inner").mkdir()
        (folder / "one.txt").write_text(text)
        (folder / "inner" / "two.txt").write_text(text)


def read_folder(path: Path) -> tuple[str, str]:
    return (path / "one.txt").read_text(), (path / "inner" / "two.txt").read_text()


@pytest.fixture(params=["exchange", "renames"])
def swap(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of swapping folders; the second is what systems without renameat2 use."""
    if request.param == "renames":
        monkeypatch.setattr(atomic, "exchange", lambda first, second: False)
    return str(request.param)


def test_file_appears_only_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    with atomic_write(path) as file:
        file.write(b"new content")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new content"
    assert names(tmp_path) == ["file.bin"]


def test_file_may_be_closed_inside_the_block(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "file.bin") as file:
        file.write(b"abc")
        file.close()
    assert (tmp_path / "file.bin").read_bytes() == b"abc"


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_failed_block_leaves_the_old_file_and_no_litter(tmp_path: Path, failure: type[BaseException]) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    with pytest.raises(failure), atomic_write(path) as file:
        file.write(b"half")
        raise failure
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file.bin"]


def test_last_of_two_files_wins(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    with atomic_write(path) as first:
        first.write(b"first")
        with atomic_write(path) as second:
            second.write(b"second")
        assert path.read_bytes() == b"second"
    assert path.read_bytes() == b"first"
    assert names(tmp_path) == ["file.bin"]


def test_links_are_followed_and_permissions_kept(tmp_path: Path) -> None:
    path, link = tmp_path / "real.bin", tmp_path / "link.bin"
    path.write_bytes(b"old")
    path.chmod(0o640)
    link.symlink_to(path)
    with atomic_write(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640


def test_long_names(tmp_path: Path) -> None:
    name = "n" * 255
    with atomic_write(tmp_path / name) as file:
        file.write(b"x")
    write_folder(tmp_path / ("m" * 255), "y")
    write_folder(tmp_path / ("m" * 255), "z")
    assert read_folder(tmp_path / ("m" * 255)) == ("z", "z")
    assert len(names(tmp_path)) == 2


def test_leftovers_of_dead_writers_are_removed_and_those_of_live_ones_kept(tmp_path: Path) -> None:
    dead_file = tmp_path / f".other.0123456789abcdef{TEMPORARY_SUFFIX}"
    dead_folder = tmp_path / f".model.0123456789abcdef{TEMPORARY_SUFFIX}"
    dead_file.write_bytes(b"half")
    dead_folder.mkdir()
    (dead_folder / "half.bin").write_bytes(b"half")
    with atomic_write(tmp_path / "alive.bin") as file, atomic_directory(tmp_path / "alive") as folder:
        assert not dead_file.exists()
        assert not dead_folder.exists()
        recover(tmp_path / "alive")
        assert folder.is_dir()
        file.write(b"kept")
    assert names(tmp_path) == ["alive", "alive.bin"]
    assert (tmp_path / "alive.bin").read_bytes() == b"kept"


def test_folder_appears_only_at_the_end(tmp_path: Path, swap: str) -> None:
    path = tmp_path / "model"
    write_folder(path, "old")
    with atomic_directory(path) as folder:
        (folder / "one.txt").write_text("new")
        assert read_folder(path) == ("old", "old")
    assert names(path) == ["one.txt"]
    assert names(tmp_path) == ["model"]


def test_failed_folder_leaves_the_old_one_and_no_litter(tmp_path: Path, swap: str) -> None:
    path = tmp_path / "model"
    write_folder(path, "old")
    with pytest.raises(ValueError), atomic_directory(path) as folder:
        (folder / "one.txt").write_text("half")
        raise ValueError
    assert read_folder(path) == ("old", "old")
    assert names(tmp_path) == ["model"]


def test_last_of_two_folders_wins(tmp_path: Path, swap: str) -> None:
    path = tmp_path / "model"
    write_folder(path, "zero")
    with atomic_directory(path) as first:
        (first / "first.txt").write_text("")
        with atomic_directory(path) as second:
            (second / "second.txt").write_text("")
        assert names(path) == ["second.txt"]
    assert names(path) == ["first.txt"]
    assert names(tmp_path) == ["model"]


def test_recover_puts_back_the_newest_folder_moved_aside(tmp_path: Path) -> None:
    path = tmp_path / "model"
    for text in ("older", "newer"):
        write_folder(tmp_path / text, text)
    older, newer = (tmp_path / f".model.{token}{REPLACED_SUFFIX}" for token in ("ff00", "aa11"))
    os.rename(tmp_path / "older", older)
    os.rename(tmp_path / "newer", newer)
    while newer.stat().st_ctime_ns == older.stat().st_ctime_ns:  # clocks of file systems may tick every 4 ms
        os.chmod(newer, 0o755)
    recover(path)
    assert read_folder(path) == ("newer", "newer")
    assert names(tmp_path) == ["model"]


def test_recover_deletes_what_stands_aside_of_a_complete_folder(tmp_path: Path) -> None:
    path = tmp_path / "model"
    write_folder(path, "old")
    os.rename(path, tmp_path / f".model.ff00{REPLACED_SUFFIX}")
    path.mkdir()
    (path / "one.txt").write_text("new")
    recover(path)
    assert names(path) == ["one.txt"]
    assert names(tmp_path) == ["model"]


def test_reader_may_restore_the_old_folder_in_the_middle_of_a_swap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model"
    write_folder(path, "old")
    monkeypatch.setattr(atomic, "exchange", lambda first, second: False)
    rename, interruptions = os.rename, []

    def rename_with_a_reader_in_between(source: Path, destination: Path) -> None:
        rename(source, destination)
        if str(destination).endswith(REPLACED_SUFFIX) and not interruptions:
            interruptions.append(destination)
            assert read_directory(path, read_folder) == ("old", "old")

    monkeypatch.setattr(os, "rename", rename_with_a_reader_in_between)
    write_folder(path, "new")
    assert interruptions
    assert read_directory(path, read_folder) == ("new", "new")
    assert names(tmp_path) == ["model"]


def test_read_directory_reads_again_when_the_folder_was_replaced(tmp_path: Path) -> None:
    path = tmp_path / "model"
    write_folder(path, "old")
    calls: list[str] = []

    def load(folder: Path) -> tuple[str, str]:
        one = (folder / "one.txt").read_text()
        if not calls:
            write_folder(path, "new")
        calls.append(one)
        return one, (folder / "inner" / "two.txt").read_text()

    assert read_directory(path, load) == ("new", "new")
    assert calls == ["old", "new"]


def test_read_directory_passes_on_errors_and_names_a_missing_folder(tmp_path: Path) -> None:
    def load(folder: Path) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        read_directory(tmp_path, load)
    with pytest.raises(StorageError, match=r"cannot read .*absent.*no such folder"):
        read_directory(tmp_path / "absent", load)


def test_concurrent_threads_never_mix_folders(tmp_path: Path, swap: str) -> None:
    path = tmp_path / "model"
    write_folder(path, "start")
    failures: list[BaseException] = []

    def write(name: str) -> None:
        try:
            for number in range(8):
                write_folder(path, f"{name}{number}")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        one, two = read_directory(path, read_folder)
        assert one == two
    for thread in threads:
        thread.join()
    assert failures == []
    assert read_directory(path, read_folder)[0].endswith("7")
    recover(path)
    assert names(tmp_path) == ["model"]


def test_missing_folder_file_for_folder_and_folder_for_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with (
        pytest.raises(StorageError, match="no such file or folder") as caught,
        atomic_write(tmp_path / "no" / "x"),
    ):
        pass
    assert caught.value.errno == errno.ENOENT
    assert caught.value.location is not None
    assert caught.value.location[0] == __file__
    with pytest.raises(StorageError, match="it is a folder"), atomic_write(tmp_path):
        pass
    with pytest.raises(StorageError, match="a file of that name exists"), atomic_directory(tmp_path / "file"):
        pass
    with (
        pytest.raises(StorageError, match="parent folder must exist"),
        atomic_directory(tmp_path / "no" / "x"),
    ):
        pass


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_failure_to_sync_is_typed_and_keeps_the_old_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    (tmp_path / "file").write_bytes(b"old")
    write_folder(tmp_path / "model", "old")

    def fail(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    reason = filesystem._REASONS[code][0]
    with pytest.raises(StorageError, match=reason) as caught, atomic_write(tmp_path / "file") as file:
        file.write(b"new")
    assert caught.value.errno == code
    assert caught.value.hint
    with pytest.raises(StorageError, match=reason):
        write_folder(tmp_path / "model", "new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert read_folder(tmp_path / "model") == ("old", "old")
    assert names(tmp_path) == ["file", "model"]


def test_full_disk_while_writing(tmp_path: Path) -> None:
    """A real refusal by the kernel: files may not grow beyond 64 KiB in this process for a moment."""
    (tmp_path / "file").write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    try:
        with (
            pytest.raises(StorageError, match="larger than allowed"),
            atomic_write(tmp_path / "file") as file,
        ):
            file.write(bytes(1 << 20))
        with (
            pytest.raises(StorageError, match="larger than allowed"),
            atomic_directory(tmp_path / "d") as folder,
        ):
            (folder / "big").write_bytes(bytes(1 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "file").read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("kind", ["file", "exchange", "renames"])
def test_killed_writers_leave_complete_state(tmp_path: Path, kind: str) -> None:
    driver = str(Path(__file__).with_name("kill_driver.py"))
    result = run_python(driver, kind, str(tmp_path), "7", "3")
    assert result.stdout.strip() == "complete after every kill", result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["file", "exchange", "renames"])
def test_killed_writers_leave_complete_state_many_times(tmp_path: Path, kind: str) -> None:
    driver = str(Path(__file__).with_name("kill_driver.py"))
    result = run_python(driver, kind, str(tmp_path), "200", "11")
    assert result.stdout.strip() == "complete after every kill", result.stderr
