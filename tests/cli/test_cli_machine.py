"""`onegraph info` and what it finds out about a machine."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

import pytest

import onegraph
from onegraph.cli import info, machine
from onegraph.config import settings


def test_info_names_versions_and_the_backend(call: Any) -> None:
    result = call("info")
    assert result.exit_code == 0
    lines = dict(line.split("  ", 1) for line in result.stdout.splitlines())
    assert f"{onegraph.__version__}, backend {settings.backend}" in lines["onegraph"]
    assert platform.python_version() in lines["Python"]
    for name in ("libraries", "system", "processor", "LLVM target", "cores", "vectors", "caches", "memory", "GPU"):
        assert lines[name].strip()
    assert "does not compute on GPUs" in lines["GPU"]


def test_info_as_json(call: Any) -> None:
    found = json.loads(call("info", "--json").stdout)
    assert found["onegraph"] == onegraph.__version__
    assert found["processor"]["target"].startswith(platform.machine().replace("arm64", "aarch64")[:3])
    assert found["processor"]["cores"]["allowed"] >= 1
    assert all(gpu["used"] is False for gpu in found["gpus"])


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux can pin a process to cores")
def test_usable_cores_follow_the_affinity() -> None:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert machine.cores()["allowed"] == 1
    finally:
        os.sched_setaffinity(0, before)


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_strictest_limit_of_nested_containers_holds(tmp_path: Path) -> None:
    put(tmp_path, "proc/self/cgroup", "0::/outer/inner\n")
    put(tmp_path, "sys/fs/cgroup/outer/cpu.max", "150000 100000\n")
    put(tmp_path, "sys/fs/cgroup/outer/inner/cpu.max", "max 100000\n")
    put(tmp_path, "sys/fs/cgroup/outer/memory.max", "max\n")
    put(tmp_path, "sys/fs/cgroup/outer/inner/memory.max", "1048576\n")
    assert machine.cgroup_quota(tmp_path) == 1.5
    assert machine.cgroup_memory(tmp_path) == 1048576


def test_limits_of_older_containers(tmp_path: Path) -> None:
    put(tmp_path, "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n")
    put(tmp_path, "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n")
    put(tmp_path, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
    assert machine.cgroup_quota(tmp_path) == 0.5
    assert machine.cgroup_memory(tmp_path) is None  # version 1 has no word for "unlimited"


def test_no_container_no_limits(tmp_path: Path) -> None:
    assert machine.cgroup_quota(tmp_path) is None
    assert machine.cgroup_memory(tmp_path) is None


def missing(name: str) -> Any:
    raise OSError(name)


def test_without_a_driver_there_is_no_gpu() -> None:
    assert machine.gpus(missing) == [machine.Gpu(False, "no NVIDIA driver found")]


class Driver:
    """Answers like libcuda with one GPU, or with an error from `cuInit`."""

    def __init__(self, status: int = 0, count: int = 1) -> None:
        self.status, self.count = status, count

    def cuInit(self, flags: int) -> int:
        return self.status

    def cuDeviceGetCount(self, count: Any) -> int:
        count._obj.value = self.count
        return 0

    def cuDeviceGet(self, device: Any, index: int) -> int:
        device._obj.value = index
        return 0

    def cuDeviceGetName(self, name: Any, size: int, device: Any) -> int:
        name.value = b"Example GPU"
        return 0

    def cuDeviceTotalMem_v2(self, size: Any, device: Any) -> int:
        size._obj.value = 80 << 30
        return 0

    def cuGetErrorName(self, status: int, text: Any) -> int:
        text._obj.value = b"CUDA_ERROR_NO_DEVICE"
        return 0


def test_a_gpu_is_named_with_its_memory() -> None:
    assert machine.gpus(lambda name: Driver()) == [machine.Gpu(True, "Example GPU", 80 << 30)]


def test_a_driver_that_does_not_start_says_why() -> None:
    (found,) = machine.gpus(lambda name: Driver(status=100))
    assert not found.works
    assert "CUDA_ERROR_NO_DEVICE" in found.text


def test_a_driver_without_a_gpu() -> None:
    (found,) = machine.gpus(lambda name: Driver(count=0))
    assert not found.works
    assert "no GPU" in found.text


def test_the_rows_show_limits_and_gpus() -> None:
    found = info.collect()
    found["processor"]["cores"] = {"present": 8, "allowed": 4, "quota": 1.5}
    found["memory"] = {"total": 16 << 30, "available": 8 << 30, "limit": 2 << 30}
    found["gpus"] = [{"works": True, "name": "Example GPU", "memory": 80 << 30, "used": False}]
    rows = dict(info.rows(found))
    assert rows["cores"] == "4 usable of 8; the container allows 1.5 cores' worth of time"
    assert rows["memory"] == "8 GiB available of 16 GiB; the container allows 2 GiB"
    assert rows["GPU"].startswith("Example GPU, 80 GiB; the driver works")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_linux_tells_memory_and_processor() -> None:
    memory = machine.memory()
    assert memory["total"] and memory["available"] and memory["available"] <= memory["total"]
    assert machine.processor_name()


def test_ctypes_is_what_asks_the_driver() -> None:
    assert machine.gpus.__defaults__ == (ctypes.CDLL,)
