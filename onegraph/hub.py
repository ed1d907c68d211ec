"""Weights by address, and models of a folder with a `hubconf.py`: torch.hub's names.

`hub.load` from a repository on the network is left out: it would run code that nobody here has looked at. Clone the
repository, read its `hubconf.py`, and give the folder with `source="local"`. Read next: `interop/download.py`.
"""

from __future__ import annotations

import builtins
import importlib.util
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from onegraph.config import settings
from onegraph.errors import ArgumentError, StorageError, UnsupportedError
from onegraph.interop.download import download, file_name
from onegraph.storage.checkpoint import load as _load_state

__all__ = [
    "HASH_REGEX",
    "download_url_to_file",
    "get_dir",
    "help",
    "list",
    "load",
    "load_local",
    "load_state_dict_from_url",
    "set_dir",
]

HASH_REGEX: Final = re.compile(r"-([a-f0-9]{8,64})\.")
"""Finds the first digits of a SHA-256 in a file's name, as in `resnet18-f37072fd.pth`."""

_hub_dir: str | None = None


def _get_torch_home() -> str:
    return os.path.expanduser(settings.download_folder)


def get_dir() -> str:
    """The folder of downloads: what `set_dir` was given, or `hub` in the setting `download_folder`.

    >>> get_dir() == os.path.join(os.path.expanduser(settings.download_folder), "hub")
    True
    """
    return _hub_dir if _hub_dir is not None else os.path.join(_get_torch_home(), "hub")


def set_dir(d: str | os.PathLike[str]) -> None:
    """Keep downloads in another folder; weights go to `checkpoints` in it."""
    global _hub_dir
    _hub_dir = os.path.expanduser(d)


def download_url_to_file(
    url: str, dst: str | os.PathLike[str], hash_prefix: str | None = None, progress: bool = True
) -> None:
    """Fetch a file under a name of your choice. What is there under that name is replaced.

    Args:
        url: the address.
        dst: the file to write.
        hash_prefix: the first digits of its SHA-256, to be checked.
        progress: show a bar.

    Raises:
        DownloadError: no network, no such file, or another checksum.
    """
    path = Path(dst)
    download(url, path.parent, hash_prefix, progress, name=path.name, force=True)


def load_state_dict_from_url(
    url: str,
    model_dir: str | os.PathLike[str] | None = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
    weights_only: bool = False,
) -> Any:
    """Fetch weights, unless they are there already, and read them.

    Args:
        url: the address.
        model_dir: where to keep the file; None is `checkpoints` in `get_dir()`.
        map_location: None or 'cpu'.
        progress: show a bar.
        check_hash: the file's name carries the first digits of its SHA-256 (`name-f37072fd.pth`): check them.
        file_name: of the kept file; None takes the last part of the address.
        weights_only: accepted for readers' benefit; no code ever runs.

    Returns:
        What `og.load` gives for the file.

    Raises:
        DownloadError: the file cannot be had.
        StorageError: it cannot be read.
    """
    return _load_state(
        fetch_weights(url, model_dir, progress, check_hash, file_name), map_location, weights_only=weights_only
    )


def fetch_weights(
    url: str,
    model_dir: str | os.PathLike[str] | None = None,
    progress: bool = True,
    check_hash: bool = False,
    name: str | None = None,
) -> Path:
    """Fetch weights, unless they are there already, and return the file; arguments as `load_state_dict_from_url`."""
    folder = Path(get_dir(), "checkpoints") if model_dir is None else Path(model_dir)
    kept = name or file_name(url)
    found = HASH_REGEX.search(kept) if check_hash else None
    return download(url, folder, found[1] if found else None, progress, name=kept)


def load(
    repo_or_dir: str | os.PathLike[str],
    model: str,
    *args: Any,
    source: str = "github",
    trust_repo: Any = None,
    force_reload: bool = False,
    verbose: bool = True,
    skip_validation: bool = False,
    **kwargs: Any,
) -> Any:
    """Call a model function of the `hubconf.py` in a folder. This runs the code in that folder.

    Args:
        repo_or_dir: the folder.
        model: the function's name.
        args: what it is called with.
        source: "local"; "github" is refused.
        trust_repo, force_reload, verbose, skip_validation: accepted, for code that passes them; they concern
            repositories on the network.
        kwargs: what the function is called with.

    Raises:
        UnsupportedError: a repository on the network is asked for.
        StorageError: the folder has no `hubconf.py`.
        ArgumentError: there is no such function, or something that it depends on is missing.

    >>> _ = Path("hubconf.py").write_text("def net(width=2):\\n    return [0] * width\\n")
    >>> load(".", "net", width=3, source="local")
    [0, 0, 0]
    """
    if source != "local":
        raise UnsupportedError(
            f"hub.load: source={source!r} would run code fetched from the network",
            hint=f"clone {os.fspath(repo_or_dir)}, read its hubconf.py, and load it with source='local'",
        )
    return load_local(repo_or_dir, model, *args, **kwargs)


def load_local(hubconf_dir: str | os.PathLike[str], model: str, *args: Any, **kwargs: Any) -> Any:
    """As `load` with source="local"."""
    return _entry(_configuration(hubconf_dir), model)(*args, **kwargs)


def list(
    github: str | os.PathLike[str],
    force_reload: bool = False,
    skip_validation: bool = False,
    trust_repo: Any = None,
    verbose: bool = True,
) -> builtins.list[str]:
    """The model functions of the `hubconf.py` in a folder; its code runs.

    >>> _ = Path("hubconf.py").write_text("def net():\\n    pass\\n")
    >>> list(".")
    ['net']
    """
    return sorted(name for name, value in vars(_configuration(github)).items() if callable(value) and name[:1] != "_")


def help(
    github: str | os.PathLike[str],
    model: str,
    force_reload: bool = False,
    skip_validation: bool = False,
    trust_repo: Any = None,
) -> str | None:
    """The docstring of a model function of the `hubconf.py` in a folder; its code runs."""
    return _entry(_configuration(github), model).__doc__


def _configuration(folder: str | os.PathLike[str]) -> ModuleType:
    """The module `hubconf.py`, which may import what lies beside it."""
    path = Path(folder).expanduser() / "hubconf.py"
    if not path.is_file():
        raise StorageError(
            f"hub: there is no {str(path)!r}", hint="give a folder that has a hubconf.py, such as a cloned repository"
        )
    specification = importlib.util.spec_from_file_location("hubconf", path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.path.insert(0, str(path.parent))
    try:
        specification.loader.exec_module(module)
    finally:
        sys.path.remove(str(path.parent))
    missing = [name for name in getattr(module, "dependencies", ()) if importlib.util.find_spec(name) is None]
    if missing:
        raise ArgumentError(f"hub: {str(path)!r} needs {', '.join(missing)}", hint="install what is missing")
    return module


def _entry(module: ModuleType, model: str) -> Callable[..., Any]:
    found = getattr(module, model, None) if isinstance(model, str) else None
    if not callable(found):
        names = sorted(name for name, value in vars(module).items() if callable(value) and name[:1] != "_")
        raise ArgumentError(f"hub: {module.__file__} has no function {model!r}; it has {', '.join(names) or 'none'}")
    return found  # type: ignore[no-any-return]
