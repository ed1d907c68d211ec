"""Comparing a function on nodes, and its gradients, with PyTorch's function of the same name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from onegraph.autodiff import gradient
from onegraph.backends.reference import evaluate
from onegraph.ir.node import Node
from onegraph.ops.elementwise import numpy_constant

torch = pytest.importorskip("torch")


def random(*shape: int, seed: int = 0, dtype: Any = np.float64) -> np.ndarray:
    """Normal numbers, the same each time."""
    return np.random.default_rng(seed + 31 * len(shape) + sum(shape)).standard_normal(shape).astype(dtype)


def compare(
    ours: Callable[..., Any],
    theirs: Callable[..., Any],
    *arguments: Any,
    gradients: bool = True,
    rtol: float = 1e-6,
    atol: float = 1e-9,
    **keywords: Any,
) -> list[np.ndarray]:
    """Call both with arrays turned into nodes and tensors; values, dtypes, shapes and gradients must agree.

    Gradients are taken of the sum of the results weighted with random numbers, by every floating array among
    the arguments, also those inside lists and keywords.
    """
    nodes: list[Node] = []
    tensors: list[Any] = []

    def convert(value: Any) -> tuple[Any, Any]:
        if isinstance(value, (np.ndarray, np.floating)):
            value = np.asarray(value)
            node = numpy_constant(value)
            tensor = torch.tensor(value, requires_grad=gradients and value.dtype.kind == "f")
            if value.dtype.kind == "f":
                nodes.append(node)
                tensors.append(tensor)
            return node, tensor
        if isinstance(value, list):
            pairs = [convert(v) for v in value]
            return [p[0] for p in pairs], [p[1] for p in pairs]
        return value, value

    positional = [convert(a) for a in arguments]
    named = {k: convert(v) for k, v in keywords.items()}
    mine = _as_list(ours(*[p[0] for p in positional], **{k: v[0] for k, v in named.items()}))
    other = _as_list(theirs(*[p[1] for p in positional], **{k: v[1] for k, v in named.items()}))
    assert len(mine) == len(other)
    values = evaluate(mine)
    for node, value, tensor in zip(mine, values, other, strict=True):
        expected = tensor.detach().numpy()
        assert node.shape == expected.shape and node.dtype.numpy == expected.dtype, (node, expected.shape)
        np.testing.assert_allclose(value, expected, rtol=rtol, atol=atol)
    if gradients and nodes:
        _compare_gradients(mine, other, nodes, tensors, rtol, atol)
    return values


def _compare_gradients(
    mine: Sequence[Node],
    other: Sequence[Any],
    nodes: list[Node],
    tensors: list[Any],
    rtol: float,
    atol: float,
) -> None:
    floating = [(m, o) for m, o in zip(mine, other, strict=True) if o.requires_grad]
    if not floating:
        return
    seeds = [random(*o.shape, seed=7).astype(o.detach().numpy().dtype) for _, o in floating]
    expected = torch.autograd.grad(
        [o for _, o in floating], tensors, [torch.tensor(s) for s in seeds], allow_unused=True
    )
    found = gradient([m for m, _ in floating], [numpy_constant(s) for s in seeds], nodes)
    for node, mine_, theirs_ in zip(nodes, found, expected, strict=True):
        wanted = np.zeros(node.shape) if theirs_ is None else theirs_.numpy()
        value = np.zeros(node.shape) if mine_ is None else evaluate([mine_])[0]
        np.testing.assert_allclose(value, wanted, rtol=rtol * 10, atol=atol * 10)


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
