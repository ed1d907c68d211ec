"""Every setting of onegraph, in one typed table. There are no other environment variables and no hidden flags."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, fields


@dataclass
class Settings:
    """The settings, their types and their defaults.

    A setting is changed with `onegraph.config.update(name=value)`, for a block of code with
    `onegraph.config.using(name=value)`, or before start-up by the environment variable
    `ONEGRAPH_<NAME>` (for example `ONEGRAPH_BACKEND=reference`).
    """

    backend: str = "reference"
    """Which backend runs plans."""
    eager: bool = False
    """Compute every operation at once instead of lazily (for debugging; see `onegraph.eager`)."""
    verify_passes: bool = False
    """Run the graph verifier after every compiler pass."""
    lazy_limit: int = 20_011
    """Operations that may be recorded before a loop that never looks at anything is realized in pieces."""
    plan_cache_size: int = 512
    """Compiled plans kept in memory; the least recently used goes first."""
    threads: int = os.cpu_count() or 1
    """Threads that native kernels may use; results do not depend on it."""
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
