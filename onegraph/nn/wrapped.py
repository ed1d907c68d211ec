"""`Wrapped`: a module that calls a function of `nn.functional` with fixed arguments. Read next: `activation.py`."""

from __future__ import annotations

from typing import Any

from onegraph.frontend.tensor import Tensor
from onegraph.nn import functional
from onegraph.nn.module import Module


class Wrapped(Module):
    """Base of modules without parameters; a subclass names the function and hands its arguments to `__init__`.

    Arguments that are (or may be) tensors, such as the weights of classes, are buffers.
    """

    _function = ""
    _tensors: tuple[str, ...] = ()
    _hidden: tuple[str, ...] = ()  # arguments that do not print

    def __init__(self, **arguments: Any) -> None:
        super().__init__()
        for name, value in arguments.items():
            if name in self._tensors:
                self.register_buffer(name, value if value is None or isinstance(value, Tensor) else Tensor(value))
            else:
                setattr(self, name, value)
        self._arguments = tuple(arguments)

    def _call(self, *inputs: Any) -> Any:
        """The function of the inputs, with the arguments that the module was made with."""
        function = getattr(functional, self._function)
        return function(*inputs, **{name: getattr(self, name) for name in self._arguments})

    def forward(self, input: Any, *others: Any) -> Any:
        """The function of the input."""
        return self._call(input, *others)

    def extra_repr(self) -> str:
        """The arguments."""
        shown = [n for n in self._arguments if n not in self._tensors and n not in self._hidden]
        return ", ".join(f"{n}={getattr(self, n)}" for n in shown if n != "inplace" or self.inplace)
