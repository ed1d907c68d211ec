"""PyTorch's own samples of its operators, called here by the same public names: values, dtypes, gradients and refusals.

A column of the table is what is compared: `float32` and its `gradient`, other dtypes, and `errors`, the calls that
PyTorch refuses. `measure` counts how many samples of an operator agree in a column.

Read next: `agreement.py` (the table of all operators), `page.py` (the page in the docs).
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils._pytree import tree_leaves, tree_map

import onegraph as og
from tests.oracle.agreement import COLUMNS

DTYPES = {name: getattr(torch, name) for name in COLUMNS if name not in ("gradient", "errors")}
# PyTorch's samples of these come with the first two arguments exchanged, so that a tensor is first.
SWAPPED = {
    "einsum",
    "nn.functional.embedding",
    "nn.functional.embedding_bag",
    "polygamma",
    "special.polygamma",
    "where",
}
# Their values are whatever was in memory.
UNINITIALIZED = {"empty", "empty_like", "empty_permuted", "empty_strided", "new_empty", "new_empty_strided"}
TOLERANCE = {
    torch.float64: {"rtol": 1e-7, "atol": 1e-7},
    torch.float16: {"rtol": 2e-3, "atol": 2e-3},
    torch.bfloat16: {"rtol": 1.6e-2, "atol": 1e-2},
}
VALUE_TOLERANCE = {"rtol": 1.3e-5, "atol": 1e-5}
GRADIENT_TOLERANCE = {"rtol": 1.3e-5, "atol": 1e-4}
HALF = (torch.float16, torch.bfloat16)


class Unsuitable(Exception):
    """A sample that says nothing: random results, or arguments of types that exist in PyTorch alone."""


class Absent(Exception):
    """There is no such operator here."""


@dataclass
class Count:
    """How many samples there were, how many agreed, and what the first that did not said."""

    agreed: int = 0
    total: int = 0
    first: str = ""

    def add(self, problem: Exception | None) -> None:
        """Count one sample."""
        self.total += 1
        self.agreed += problem is None
        if problem is not None and not self.first:
            self.first = f"{type(problem).__name__}: {' '.join(str(problem).split())[:300]}"


@functools.cache
def operators() -> dict[str, Any]:
    """PyTorch's descriptions of its operators by name, with `/variant` where there are several."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db
    chosen = [op for op in op_db if op.name not in UNINITIALIZED]
    return {f"{op.name}/{op.variant_test_name}".rstrip("/"): op for op in chosen}


def public_function(name: str) -> Callable[..., Any]:
    """Our function of that name: `onegraph.NAME`, or else the method or property of a tensor."""
    found: Any = og
    try:
        for part in name.split("."):
            found = getattr(found, part)
    except AttributeError:
        if not hasattr(og.Tensor, name):
            raise Absent(name) from None

        def method(x: Any, *args: Any, **kwargs: Any) -> Any:
            attribute = getattr(x, name)
            return attribute(*args, **kwargs) if callable(attribute) and type(attribute) is not og.Tensor else attribute

        return method
    if isinstance(found, og.dtype) or name == "unfold":  # float, int, ...: the methods that convert
        return lambda x, *args, **kwargs: getattr(x, name)(*args, **kwargs)
    return found  # type: ignore[no-any-return]


def to_ours(value: Any) -> Any:
    """An argument of PyTorch's as ours."""
    if isinstance(value, torch.Tensor):
        if value.layout is not torch.strided or value.dtype.is_complex or value.device.type != "cpu":
            raise Unsuitable
        if value.dim() > 64:  # more than NumPy arrays have
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
    if isinstance(value, complex):
        raise Unsuitable
    return value


def _call(op: Any, arguments: list[Any]) -> Any:
    *args, kwargs = arguments
    if op.name in SWAPPED:
        args[:2] = args[1::-1]
    result = public_function(op.name)(*args, **kwargs)
    return result[0] if op.variant_test_name == "grad_oriented" else result  # PyTorch looks at the solution alone


