"""Single operators: products of matrices, and what is limited by memory.

Each is a function of a framework and of tensors. `traffic` is what must at least pass between processor and memory;
`row.py` compares it with a copy. Read next: `rivals.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.contest import Contest, Contestant, check
from bench.models import resnet50

Compute = Callable[..., Any]


@dataclass(frozen=True)
class Operator:
    """An operator to measure.

    Attributes:
        compute: from a framework and tensors to a tensor.
        shapes: of its float32 inputs.
        labels: classes of an int64 input that comes last, as many as the first shape has rows; 0 for none.
        passes: how often at least the first input's bytes go to or from memory; 0 where arithmetic is the limit.
        image: whether PyTorch also tries channels-last.
    """

    compute: Compute
    shapes: tuple[tuple[int, ...], ...]
    labels: int = 0
    passes: int = 0
    image: bool = False


def _matmul(framework: Any, a: Any, b: Any) -> Any:
    return a @ b


def _softmax(framework: Any, x: Any) -> Any:
    return framework.nn.functional.softmax(x, -1)


def _layer_norm(framework: Any, x: Any, weight: Any, bias: Any) -> Any:
    return framework.nn.functional.layer_norm(x, (x.shape[-1],), weight, bias)


def _batch_norm(framework: Any, x: Any, mean: Any, variance: Any, weight: Any, bias: Any) -> Any:
    return framework.nn.functional.batch_norm(x, mean, variance, weight, bias, training=True)


def _gelu(framework: Any, x: Any) -> Any:
    return framework.nn.functional.gelu(x)


def _cross_entropy_gradient(framework: Any, x: Any, y: Any) -> Any:
    x = x.detach().requires_grad_()
    loss = framework.nn.functional.cross_entropy(x, y)
    return framework.autograd.grad(loss, x)[0]


OPERATORS: dict[str, tuple[Operator, Operator]] = {  # in full size, and tiny
    "matmul512": (Operator(_matmul, ((512, 512),) * 2), Operator(_matmul, ((5, 7), (7, 3)))),
    "matmul1024": (Operator(_matmul, ((1024, 1024),) * 2), Operator(_matmul, ((5, 7), (7, 3)))),
    "matmul2048": (Operator(_matmul, ((2048, 2048),) * 2), Operator(_matmul, ((5, 7), (7, 3)))),
    "matmul-thin": (Operator(_matmul, ((64, 1000), (1000, 100))), Operator(_matmul, ((4, 9), (9, 2)))),
    "matmul-batched": (
        Operator(_matmul, ((64, 128, 128), (64, 128, 64))),
        Operator(_matmul, ((3, 4, 5), (3, 5, 2))),
    ),
    "softmax": (Operator(_softmax, ((4096, 1024),), passes=2), Operator(_softmax, ((3, 5),), passes=2)),
    "softmax-attention": (
        Operator(_softmax, ((12, 6, 256, 256),), passes=2),
        Operator(_softmax, ((2, 2, 3, 3),), passes=2),
    ),
    "layer-norm": (
        Operator(_layer_norm, ((8192, 768), (768,), (768,)), passes=2),
        Operator(_layer_norm, ((5, 6), (6,), (6,)), passes=2),
    ),
    "batch-norm": (  # its statistics need a pass of their own: two to read, one to write
        Operator(_batch_norm, ((8, 256, 56, 56), *((256,),) * 4), passes=3, image=True),
        Operator(_batch_norm, ((2, 3, 4, 4), *((3,),) * 4), passes=3, image=True),
    ),
    "gelu": (Operator(_gelu, ((16, 1024, 1024),), passes=2), Operator(_gelu, ((2, 3, 4),), passes=2)),
    "cross-entropy": (
        Operator(_cross_entropy_gradient, ((512, 32768),), labels=32768, passes=2),
        Operator(_cross_entropy_gradient, ((3, 5),), labels=5, passes=2),
    ),
}


def _inputs(framework: Any, operator: Operator) -> list[Any]:
    rng = np.random.default_rng(2)
    arrays = [rng.standard_normal(shape, np.float32) for shape in operator.shapes]
    if operator.image:
        arrays[2] = np.abs(arrays[2])  # a variance
    if operator.labels:
        arrays.append(rng.integers(0, operator.labels, operator.shapes[0][0]))
    return [framework.tensor(array) for array in arrays]


def our_operator(operator: Operator) -> tuple[Contestant, Callable[[], Any]]:
    """The operator under jit: a contestant, and a function that gives the result as an array."""
    import onegraph as og

    inputs = _inputs(og, operator)
    compute = og.jit(lambda *tensors: operator.compute(og, *tensors))
    return (lambda: og.eval(compute(*inputs))), (lambda: compute(*inputs).numpy())


def their_operator(operator: Operator, variant: str) -> tuple[Contestant, Callable[[], Any]]:
    """The operator by PyTorch: a contestant, and a function that gives the result as an array."""
    import torch

    torch.set_num_threads(2)
    inputs = _inputs(torch, operator)
    if "channels-last" in variant:
        inputs[0] = inputs[0].contiguous(memory_format=torch.channels_last)
    gradients = torch.enable_grad if operator.labels else torch.no_grad

    def plain(*tensors: Any) -> Any:
        return operator.compute(torch, *tensors)

    if "compiled" in variant and operator.labels:  # a gradient asked for inside cannot be compiled: ask outside
        loss = torch.compile(torch.nn.functional.cross_entropy)
        inputs[0].requires_grad_()

        def compute(x: Any, y: Any) -> Any:
            return torch.autograd.grad(loss(x, y), x)[0]
    else:
        compute = torch.compile(plain) if "compiled" in variant else plain

    def run() -> Any:
        with gradients():
            return compute(*inputs)

    return run, lambda: run().numpy()


def operators(name: str, quick: bool) -> Contest:
    """The contest of an operator."""
    operator = OPERATORS[name][quick]
    names = ["eager", "compiled"] + (["channels-last", "compiled channels-last"] if operator.image else [])

    def variant(which: str) -> Any:
        return lambda: their_operator(operator, which)[0]

    def agree() -> str:
        return check("results", our_operator(operator)[1](), their_operator(operator, "eager")[1]())

    size = 4 * math.prod(operator.shapes[0])  # the result, or the gradient, is as large as the first input
    return Contest(
        lambda: our_operator(operator)[0], {n: variant(n) for n in names}, agree, operator.passes * size, 2 * size
    )


# ------------------------------------------------------------------------------------------------------- Adam


def _shapes(framework: Any, quick: bool) -> list[tuple[int, ...]]:
    if quick:
        return [(3, 4), (4,), (2, 3, 1, 1)]
    return [tuple(p.shape) for p in resnet50(framework).parameters()]


def _adam(framework: Any, quick: bool, **options: Any) -> tuple[Any, list[Any]]:
    rng = np.random.default_rng(3)
    parameters = []
    for shape in _shapes(framework, quick):
        parameter = framework.nn.Parameter(framework.tensor(rng.standard_normal(shape, np.float32)))
        parameter.grad = framework.tensor(rng.standard_normal(shape, np.float32))
        parameters.append(parameter)
    return framework.optim.Adam(parameters, lr=1e-3, **options), parameters


def _our_adam(quick: bool) -> tuple[Contestant, list[Any]]:
    import onegraph as og

    optimizer, parameters = _adam(og, quick)

    @og.jit
    def step() -> None:
        optimizer.step()

    def run() -> None:
        step()
        og.eval(*parameters)

    return run, parameters


def _their_adam(quick: bool, variant: str) -> tuple[Contestant, list[Any]]:
    import torch

    torch.set_num_threads(2)
    options = {"foreach": variant == "foreach"} if variant in ("eager", "foreach") else {"fused": True}
    optimizer, parameters = _adam(torch, quick, **options)
    return optimizer.step, parameters


def adam(quick: bool) -> Contest:
    """The contest of one Adam step on the parameters of ResNet-50, 25.6 million in 161 tensors."""

    def variant(which: str) -> Any:
        return lambda: _their_adam(quick, which)[0]

    def agree() -> str:
        (ours, our_parameters), (theirs, their_parameters) = _our_adam(quick), _their_adam(quick, "eager")
        for _ in range(3):
            ours()
            theirs()
        pairs = zip(our_parameters, their_parameters, strict=True)
        return [check("parameters", a.detach().numpy(), b.detach().numpy(), 1e-5) for a, b in pairs][-1]

    # Read parameter, gradient and both moments; write parameter and both moments.
    elements = 30 if quick else 25_557_032
    variants = {which: variant(which) for which in ("eager", "foreach", "fused")}
    return Contest(lambda: _our_adam(quick)[0], variants, agree, 7 * 4 * elements, 4 * 4 * elements)
