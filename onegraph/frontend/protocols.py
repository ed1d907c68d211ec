"""What other libraries ask a tensor for: the array API's namespace, and NumPy's ufuncs and functions.

The answers are written with the functions of all layers below the top, so the top level says where they are.
Read next: `../array_api/README.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from onegraph.errors import ArgumentError

_loader: list[Callable[[str], Any]] = []
_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", "2025.12")


def set_loader(loader: Callable[[str], Any]) -> None:
    """Told by the top level: how to get a module by its name; it is called when somebody first asks for one."""
    _loader[:] = [loader]


def array_namespace(self: Any, /, *, api_version: str | None = None) -> Any:
    """The module with the Python array API standard's functions: `onegraph.array_api`.

    Args:
        api_version: None, or a version of the standard up to 2025.12.

    Raises:
        ArgumentError: for another version.
    """
    if api_version is not None and api_version not in _VERSIONS:
        raise ArgumentError(
            f"__array_namespace__: there is no version {api_version!r} of the array API standard here",
            hint=f"there are {', '.join(_VERSIONS)}",
        )
    return _loader[0]("onegraph.array_api")


def array_ufunc(self: Any, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """What NumPy calls for a ufunc with a tensor among its arguments; gives tensors."""
    return _loader[0]("onegraph.array_api.numpy_ufuncs").call(ufunc, method, inputs, kwargs)


def array_function(self: Any, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
    """What NumPy calls for one of its functions with a tensor among its arguments; gives tensors."""
    return _loader[0]("onegraph.array_api.numpy_functions").call(function, args, kwargs)


def to_device(self: Any, device: Any, /, *, stream: Any = None) -> Any:
    """The tensor on a device: itself, since there is only the processor."""
    if stream is not None:
        raise ArgumentError(f"to_device: the processor has no streams, got stream={stream!r}")
    return self.to(device=device)


METHODS: dict[str, Any] = {
    "__array_function__": array_function,
    "__array_namespace__": array_namespace,
    "__array_ufunc__": array_ufunc,
    "to_device": to_device,
}
