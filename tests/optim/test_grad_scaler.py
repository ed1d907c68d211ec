"""Loss scaling with float16 on the CPU, step by step as PyTorch; custom functions under autocast.

Read next: `onegraph/optim/grad_scaler.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph.errors import ArgumentError, DTypeError, StateError

torch = pytest.importorskip("torch")

LIBRARIES = ((torch, torch.tensor), (og, og.tensor))


@pytest.fixture(autouse=True)
def reference() -> Any:
    with og.config.using(backend="reference"):
        yield


def test_training_as_torch() -> None:
    """With an overflow in the middle: that step is skipped and the scale halves."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(16, 8)).astype(np.float32), rng.normal(size=(1, 16)).astype(np.float32)
    batches = [rng.normal(size=(4, 8)).astype(np.float32) for _ in range(12)]
    batches[5] *= 1e4
    found = []
    for library, tensor in LIBRARIES:
        layers = library.nn
        model = layers.Sequential(layers.Linear(8, 16, bias=False), layers.ReLU(), layers.Linear(16, 1, bias=False))
        model.load_state_dict({"0.weight": tensor(first), "2.weight": tensor(second)})
        optimizer = library.optim.SGD(model.parameters(), lr=0.01)
        scaler = library.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=3)
        losses, scales = [], []
        for i, x in enumerate(batches):
            optimizer.zero_grad()
            with library.autocast("cpu", dtype=library.float16):
                loss = (model(tensor(x)) ** 2).mean()
            scaler.scale(loss).backward()
            if i % 2:
                scaler.unscale_(optimizer)
                library.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
            losses.append(loss.item())
            scales.append(scaler.get_scale())
        found.append((losses, scales, scaler.state_dict(), model[0].weight.detach().numpy()))
    expected, mine = found
    assert mine[1] == expected[1]
    assert min(mine[1]) < 1024.0 < max(mine[1]) + 1
    np.testing.assert_allclose(mine[0], expected[0], rtol=2e-2)
    assert mine[2] == expected[2]
    np.testing.assert_allclose(mine[3], expected[3], rtol=1e-2, atol=1e-3)


def test_a_skipped_step_changes_nothing() -> None:
    w = og.nn.Parameter(og.ones(2))
    optimizer, scaler = og.optim.SGD([w], lr=1.0, momentum=0.9), og.amp.GradScaler("cpu", init_scale=8.0)
    scaler.scale(w.sum() * float("inf")).backward()
    scaler.step(optimizer)
    scaler.update()
    assert (w.tolist(), scaler.get_scale(), optimizer.state_dict()["state"]) == ([1.0, 1.0], 4.0, {})
    optimizer.zero_grad()
    scaler.scale(w.sum()).backward()
    scaler.step(optimizer)
    scaler.update(2.0)
    assert (w.tolist(), scaler.get_scale()) == ([0.0, 0.0], 2.0)


def test_state_goes_both_ways() -> None:
    ours, theirs = og.amp.GradScaler("cpu", init_scale=4.0), torch.amp.GradScaler("cpu")
    theirs.load_state_dict(ours.state_dict())
    assert theirs.get_scale() == 4.0
    other = og.amp.GradScaler("cpu")
    other.load_state_dict(theirs.state_dict())
    assert other.state_dict() == ours.state_dict()


def test_disabled_scalers_let_everything_through() -> None:
    w = og.nn.Parameter(og.ones(2))
    optimizer = og.optim.SGD([w], lr=1.0)
    with pytest.warns(UserWarning, match="no 'cuda' here"):
        scaler = og.cuda.amp.GradScaler()
    loss = w.sum()
    assert scaler.scale(loss) is loss
    loss.backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    assert (w.tolist(), scaler.get_scale(), scaler.state_dict()) == ([0.0, 0.0], 1.0, {})
    assert og.cpu.amp.GradScaler().is_enabled()
    with pytest.warns(UserWarning, match="nothing is cast"), og.cuda.amp.autocast():
        assert not og.is_autocast_enabled()


def test_order_of_calls() -> None:
    w = og.nn.Parameter(og.ones(2))
    optimizer, scaler = og.optim.SGD([w], lr=1.0), og.amp.GradScaler("cpu")
    with pytest.raises(StateError, match="update without a step"):
        scaler.update()
    with pytest.raises(StateError, match="has a gradient"):
        scaler.step(optimizer)
    scaler.update()
    w.grad = og.ones(2)
    scaler.unscale_(optimizer)
    with pytest.raises(StateError, match="once for each step"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    with pytest.raises(StateError, match="called twice"):
        scaler.step(optimizer)
    with pytest.raises(StateError, match="after step"):
        scaler.unscale_(optimizer)
    scaler.update()
    with pytest.raises(ArgumentError, match="no closure"):
        scaler.step(optimizer, lambda: None)
    half = og.nn.Parameter(og.ones(1, dtype=og.float16))
    half.grad = og.ones(1, dtype=og.float16)
    with pytest.raises(DTypeError, match="float16"):
        scaler.unscale_(og.optim.SGD([half], lr=1.0))
    with pytest.raises(ArgumentError, match="above 1"):
        og.amp.GradScaler("cpu", growth_factor=0.5)
    with pytest.raises(StateError, match="empty"):
        scaler.load_state_dict({})


def test_custom_functions_as_torch() -> None:
    for library, _ in LIBRARIES:
        said: list[Any] = []
        plain = library.amp.custom_fwd(device_type="cpu")
        casting = library.amp.custom_fwd(device_type="cpu", cast_inputs=library.float32)
        in_reverse = library.amp.custom_bwd(device_type="cpu")

        class Product(library.autograd.Function):  # type: ignore[name-defined,misc]
            @staticmethod
            @plain
            def forward(ctx: Any, a: Any, b: Any) -> Any:
                ctx.save_for_backward(a, b)
                return a @ b

            @staticmethod
            @in_reverse
            def backward(ctx: Any, g: Any, said: Any = said, library: Any = library) -> Any:
                a, b = ctx.saved_tensors
                said.append(str((a @ b).dtype).split(".")[-1])
                return g.to(library.float32) @ b.t(), a.t() @ g.to(library.float32)

        class Cast(Product):
            @staticmethod
            @casting
            def forward(ctx: Any, a: Any, b: Any) -> Any:
                ctx.save_for_backward(a, b)
                return a @ b

        for kind, expected in ((Product, "bfloat16"), (Cast, "float32")):
            a, b = library.ones(2, 2, requires_grad=True), library.ones(2, 2, requires_grad=True)
            with library.autocast("cpu"):
                y = kind.apply(a, b)
            y.float().sum().backward()
            assert said.pop() == expected
            assert str(y.dtype).endswith(expected)
            assert a.grad.tolist() == [[2.0, 2.0], [2.0, 2.0]]