def _theirs(op: Any, sample: Any) -> Any:
    """PyTorch's result; `Unsuitable` where another call gives another one."""
    original = tree_map(lambda x: x.detach().clone() if isinstance(x, torch.Tensor) else x, sample.input)
    expected = op(sample.input, *sample.args, **sample.kwargs)
    torch.manual_seed(torch.initial_seed() + 1)
    again = op(original, *sample.args, **sample.kwargs)
    leaves = tree_leaves(expected)
    if any(isinstance(x, torch.Tensor) and (x.dtype.is_complex or x.layout is not torch.strided) for x in leaves):
        raise Unsuitable
    if not all(_same(a, b) for a, b in zip(leaves, tree_leaves(again), strict=True)):
        raise Unsuitable  # random, or not initialised
    return expected


def _in_float32(op: Any, sample: Any) -> Any:
    """What PyTorch gives for the values of a sample of half precision when it computes in float32, or None."""

    def widen(x: Any) -> Any:
        return x.float() if isinstance(x, torch.Tensor) and x.dtype in HALF else torch.float32 if x in HALF else x

    try:
        theirs = tree_map(lambda x: widen(x) if isinstance(x, (torch.Tensor, torch.dtype)) else x, list(sample.args))
        return op(tree_map(widen, sample.input), *theirs, **{k: tree_map(widen, v) for k, v in sample.kwargs.items()})
    except Exception:
        return None


def check_sample(op: Any, sample: Any, gradients: Count | None = None) -> None:
    """Compare values and dtypes of one sample; an AssertionError where they differ. Counts its gradient, if there is one."""
    theirs = [sample.input, *sample.args, sample.kwargs]
    ours = tree_map(to_ours, theirs)
    expected = _theirs(op, sample)
    found = _call(op, ours)
    pairs = list(zip(tree_leaves(found), tree_leaves(expected), strict=True))
    wide = None
    if any(isinstance(b, torch.Tensor) and b.dtype in HALF for _, b in pairs):
        wide = _in_float32(op, sample)
    wides = tree_leaves(wide) if wide is not None else [None] * len(pairs)
    for (a, b), w in zip(pairs, wides, strict=True):
        _check_value(a, b, w)
    if gradients is not None:
        _count_gradient(pairs, tree_leaves(ours), tree_leaves(theirs), gradients)


def _same(a: Any, b: Any) -> bool:
    if not isinstance(a, torch.Tensor):
        return bool(a == b)
    return a.shape == b.shape and torch.equal(torch.nan_to_num(a), torch.nan_to_num(b))


def _check_value(a: Any, b: Any, wide: Any) -> None:
    if not isinstance(b, torch.Tensor):
        assert a == b and type(a) is type(b), f"{a!r} instead of {b!r}"
        return
    assert str(a.dtype).split(".")[-1] == str(b.dtype).split(".")[-1], f"{a.dtype} instead of {b.dtype}"
    assert tuple(a.shape) == tuple(b.shape), f"{tuple(a.shape)} instead of {tuple(b.shape)}"
    tolerance = TOLERANCE.get(b.dtype, VALUE_TOLERANCE)
    if b.dtype not in HALF:
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), equal_nan=True, **tolerance)
        return
    value, theirs = a.detach().float().numpy(), b.detach().float().numpy()
    if isinstance(wide, torch.Tensor) and wide.shape == b.shape:  # what is nearer to the exact result is right as well
        exact = wide.detach().to(b.dtype).float().numpy()
        theirs = np.where(np.isclose(value, exact, equal_nan=True, **tolerance), value, theirs)
    np.testing.assert_allclose(value, theirs, equal_nan=True, **tolerance)


def _count_gradient(pairs: list[Any], ours: list[Any], theirs: list[Any], count: Count) -> None:
    differentiable = [(a, b) for a, b in pairs if isinstance(b, torch.Tensor) and b.requires_grad]
    leaves = [(x, y) for x, y in zip(ours, theirs, strict=True) if isinstance(y, torch.Tensor) and y.requires_grad]
    if not differentiable or not leaves:
        return
    random = np.random.default_rng(0)
    weights = [torch.tensor(random.standard_normal(b.shape), dtype=b.dtype) for _, b in differentiable]
    results, expected_results = [a for a, _ in differentiable], [b for _, b in differentiable]
    try:
        expected = torch.autograd.grad(expected_results, [y for _, y in leaves], weights, allow_unused=True)
    except (RuntimeError, NotImplementedError):  # PyTorch has none here
        return
    try:
        found = og.autograd.grad(results, [x for x, _ in leaves], [to_ours(w) for w in weights], allow_unused=True)
        for a, b in zip(found, expected, strict=True):
            if b is not None:
                assert a is not None, "there is no gradient"
                np.testing.assert_allclose(a.numpy(), b.numpy(), equal_nan=True, **GRADIENT_TOLERANCE)
    except Exception as error:
        count.add(error)
    else:
        count.add(None)


