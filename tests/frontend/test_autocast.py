"""`og.autocast` against PyTorch's: the dtype of each operation, gradients, traces, nesting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph.errors import ArgumentTypeError

Case = Callable[[Any, Any, Any], Any]


def _numbers(framework: Any, *shape: int, dtype: str = "float32") -> Any:
    values = np.random.default_rng(sum(shape)).standard_normal(shape, np.float32)
    return framework.tensor(values).to(getattr(framework, dtype))


def _half(framework: Any, *shape: int) -> Any:
    return _numbers(framework, *shape, dtype="bfloat16")


# Each takes the framework, its functional namespace, and a function that makes the first operand.
CASES: dict[str, Case] = {
    "matmul": lambda t, f, x: x(2, 3) @ _numbers(t, 3, 4),
    "mm": lambda t, f, x: t.mm(x(2, 3), _numbers(t, 3, 4)),
    "bmm": lambda t, f, x: t.bmm(x(2, 3, 4), _numbers(t, 2, 4, 5)),
    "addmm": lambda t, f, x: t.addmm(_numbers(t, 5), x(3, 4), _numbers(t, 4, 5)),
    "addbmm": lambda t, f, x: t.addbmm(_numbers(t, 3, 5), x(2, 3, 4), _numbers(t, 2, 4, 5)),
    "baddbmm": lambda t, f, x: t.baddbmm(_numbers(t, 2, 3, 5), x(2, 3, 4), _numbers(t, 2, 4, 5)),
    "einsum": lambda t, f, x: t.einsum("ij,jk->ik", x(3, 4), _numbers(t, 4, 5)),
    "einsum of one": lambda t, f, x: t.einsum("ij->ji", x(3, 4)),
    "vecdot": lambda t, f, x: t.linalg.vecdot(x(3, 4), _numbers(t, 3, 4)),
    "outer": lambda t, f, x: t.outer(x(3), _numbers(t, 4)),
    "linear": lambda t, f, x: f.linear(x(3, 4), _numbers(t, 5, 4), _numbers(t, 5)),
    "linear by names": lambda t, f, x: f.linear(input=x(3, 4), weight=_numbers(t, 5, 4), bias=None),
    "conv1d": lambda t, f, x: f.conv1d(x(1, 3, 8), _numbers(t, 4, 3, 3)),
    "conv2d": lambda t, f, x: f.conv2d(x(1, 3, 8, 8), _numbers(t, 4, 3, 3, 3), _numbers(t, 4)),
    "conv3d": lambda t, f, x: f.conv3d(x(1, 3, 4, 4, 4), _numbers(t, 4, 3, 3, 3, 3)),
    "conv_transpose2d": lambda t, f, x: f.conv_transpose2d(x(1, 3, 4, 4), _numbers(t, 3, 4, 3, 3)),
    "prelu": lambda t, f, x: f.prelu(x(1, 3, 4), _numbers(t, 3)),
    "attention": lambda t, f, x: f.scaled_dot_product_attention(x(2, 4, 8), _numbers(t, 2, 4, 8), _numbers(t, 2, 4, 8)),
    "softmax": lambda t, f, x: f.softmax(x(3, 4), dim=1),
    "log_softmax": lambda t, f, x: f.log_softmax(x(3, 4), dim=1),
    "relu": lambda t, f, x: f.relu(x(3, 4)),
    "gelu": lambda t, f, x: f.gelu(x(3, 4)),
    "exp": lambda t, f, x: t.exp(x(3, 4)),
    "sum": lambda t, f, x: x(3, 4).sum(),
    "prod": lambda t, f, x: x(3, 4).prod(),
    "add": lambda t, f, x: x(3) + _numbers(t, 3),
    "layer_norm": lambda t, f, x: f.layer_norm(x(3, 4), (4,), _numbers(t, 4), _numbers(t, 4)),
    "batch_norm": lambda t, f, x: f.batch_norm(
        x(2, 3, 4), t.zeros(3), t.ones(3), _numbers(t, 3), _numbers(t, 3), training=True
    ),
    "avg_pool2d": lambda t, f, x: f.avg_pool2d(x(1, 3, 8, 8), 2),
    "avg_pool3d": lambda t, f, x: f.avg_pool3d(x(1, 3, 8, 8, 8), 2),
    "max_pool2d": lambda t, f, x: f.max_pool2d(x(1, 3, 8, 8), 2),
    "max_pool3d": lambda t, f, x: f.max_pool3d(x(1, 3, 8, 8, 8), 2),
    "pad": lambda t, f, x: f.pad(x(1, 3, 8), (1, 1)),
    "pad by reflection": lambda t, f, x: f.pad(x(1, 3, 8), (1, 1), mode="reflect"),
    "grid_sample": lambda t, f, x: f.grid_sample(x(1, 1, 4, 4), _numbers(t, 1, 2, 2, 2), align_corners=False),
    "cdist": lambda t, f, x: t.cdist(x(3, 4), _numbers(t, 5, 4)),
    "cross_entropy": lambda t, f, x: f.cross_entropy(x(4, 3), t.tensor([0, 1, 2, 0])),
    "nll_loss": lambda t, f, x: f.nll_loss(x(4, 3), t.tensor([0, 1, 2, 0])),
    "mse_loss": lambda t, f, x: f.mse_loss(x(4, 3), _numbers(t, 4, 3)),
    "bce": lambda t, f, x: f.binary_cross_entropy_with_logits(x(4, 3), _numbers(t, 4, 3)),
    "smooth_l1_loss": lambda t, f, x: f.smooth_l1_loss(x(4, 3), _numbers(t, 4, 3)),
    "kl_div": lambda t, f, x: f.kl_div(x(4, 3), _numbers(t, 4, 3).softmax(1), reduction="sum"),
    "multilabel_soft_margin_loss": lambda t, f, x: f.multilabel_soft_margin_loss(x(4, 3), t.ones(4, 3)),
    "cat": lambda t, f, x: t.cat([x(3), _half(t, 3)]),
    "stack": lambda t, f, x: t.stack([x(3), _half(t, 3)]),
    "index_copy": lambda t, f, x: t.index_copy(x(3, 4), 0, t.tensor([0]), _half(t, 1, 4)),
    "inverse": lambda t, f, x: t.linalg.inv(x(1, 1)),
}


@pytest.mark.parametrize("given", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", CASES)
def test_operations_have_the_dtypes_that_pytorch_gives_them(name: str, given: str) -> None:
    torch = pytest.importorskip("torch")
    results = []
    for framework in (og, torch):
        with framework.autocast("cpu", dtype=framework.bfloat16):
            found = CASES[name](
                framework, framework.nn.functional, lambda *s, t=framework: _numbers(t, *s, dtype=given)
            )
        results.append(found)
    ours, theirs = results
    assert ours.dtype.name == str(theirs.dtype).removeprefix("torch.")
    np.testing.assert_allclose(ours.float().numpy(), theirs.float().numpy(), rtol=0.05, atol=0.1)


def test_float64_and_integers_are_never_cast() -> None:
    with og.autocast("cpu"):
        assert (og.ones(2, 3, dtype=og.float64) @ og.ones(3, 2, dtype=og.float64)).dtype is og.float64
        assert (og.ones(2, 3, dtype=og.int64) @ og.ones(3, 2, dtype=og.int64)).dtype is og.int64


def test_float16_is_chosen_by_its_argument() -> None:
    with og.autocast("cpu", dtype=og.float16):
        assert (og.ones(2, 3) @ og.ones(3, 2)).dtype is og.float16
        assert og.get_autocast_dtype() is og.float16
    assert og.get_autocast_dtype() is og.bfloat16


def _step(framework: Any) -> tuple[Any, ...]:
    x, w, v = _numbers(framework, 6, 5), _numbers(framework, 5, 4).requires_grad_(), _numbers(framework, 4, 3)
    v = v.requires_grad_()
    with framework.autocast("cpu", dtype=framework.bfloat16):
        hidden = framework.relu(x @ w)
        loss = framework.nn.functional.cross_entropy(hidden @ v, framework.tensor([0, 1, 2, 0, 1, 2]))
    loss.backward()
    return loss, w.grad, v.grad


def test_gradients_are_those_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    for ours, theirs in zip(_step(og), _step(torch), strict=True):
        assert ours.dtype is og.float32
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=0.02, atol=0.004)


def test_backward_computes_in_the_dtypes_of_the_forward_pass() -> None:
    w = og.ones(3, 2, requires_grad=True)
    with og.autocast("cpu"):
        y = og.ones(2, 3) @ w
    seen = []
    y.register_hook(lambda g: seen.append(g.dtype))
    y.float().sum().backward()  # outside of the context
    assert seen == [og.bfloat16] and w.grad.dtype is og.float32


def test_the_context_is_part_of_a_trace() -> None:
    torch = pytest.importorskip("torch")
    w = og.tensor(np.linspace(0, 1, 12, dtype=np.float32).reshape(4, 3)).requires_grad_()

    @og.jit
    def step(x: Any) -> Any:
        w.grad = None
        with og.autocast("cpu"):
            y = x @ w
        y.float().sum().backward()
        return y

    for _ in range(2):
        assert step(og.ones(2, 4)).dtype is og.bfloat16
    other = torch.linspace(0, 1, 12).reshape(4, 3).requires_grad_()
    with torch.autocast("cpu"):
        (torch.ones(2, 4) @ other).float().sum().backward()
    np.testing.assert_array_equal(w.grad.numpy(), other.grad.numpy())


def test_a_traced_function_is_traced_again_inside_of_a_context() -> None:
    product = og.jit(lambda x: x @ x)
    x = og.ones(2, 2)
    assert product(x).dtype is og.float32
    with og.autocast("cpu"):
        assert product(x).dtype is og.bfloat16
    assert product(x).dtype is og.float32


def test_contexts_nest_and_end_with_errors() -> None:
    x = og.ones(2, 2)
    with og.autocast("cpu") as context:
        with og.autocast("cpu", enabled=False):
            assert not og.is_autocast_enabled() and (x @ x).dtype is og.float32
            with context:
                assert (x @ x).dtype is og.bfloat16
        assert og.is_autocast_enabled("cpu") and (x @ x).dtype is og.bfloat16
    with pytest.raises(RuntimeError), og.autocast("cpu"):
        raise RuntimeError
    assert not og.is_autocast_enabled()


def test_it_decorates_functions() -> None:
    @og.amp.autocast("cpu", dtype=og.bfloat16)
    def product(x: Any) -> Any:
        return x @ x

    assert product(og.ones(2, 2)).dtype is og.bfloat16 and not og.is_autocast_enabled()


def test_what_is_not_there_casts_nothing() -> None:
    x = og.ones(2, 2)
    with pytest.warns(UserWarning, match="no 'cuda'"), og.autocast("cuda"):
        assert (x @ x).dtype is og.float32
    with pytest.warns(UserWarning, match="float64 is not half"), og.autocast("cpu", dtype=og.float64):
        assert (x @ x).dtype is og.float32
    with og.autocast("cuda", enabled=False):
        assert not og.is_autocast_enabled("cuda")
    with pytest.raises(ArgumentTypeError, match="device_type"):
        og.autocast(og.bfloat16)  # type: ignore[arg-type]


def test_modules_keep_their_parameters() -> None:
    model = og.nn.Sequential(og.nn.Conv2d(1, 4, 3), og.nn.BatchNorm2d(4), og.nn.Flatten(), og.nn.Linear(16, 2))
    with og.autocast("cpu"):
        y = model(og.ones(2, 1, 4, 4))
    assert y.dtype is og.bfloat16 and {p.dtype for p in model.parameters()} == {og.float32}
    assert model[1].running_mean.dtype is og.float32
