"""Densities, moments, entropies, divergences, samples and their gradients, against PyTorch.

Read next: `cases.py`, `onegraph/distributions/distribution.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import distributions as D
from onegraph.errors import ArgumentError, ArgumentTypeError, ShapeError, UnsupportedError
from tests.distributions.cases import CASES, POSITIVE, REAL, SIMPLEX

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def reference() -> Any:
    with og.config.using(backend="reference"):
        yield


def both(name: str, ask: Callable[[Any, Any], Any]) -> tuple[Any, Any] | None:
    """What a question gives in PyTorch and here; None where PyTorch has no answer."""
    make, value = CASES[name]
    theirs, mine = make(torch.distributions, torch.tensor), make(D, og.tensor)
    try:
        expected = ask(theirs, torch.tensor(value))
    except NotImplementedError:
        return None
    return expected.detach().numpy(), ask(mine, og.tensor(value)).detach().numpy()


QUESTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "log_prob": lambda d, v: d.log_prob(v),
    "mean": lambda d, v: d.mean,
    "variance": lambda d, v: d.variance,
    "stddev": lambda d, v: d.stddev,
    "mode": lambda d, v: d.mode,
    "entropy": lambda d, v: d.entropy(),
    "cdf": lambda d, v: d.cdf(v),
    "icdf": lambda d, v: d.icdf(v * 0 + 0.3),
    "enumerate_support": lambda d, v: d.enumerate_support(),
    "expand": lambda d, v: d.expand((2, *d.batch_shape)).log_prob(v),
}


@pytest.mark.parametrize("name", CASES)
def test_as_torch(name: str) -> None:
    asked = 0
    for question, ask in QUESTIONS.items():
        if (name, question) == ("Kumaraswamy", "mode"):  # PyTorch's is not a number; Kumaraswamy 1980 has it
            continue
        found = both(name, ask)
        if found is not None:
            asked += 1
            np.testing.assert_allclose(found[1], found[0], rtol=2e-4, atol=1e-4, err_msg=f"{name} {question}")
    assert asked >= 2
    make, _ = CASES[name]
    theirs, mine = make(torch.distributions, torch.tensor), make(D, og.tensor)
    assert (tuple(mine.batch_shape), tuple(mine.event_shape)) == (tuple(theirs.batch_shape), tuple(theirs.event_shape))
    assert mine.has_rsample == theirs.has_rsample
    assert tuple(mine.sample((2, 3)).shape) == (2, 3, *mine.batch_shape, *mine.event_shape)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_samples_are_distributed_as_those_of_torch(name: str) -> None:
    og.manual_seed(1)
    torch.manual_seed(1)
    make, _ = CASES[name]
    mine = make(D, og.tensor).sample((8000,)).numpy().astype(np.float64)
    theirs = make(torch.distributions, torch.tensor).sample((8000,)).numpy().astype(np.float64)
    for q in (0.1, 0.3, 0.5, 0.7, 0.9):
        # The part of their samples below our quantile: a binomial with deviation 0.0055, seen from both sides.
        ours = np.quantile(mine, q, axis=0)
        low, high = (theirs < ours - 1e-6).mean(0), (theirs <= ours + 1e-6).mean(0)
        assert (low < q + 0.04).all(), (name, q, low)
        assert (high > q - 0.04).all(), (name, q, high)


DIVERGENCES = (
    "Normal", "Laplace", "Cauchy", "Gumbel", "HalfNormal", "Exponential", "Gamma", "Beta", "Dirichlet", "Bernoulli", "Geometric",
    "Binomial", "Poisson", "ContinuousBernoulli", "Categorical", "OneHotCategorical", "MultivariateNormal", "Independent", "LogNormal",
    "Pareto", "Uniform",
)  # fmt: skip


@pytest.mark.parametrize("name", DIVERGENCES)
def test_divergences_as_torch(name: str) -> None:
    make, _ = CASES[name]
    found = []
    for library, distributions in ((torch, torch.distributions), (og, D)):

        def moved(value: Any, library: Any = library) -> Any:
            given = library.tensor(value)
            return given * 0.9 if given.ndim < 2 or given.shape[-1] != given.shape[-2] else given

        p, q = make(distributions, library.tensor), make(distributions, moved)
        others = [(p, q), (q, p)]
        if name in ("Laplace", "Gumbel", "Exponential", "Gamma", "Beta", "ContinuousBernoulli", "Pareto", "Uniform"):
            others.append((p, distributions.Normal(library.tensor(REAL), library.tensor(POSITIVE))))
        if name in ("Beta", "ContinuousBernoulli", "Pareto", "Uniform", "Gamma"):
            others.append((p, distributions.Exponential(library.tensor(POSITIVE))))
        found.append([distributions.kl_divergence(a, b).numpy() for a, b in others])
    for theirs, mine in zip(*found, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=5e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["Normal", "Laplace", "Uniform", "Gumbel", "MultivariateNormal", "LogNormal"])
def test_gradients_flow_through_samples(name: str) -> None:
    """The gradient of the mean of samples is that of the mean."""
    og.manual_seed(0)
    make, _ = CASES[name]
    inputs: list[Any] = []

    def leaf(value: Any) -> Any:
        inputs.append(og.tensor(value, requires_grad=True))
        return inputs[-1]

    d = make(D, leaf)
    samples = d.rsample((4000,))
    estimated = og.autograd.grad(samples.mean(0).sum(), [inputs[0]])[0].numpy()
    expected = np.ones_like(estimated) if name != "LogNormal" else make(D, og.tensor).mean.numpy()
    expected = expected * 0.5 + 0 * expected if name == "Uniform" else expected
    np.testing.assert_allclose(estimated, expected, rtol=0.1)


def test_gradients_of_gammas_are_exact() -> None:
    """Implicit gradients against PyTorch's own function of shape and sample."""
    shapes = og.tensor([0.05, 0.3, 1.0, 2.5, 8.0, 40.0, 200.0, 900.0], requires_grad=True)
    og.manual_seed(0)
    d = D.Gamma(shapes.expand((25, 8)), 1.0)
    x = d.rsample()
    (found,) = og.autograd.grad(x.sum(), [d.concentration])
    expected = torch._standard_gamma_grad(
        torch.tensor(d.concentration.tolist(), dtype=torch.float64), torch.tensor(x.tolist(), dtype=torch.float64)
    )
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=5e-3, atol=1e-6)
    x.sum().backward()
    assert shapes.grad is not None
    np.testing.assert_allclose(shapes.grad.numpy()[2:] / 25, np.ones(6), rtol=0.6)


