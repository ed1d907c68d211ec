"""Wrong calls of every public function: each gives a result or a typed error, never a bare Python or NumPy error."""

from __future__ import annotations

import inspect
import random
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

import onegraph as og
from onegraph.errors import OneGraphError
from onegraph.frontend import namespaces
from onegraph.ops.public import PUBLIC

FAST, SLOW = 2_000, 20_000
_LOOPS = {"multigammaln", "mvlgamma"}  # as many terms as the number says
NAMES = sorted({(entry.namespace, entry.names[0]) for entry in PUBLIC})


def _tensors() -> list[Any]:
    return [
        og.ones(2, 3),
        og.zeros(3),
        og.tensor(2.0),
        og.tensor([1, 2]),
        og.tensor([True, False, True]),
        og.ones(2, 3, 4),
        og.zeros(0, 3),
        og.tensor([float("nan"), float("inf")]),
        og.ones(1, 2, 5, 5),
        og.tensor([-1, 99]),
        og.ones(2, 2, dtype=og.float16),
        og.ones(3, 3, requires_grad=True),
    ]


VALUES: list[Any] = [0, 1, -1, 2, 3, -7, 10**6, 2**40, 0.5, -1.5, float("nan"), float("inf"), True, None, "sum", "no such",
                     (), (2,), (0, 1), (-1, 5), [0, 1], [], (2, 3), (1, "a"), {}, object(), og.float64, og.int64, 1j, b"x"]  # fmt: skip


def calls(count: int, seed: int) -> Iterator[tuple[str, Any, tuple[Any, ...], dict[str, Any]]]:
    """Calls of public functions with arguments of all kinds."""
    choose = random.Random(seed)
    tensors = _tensors()
    for number in range(count):
        namespace, name = NAMES[number % len(NAMES)]
        method = namespace == "tensor" or name not in namespaces.get(namespace, {})
        function = getattr(og.Tensor, name, None) if method else namespaces[namespace][name]
        if function is None:
            continue
        arguments: list[Any] = [choose.choice(tensors)] if choose.random() < 0.9 else []
        for _ in range(choose.choice([0, 1, 1, 1, 2, 2, 3, 5])):
            arguments.append(choose.choice(tensors) if choose.random() < 0.35 else choose.choice(VALUES))
        keywords: dict[str, Any] = {}
        if choose.random() < 0.25:
            parameters = [p for p in inspect.signature(function).parameters if p not in ("args", "kwargs", "self")]
            if parameters:
                keywords[choose.choice([*parameters[1:], "nonsense"])] = choose.choice(VALUES)
        if method and not (arguments and isinstance(arguments[0], og.Tensor)):
            arguments.insert(0, tensors[0])
        if name in _LOOPS and any(isinstance(a, int) and a > 1000 for a in [*arguments, *keywords.values()]):
            continue
        yield f"{namespace}.{name}", function, tuple(arguments), keywords


def wrong_answers(count: int, seed: int) -> list[str]:
    """What did not end in a result or in a typed error."""
    found = []
    for name, function, arguments, keywords in calls(count, seed):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                result = function(*arguments, **keywords)
                if isinstance(result, og.Tensor) and result.numel() < 10_000:
                    result.tolist()
        except (OneGraphError, TypeError, StopIteration):
            pass
        except Exception as error:
            shown = ", ".join([*[f"{a!r:.60}" for a in arguments], *[f"{k}={v!r:.40}" for k, v in keywords.items()]])
            found.append(f"{name}({shown}): {type(error).__name__}: {str(error)[:150]}")
    return found


def test_wrong_calls_give_typed_errors() -> None:
    found = wrong_answers(FAST, 0)
    assert not found, "\n".join(found)


@pytest.mark.slow
def test_many_wrong_calls_give_typed_errors() -> None:
    found = wrong_answers(SLOW, 1)
    assert not found, "\n".join(found)
