"""Losses against PyTorch: values, gradients, every reduction and argument; and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onegraph.autodiff import gradient
from onegraph.backends.reference import evaluate
from onegraph.errors import ArgumentError, DTypeError, OutOfRangeError, ShapeError
from onegraph.ir.dim import Dim
from onegraph.ir.dtype import float32, int64
from onegraph.ir.node import input_node
from onegraph.ops import class_loss, loss, metric_loss
from onegraph.ops.elementwise import numpy_constant
from onegraph.ops.promotion import as_node
from tests.ops.torch_oracle import compare, random, torch

functional = torch.nn.functional
reductions = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])


def both(name: str) -> tuple[Any, Any]:
    module = next(m for m in (loss, class_loss, metric_loss) if name in m.__dict__)
    return getattr(module, name), getattr(functional, name)


def unit(*shape: int, seed: int = 0) -> np.ndarray:
    return 1 / (1 + np.exp(-random(*shape, seed=seed)))


def signs(*shape: int) -> np.ndarray:
    return np.where(random(*shape, seed=3) > 0, 1.0, -1.0)


PAIRS: list[tuple[str, np.ndarray, np.ndarray, dict[str, Any]]] = [
    ("mse_loss", random(3, 4), random(3, 4, seed=1), {}),
    ("mse_loss", random(3, 4), random(3, 4, seed=1), {"weight": unit(3, 4)}),
    ("l1_loss", random(3, 4), random(3, 4, seed=1), {}),
    ("l1_loss", random(3, 4), random(3, 4, seed=1), {"weight": unit(3, 4)}),
    ("smooth_l1_loss", random(3, 4), random(3, 4, seed=1), {}),
    ("smooth_l1_loss", random(3, 4), random(3, 4, seed=1), {"beta": 0.3}),
    ("smooth_l1_loss", random(3, 4), random(3, 4, seed=1), {"beta": 0.0}),
    ("huber_loss", random(3, 4), random(3, 4, seed=1), {"delta": 0.6}),
    ("huber_loss", random(3, 4), random(3, 4, seed=1), {"weight": unit(3, 4)}),
    ("binary_cross_entropy", unit(3, 4), unit(3, 4, seed=1), {}),
    ("binary_cross_entropy", unit(3, 4), unit(3, 4, seed=1), {"weight": unit(3, 1, seed=2)}),
    ("binary_cross_entropy_with_logits", random(3, 4) * 30, unit(3, 4, seed=1), {}),
    ("binary_cross_entropy_with_logits", random(3, 4), unit(3, 4), {"weight": unit(4), "pos_weight": unit(4)}),
    ("kl_div", np.log(unit(3, 4)), unit(3, 4, seed=1), {}),
    ("kl_div", np.log(unit(3, 4)), np.log(unit(3, 4, seed=1)), {"log_target": True}),
    ("soft_margin_loss", random(3, 4), signs(3, 4), {}),
    ("hinge_embedding_loss", random(3, 4), signs(3, 4), {"margin": 0.4}),
    ("hinge_embedding_loss", random(3), np.array([1.0, 0.0, -1.0]), {}),
    ("poisson_nll_loss", random(3, 4), np.round(unit(3, 4) * 5), {}),
    ("poisson_nll_loss", unit(3, 4), np.round(unit(3, 4) * 5), {"log_input": False, "full": True}),
    ("multilabel_soft_margin_loss", random(3, 4), np.round(unit(3, 4)), {}),
    ("multilabel_soft_margin_loss", random(3, 4), np.round(unit(3, 4)), {"weight": unit(4)}),
]  # fmt: skip


# PyTorch differentiates these by target and weight as well.
BOTH_DIFFERENTIABLE = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div")


@reductions
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")  # PyTorch's, about kl_div
@pytest.mark.parametrize(("name", "x", "y", "arguments"), PAIRS)
def test_loss_of_pairs(name: str, x: np.ndarray, y: np.ndarray, arguments: dict[str, Any], reduction: str) -> None:
    ours, theirs = both(name)
    if name in BOTH_DIFFERENTIABLE:
        compare(ours, theirs, x, y, **arguments, reduction=reduction)
        return
    compare(
        lambda x: ours(x, as_node(y), **fixed(arguments, as_node), reduction=reduction),
        lambda x: theirs(x, torch.tensor(y), **fixed(arguments, torch.tensor), reduction=reduction),
        x,
    )


def fixed(arguments: dict[str, Any], convert: Any) -> dict[str, Any]:
    return {k: convert(v) if isinstance(v, np.ndarray) else v for k, v in arguments.items()}


def test_kl_div_batchmean_and_zero_targets() -> None:
    x, y = np.log(unit(3, 4)), np.round(unit(3, 4, seed=1))
    assert (y == 0).any()
    compare(lambda x: loss.kl_div(x, as_node(y), reduction="batchmean"),
            lambda x: functional.kl_div(x, torch.tensor(y), reduction="batchmean"), x)  # fmt: skip


def test_binary_cross_entropy_at_certainty() -> None:
    x, y = np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0, 0.0])
    compare(loss.binary_cross_entropy, functional.binary_cross_entropy, x, y, reduction="none", gradients=False)


@reductions
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("shape", [(3, 4), (3, 1), (3,)])
def test_gaussian_nll_loss(shape: tuple[int, ...], full: bool, reduction: str) -> None:
    ours, theirs = both("gaussian_nll_loss")
    compare(ours, theirs, random(3, 4), random(3, 4, seed=1), unit(*shape), full, 0.4, reduction)


@pytest.mark.parametrize(
    "old", [{"size_average": True}, {"size_average": False}, {"reduce": False}, {"reduce": True, "size_average": False}]
)
@pytest.mark.filterwarnings("ignore:size_average and reduce")
def test_old_arguments(old: dict[str, bool]) -> None:
    compare(loss.mse_loss, functional.mse_loss, random(3), random(3, seed=1), **old)


def test_broadcasting_warns() -> None:
    with pytest.warns(UserWarning, match=r"input \(3,\) and target \(3, 1\) differ"):
        y = loss.mse_loss(as_node([1.0, 2.0, 3.0]), as_node([[1.0], [2.0], [3.0]]))
    assert evaluate([y])[0] == pytest.approx(4 / 3)


CLASSES: list[tuple[tuple[int, ...], np.ndarray, dict[str, Any]]] = [
    ((4, 5), np.array([0, 4, 2, 2]), {}),
    ((4, 5), np.array([0, -100, 2, 1]), {}),
    ((4, 5), np.array([0, 3, 2, 1]), {"ignore_index": 3}),
    ((4, 5), np.array([0, -1, 2, 1]), {"weight": unit(5), "ignore_index": -1}),
    ((5,), np.array(3), {}),
    ((2, 3, 4), np.array([[0, 1, 2, 0], [1, 1, -100, 2]]), {"weight": unit(3)}),
    ((1, 3, 2, 2), np.array([[[0, 1], [2, 1]]]), {}),
]


@reductions
@pytest.mark.parametrize(("shape", "target", "arguments"), CLASSES)
@pytest.mark.parametrize("name", ["nll_loss", "cross_entropy", "smoothed"])
def test_class_losses(
    name: str, shape: tuple[int, ...], target: np.ndarray, arguments: dict[str, Any], reduction: str
) -> None:
    extra = {"label_smoothing": 0.2} if name == "smoothed" else {}
    ours, theirs = both("cross_entropy" if name == "smoothed" else name)
    compare(lambda x: ours(x, as_node(target), **fixed(arguments, as_node), **extra, reduction=reduction),
            lambda x: theirs(x, torch.tensor(target), **fixed(arguments, torch.tensor), **extra, reduction=reduction),
            random(*shape) * 10)  # fmt: skip


@reductions
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("shape", [(4, 5), (5,), (2, 3, 4)])
def test_cross_entropy_with_probabilities(shape: tuple[int, ...], smoothing: float, reduction: str) -> None:
    ours, theirs = both("cross_entropy")
    weight = unit(shape[1] if len(shape) > 1 else shape[0], seed=9)
    arguments = {"reduction": reduction, "label_smoothing": smoothing}
    compare(ours, theirs, random(*shape), unit(*shape), **arguments)
    compare(lambda x, y: ours(x, y, as_node(weight), **arguments),
            lambda x, y: theirs(x, y, torch.tensor(weight), **arguments), random(*shape), unit(*shape))  # fmt: skip


def test_all_targets_ignored_is_nan_as_in_pytorch() -> None:
    compare(class_loss.cross_entropy, functional.cross_entropy, random(2, 3), np.array([-100, -100]), gradients=False)


@pytest.mark.parametrize("bad", [3, -1, 100])
@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss", "multi_margin_loss"])
def test_target_outside_the_classes_is_an_error_when_run(name: str, bad: int) -> None:
    y = both(name)[0](as_node(random(2, 3)), as_node(np.array([0, bad])))
    with pytest.raises(OutOfRangeError, match=f"index {bad} is out of range for size 3"):
        evaluate([y])


@reductions
@pytest.mark.parametrize("arguments", [{}, {"p": 2, "margin": 0.7}, {"weight": unit(5)}], ids=str)
@pytest.mark.parametrize(("shape", "target"), [((4, 5), np.array([0, 4, 2, 2])), ((5,), np.array(3))])
def test_multi_margin_loss(shape: Any, target: np.ndarray, arguments: dict[str, Any], reduction: str) -> None:
    ours, theirs = both("multi_margin_loss")
    compare(lambda x: ours(x, as_node(target), **fixed(arguments, as_node), reduction=reduction),
            lambda x: theirs(x, torch.tensor(target), **fixed(arguments, torch.tensor), reduction=reduction),
            random(*shape))  # fmt: skip


@reductions
@pytest.mark.parametrize("target", [[[3, 0, -1, 1], [-1, 2, 2, 2], [0, 1, 2, 3]], [1, -1, 0, 0]])
def test_multilabel_margin_loss(target: Any, reduction: str) -> None:
    y = np.array(target)
    compare(
        class_loss.multilabel_margin_loss, functional.multilabel_margin_loss, random(*y.shape), y, reduction=reduction
    )


@reductions
def test_losses_of_pairs_and_triples_of_vectors(reduction: str) -> None:
    a, b, c = (random(4, 3, seed=i) for i in range(3))
    y = signs(4)
    for name, inputs, arguments in [
        ("margin_ranking_loss", (a[:, 0].copy(), b[:, 0].copy(), y), {"margin": 0.3}),
        ("triplet_margin_loss", (a, b, c), {}),
        ("triplet_margin_loss", (a, b, c), {"p": 3, "swap": True, "margin": 0.5}),
        ("triplet_margin_with_distance_loss", (a, b, c), {"swap": True}),
    ]:
        ours, theirs = both(name)
        compare(ours, theirs, *inputs, **arguments, reduction=reduction)
    ours, theirs = both("cosine_embedding_loss")
    for arguments in ({}, {"margin": 0.2}):
        compare(lambda a, b: ours(a, b, as_node(y), **arguments, reduction=reduction),  # noqa: B023
                lambda a, b: theirs(a, b, torch.tensor(y), **arguments, reduction=reduction), a, b)  # noqa: B023 # fmt: skip


def test_integers() -> None:
    x, y = np.arange(6).reshape(2, 3), np.arange(6)[::-1].copy().reshape(2, 3)
    compare(loss.poisson_nll_loss, functional.poisson_nll_loss, x, y)
    compare(metric_loss.triplet_margin_loss, functional.triplet_margin_loss, x, y, 2 * x)
    compare(metric_loss.cosine_embedding_loss, functional.cosine_embedding_loss, x, y, np.array([1, -1]))


def test_half_precision_is_rounded_once() -> None:
    x = (random(8, 5) * 4).astype(np.float16)
    compare(class_loss.cross_entropy, functional.cross_entropy, x, np.arange(8) % 5, rtol=2e-3, atol=1e-4)
    compare(loss.mse_loss, functional.mse_loss, x, x[::-1].copy(), rtol=2e-3, atol=1e-4)


def test_unknown_batch_size() -> None:
    n = Dim.unknown("n")
    x, y = input_node((n, 3), float32), input_node((n,), int64)
    mean = class_loss.cross_entropy(x, y)
    assert mean.shape == ()
    assert class_loss.cross_entropy(x, y, reduction="none", label_smoothing=0.1).shape == (n,)
    (g,) = gradient([mean], [None], [x])
    assert g is not None and g.shape == x.shape


def test_errors() -> None:
    x = numpy_constant(random(4, 3, dtype=np.float32))
    with pytest.raises(ShapeError, match=r"input \(4, 3\) needs targets of shape \(4,\), got \(3,\)"):
        class_loss.cross_entropy(x, as_node(np.array([0, 1, 2])))
    with pytest.raises(DTypeError, match=r"targets must be integers .* float32"):
        class_loss.cross_entropy(x, as_node([0.0, 1.0, 2.0, 0.0]))
    with pytest.raises(DTypeError, match="probabilities and must be floating"):
        class_loss.cross_entropy(x, as_node(np.zeros((4, 3), np.int64)))
    with pytest.raises(ArgumentError, match="label_smoothing"):
        class_loss.cross_entropy(x, as_node(np.zeros(4, np.int64)), label_smoothing=1.5)
    with pytest.raises(ShapeError, match="one element for each of 3 classes"):
        class_loss.nll_loss(x, as_node(np.zeros(4, np.int64)), weight=as_node([1.0, 2.0]))
    with pytest.raises(ArgumentError, match="reduction must be"):
        loss.mse_loss(x, x, reduction="average")
    with pytest.raises(ShapeError, match="must have the same shape"):
        loss.binary_cross_entropy(x, as_node([1.0, 2.0, 3.0]))
    with pytest.raises(DTypeError, match="needs floating"):
        loss.mse_loss(as_node(np.array([1])), as_node(np.array([1])))


@pytest.mark.parametrize("wrong", [{"reduction": "abc"}, {"weight": random(5, 4)}, {"weight": random(5)}])
def test_multi_margin_loss_looks_at_its_options_before_the_target(wrong: dict[str, Any]) -> None:
    ours, _ = both("multi_margin_loss")
    with pytest.raises(ValueError, match=r"multi_margin_loss: (reduction|weight)"):
        ours(random(5, 4), random(5), **wrong)
