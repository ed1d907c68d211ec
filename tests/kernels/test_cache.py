"""The disk cache and the builder: damage, limits, hostile folders, many processes, workers that die."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import onegraph.kernels.builder as builder
from onegraph.config import using
from onegraph.kernels.cache import DiskCache
from onegraph.kernels.kernel import Kernel
from onegraph.kernels.target import Target, host, plain_target

BODY = bytes(range(256)) * 10


def text(number: int) -> str:
    """A kernel that stores a number."""
    return (
        "define void @KERNEL(ptr %b, i64 %f, i64 %l, ptr %s, ptr %t) {\n"
        f"  store i64 {number}, ptr %t, align 8\n  ret void\n}}\n"
    )


def answer(address: int) -> int:
    """What the kernel at an address stores."""
    import ctypes

    number, word = ctypes.c_int64(), ctypes.c_int64
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, word, word, ctypes.c_void_p, ctypes.c_void_p)(address)
    function(None, 0, 1, None, ctypes.addressof(number))
    return number.value


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has loaded nothing. (Names of loaded code must be new, so the context differs, too.)"""
    monkeypatch.setattr(builder, "_loaded", {})
    unique = os.urandom(8)
    monkeypatch.setattr(builder, "_context", lambda target: unique + repr(target).encode())


def test_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "a" / "b", 1 << 20)
    cache.put("name", BODY)
    assert stat.S_IMODE(os.stat(cache.folder).st_mode) == 0o700
    (file,) = cache.folder.iterdir()
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    assert cache.get("name") == BODY


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:10],
        lambda content: content[:-1],
        lambda content: content + b"x",
        lambda content: content[:100] + bytes([content[100] ^ 1]) + content[101:],
        lambda content: bytes([content[0] ^ 1]) + content[1:],
        lambda content: content[:20] + bytes([content[20] ^ 1]) + content[21:],
        lambda content: b"\0" * len(content),
    ],
)
def test_damaged_files_are_deleted(tmp_path: Path, damage: object) -> None:
    cache = DiskCache(tmp_path, 1 << 20)
    cache.put("name", BODY)
    path = tmp_path / "name.o"
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    assert cache.get("name") is None
    assert not path.exists()
    cache.put("name", BODY)
    assert cache.get("name") == BODY


def test_the_content_of_another_name_is_damage(tmp_path: Path) -> None:
    # Two files exchanged are each whole, and the code of one with the arguments of the other crashes.
    cache = DiskCache(tmp_path, 1 << 20)
    cache.put("one", BODY)
    cache.put("two", BODY[::-1])
    (tmp_path / "one.o").write_bytes((tmp_path / "two.o").read_bytes())
    assert cache.get("one") is None and not (tmp_path / "one.o").exists()
    assert cache.get("two") == BODY[::-1]


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 1 << 20)
    (tmp_path / "name.o").mkdir()
    assert cache.get("name") is None
    cache.put("name", BODY)
    assert cache.get("name") is None
    assert [p.name for p in tmp_path.iterdir()] == ["name.o"]


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 40_000)
    for i in range(20):
        cache.put(f"n{i}", BODY)
        os.utime(tmp_path / f"n{i}.o", (1e9 + i, 1e9 + i))
    assert cache.get("n0") == BODY  # used now
    cache.shrink()
    left = {p.stem for p in tmp_path.iterdir()}
    assert sum(p.stat().st_size for p in tmp_path.iterdir()) <= 40_000
    assert "n0" in left
    assert "n19" in left
    assert "n1" not in left


def test_the_folder_stays_within_its_limit(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 100_000)
    for i in range(300):
        cache.put(f"n{i}", BODY)
    assert sum(p.stat().st_size for p in tmp_path.iterdir()) <= 100_000 + 64 * (len(BODY) + 100)


def test_what_killed_processes_left_is_cleared_away(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 100_000)
    old, new = tmp_path / ".old.part", tmp_path / ".new.part"
    old.write_bytes(b"x")
    new.write_bytes(b"x")
    os.utime(old, (1e9, 1e9))
    cache.shrink()
    assert new.exists()
    assert not old.exists()


def test_a_folder_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.warns(UserWarning, match="can be written to by other users"):
        cache = DiskCache(tmp_path, 1 << 20)
    cache.put("name", BODY)
    assert cache.get("name") is None
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.stat(tmp_path).st_uid + 1)
    with pytest.warns(UserWarning, match="belongs to another user"):
        assert not DiskCache(tmp_path, 1 << 20).usable


def test_no_folder_no_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        cache = DiskCache(folder, 1 << 20)
        cache.put("name", BODY)
        assert cache.get("name") is None


def test_a_full_disk_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = DiskCache(tmp_path, 1 << 20)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    cache.put("name", BODY)
    assert list(tmp_path.iterdir()) == []


