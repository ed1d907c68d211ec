"""PyTorch's own samples of its operators, called here by the same public names.

`python -m tests.oracle.opinfo` writes the table of operators that agree with PyTorch on every sample (`clean.txt`), or
with names as arguments says where those do not. `test_opinfo.py` keeps what is in the table.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils._pytree import tree_leaves, tree_map

import onegraph as og

TABLE = Path(__file__).with_name("clean.txt")
# PyTorch's samples of these come with the first two arguments exchanged, so that a tensor is first.
SWAPPED = {"einsum", "nn.functional.embedding", "polygamma", "special.polygamma", "where"}
# Their values are whatever was in memory.
UNINITIALIZED = {"empty", "empty_like", "empty_permuted", "empty_strided", "new_empty", "new_empty_strided"}
VALUE_TOLERANCE = {"rtol": 2e-5, "atol": 1e-5}
GRADIENT_TOLERANCE = {"rtol": 5e-5, "atol": 1e-4}


class Unsuitable(Exception):
    """A sample that says nothing: random results, or arguments of types that exist in PyTorch alone."""


def operators() -> dict[str, Any]:
    """PyTorch's descriptions of its operators by name, with `/variant` where there are several."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db
    chosen = [op for op in op_db if torch.float32 in op.dtypes and op.name not in UNINITIALIZED]
    return {f"{op.name}/{op.variant_test_name}".rstrip("/"): op for op in chosen}


def public_function(name: str) -> Callable[..., Any]:
    """Our function of that name: `onegraph.NAME`, or else the method or property of a tensor."""
    found: Any = og
    try:
        for part in name.split("."):
            found = getattr(found, part)
    except AttributeError:
        if not hasattr(og.Tensor, name):
            raise

        def method(x: Any, *args: Any, **kwargs: Any) -> Any:
            attribute = getattr(x, name)
            return attribute(*args, **kwargs) if callable(attribute) and type(attribute) is not og.Tensor else attribute

        return method
    if isinstance(found, og.dtype):  # float, int, ...: the methods that convert
        return lambda x, *args, **kwargs: getattr(x, name)(*args, **kwargs)
    return found  # type: ignore[no-any-return]


def to_ours(value: Any) -> Any:
    """An argument of PyTorch's as ours."""
    if isinstance(value, torch.Tensor):
        if value.layout is not torch.strided or value.dtype.is_complex:
            raise Unsuitable
        array = (value.float() if value.dtype is torch.bfloat16 else value).detach().numpy().copy()
        tensor = og.tensor(array, dtype=getattr(og, str(value.dtype)[6:]))
        return tensor.requires_grad_(True) if value.requires_grad else tensor
    if isinstance(value, (torch.dtype, torch.memory_format, torch.layout)):
        found = getattr(og, str(value).removeprefix("torch."), None)
        if found is None:
            raise Unsuitable
        return found
    if isinstance(value, torch.device):
        return og.device(str(value))
    if isinstance(value, torch.Size):
        return tuple(value)
    return value


def samples(op: Any) -> Iterator[Any]:
    """PyTorch's samples in float32."""
    yield from op.sample_inputs("cpu", torch.float32, requires_grad=op.supports_autograd)


def check_sample(name: str, op: Any, sample: Any) -> None:
    """Compare values, dtypes and gradients of one sample; an AssertionError where they differ."""
    expected = op(sample.input, *sample.args, **sample.kwargs)
    torch.manual_seed(torch.initial_seed() + 1)
    again = op(sample.input, *sample.args, **sample.kwargs)
    if not all(_same(a, b) for a, b in zip(tree_leaves(expected), tree_leaves(again), strict=True)):
        raise Unsuitable  # random, or not initialised
    theirs = [sample.input, *sample.args, sample.kwargs]
    ours = tree_map(to_ours, theirs)
    *args, kwargs = ours
    if op.name in SWAPPED:
        args[:2] = args[1::-1]
    found = public_function(op.name)(*args, **kwargs)
    pairs = list(zip(tree_leaves(found), tree_leaves(expected), strict=True))
    for a, b in pairs:
        _check_value(a, b)
    _check_gradients(pairs, tree_leaves(ours), tree_leaves(theirs))


def _same(a: Any, b: Any) -> bool:
    if not isinstance(a, torch.Tensor):
        return a == b
    return a.shape == b.shape and torch.equal(torch.nan_to_num(a), torch.nan_to_num(b))


def _check_value(a: Any, b: Any) -> None:
    if not isinstance(b, torch.Tensor):
        assert a == b and type(a) is type(b)
        return
    assert str(a.dtype).split(".")[-1] == str(b.dtype).split(".")[-1], f"{a.dtype} instead of {b.dtype}"
    assert tuple(a.shape) == tuple(b.shape), f"{tuple(a.shape)} instead of {tuple(b.shape)}"
    value = b.detach().float() if b.dtype is torch.bfloat16 else b.detach()
    np.testing.assert_allclose(a.detach().numpy(), value.numpy(), equal_nan=True, **VALUE_TOLERANCE)


def _check_gradients(pairs: list[Any], ours: list[Any], theirs: list[Any]) -> None:
    differentiable = [(a, b) for a, b in pairs if isinstance(b, torch.Tensor) and b.requires_grad]
    leaves = [(x, y) for x, y in zip(ours, theirs, strict=True) if isinstance(y, torch.Tensor) and y.requires_grad]
    if not differentiable or not leaves:
        return
    random = np.random.default_rng(0)
    weights = [torch.tensor(random.standard_normal(b.shape), dtype=b.dtype) for _, b in differentiable]
    results, expected_results = [a for a, _ in differentiable], [b for _, b in differentiable]
    found = og.autograd.grad(results, [x for x, _ in leaves], [to_ours(w) for w in weights], allow_unused=True)
    expected = torch.autograd.grad(expected_results, [y for _, y in leaves], weights, allow_unused=True)
    for a, b in zip(found, expected, strict=True):
        if b is not None:
            assert a is not None, "there is no gradient"
            np.testing.assert_allclose(a.numpy(), b.numpy(), equal_nan=True, **GRADIENT_TOLERANCE)


def check(name: str, op: Any) -> int:
    """Compare all samples of an operator; how many there were."""
    count = 0
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for sample in samples(op):
            try:
                check_sample(name, op, sample)
                count += 1
            except Unsuitable:
                continue
    return count


def main(names: list[str]) -> None:
    """Write the table, or show where the operators of the given names differ."""
    clean = []
    for name, op in operators().items():
        if names and name not in names:
            continue
        try:
            if check(name, op):
                clean.append(name)
        except Exception as error:
            if names:
                print(f"{name}: {type(error).__name__}: {str(error)[:600]}")
    if names:
        print("clean:", *clean)
    else:
        TABLE.write_text("".join(f"{name}\n" for name in sorted(clean)))
        print(f"{len(clean)} operators agree with PyTorch on all samples")


if __name__ == "__main__":
    main(sys.argv[1:])