def _samples(op: Any, dtype: torch.dtype, with_gradients: bool) -> Iterator[Any]:
    torch.manual_seed(0)
    yield from op.sample_inputs("cpu", dtype, requires_grad=with_gradients)


def measure(op: Any, columns: tuple[str, ...] = COLUMNS, backend: str = "reference") -> dict[str, Count]:
    """How many samples agree, for each column that says something about the operator.

    The reference backend computes, with which every other is compared op by op: compiling each sample would take long.

    Raises:
        Absent: there is no such operator here.
    """
    public_function(op.name)
    found: dict[str, Count] = {}
    with warnings.catch_warnings(), og.config.using(backend=backend):
        warnings.simplefilter("ignore")
        for column in columns:
            if column == "errors":
                found["errors"] = _refusals(op)
            elif column != "gradient" and DTYPES[column] in op.supported_dtypes("cpu"):
                found |= _measure_dtype(op, column)
    return {column: count for column, count in found.items() if count.total}


def _measure_dtype(op: Any, column: str) -> dict[str, Count]:
    dtype = DTYPES[column]
    values, gradients = Count(), Count()
    differentiable = column == "float32" and op.supports_autograd and dtype in op.supported_backward_dtypes("cpu")
    samples = _samples(op, dtype, differentiable)
    while True:
        try:
            sample = next(samples, None)
        except Exception:  # PyTorch cannot make its own samples
            break
        if sample is None:
            break
        try:
            og.manual_seed(0)
            check_sample(op, sample, gradients if differentiable else None)
        except Unsuitable:
            continue
        except Exception as error:
            if not _is_random(op, sample):
                values.add(error)
        else:
            values.add(None)
    return {column: values} | ({"gradient": gradients} if differentiable else {})


def _is_random(op: Any, sample: Any) -> bool:
    """Whether another seed gives another result here: PyTorch's description of the operator may fix its seed."""
    results = []
    for seed in (1, 2):
        og.manual_seed(seed)
        try:
            found = tree_leaves(_call(op, tree_map(to_ours, [sample.input, *sample.args, sample.kwargs])))
            results.append([x.detach().float().numpy() if isinstance(x, og.Tensor) else x for x in found])
        except Exception:
            return False
    return not all(np.array_equal(a, b, equal_nan=True) for a, b in zip(*results, strict=True))


def _refusals(op: Any) -> Count:
    """How many of the calls that PyTorch refuses are refused here, with an error that is an instance of the same class."""
    count = Count()
    if op.error_inputs_func is None:
        return count
    for case in op.error_inputs("cpu"):
        sample = case.sample_input
        try:
            ours = tree_map(to_ours, [sample.input, *sample.args, sample.kwargs])
        except Unsuitable:
            continue
        try:
            op(sample.input, *sample.args, **sample.kwargs)
        except case.error_type:
            pass
        except Exception:
            continue
        else:
            continue  # PyTorch only refuses it for its out= or on another device
        count.add(_refusal_problem(op, ours, case.error_type))
    return count


def _refusal_problem(op: Any, ours: list[Any], kind: type[Exception]) -> Exception | None:
    try:
        for leaf in tree_leaves(_call(op, ours)):
            if isinstance(leaf, og.Tensor):
                leaf.detach().numpy()  # some errors are known when values are
    except kind:
        return None
    except Exception as error:
        return error
    return AssertionError(f"no {kind.__name__} for {' '.join(repr(ours).split())}")


def measure_row(arguments: tuple[str, tuple[str, ...], str]) -> dict[str, tuple[int, int, str]] | None:
    """`measure` of an operator's name, columns and backend, in terms that go between processes; None where it is absent."""
    name, columns, backend = arguments
    try:
        counts = measure(operators()[name], columns, backend)
    except Absent:
        return None
    return {column: (count.agreed, count.total, count.first) for column, count in counts.items()}
