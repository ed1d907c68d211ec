"""Values of primitives at their records' samples, compared with PyTorch's function that means the same.

Read next: `test_records.py` (everything else that is tested by records).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from onegraph.ops import OPS
from tests.ops.cases import Case, cases_of

torch = pytest.importorskip("torch")

SAME_NAME = [
    "neg",
    "abs",
    "sign",
    "exp",
    "expm1",
    "log",
    "log1p",
    "sqrt",
    "rsqrt",
    "reciprocal",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "erf",
    "sigmoid",
    "floor",
    "ceil",
    "round",
    "trunc",
    "isnan",
    "isinf",
    "isfinite",
    "where",
    "add",
    "sub",
    "mul",
    "div",
    "pow",
    "maximum",
    "minimum",
    "atan2",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
    "matmul",
    "detach",
]


def _extreme(name: str) -> Callable[..., Any]:
    function = getattr(torch, "a" + name)
    return lambda x, dims, keepdim: function(x, dims, keepdim) if dims else x


def _sliced(x: Any, starts: Any, stops: Any, steps: Any) -> Any:
    return x[tuple(slice(a, b, c) for a, b, c in zip(starts, stops, steps, strict=True))]


def _scan(name: str) -> Callable[..., Any]:
    function = getattr(torch, name)

    def run(x: Any, dim: int, reverse: bool) -> Any:
        y = function(x.flip(dim) if reverse else x, dim)
        y = y[0] if isinstance(y, tuple) else y
        return y.flip(dim) if reverse else y

    return run


def _prod(x: Any, dims: tuple[int, ...], keepdim: bool) -> Any:
    for d in sorted(dims, reverse=True):
        x = x.prod(d, keepdim)
    return x


# name -> a function of tensors, and of the attributes by name
ORACLES: dict[str, Callable[..., Any]] = {name: getattr(torch, name) for name in SAME_NAME if hasattr(torch, name)}
ORACLES |= {
    "detach": lambda x: x,
    "sign": lambda x: torch.where(torch.isnan(x), x, torch.sign(x)),  # PyTorch makes NaN 0; here it stays
    "not": torch.bitwise_not,
    "and": torch.bitwise_and,
    "or": torch.bitwise_or,
    "xor": torch.bitwise_xor,
    "mod": torch.remainder,
    "floor_div": torch.floor_divide,
    "sum": lambda x, dims, keepdim: torch.sum(x, dims, keepdim) if dims else x,
    "prod": _prod,
    "max": _extreme("max"),
    "min": _extreme("min"),
    "argmax": torch.argmax,
    "argmin": torch.argmin,
    "cumsum": _scan("cumsum"),
    "cumprod": _scan("cumprod"),
    "cummax": _scan("cummax"),
    "argsort": lambda x, dim, descending: torch.sort(x, stable=True, dim=dim, descending=descending).indices,
    "reshape": lambda x, shape: torch.reshape(x, shape),
    "permute": lambda x, dims: torch.permute(x, dims),
    "expand": lambda x, shape: x.expand(shape),
    "flip": lambda x, dims: torch.flip(x, dims),
    "concat": lambda *xs, dim: torch.cat(xs, dim),
    "slice": _sliced,
}
CASES = [case for name in ORACLES for case in cases_of(OPS[name])]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_value(case: Case) -> None:
    expected = ORACLES[case.op.name](*[torch.tensor(a) for a in case.arrays], **case.attributes).numpy()
    (value,) = case.values()
    assert value.shape == expected.shape and value.dtype == expected.dtype
    np.testing.assert_allclose(value, expected, rtol=2e-6, atol=1e-6)


def test_no_oracle_is_missing() -> None:
    assert set(SAME_NAME) <= set(ORACLES), "PyTorch has no function of that name"