def test_policies_and_autoencoders() -> None:
    logits = og.tensor([[0.1, 0.2, 0.3], [1.0, 0.0, -1.0]], requires_grad=True)
    policy = D.Categorical(logits=logits)
    actions = policy.sample()
    assert actions.dtype is og.int64
    (policy.log_prob(actions) * og.tensor([1.0, -2.0])).sum().backward()
    assert logits.grad is not None
    expected = torch.tensor(logits.tolist(), requires_grad=True)
    (
        torch.distributions.Categorical(logits=expected).log_prob(torch.tensor(actions.tolist()))
        * torch.tensor([1.0, -2.0])
    ).sum().backward()
    np.testing.assert_allclose(logits.grad.numpy(), expected.grad.numpy(), atol=1e-6)

    @og.jit
    def loss(mu: Any, log_variance: Any) -> Any:
        q = D.Normal(mu, (0.5 * log_variance).exp())
        return D.kl_divergence(q, D.Normal(0.0, 1.0)).sum() + (q.rsample() ** 2).mean() * 0

    value = loss(og.ones(2, 3), og.zeros(2, 3)).item()
    assert value == pytest.approx(3.0)


def test_transforms_and_their_inverses() -> None:
    x = [[0.3, -0.7, 1.2], [0.1, 0.2, -0.3]]
    kinds: dict[str, Callable[[Any], Any]] = {
        "exp": lambda d: d.ExpTransform(),
        "sigmoid": lambda d: d.SigmoidTransform(),
        "tanh": lambda d: d.TanhTransform(),
        "softplus": lambda d: d.SoftplusTransform(),
        "affine": lambda d: d.AffineTransform(1.0, -2.0),
        "stick": lambda d: d.StickBreakingTransform(),
        "compose": lambda d: d.ComposeTransform([d.ExpTransform(), d.AffineTransform(0.0, 3.0)]),
        "independent": lambda d: d.IndependentTransform(d.ExpTransform(), 1),
        "cat": lambda d: d.CatTransform([d.ExpTransform(), d.TanhTransform()], dim=1, lengths=[1, 2]),
        "stack": lambda d: d.StackTransform([d.ExpTransform(), d.TanhTransform()], dim=0),
        "reshape": lambda d: d.ReshapeTransform((3,), (3, 1)),
        "cdf": lambda d: d.CumulativeDistributionTransform(d.Normal(0.0, 1.0)),
        "positive": lambda d: d.transform_to(d.constraints.positive),
        "interval": lambda d: d.biject_to(d.constraints.interval(-1.0, 3.0)),
    }
    for name, make in kinds.items():
        theirs, mine = make(torch.distributions), make(D)
        y, expected = mine(og.tensor(x)), theirs(torch.tensor(x))
        np.testing.assert_allclose(y.numpy(), expected.numpy(), rtol=1e-5, atol=1e-6, err_msg=name)
        np.testing.assert_allclose(mine.inv(y).numpy(), x, rtol=1e-4, atol=1e-5, err_msg=name)
        found = mine.log_abs_det_jacobian(og.tensor(x), y)
        wanted = theirs.log_abs_det_jacobian(torch.tensor(x), expected)
        np.testing.assert_allclose(found.numpy(), wanted.numpy(), rtol=1e-4, atol=1e-5, err_msg=name)
        assert tuple(mine.forward_shape((2, 3))) == tuple(theirs.forward_shape((2, 3)))


