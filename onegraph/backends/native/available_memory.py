"""How much memory is left: systems promise more than they have, and end a process that believes them.

Read next: `memory.py`, which asks before it takes a large block; `shortage.py`, which says what the memory was for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_NO_LIMIT = 1 << 60
"""Version 1 of control groups says "no limit" by a huge number."""


def read_text(path: str | Path) -> str | None:
    """What a file of the system says; None where there is none."""
    try:
        return Path(path).read_text(errors="replace").strip()
    except OSError:
        return None


def control_groups(root: Path) -> list[Path]:
    """The folders of version 2 that may limit this process: its own group's, up to the outermost.

    Args:
        root: `/`, or a copy of it for tests.
    """
    match = re.search(r"^0::/?(.*)$", read_text(root / "proc/self/cgroup") or "", re.MULTILINE)
    return _up(root / "sys/fs/cgroup", match)


def available_bytes(root: Path = Path("/")) -> int | None:
    """Bytes that can still be used, by the machine and by the container; None where the system does not say.

    >>> (available_bytes() or 1) > 0
    True
    """
    found = list(_left(root))
    match = re.search(r"^MemAvailable:\s+(\d+) kB$", read_text(root / "proc/meminfo") or "", re.MULTILINE)
    if match:
        found.append(int(match[1]) << 10)
    return max(0, min(found)) if found else None


def _left(root: Path) -> Iterator[int]:
    """What each control group leaves. Pages of files are counted as used, and given up when memory is needed."""
    for folder in control_groups(root):
        yield from _left_of(folder, "memory.max", "memory.current", "")
    own = re.search(r"^\d+:(?:[\w,]+,)?memory(?:,[\w,]+)?:/?(.*)$", read_text(root / "proc/self/cgroup") or "", re.M)
    for folder in _up(root / "sys/fs/cgroup/memory", own):
        yield from _left_of(folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_")


def _up(top: Path, match: re.Match[str] | None) -> list[Path]:
    folders = [top]
    for part in Path(match[1]).parts if match else ():
        folders.append(folders[-1] / part)
    return folders


def _left_of(folder: Path, limit_name: str, used_name: str, prefix: str) -> Iterator[int]:
    limit, used = read_text(folder / limit_name), read_text(folder / used_name)
    if not (limit and used and limit.isdigit() and used.isdigit()) or int(limit) >= _NO_LIMIT:
        return
    files = re.findall(rf"^{prefix}(?:in)?active_file (\d+)$", read_text(folder / "memory.stat") or "", re.MULTILINE)
    yield int(limit) - int(used) + sum(map(int, files))
