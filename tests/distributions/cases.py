"""One of each distribution, as a function of the library and its `tensor`, with values to ask about.

Read next: `test_distributions.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

POSITIVE, REAL, PROBS = [0.7, 1.5, 3.2], [-0.5, 0.3, 1.1], [0.2, 0.5, 0.9]
SIMPLEX = [[0.2, 0.3, 0.5], [0.1, 0.6, 0.3]]
MATRIX = [[2.0, 0.3], [0.3, 1.0]]
INSIDE, COUNTS = [0.1, 0.2, 0.9], [0.0, 1.0, 4.0]
HOT = [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]

Make = Callable[[Any, Callable[[Any], Any]], Any]
CASES: dict[str, tuple[Make, Any]] = {
    "Normal": (lambda d, t: d.Normal(t(REAL), t(POSITIVE)), INSIDE),
    "Laplace": (lambda d, t: d.Laplace(t(REAL), t(POSITIVE)), INSIDE),
    "Cauchy": (lambda d, t: d.Cauchy(t(REAL), t(POSITIVE)), INSIDE),
    "Gumbel": (lambda d, t: d.Gumbel(t(REAL), t(POSITIVE)), INSIDE),
    "HalfNormal": (lambda d, t: d.HalfNormal(t(POSITIVE)), INSIDE),
    "HalfCauchy": (lambda d, t: d.HalfCauchy(t(POSITIVE)), INSIDE),
    "Uniform": (lambda d, t: d.Uniform(t(REAL), t(POSITIVE)), [0.1, 0.5, 1.2]),
    "Exponential": (lambda d, t: d.Exponential(t(POSITIVE)), INSIDE),
    "GeneralizedPareto": (lambda d, t: d.GeneralizedPareto(t(REAL), t(POSITIVE), t([0.1, 0.2, 0.0])), [0.1, 0.5, 1.2]),
    "Gamma": (lambda d, t: d.Gamma(t(POSITIVE), t([1.0, 2.0, 3.0])), INSIDE),
    "Chi2": (lambda d, t: d.Chi2(t([1.0, 2.0, 5.0])), INSIDE),
    "InverseGamma": (lambda d, t: d.InverseGamma(t([3.0, 2.5, 4.0]), t([1.0, 2.0, 3.0])), INSIDE),
    "Beta": (lambda d, t: d.Beta(t([1.2, 2.0, 3.0]), t([2.0, 2.0, 3.5])), INSIDE),
    "Dirichlet": (lambda d, t: d.Dirichlet(t([[1.2, 2.0, 3.0], [2.0, 3.0, 0.5]])), SIMPLEX),
    "StudentT": (lambda d, t: d.StudentT(t([3.0, 5.0, 7.0]), t(REAL), t(POSITIVE)), INSIDE),
    "FisherSnedecor": (lambda d, t: d.FisherSnedecor(t([3.0, 5.0, 7.0]), t([5.0, 6.0, 9.0])), INSIDE),
    "Bernoulli": (lambda d, t: d.Bernoulli(t(PROBS)), [0.0, 1.0, 1.0]),
    "Bernoulli of logits": (lambda d, t: d.Bernoulli(logits=t(REAL)), [0.0, 1.0, 1.0]),
    "Geometric": (lambda d, t: d.Geometric(t(PROBS)), COUNTS),
    "Binomial": (lambda d, t: d.Binomial(5, t(PROBS)), COUNTS),
    "NegativeBinomial": (lambda d, t: d.NegativeBinomial(t([2.0, 3.0, 4.5]), t([0.2, 0.5, 0.6])), COUNTS),
    "Poisson": (lambda d, t: d.Poisson(t(POSITIVE)), COUNTS),
    "ContinuousBernoulli": (lambda d, t: d.ContinuousBernoulli(t(PROBS)), [0.1, 0.5, 0.9]),
    "Categorical": (lambda d, t: d.Categorical(t(SIMPLEX)), [0, 2]),
    "Categorical of logits": (lambda d, t: d.Categorical(logits=t([REAL, POSITIVE])), [0, 2]),
    "OneHotCategorical": (lambda d, t: d.OneHotCategorical(t(SIMPLEX)), HOT),
    "OneHotCategoricalStraightThrough": (lambda d, t: d.OneHotCategoricalStraightThrough(t(SIMPLEX)), HOT),
    "Multinomial": (lambda d, t: d.Multinomial(4, t(SIMPLEX)), [[1.0, 1.0, 2.0], [4.0, 0.0, 0.0]]),
    "RelaxedOneHotCategorical": (lambda d, t: d.RelaxedOneHotCategorical(t(0.7), t(SIMPLEX)), SIMPLEX),
    "RelaxedBernoulli": (lambda d, t: d.RelaxedBernoulli(t(0.7), t(PROBS)), [0.1, 0.5, 0.9]),
    "MultivariateNormal": (lambda d, t: d.MultivariateNormal(t([0.1, 0.2]), t(MATRIX)), [0.3, 0.4]),
    "MultivariateNormal of precision": (
        lambda d, t: d.MultivariateNormal(t([0.1, 0.2]), precision_matrix=t(MATRIX)),
        [0.3, 0.4],
    ),
    "MultivariateNormal of scale_tril": (
        lambda d, t: d.MultivariateNormal(t([0.1, 0.2]), scale_tril=t([[1.0, 0.0], [0.5, 2.0]])),
        [[0.3, 0.4], [1.0, 2.0]],
    ),
    "LowRankMultivariateNormal": (
        lambda d, t: d.LowRankMultivariateNormal(t([0.1, 0.2]), t([[1.0], [0.5]]), t([0.3, 0.4])),
        [0.3, 0.4],
    ),
    "Independent": (lambda d, t: d.Independent(d.Normal(t(REAL), t(POSITIVE)), 1), REAL),
    "MixtureSameFamily": (
        lambda d, t: d.MixtureSameFamily(d.Categorical(t([0.2, 0.3, 0.5])), d.Normal(t(REAL), t(POSITIVE))),
        [0.3, 0.4],
    ),
    "LogNormal": (lambda d, t: d.LogNormal(t(REAL), t([0.5, 0.3, 0.8])), [0.3, 0.4, 2.0]),
    "LogisticNormal": (lambda d, t: d.LogisticNormal(t([[0.1, 0.2]]), t([[0.5, 0.3]])), [0.2, 0.3, 0.5]),
    "Weibull": (lambda d, t: d.Weibull(t(POSITIVE), t([1.5, 2.0, 3.0])), [0.3, 0.4, 2.0]),
    "Pareto": (lambda d, t: d.Pareto(t(POSITIVE), t([3.5, 2.5, 3.0])), [1.3, 2.4, 4.0]),
    "Kumaraswamy": (lambda d, t: d.Kumaraswamy(t([1.5, 2.0, 3.0]), t([1.2, 2.0, 3.0])), [0.3, 0.4, 0.9]),
    "tanh and a falling line": (
        lambda d, t: d.TransformedDistribution(
            d.Normal(t(REAL), t(POSITIVE)), [d.TanhTransform(), d.AffineTransform(t(1.0), t(-2.0))]
        ),
        [0.3, 0.4, 0.9],
    ),
    "logit, softplus and power": (
        lambda d, t: d.TransformedDistribution(
            d.Uniform(t([0.0, 0.0, 0.0]), t([1.0, 1.0, 1.0])),
            [d.SigmoidTransform().inv, d.SoftplusTransform(), d.PowerTransform(t(2.0))],
        ),
        [0.3, 0.4, 0.9],
    ),
}
