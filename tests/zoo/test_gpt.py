"""The GPT: what a position may look at, first values, and writing on."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest

import onegraph as og
from onegraph.errors import ArgumentError, ShapeError
from onegraph.zoo import gpt
from onegraph.zoo.sampling import draw


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with og.config.using(backend="reference"):  # nothing here depends on how it is compiled
        yield


@pytest.fixture
def model() -> og.nn.Module:
    og.manual_seed(0)
    return gpt(vocabulary=7, width=16, layers=2, heads=2, context=8)


def test_a_position_does_not_see_later_ones(model: og.nn.Module) -> None:
    tokens = np.array([[1, 2, 3, 4, 5, 6]])
    changed = tokens.copy()
    changed[0, 4] = 0
    with og.no_grad():
        before, after = model(og.tensor(tokens)).numpy(), model(og.tensor(changed)).numpy()
    np.testing.assert_allclose(before[:, :4], after[:, :4], atol=1e-6)
    assert np.abs(before[:, 4:] - after[:, 4:]).max() > 1e-3


def test_the_table_of_tokens_is_shared(model: og.nn.Module) -> None:
    assert model.lm_head.weight is model.transformer["wte"].weight
    assert sum(p.numel() for p in gpt(7, 16, 2, 2, 8, tied=False).parameters()) == 7 * 16 + sum(
        p.numel() for p in model.parameters()
    )


def test_residual_projections_start_smaller() -> None:
    og.manual_seed(1)
    weights = gpt(width=64, layers=8, heads=1).state_dict()
    assert float(weights["transformer.h.3.mlp.c_fc.weight"].std()) == pytest.approx(0.02, rel=0.05)
    assert float(weights["transformer.h.3.mlp.c_proj.weight"].std()) == pytest.approx(0.02 / math.sqrt(16), rel=0.05)


def test_writing_on_takes_the_likeliest_and_keeps_the_mode(model: og.nn.Module) -> None:
    tokens = og.tensor([[1, 2], [3, 4]])
    model.train()
    written = model.generate(tokens, 8, temperature=0)
    assert model.training and tuple(written.shape) == (2, 10)
    model.eval()
    seen = written.numpy()
    for at in range(2, 10):
        logits = model(og.tensor(seen[:, max(0, at - 8) : at])).detach().numpy()
        np.testing.assert_array_equal(logits[:, -1].argmax(-1), seen[:, at])


def test_too_many_tokens_and_none_are_refused(model: og.nn.Module) -> None:
    with pytest.raises(ArgumentError, match="got 9 tokens, and its context is 8"):
        model(og.zeros(1, 9, dtype=og.int64))
    with pytest.raises(ShapeError, match=r"\(1, 0\)"):
        model.generate(og.zeros(1, 0, dtype=og.int64), 1)
    with pytest.raises(ArgumentError, match="3 heads do not divide a width of 16"):
        gpt(width=16, heads=3)


def test_draws_follow_the_logits() -> None:
    og.manual_seed(0)
    logits = og.log(og.tensor([[0.1, 0.6, 0.3]])).expand(4000, 3)
    share = np.bincount(draw(logits).numpy()[:, 0], minlength=3) / 4000
    np.testing.assert_allclose(share, [0.1, 0.6, 0.3], atol=0.03)
    top = np.bincount(draw(logits, top_k=2).numpy()[:, 0], minlength=3) / 4000
    np.testing.assert_allclose(top, [0, 2 / 3, 1 / 3], atol=0.03)
    cold = np.bincount(draw(logits, temperature=0.5).numpy()[:, 0], minlength=3) / 4000
    np.testing.assert_allclose(cold, np.array([0.01, 0.36, 0.09]) / 0.46, atol=0.03)
    with pytest.raises(ArgumentError, match="temperature"):
        draw(logits, temperature=-1)