def test_kernels_are_compiled_once(tmp_path: Path, fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []
    original = builder.compile_text
    monkeypatch.setattr(builder, "compile_text", lambda t, target: compiled.append(t) or original(t, target))
    kernels = [Kernel(f"k{i}", text(i % 5), tasks=1) for i in range(10)]
    with using(cache_folder=str(tmp_path)):
        assert [answer(a) for a in builder.build(kernels)] == [0, 1, 2, 3, 4] * 2
        assert len(compiled) == 5
        builder.build(kernels)
        assert len(compiled) == 5
        names = [builder.content_name(text(i), host()) for i in range(5)]
        assert sorted(p.stem for p in (tmp_path / "kernels").iterdir()) == sorted(names)
        texts = {n: text(i).replace("@KERNEL(", f"@{n}(") for i, n in enumerate(names)}
        assert len(builder.build_objects(texts)) == 5
        assert len(compiled) == 5
        (tmp_path / "kernels" / f"{names[3]}.o").write_bytes(b"damaged")
        builder.build_objects(texts)
        assert len(compiled) == 6
    with using(cache_folder=str(tmp_path), cache=False):
        builder.build_objects(texts)
    assert len(compiled) == 11


def test_other_targets_have_other_names() -> None:
    assert builder.content_name(text(1), host()) != builder.content_name(text(2), host())
    assert builder.content_name(text(1), host()) != builder.content_name(text(1), plain_target())


def test_many_kernels_are_compiled_by_many_processes(
    tmp_path: Path, fresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = []
    original, helped = builder.compile_text, builder._Helper.run
    gate = threading.Event()

    def run(self: builder._Helper) -> None:
        helped(self)
        gate.set()

    def compile_late(text: str, target: Target) -> bytes:  # after the helpers had their chance
        gate.wait(60)
        own.append(text)
        return original(text, target)  # type: ignore[no-any-return]

    monkeypatch.setattr(builder, "available_cores", lambda: 3)
    monkeypatch.setattr(builder._Helper, "run", run)
    monkeypatch.setattr(builder, "compile_text", compile_late)
    with using(cache_folder=str(tmp_path)):
        kernels = [Kernel("k", text(i), tasks=1) for i in range(120)]
        assert [answer(a) for a in builder.build(kernels)] == list(range(120))
    assert 0 < len(own) < 120


def test_workers_that_die_leave_their_work_to_others(
    tmp_path: Path, fresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = subprocess.Popen

    def dying(command: list[str], **more: object) -> object:
        process = original(command, **more)  # type: ignore[call-overload]
        process.send_signal(signal.SIGKILL)
        return process

    monkeypatch.setattr(builder, "available_cores", lambda: 3)
    monkeypatch.setattr(subprocess, "Popen", dying)
    with using(cache_folder=str(tmp_path)):
        addresses = builder.build([Kernel("k", text(i), tasks=1) for i in range(40)])
    assert [answer(a) for a in addresses] == list(range(40))


def test_wrong_texts_raise_here(tmp_path: Path, fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "available_cores", lambda: 2)
    bad = text(7).replace("store i64 7", "store nothing 7")
    with using(cache_folder=str(tmp_path)):
        for others in (0, 40):
            kernels = [Kernel("k", text(100 + i), tasks=1) for i in range(others)]
            with pytest.raises(RuntimeError, match="expected"):
                builder.build([*kernels, Kernel("bad", bad, tasks=1)])


SHARING = """
import ctypes, sys, types
package = types.ModuleType("onegraph")  # the parts that are needed, without the rest
package.__path__ = [sys.argv[2]]
sys.modules["onegraph"] = package
from onegraph.config import update
from onegraph.kernels.builder import build
from onegraph.kernels.kernel import Kernel

update(cache_folder=sys.argv[1], cache_bytes=20_000)
for turn in range(3):
    numbers = range(turn * 10, turn * 10 + 10)
    texts = [sys.argv[3].replace("12345", str(i)) for i in numbers]
    for i, address in zip(numbers, build([Kernel("k", text, tasks=1) for text in texts])):
        found = ctypes.c_int64()
        pointer, word = ctypes.c_void_p, ctypes.c_int64
        ctypes.CFUNCTYPE(None, pointer, word, word, pointer, pointer)(address)(None, 0, 1, None, ctypes.addressof(found))
        assert found.value == i
"""


def test_eight_processes_share_a_cache(tmp_path: Path) -> None:
    package = str(Path(builder.__file__).parents[1])
    command = [sys.executable, "-c", SHARING, str(tmp_path), package, text(12345)]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(8)]
    results = [(p.communicate(timeout=120)[1], p.returncode) for p in processes]
    assert results == [("", 0)] * 8
    assert all(p.suffix == ".o" for p in (tmp_path / "kernels").iterdir())
