"""The check for NaN: it names the operation, the line, the layer, what was read and how often this ran; nothing is updated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
import onegraph.static as tf
from onegraph.config import using
from onegraph.errors import ArgumentError, NotFiniteError


@pytest.fixture(autouse=True)
def reference() -> Any:
    with using(backend="reference"):
        yield


def here(error: NotFiniteError, text: str) -> bool:
    """Whether the error points to the line of this file that has the text."""
    assert error.location is not None
    file, line = error.location
    return Path(file).name == Path(__file__).name and text in Path(__file__).read_text().splitlines()[line - 1]


def test_the_operation_that_made_a_nan_is_named_not_the_one_that_passed_it_on() -> None:
    x = og.tensor([4.0, -1.0])
    with og.autograd.detect_anomaly(), pytest.raises(NotFiniteError) as caught:
        ((x + 1).log() * 2).sum().item()
        ((x + 0.5).log() * 2).sum().item()  # the guilty line
    assert caught.value.message.startswith("log: its result of shape (2,) has 1 NaN of 2 values, the 2nd time")
    assert "from -0.5 to 4.5" in caught.value.message
    assert here(caught.value, "guilty line")


def test_a_gradient_that_is_not_finite_names_the_line_of_the_forward_operation() -> None:
    x = og.tensor([0.0, 1.0], requires_grad=True)
    with og.autograd.detect_anomaly(), pytest.raises(NotFiniteError) as caught:
        y = (x.sqrt() * 0.0).sum()  # zero times infinity, in the derivative
        y.backward()
        assert x.grad is not None
        x.grad.tolist()
    assert here(caught.value, "zero times infinity")


def test_what_was_to_be_updated_stays(tmp_path: Path) -> None:
    model = og.nn.Sequential(og.nn.Linear(2, 3), og.nn.Tanh(), og.nn.Linear(3, 1))
    optimizer = og.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    x = og.randn(4, 2)

    def step(x: og.Tensor) -> og.Tensor:
        loss = (model(x) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    for train in (step, og.jit(step)):
        with og.autograd.detect_anomaly():
            train(x)
            before = [p.numpy(force=True).copy() for p in model.parameters()]
            with pytest.raises(NotFiniteError, match=r"when it came in: 1 NaN"):
                train(og.tensor(np.array([[1, 2], [3, 4], [5, np.nan], [7, 8]], np.float32)))
        if train is not step:  # traced functions write all or nothing
            for p, old in zip(model.parameters(), before, strict=True):
                np.testing.assert_array_equal(p.numpy(force=True), old)


def test_the_layer_is_named() -> None:
    class Net(og.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = og.nn.Sequential(og.nn.Linear(2, 2, bias=False), og.nn.Softplus())

        def forward(self, x: og.Tensor) -> og.Tensor:
            return self.inner(x)  # type: ignore[no-any-return]

    net = Net()
    with og.no_grad():
        net.inner[0].weight.fill_(1e30)
    with (
        og.autograd.detect_anomaly(check_infinity=True),
        pytest.raises(NotFiniteError, match=r"in layer Net\.inner\.0"),
    ):
        net(og.full((1, 2), 1e30)).sum().item()


def test_traced_static_and_loaded_models_are_checked(tmp_path: Path) -> None:
    @og.jit
    def traced(x: og.Tensor) -> og.Tensor:
        return og.log(x).sum()  # traced

    class Log(og.nn.Module):
        def forward(self, x: og.Tensor) -> og.Tensor:
            return x.log()

    og.save_model(tmp_path / "model", Log(), og.ones(2, 2))
    loaded = og.load_model(tmp_path / "model")
    x = tf.placeholder(tf.float32, (None,))
    y = tf.log(x)  # static
    with og.autograd.detect_anomaly(), tf.Session() as session:
        for good, bad in (
            (lambda: traced(og.ones(2)).item(), lambda: traced(-og.ones(2)).item()),
            (lambda: session.run(y, {x: [1.0]}), lambda: session.run(y, {x: [-1.0]})),
            (lambda: loaded(og.ones(2, 2)), lambda: loaded(-og.ones(2, 2))),
        ):
            good()
            with pytest.raises(NotFiniteError, match=r"^log: its result"):
                bad()


def test_infinities_are_errors_when_asked_and_masks_never() -> None:
    x = og.tensor([0.0, 1.0])
    with og.autograd.detect_anomaly():
        assert (1 / x).tolist() == [float("inf"), 1.0]
    with og.autograd.detect_anomaly(check_infinity=True):
        masked = x.masked_fill(og.tensor([True, False]), float("-inf"))
        assert masked.tolist() == [float("-inf"), 1.0]
        assert masked.softmax(0).tolist() == [0.0, 1.0]
        with pytest.raises(NotFiniteError, match=r"div|reciprocal"):
            (1 / (x * 1)).tolist()


def test_half_precision_overflows_are_found() -> None:
    for dtype, large, value in ((og.float16, 60000.0, "6e.04"), (og.bfloat16, 3e38, "3.004e.38")):
        x = og.full((2,), large, dtype=dtype)
        with (
            og.autograd.detect_anomaly(check_infinity=True),
            pytest.raises(NotFiniteError, match=rf"has 2 infinite of 2 values.*from {value}"),
        ):
            (x + x).tolist()


def test_the_switch_works_as_in_pytorch() -> None:
    assert not og.autograd.is_anomaly_enabled()
    with og.autograd.detect_anomaly():
        assert og.autograd.is_anomaly_enabled() and og.autograd.is_anomaly_check_nan_enabled()
        with og.autograd.set_detect_anomaly(False):
            assert not og.autograd.is_anomaly_enabled()
        assert og.autograd.is_anomaly_enabled()
    og.autograd.set_detect_anomaly(True)
    assert og.autograd.is_anomaly_enabled()
    og.autograd.set_detect_anomaly(False)
    assert not og.autograd.is_anomaly_enabled()
    with og.autograd.detect_anomaly(check_nan=False):
        assert og.tensor([-1.0]).sqrt().isnan().item()
    with using(check_finite="everything"), pytest.raises(ArgumentError, match="'everything'"):
        (og.ones(1) + 1).tolist()