def test_counts() -> None:
    og.manual_seed(0)
    drawn = og.poisson(og.tensor([0.0, 0.5, 30.0, 300.0]).expand(600, 4)).numpy()
    np.testing.assert_allclose(drawn.mean(0), [0.0, 0.5, 30.0, 300.0], rtol=0.12)
    np.testing.assert_allclose(drawn.var(0), [0.0, 0.5, 30.0, 300.0], rtol=0.3)
    found = og.binomial(og.tensor([10.0, 10.0, 3.0]).expand(600, 3), og.tensor([0.3, 1.0, 0.0]).expand(600, 3)).numpy()
    np.testing.assert_allclose(found.mean(0), [3.0, 10.0, 0.0], rtol=0.1)
    with pytest.raises(ArgumentError, match="negative"):
        og.poisson(og.tensor([-1.0]))


def test_errors() -> None:
    with pytest.raises(ArgumentError, match="argument scale must be greater than 0"):
        D.Normal(0.0, -1.0)
    D.Normal(0.0, -1.0, validate_args=False)
    with pytest.raises(ArgumentError, match="give one of probs, logits, got none"):
        D.Categorical()
    with pytest.raises(ArgumentError, match="the value must be whole number from 0 to 2"):
        D.Categorical(og.tensor(SIMPLEX)).log_prob(og.tensor(3))
    with pytest.raises(ShapeError, match=r"\(2,\) does not broadcast with the batch shape \(3,\)"):
        D.Normal(og.zeros(3), 1.0).log_prob(og.ones(2))
    with pytest.raises(ShapeError, match="does not end with"):
        D.Dirichlet(og.ones(3)).log_prob(og.ones(2))
    with pytest.raises(UnsupportedError, match="no formula for Normal and Gamma"):
        D.kl_divergence(D.Normal(0.0, 1.0), D.Gamma(1.0, 1.0))
    with pytest.raises(UnsupportedError, match="Bernoulli has no rsample"):
        D.Bernoulli(og.tensor(0.5)).rsample()
    with pytest.raises(ArgumentTypeError, match="tensors and numbers"):
        D.Normal("a", 1.0)
    with pytest.raises(ArgumentError, match="Independent"):
        D.Independent(D.Normal(0.0, 1.0), 1)
    lazy = og.zeros(2) - 1
    D.Normal(lazy, (lazy * lazy).exp() * -1)  # a value that waits is left to wait
    with pytest.raises(ArgumentError, match="scale"):
        D.Normal(lazy, lazy, validate_args=True)
