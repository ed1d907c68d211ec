"""Random numbers, of our generator: `og.manual_seed` decides, or the seed in the file. Read next: `../registry.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import onegraph as og
from onegraph.onnx.interpreter import Call
from onegraph.onnx.registry import operator
from onegraph.onnx.values import COMPUTED, Value, numpy_dtype, tensor


def _generator(call: Call) -> Any:
    seed = call.get("seed")
    if seed is None:
        return None
    return og.Generator().manual_seed(int(np.float32(seed).view(np.uint32)))


def _type(call: Call, like: Value) -> Any:
    number = call.get("dtype")
    if number is not None:
        return COMPUTED[numpy_dtype(number).name]
    return og.float32 if like is None else tensor(like).dtype


def _uniform(call: Call, shape: Any, dtype: Any) -> og.Tensor:
    low, high = call.get("low", 0.0), call.get("high", 1.0)
    return og.rand(*shape, generator=_generator(call)).to(dtype) * (high - low) + low


def _normal(call: Call, shape: Any, dtype: Any) -> og.Tensor:
    return og.randn(*shape, generator=_generator(call)).to(dtype) * call.get("scale", 1.0) + call.get("mean", 0.0)


def _pair(name: str, draw: Callable[[Call, Any, Any], og.Tensor]) -> None:
    operator(name, raw=True)(lambda call: draw(call, call.get("shape"), _type(call, None)))
    operator(name + "Like", raw=True)(lambda call, x: draw(call, tuple(x.shape), _type(call, x)))


_pair("RandomUniform", _uniform)
_pair("RandomNormal", _normal)


@operator("Bernoulli")
def bernoulli(call: Call, x: og.Tensor) -> og.Tensor:
    """1 with the given probability, else 0."""
    return (og.rand(*x.shape, generator=_generator(call)).to(x.dtype) < x).to(_type(call, x))


@operator("Multinomial")
def multinomial(call: Call, x: og.Tensor) -> og.Tensor:
    """Classes drawn by the logarithms of their probabilities, by the largest after adding Gumbel noise."""
    count = call.get("sample_size", 1)
    noise = og.rand(x.shape[0], count, x.shape[1], generator=_generator(call)).clamp(1e-30, 1.0)
    found = og.argmax(x.unsqueeze(1) - og.log(-og.log(noise)), -1)
    return found.to(COMPUTED[numpy_dtype(call.get("dtype", 6)).name])
