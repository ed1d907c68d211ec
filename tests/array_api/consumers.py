"""Functions of SciPy and scikit-learn on tensors and on NumPy arrays: `python -m tests.array_api.consumers scipy|sklearn`.

A program of its own, because SciPy decides when it is imported whether it takes other arrays than NumPy's. Prints a line for each
call: its name, and `same` (a tensor, or Python numbers, equal to NumPy's), `array` (equal, but no tensor), or the error.
Run by `test_consumers.py`; the page `docs/howto/scipy-and-scikit-learn.md` lists what comes out.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import onegraph as og

_random = np.random.default_rng(0)
X = _random.normal(size=(20, 3))
A, B = _random.normal(size=30), _random.normal(size=30)
P = _random.uniform(0.1, 0.9, 30)
IMAGE = _random.normal(size=(8, 9))
CLASSES = np.arange(60) % 2
POINTS = _random.normal(size=(60, 5)) + CLASSES[:, None]
TARGETS = POINTS @ np.arange(5.0)

Calls = dict[str, tuple[Callable[..., Any], tuple[Any, ...]]]

ONE = {
    "stats": "gmean hmean describe skew kurtosis mode variation skewtest kurtosistest normaltest jarque_bera sem iqr zscore gzscore "
    "differential_entropy entropy circmean circvar circstd tmean tvar tmin tmax tstd tsem median_abs_deviation rankdata kstat kstatvar "
    "chisquare power_divergence lmoment combine_pvalues false_discovery_control",
    "special": "log_ndtr ndtr ndtri erf erfc i0 i0e i1 i1e gammaln expit logit entr logsumexp softmax log_softmax digamma sinc",
    "signal": "detrend medfilt wiener hilbert welch",
    "integrate": "trapezoid cumulative_trapezoid",
    "optimize": "rosen rosen_der",
    "fft": "dct fft",
}
TWO = {
    "stats": "pearsonr pointbiserialr ttest_ind ttest_rel mannwhitneyu wilcoxon brunnermunzel mood ansari levene fligner f_oneway kruskal "
    "alexandergovern cramervonmises_2samp epps_singleton_2samp chatterjeexi zmap kendalltau ks_2samp spearmanr linregress",
    "special": "gammainc gammaincc xlogy xlog1py rel_entr betaln stdtr poch zeta kl_div binom",
    "signal": "convolve correlate fftconvolve",
}
FILTERS = {
    "gaussian_filter": (1,), "uniform_filter": (), "median_filter": (3,), "sobel": (), "prewitt": (), "laplace": (), "maximum_filter": (3,),
    "minimum_filter": (3,), "zoom": (2,), "rotate": (30,), "shift": (1,), "grey_erosion": (3,), "center_of_mass": (), "label": (),
}  # fmt: skip


def scipy_calls() -> Calls:
    """SciPy's functions, by their names below `scipy`."""

    def find(module: str, name: str) -> Callable[..., Any]:
        return getattr(importlib.import_module(f"scipy.{module}"), name)  # type: ignore[no-any-return]

    calls: Calls = {}
    for module, names in ONE.items():
        calls |= {f"{module}.{n}": (find(module, n), (P,)) for n in names.split()}
    for module, names in TWO.items():
        first, second = (P + 1, P + 0.5) if module == "special" else (A, B)
        calls |= {f"{module}.{n}": (find(module, n), (first, second)) for n in names.split()}
    for name, more in FILTERS.items():
        calls[f"ndimage.{name}"] = (lambda x, n=name, more=more: find("ndimage", n)(x, *more), (IMAGE,))
    b, a = find("signal", "butter")(3, 0.3)
    ordered = np.sort(A)
    return calls | {
        "stats.ttest_1samp": (lambda x: find("stats", "ttest_1samp")(x, 0.0), (A,)),
        "stats.quantile": (lambda x: find("stats", "quantile")(x, 0.3), (A,)),
        "stats.permutation_test": (lambda x, y: _permutations(find("stats", "permutation_test"), x, y), (A, B)),
        "signal.lfilter": (find("signal", "lfilter"), (b, a, A)),
        "signal.filtfilt": (find("signal", "filtfilt"), (b, a, A)),
        "signal.savgol_filter": (lambda x: find("signal", "savgol_filter")(x, 5, 2), (A,)),
        "integrate.tanhsinh": (
            lambda x: find("integrate", "tanhsinh")(lambda z: z * z, x * 0, x * 0 + 1).integral,
            (P,),
        ),
        "differentiate.derivative": (lambda x: find("differentiate", "derivative")(lambda z: z**3, x).df, (P,)),
        "interpolate.CubicSpline": (lambda x: find("interpolate", "CubicSpline")(x, x**2)(x), (ordered,)),
        "interpolate.PchipInterpolator": (lambda x: find("interpolate", "PchipInterpolator")(x, x**2)(x), (ordered,)),
        "cluster.vq.whiten": (find("cluster.vq", "whiten"), (X,)),
        "cluster.vq.kmeans": (lambda x: find("cluster.vq", "kmeans")(x, x[:3])[0], (X,)),
        "cluster.hierarchy.linkage": (find("cluster.hierarchy", "linkage"), (X,)),
        "spatial.distance.pdist": (find("spatial.distance", "pdist"), (X,)),
        "spatial.transform.Rotation": (
            lambda x: find("spatial.transform", "Rotation").from_rotvec(x).as_matrix(),
            (X,),
        ),
        "linalg.svd": (lambda x: find("linalg", "svd")(x)[1], (X,)),
    }


