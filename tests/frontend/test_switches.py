"""Settings that programs make at their start, functions that write in place, and draws in place.

Read next: `onegraph/frontend/switches.py`.
"""

from __future__ import annotations

import numpy as np
import pytest

import onegraph as og
from onegraph.errors import ArgumentError, ArgumentTypeError, DeviceError


def test_settings() -> None:
    og.set_float32_matmul_precision("high")
    assert og.get_float32_matmul_precision() == "high"
    og.set_float32_matmul_precision("highest")
    with pytest.raises(ArgumentError, match="highest, high or medium"):
        og.set_float32_matmul_precision("low")
    og.use_deterministic_algorithms(True, warn_only=True)
    assert og.are_deterministic_algorithms_enabled()
    with pytest.raises(ArgumentTypeError, match="bool"):
        og.use_deterministic_algorithms(1)
    og.set_default_device("cpu")
    assert str(og.get_default_device()) == "cpu"
    with pytest.raises(DeviceError):
        og.set_default_device("cuda")
    og.set_default_tensor_type(og.DoubleTensor)
    assert og.zeros(1).dtype is og.float64
    og.set_default_tensor_type("torch.FloatTensor")
    assert og.zeros(1).dtype is og.float32
    with pytest.raises(ArgumentError, match="not floating"):
        og.set_default_tensor_type(og.LongTensor)
    with og.inference_mode():
        assert og.is_inference_mode_enabled()
    assert (og.set_flush_denormal(True), og.get_device(og.ones(1)), og.is_signed(og.ones(1))) == (False, -1, True)


def test_functions_that_write_in_place() -> None:
    with og.config.using(backend="reference"):
        for name, expected in (
            ("relu_", [0.0, 2.0]),
            ("neg_", [1.0, -2.0]),
            ("square_", [1.0, 4.0]),
            ("zero_", [0.0, 0.0]),
        ):
            x = og.tensor([-1.0, 2.0])
            assert getattr(og, name)(x) is x
            assert x.tolist() == expected
        x = og.ones(2, 3)
        assert x.renorm_(1, 0, 1.5).sum(1).tolist() == pytest.approx([1.5, 1.5])
        w = og.ones(2, requires_grad=True)
        assert not og.detach(w).requires_grad


def test_draws_in_place() -> None:
    og.manual_seed(0)
    with og.config.using(backend="reference"):
        x = og.empty(4000)
        assert np.log(x.log_normal_(0.5, 0.25).numpy()).mean() == pytest.approx(0.5, abs=0.03)
        assert np.median(x.cauchy_(2.0, 0.5).numpy()) == pytest.approx(2.0, abs=0.1)
        drawn = x.geometric_(0.25).numpy()
        assert drawn.min() == 1.0
        assert drawn.mean() == pytest.approx(4.0, rel=0.1)
