"""When memory runs out: a typed error that says what is large and what to lower, before the system ends the process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import onegraph as og
from onegraph.backends.native import memory
from onegraph.backends.native.available_memory import available_bytes, control_groups
from onegraph.errors import OutOfMemoryError


def test_the_largest_values_their_lines_and_what_to_lower(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 300_000_000)
    x, w = og.ones(1_000_000, 64), og.ones(64, 128)
    with pytest.raises(OutOfMemoryError) as caught:
        hidden = (x @ w).sin()  # the large one
        (hidden * hidden.sum(0)).sum().item()
    text = str(caught.value)
    assert "of 300.0 MB that are left" in text
    assert "512.0 MB float32 (1000000, 128), inner value" in text and "# the large one" in text
    assert "a batch smaller than 1,000,000 (half of it takes about 384 MB less)" in text
    assert isinstance(caught.value, MemoryError)


def test_work_goes_on_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    x = og.ones(1000, 70_000)
    with monkeypatch.context() as patch:
        patch.setattr(memory, "available_bytes", lambda: 0)
        with pytest.raises(OutOfMemoryError):
            (x * 2).numpy()
        assert (og.ones(3) * 2).sum().item() == 6.0, "small work needs no large block"
    assert (x[:, :5] * 2).sum().item() == 10_000.0


LIMITED = """
import resource
import onegraph as og
x = og.ones(8, 8)
(x @ x).sum().item()
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (400 << 20),) * 2)
try:
    big = og.randn(20_000, 8)
    ((big @ og.ones(8, 9_000)).sin().sum(0) @ og.ones(9_000)).item()
except og.errors.OutOfMemoryError as error:
    print(error.message.split(":")[0])
print((x @ x).sum().item())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space of a process, and reads /proc")
def test_a_real_limit_of_the_system_is_an_error_not_an_end() -> None:
    result = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, timeout=120, check=False)
    first, second = result.stdout.splitlines()
    assert first.startswith("no memory for 7") and float(second) == 512.0, result.stderr


def test_what_is_left_is_the_least_of_the_machine_and_of_all_control_groups(tmp_path: Path) -> None:
    assert available_bytes(tmp_path) is None and control_groups(tmp_path) == [tmp_path / "sys/fs/cgroup"]

    def write(path: str, text: str) -> None:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    write("proc/meminfo", "MemTotal:  900 kB\nMemAvailable:   800 kB\n")
    assert available_bytes(tmp_path) == 800 << 10
    write("proc/self/cgroup", "4:memory:/box\n0::/a/b\n")
    for path, limit, used in (("a", "max", "5"), ("a/b", "500000", "400000")):
        write(f"sys/fs/cgroup/{path}/memory.max", limit)
        write(f"sys/fs/cgroup/{path}/memory.current", used)
    assert available_bytes(tmp_path) == 100_000
    write("sys/fs/cgroup/a/b/memory.stat", "anon 1\ninactive_file 30000\nactive_file 20000\n")
    assert available_bytes(tmp_path) == 150_000, "pages of files can be given up"
    write("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "90000")
    write("sys/fs/cgroup/memory/box/memory.usage_in_bytes", "95000")
    assert available_bytes(tmp_path) == 0
    write("sys/fs/cgroup/memory/box/memory.limit_in_bytes", str(2**63 - 4096))
    assert available_bytes(tmp_path) == 150_000