def _permutations(test: Any, x: Any, y: Any) -> Any:
    def difference(u: Any, v: Any, axis: int) -> Any:
        return u.mean(axis) - v.mean(axis)

    return test((x, y), difference, n_resamples=49, vectorized=True).statistic


_SCORES = "accuracy_score balanced_accuracy_score confusion_matrix f1_score precision_score recall_score jaccard_score zero_one_loss"
_ERRORS = (
    "r2_score mean_squared_error root_mean_squared_error mean_absolute_error mean_absolute_percentage_error mean_squared_log_error "
    "median_absolute_error max_error explained_variance_score mean_tweedie_deviance mean_pinball_loss d2_tweedie_score"
)
_PROBABILITIES = "brier_score_loss log_loss average_precision_score roc_auc_score roc_curve"
_PAIRS = "euclidean_distances cosine_similarity linear_kernel polynomial_kernel rbf_kernel laplacian_kernel chi2_kernel manhattan_distances"
_SCALERS = "StandardScaler MinMaxScaler MaxAbsScaler Normalizer PolynomialFeatures Binarizer"


def sklearn_calls() -> Calls:
    """scikit-learn's estimators and metrics."""

    def find(module: str, name: str) -> Any:
        return getattr(importlib.import_module(f"sklearn.{module}"), name)

    def estimator(module: str, name: str, method: str = "predict", **options: Any) -> Callable[..., Any]:
        return lambda x, y: getattr(find(module, name)(**options).fit(x, y), method)(x)

    calls: Calls = {}
    for name in _SCALERS.split():
        calls[name] = (estimator("preprocessing", name, "transform"), (POINTS, CLASSES))
    guessed = (POINTS[:, 1] > 0.5).astype(np.int64)
    chances = 1 / (1 + np.exp(-POINTS[:, 0]))
    calls |= {f"metrics.{n}": (find("metrics", n), (CLASSES, guessed)) for n in _SCORES.split()}
    calls |= {f"metrics.{n}": (find("metrics", n), (CLASSES, chances)) for n in _PROBABILITIES.split()}
    calls |= {f"metrics.{n}": (find("metrics", n), (np.exp(TARGETS / 9), chances + 1)) for n in _ERRORS.split()}
    calls |= {f"metrics.pairwise.{n}": (find("metrics.pairwise", n), (np.abs(POINTS),)) for n in _PAIRS.split()}
    given = (POINTS, CLASSES)
    return calls | {
        "PCA(full)": (estimator("decomposition", "PCA", "transform", n_components=2, svd_solver="full"), given),
        "PCA(covariance_eigh)": (
            estimator("decomposition", "PCA", "transform", n_components=2, svd_solver="covariance_eigh"),
            given,
        ),
        "LinearDiscriminantAnalysis": (
            estimator("discriminant_analysis", "LinearDiscriminantAnalysis", "predict_proba"),
            given,
        ),
        "Ridge(svd)": (estimator("linear_model", "Ridge", solver="svd"), (POINTS, TARGETS)),
        "RidgeCV": (estimator("linear_model", "RidgeCV"), (POINTS, TARGETS)),
        "LogisticRegression": (estimator("linear_model", "LogisticRegression"), given),
        "LinearRegression": (estimator("linear_model", "LinearRegression"), (POINTS, TARGETS)),
        "GaussianNB": (estimator("naive_bayes", "GaussianNB", "predict_proba"), given),
        "GaussianMixture": (
            estimator("mixture", "GaussianMixture", n_components=2, init_params="random", random_state=0),
            given,
        ),
        "Nystroem": (estimator("kernel_approximation", "Nystroem", "transform", n_components=5, random_state=0), given),
        "KMeans": (estimator("cluster", "KMeans", n_clusters=2, random_state=0, n_init=1), given),
        "LabelEncoder": (lambda x, y: find("preprocessing", "LabelEncoder")().fit_transform(y), given),
        "train_test_split": (lambda x, y: find("model_selection", "train_test_split")(x, y, random_state=0), given),
    }


def _flat(value: Any) -> list[Any]:
    if isinstance(value, (tuple, list)):
        return [w for v in value for w in _flat(v)]
    if hasattr(value, "statistic"):
        return _flat((value.statistic, value.pvalue))
    return [value]


def verdict(function: Callable[..., Any], arrays: tuple[Any, ...]) -> str:
    """What comes of a call with tensors, compared with the same call with arrays."""
    expected = _flat(function(*arrays))
    try:
        found = _flat(function(*[og.tensor(a) for a in arrays]))
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0][:100]}"
    for ours, theirs in zip(found, expected, strict=True):
        value = ours.detach().numpy() if isinstance(ours, og.Tensor) else ours
        np.testing.assert_allclose(value, theirs, rtol=1e-6, atol=1e-8)
    return (
        "same"
        if all(isinstance(f, (og.Tensor, int, float)) and not isinstance(f, np.generic) for f in found)
        else "array"
    )


def main() -> None:
    """Run the calls of one library."""
    os.environ["SCIPY_ARRAY_API"] = "1"
    warnings.simplefilter("ignore")
    og.config.update(backend="reference")
    calls = scipy_calls
    if sys.argv[1] == "sklearn":
        importlib.import_module("sklearn").set_config(array_api_dispatch=True)
        calls = sklearn_calls
    for name, (function, arrays) in calls().items():
        print(f"{name}\t{verdict(function, arrays)}")


if __name__ == "__main__":
    main()
