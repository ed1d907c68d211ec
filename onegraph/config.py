"""Every setting of onegraph, in one typed table. There are no other environment variables and no hidden flags."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass, fields


def available_cores() -> int:
    """Cores that this process may use: its affinity, cut down by the quota of its control group.

    >>> available_cores() >= 1
    True
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    if platform.system() != "Linux":
        return cores
    for path in ("/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us"):
        try:
            with open(path) as file:
                words = file.read().split()
            if len(words) == 2:
                quota, period = words[0], words[1]
            else:
                with open("/sys/fs/cgroup/cpu/cpu.cfs_period_us") as file:
                    quota, period = words[0], file.read().strip()
            if quota not in ("max", "-1"):
                return max(1, min(cores, round(int(quota) / int(period))))
            return cores
        except (OSError, ValueError, IndexError):
            continue
    return cores


def default_cache_folder() -> str:
    """`$XDG_CACHE_HOME/onegraph`, or `~/.cache/onegraph`."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "onegraph")


def default_download_folder() -> str:
    """`downloads` in the default cache folder."""
    return os.path.join(default_cache_folder(), "downloads")


@dataclass
class Settings:
    """The settings, their types and their defaults.

    A setting is changed with `onegraph.config.update(name=value)`, for a block of code with
    `onegraph.config.using(name=value)`, or before start-up by the environment variable
    `ONEGRAPH_<NAME>` (for example `ONEGRAPH_BACKEND=reference`).
    """

    backend: str = "native"
    """Which backend runs plans."""
    eager: bool = False
    """Compute every operation at once instead of lazily (for debugging; see `onegraph.eager`)."""
    verify_passes: bool = False
    """Run the graph verifier after every compiler pass."""
    lazy_limit: int = 20_011
    """Operations that may be recorded before a loop that never looks at anything is realized in pieces."""
    plan_cache_size: int = 512
    """Compiled plans kept in memory; the least recently used goes first."""
    threads: int = available_cores()
    """Threads that native kernels may use; results do not depend on it."""
    spin_microseconds: int = 300
    """How long an idle thread of the native backend stays awake, waiting for work, before it sleeps."""
    cache: bool = True
    """Keep compiled kernels on disk."""
    cache_folder: str = default_cache_folder()
    """Where compiled kernels and measurements of this machine are kept; the folder must belong to the user alone."""
    cache_bytes: int = 512 * 1024 * 1024
    """Bytes of compiled kernels on disk; the least recently used go first."""
    download_folder: str = default_download_folder()
    """Where downloaded weights (`hub/checkpoints`) and data sets are kept; `~/.cache/torch` shares weights with PyTorch."""
    download_timeout: float = 30.0
    """Seconds without a byte after which a download gives up on the server."""
    recycled_bytes: int = 64 * 1024 * 1024
    """Bytes of dead results kept for reuse beyond those that are alive."""
    tune: bool = False
    """Measure several tilings of each product and convolution that is compiled, and remember the fastest on disk."""
    target: str = ""
    """For which instructions kernels are made: "" for all that this processor has, "avx2", or "sse2" (of any x86-64
    processor). To be chosen before anything is compiled."""
    guard_pages: bool = False
    """Put every value of the native backend against a page that must not be touched (for tests; slow)."""
    check_finite: str = ""
    """Stop at results that are not finite and name the operation and its line: "nan" for NaN alone, "inf" for infinities too."""
    shape_change_warning: int = 16
    """Distinct input shapes of one computation after which a warning explains padding and bucketing."""


def _from_environment() -> Settings:
    loaded = Settings()
    for field in fields(Settings):
        text = os.environ.get(f"ONEGRAPH_{field.name.upper()}")
        if text is not None:
            default = getattr(loaded, field.name)
            kind = type(default)
            setattr(loaded, field.name, text.lower() in ("1", "true", "yes", "on") if kind is bool else kind(text))
    return loaded


settings = _from_environment()


def update(**changes: object) -> None:
    """Change settings by name.

    >>> from onegraph import config
    >>> config.update(lazy_limit=20_011)
    """
    known = {field.name: field for field in fields(Settings)}
    for name, value in changes.items():
        if name not in known:
            raise AttributeError(f"no setting is called {name!r}; there are {', '.join(known)}")
        if type(value) is not type(getattr(Settings, name)):
            raise TypeError(f"setting {name} takes {type(getattr(Settings, name)).__name__}, got {value!r}")
        setattr(settings, name, value)


@contextlib.contextmanager
def using(**changes: object) -> Iterator[Settings]:
    """Change settings for a block of code.

    >>> from onegraph import config
    >>> with config.using(verify_passes=True) as settings:
    ...     settings.verify_passes
    True
    """
    before = {name: getattr(settings, name, None) for name in changes}
    update(**changes)
    try:
        yield settings
    finally:
        for name, value in before.items():
            setattr(settings, name, value)
