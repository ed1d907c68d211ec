"""What this machine has: processor, cores that may be used, caches, memory, GPU. Nothing here needs more than Python,
llvmlite and the files of the operating system; what cannot be found out is None.

Read next: `info.py`, which prints it.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onegraph.backends.native.available_memory import control_groups, read_text

_VECTORS = {
    "x86": ("sse2", "sse4.2", "avx", "f16c", "fma", "avx2", "avx512f", "avx512bw", "avx512vl", "avx512vnni",
            "avx512bf16", "avx512fp16", "avxvnni", "amx-tile", "amx-int8", "amx-bf16"),
    "arm": ("neon", "fullfp16", "fp16fml", "dotprod", "i8mm", "bf16", "sve", "sve2", "sme", "sme2"),
    "riscv": ("v", "zvfh", "zve64d"),
}  # fmt: skip


@dataclass(frozen=True)
class Gpu:
    """A graphics processor that the driver shows.

    Attributes:
        works: whether the driver answered.
        text: its name, or why there is none.
        memory: bytes of its memory.
    """

    works: bool
    text: str
    memory: int | None = None


def _sysctl(name: str) -> str | None:
    """A setting of macOS's kernel."""
    if platform.system() != "Darwin":
        return None
    try:
        found = subprocess.run(["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None


def processor_name() -> str:
    """What the maker calls the processor."""
    match = re.search(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", read_text("/proc/cpuinfo") or "", re.MULTILINE)
    name = match.group(1) if match else _sysctl("machdep.cpu.brand_string")
    return re.sub(r"\s+", " ", name or platform.processor() or platform.machine() or "unknown").strip()


def code_generator_target() -> tuple[str, str]:
    """What LLVM calls the processor and the target."""
    from llvmlite import binding

    return binding.get_host_cpu_name(), binding.get_process_triple()


def vector_instructions() -> list[str]:
    """Vector and matrix instructions that the processor has and the system allows, as LLVM names them."""
    from llvmlite import binding

    try:
        features = binding.get_host_cpu_features()
    except RuntimeError:  # LLVM cannot tell on every processor
        return []
    return [name for names in _VECTORS.values() for name in names if features.get(name)]


def cores() -> dict[str, float | int | None]:
    """Cores of the machine (`present`), those this process may run on (`allowed`), and the share a container gives (`quota`)."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"present": os.cpu_count(), "allowed": allowed, "quota": cgroup_quota(Path("/"))}


def cgroup_quota(root: Path) -> float | None:
    """How many cores' worth of time the container may use, or None without a limit."""
    found = []
    for path in [g / "cpu.max" for g in control_groups(root)]:
        parts = (read_text(str(path)) or "").split()
        if len(parts) == 2 and parts[0] != "max":
            found.append(int(parts[0]) / int(parts[1]))
    quota, period = (read_text(str(root / f"sys/fs/cgroup/cpu/cpu.cfs_{name}_us")) for name in ("quota", "period"))
    if quota and period and int(quota) > 0:
        found.append(int(quota) / int(period))
    return min(found, default=None)


def cgroup_memory(root: Path) -> int | None:
    """Bytes of memory that the container may use, or None without a limit."""
    paths = [*[g / "memory.max" for g in control_groups(root)], root / "sys/fs/cgroup/memory/memory.limit_in_bytes"]
    limits = [int(text) for text in (read_text(str(path)) for path in paths) if text and text.isdigit()]
    # Version 1 says "no limit" by a huge number.
    return min((limit for limit in limits if limit < 1 << 60), default=None)


def caches() -> dict[str, int]:
    """Bytes of each cache that the first core sees, by name (L1 data, L2, ...)."""
    found: dict[str, int] = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = (read_text(str(folder / name)) for name in ("level", "type", "size"))
        match = re.fullmatch(r"(\d+)([KMG]?)", size or "")
        if level and match and kind != "Instruction":
            scale = {"": 0, "K": 10, "M": 20, "G": 30}[match.group(2)]
            found[f"L{level} data" if kind == "Data" else f"L{level}"] = int(match.group(1)) << scale
    for name, key in (("L1 data", "hw.l1dcachesize"), ("L2", "hw.l2cachesize"), ("L3", "hw.l3cachesize")):
        size = None if found.get(name) else _sysctl(key)
        if size and int(size) > 0:
            found[name] = int(size)
    return found


def memory() -> dict[str, int | None]:
    """Bytes of memory: `total`, `available` to new programs, and the `limit` of the container."""
    text = read_text("/proc/meminfo") or ""
    sizes = {name: int(kilobytes) << 10 for name, kilobytes in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)}
    total, available = sizes.get("MemTotal"), sizes.get("MemAvailable")
    if total is None and (size := _sysctl("hw.memsize")):
        total = int(size)
    return {"total": total, "available": available, "limit": cgroup_memory(Path("/"))}


def gpus(open_library: Any = ctypes.CDLL) -> list[Gpu]:
    """NVIDIA GPUs, asked of the driver itself; one entry that says why when there is none.

    Args:
        open_library: opens a shared library by name; for tests.
    """
    for name in ("libcuda.so.1", "nvcuda.dll"):
        try:
            driver = open_library(name)
            break
        except OSError:
            continue
    else:
        return [Gpu(False, "no NVIDIA driver found")]
    status, count = driver.cuInit(0), ctypes.c_int()
    if status == 0:
        status = driver.cuDeviceGetCount(ctypes.byref(count))
    if status != 0:
        return [Gpu(False, f"an NVIDIA driver is installed but does not start: {_driver_error(driver, status)}")]
    if count.value == 0:
        return [Gpu(False, "an NVIDIA driver is installed but shows no GPU")]
    return [_gpu(driver, index) for index in range(count.value)]


def _gpu(driver: Any, index: int) -> Gpu:
    device, name, size = ctypes.c_int(), ctypes.create_string_buffer(256), ctypes.c_size_t()
    status = driver.cuDeviceGet(ctypes.byref(device), index)
    if status == 0:
        status = driver.cuDeviceGetName(name, len(name), device)
    if status == 0:
        status = driver.cuDeviceTotalMem_v2(ctypes.byref(size), device)
    if status != 0:
        return Gpu(False, f"GPU {index} does not answer: {_driver_error(driver, status)}")
    return Gpu(True, name.value.decode(errors="replace"), size.value)


def _driver_error(driver: Any, status: int) -> str:
    text = ctypes.c_char_p()
    driver.cuGetErrorName(status, ctypes.byref(text))
    return (text.value or b"").decode(errors="replace") or f"error {status}"
