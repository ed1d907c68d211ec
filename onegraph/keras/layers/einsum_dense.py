"""A product with a kernel along any dimensions, said by an einsum equation. Read next: `multi_head_attention.py`."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Sequence
from typing import Any

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend import EXPORTS
from onegraph.keras import activations, initializers
from onegraph.keras.layers.base import Layer

_einsum = EXPORTS["einsum"]
_EQUATION = re.compile(r"(\.\.\.)?([a-zA-Z]+)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)(\.\.\.)?")


class _Spread:
    """An initializer that sees a kernel as a matrix of all inputs and all outputs, so that its variance is right."""

    def __init__(self, draw: Any, inputs: Sequence[int], outputs: Sequence[int]) -> None:
        self.draw, self.inputs, self.outputs = draw, list(inputs), list(outputs)

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        order = [*self.inputs, *self.outputs]
        rows = math.prod([shape[i] for i in self.inputs])
        matrix = self.draw((rows, math.prod(shape) // max(rows, 1)), dtype)
        back = sorted(range(len(order)), key=lambda i: order[i])
        return matrix.reshape(*[shape[i] for i in order]).permute(*back)


class EinsumDense(Layer):
    """activation(einsum(equation, x, kernel) + bias).

    Args:
        equation: of the form 'ab,bc->ac', '...ab,bc->...ac' or 'ab...,bc->ac...'; the second part is the kernel's.
        output_shape: of one sample, without the batch and what the dots stand for; None where it follows from the input.
        activation: a name or a function.
        bias_axes: the letters of the output along which there is a bias; None for none.
        kernel_initializer, bias_initializer, and the regularizers and constraints: as for `Dense`.

    >>> import onegraph as og
    >>> layer = EinsumDense("abc,cd->abd", output_shape=(None, 64), bias_axes="d")
    >>> layer(og.zeros(2, 32, 8)).shape, layer.kernel.shape, layer.bias.shape
    (onegraph.Size([2, 32, 64]), onegraph.Size([8, 64]), onegraph.Size([64]))
    """

    def __init__(
        self,
        equation: str,
        output_shape: Any,
        activation: Any = None,
        bias_axes: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._parts = self._parse(equation)
        self.equation = equation
        self.partial_output_shape = (output_shape,) if isinstance(output_shape, int) else tuple(output_shape)
        self.activation = activations.get(activation)
        self.bias_axes = bias_axes
        self._kernel_options = {"regularizer": kernel_regularizer, "constraint": kernel_constraint}
        self._kernel_initializer = initializers.get(kernel_initializer)
        self._bias_options = {
            "initializer": bias_initializer,
            "regularizer": bias_regularizer,
            "constraint": bias_constraint,
        }

    def _parse(self, equation: str) -> tuple[str, str, str, str]:
        """Letters of input, kernel and output, and where the dots are: 'left', 'right' or ''."""
        found = _EQUATION.fullmatch(equation.replace(" ", "")) if isinstance(equation, str) else None
        dots = ("", "") if found is None else ((found[1] or "", found[3] or ""), (found[5] or "", found[7] or ""))
        if found is None or dots[0] != dots[1] or all(dots[0]):
            raise ArgumentError(
                f"EinsumDense: the equation must be like 'ab,bc->ac', '...ab,bc->...ac' or 'ab...,bc->ac...', got {equation!r}"
            )
        return found[2], found[4], found[6], "left" if found[1] else "right" if found[3] else ""

    def _full(self, rank: int) -> tuple[str, str, str, int]:
        """Letters of input, kernel and output with those that dots stand for, and how many these are."""
        inputs, kernel, output, where = self._parts
        more = rank - len(inputs)
        if more < 0 or (more and not where):
            raise ShapeError(
                f"layer {self.name!r} (EinsumDense) with equation {self.equation!r} does not fit an input of {rank} dimensions"
            )
        free = [c for c in string.ascii_letters if c not in inputs + kernel + output][:more]
        extra = "".join(free)
        if where == "left":
            return extra + inputs, kernel, extra + output, more
        return inputs + extra, kernel, output + extra, more

    def _sizes(self, input_shape: Sequence[Any], inputs: str, output: str, more: int) -> dict[str, Any]:
        sizes = dict(zip(inputs, input_shape, strict=True))
        where = self._parts[3]
        given = [None, *self.partial_output_shape]
        if where == "left" and more:
            given = [None] * more + given[1 if len(given) + more > len(output) else 0 :]
        given += [None] * (len(output) - len(given))
        for letter, size in zip(output, given, strict=True):
            known = sizes.get(letter)
            if letter in sizes and size is not None and known is not None and size != known:
                raise ShapeError(
                    f"layer {self.name!r} (EinsumDense): {letter!r} is {known} in the input of shape {tuple(input_shape)} "
                    f"and {size} in the output"
                )
            if known is None:
                sizes[letter] = size
        return sizes

    def build(self, input_shape: Any) -> None:
        """Make kernel and bias."""
        inputs, kernel, output, more = self._full(len(input_shape))
        sizes = self._sizes(input_shape, inputs, output, more)
        unknown = [c for c in kernel if sizes.get(c) is None]
        if unknown:
            raise ShapeError(
                f"layer {self.name!r} (EinsumDense): size {unknown[0]!r} of {self.equation!r} is not known for an input of "
                f"shape {tuple(input_shape)}",
                hint="give it in output_shape",
            )
        draw = self._kernel_initializer
        sums = [i for i, c in enumerate(kernel) if c not in output]
        if isinstance(draw, initializers.VarianceScaling):
            draw = _Spread(draw, sums, [i for i in range(len(kernel)) if i not in sums])
        self.kernel = self.add_weight(
            shape=[sizes[c] for c in kernel], name="kernel", initializer=draw, **self._kernel_options
        )
        self.bias = self._make_bias(output, sizes, more)

    def _make_bias(self, output: str, sizes: dict[str, Any], more: int) -> Any:
        if not self.bias_axes:
            return None
        wrong = [c for c in self.bias_axes if c not in self._parts[2]]
        if wrong:
            raise ArgumentError(f"EinsumDense: bias axis {wrong[0]!r} is none of the output's in {self.equation!r}")
        first = min(output.index(c) for c in self.bias_axes)
        shape = [sizes[c] if c in self.bias_axes else 1 for c in output[first:]]
        return self.add_weight(shape=shape, name="bias", **self._bias_options)

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        letters, kernel, output, _ = self._full(inputs.ndim)
        for letter, size in zip(kernel, self.kernel.shape, strict=True):
            if letter in letters:
                self._check_size(inputs.shape, letters.index(letter), size)
        result = _einsum(f"{letters},{kernel}->{output}", inputs, self.kernel)
        return self.activation(result if self.bias is None else result + self.bias)
