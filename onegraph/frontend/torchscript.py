"""Names of `torch.jit` on `og.jit`: programs ask whether they are scripted or traced, and mark what TorchScript skips.

TorchScript, a language of its own that PyTorch compiles, is not here: `og.jit` traces the Python that runs.
Read first: `function.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from onegraph.errors import UnsupportedError
from onegraph.frontend.function import jit
from onegraph.frontend.state import mode


def is_scripting() -> bool:
    """Whether TorchScript compiles this code: never.

    >>> import onegraph as og
    >>> og.jit.is_scripting()
    False
    """
    return False


def is_tracing() -> bool:
    """Whether a function is being traced by `og.jit`, so that values cannot be looked at.

    >>> import onegraph as og
    >>> og.jit(lambda x: x + og.jit.is_tracing())(og.zeros(1))
    tensor([1.])
    """
    return mode.trace is not None


def unused(fn: Any) -> Any:
    """The function as it is: there is no compiler that it must be hidden from."""
    return fn


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """The function as it is; called with `drop`, this is a decorator."""
    return drop if callable(drop) else (lambda fn: fn)


def script(obj: Any, optimize: Any = None, _frames_up: int = 0, _rcb: Any = None, example_inputs: Any = None) -> Any:
    """The function or module as it is: its Python runs, and what it computes is compiled in any case."""
    return obj


def trace(func: Any, example_inputs: Any = None, *args: Any, **kwargs: Any) -> Any:
    """The function or module as `og.jit` traces it, run once on the examples.

    Args:
        func: a function or module.
        example_inputs: a tensor, or a tuple of arguments. Other shapes are traced anew when they come.
    """
    traced = jit(func)
    if example_inputs is not None:
        traced(*(example_inputs if isinstance(example_inputs, tuple) else (example_inputs,)))
    return traced


def annotate(the_type: Any, the_value: Any) -> Any:
    """The value as it is."""
    return the_value


def _overload_method(func: Any) -> Any:
    """The method as it is: Python has one body for all types."""
    return func


def _missing(name: str, hint: str) -> Callable[..., Any]:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise UnsupportedError(f"jit.{name}: there are no TorchScript files here", hint=hint)

    refuse.__name__ = refuse.__qualname__ = name
    refuse.__doc__ = f"Not there. {hint}"
    return refuse


NAMES: dict[str, Any] = {
    "Final": Final,
    "_overload_method": _overload_method,
    "annotate": annotate,
    "export": unused,
    "freeze": script,
    "ignore": ignore,
    "is_scripting": is_scripting,
    "is_tracing": is_tracing,
    "load": _missing("load", "og.load_model(folder) loads what og.save_model saved"),
    "optimize_for_inference": script,
    "save": _missing("save", "og.save_model(folder, model, ...) saves the graph and the weights"),
    "script": script,
    "script_if_tracing": unused,
    "trace": trace,
    "unused": unused,
}


def install() -> None:
    """Give `og.jit` these names."""
    for name, value in NAMES.items():
        setattr(jit, name, value)
