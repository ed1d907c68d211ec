"""Products of bfloat16 on the native backend against the reference: with matrix tiles where the processor has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph.backends.native.half_products import uses_tiles
from onegraph.config import using
from onegraph.ir.dtype import bfloat16, float16, float32
from onegraph.ir.node import input_node
from onegraph.kernels.target import host, plain_target
from onegraph.ops.convolution import CONV
from onegraph.ops.record import OPS

F = og.nn.functional


def _values(*shape: int, dtype: Any = og.bfloat16) -> Any:
    found = np.random.default_rng(sum(shape) * 7 + len(shape)).standard_normal(shape, np.float32)
    return og.tensor(found).to(dtype)


def _both(function: Any) -> tuple[list[Any], list[Any]]:
    results = []
    for backend in ("native", "reference"):
        with using(backend=backend):
            made = function()
            results.append([v.float().numpy() for v in (made if isinstance(made, (list, tuple)) else [made])])
    return results[0], results[1]


def _agree(function: Any, depth: int) -> None:
    """Both sum in float32, in different orders, and round once."""
    for ours, theirs in zip(*_both(function), strict=True):
        assert ours.shape == theirs.shape
        scale = depth**0.5
        np.testing.assert_allclose(ours, theirs, rtol=2.0**-7, atol=2.0**-8 * scale)


@pytest.mark.parametrize("m", [1, 3, 16, 33, 70])
@pytest.mark.parametrize("n", [1, 8, 31, 64, 97])
@pytest.mark.parametrize("k", [1, 7, 32, 130])
def test_products_of_any_size(m: int, n: int, k: int) -> None:
    _agree(lambda: _values(m, k) @ _values(k, n), k)


@pytest.mark.parametrize("sizes", [((2, 1, 5, 32), (3, 32, 40)), ((4, 40, 64), (4, 64, 33)), ((1, 2000), (2000, 300))])
def test_batches_and_long_depths(sizes: Any) -> None:
    a, b = sizes
    _agree(lambda: _values(*a) @ _values(*b), a[-1])


def test_transposed_operands_and_results() -> None:
    def several() -> list[Any]:
        a, b = _values(40, 64), _values(33, 64)
        return [a @ b.T, (a @ b.T).T, a.T @ a, b[:, ::2] @ a[:, ::2].T, og.relu(a @ b.T + _values(33))]

    _agree(several, 64)


CONVOLUTIONS = [
    # input, weights, stride, padding, dilation, groups
    ((2, 3, 19, 17), (40, 3, 7, 7), 2, 3, 1, 1),
    ((2, 32, 9, 11), (64, 32, 3, 3), 1, 1, 1, 1),
    ((2, 64, 9, 9), (96, 64, 3, 3), 2, 1, 1, 1),
    ((3, 64, 7, 7), (128, 64, 1, 1), 1, 0, 1, 1),
    ((2, 64, 8, 8), (48, 64, 1, 1), 2, 0, 1, 1),
    ((1, 20, 12, 12), (33, 20, 3, 2), 1, 2, 2, 1),
    ((2, 64, 6, 6), (64, 32, 3, 3), 1, 1, 1, 2),
    ((2, 8, 6, 6), (8, 1, 3, 3), 1, 1, 1, 8),
    ((1, 1, 5, 5), (1, 1, 5, 5), 1, 0, 1, 1),
]


@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolutions_and_their_gradients(case: Any) -> None:
    x_shape, w_shape, stride, padding, dilation, groups = case

    def step() -> list[Any]:
        x, w = _values(*x_shape).requires_grad_(), _values(*w_shape).requires_grad_()
        y = F.conv2d(x, w, None, stride, padding, dilation, groups)
        y.backward(_values(*y.shape))
        return [y.detach(), x.grad, w.grad]

    places = step()[0].numel() // w_shape[0]
    _agree(step, max(places, int(np.prod(w_shape[1:]))))


@pytest.mark.parametrize("rank", [1, 3])
def test_other_ranks(rank: int) -> None:
    convolution = {1: F.conv1d, 3: F.conv3d}[rank]

    def step() -> list[Any]:
        x, w = _values(2, 32, *[6] * rank).requires_grad_(), _values(20, 32, *[3] * rank).requires_grad_()
        y = convolution(x, w, padding=1)
        y.float().square().sum().backward()
        return [y.detach(), w.grad / 10]

    _agree(step, 32 * 3**rank)


def test_a_product_is_rounded_once_before_what_follows() -> None:
    a = og.tensor([[1.0, 1.0]]).to(og.bfloat16)
    b = og.tensor([[256.0], [1.0]]).to(og.bfloat16)  # 257 is no bfloat16; it rounds to 256, and 256 + 1 does so again
    with using(backend="native"):
        assert ((a @ b) + 1).item() == 256.0
        assert ((a @ b).float() + 1).item() == 257.0


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_do_not_change_a_bit(threads: int) -> None:
    def compute() -> Any:
        return F.conv2d(_values(4, 64, 14, 14), _values(64, 64, 3, 3), padding=1).float().numpy()

    with using(backend="native", threads=1):
        alone = compute()
    with using(backend="native", threads=threads):
        np.testing.assert_array_equal(compute(), alone)


def test_a_small_network_learns_in_half_precision() -> None:
    def train() -> Any:
        og.manual_seed(0)
        model = og.nn.Sequential(
            og.nn.Conv2d(3, 32, 3, padding=1),
            og.nn.BatchNorm2d(32),
            og.nn.ReLU(),
            og.nn.Flatten(),
            og.nn.Linear(2048, 5),
        )
        optimizer = og.optim.SGD(model.parameters(), lr=0.05)
        x, y = _values(8, 3, 8, 8, dtype=og.float32), og.arange(8) % 5

        @og.jit
        def step() -> Any:
            with og.autocast("cpu"):
                loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss.detach()

        return [step() for _ in range(4)]

    ours, theirs = _both(train)
    assert ours[-1] < ours[0]
    np.testing.assert_allclose(ours, theirs, rtol=0.03, atol=0.02)


def test_float16_computes_in_float32() -> None:
    _agree(lambda: _values(5, 40, dtype=og.float16) @ _values(40, 6, dtype=og.float16), 40)


def test_which_products_use_tiles() -> None:
    a, b = input_node((64, 64), bfloat16), input_node((64, 64), bfloat16)
    assert not uses_tiles(OPS["matmul"](a, b), plain_target())
    for dtype in (float16, float32):
        c = input_node((64, 64), dtype)
        assert not uses_tiles(OPS["matmul"](c, c), host())
    x, w = input_node((1, 8, 9, 9), bfloat16), input_node((8, 1, 3, 3), bfloat16)
    narrow = CONV(x, w, stride=(1, 1), padding=((1, 1), (1, 1)), dilation=(1, 1), groups=8)
    assert not uses_tiles(narrow, host())
