"""The domain ai.onnx.ml: trees, linear models, encoders. They are looked up on the host, in NumPy. Read next: `strings.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import onegraph as og
from onegraph.onnx.interpreter import Call
from onegraph.onnx.registry import operator
from onegraph.onnx.values import Array, Value, array, tensor

_ML = "ai.onnx.ml"


@operator("ArrayFeatureExtractor", domain=_ML, raw=True)
def extract(call: Call, x: Value, places: Value) -> Value:
    """Columns of the last dimension."""
    values, chosen = array(x), array(places).reshape(-1).astype(np.int64)
    found = values[..., chosen]
    found = found.reshape(1, -1) if values.ndim == 1 else found
    return found if found.dtype.kind in "OUS" else tensor(found)


@operator("Binarizer", domain=_ML)
def binarize(call: Call, x: og.Tensor) -> og.Tensor:
    """1 above a threshold, else 0."""
    return (x > call.get("threshold", 0.0)).to(x.dtype)


@operator("Scaler", domain=_ML)
def scale(call: Call, x: og.Tensor) -> og.Tensor:
    """(x - offset) scale."""
    offset, factor = call.get("offset") or [0.0], call.get("scale") or [1.0]
    return (x.to(og.float32) - og.tensor(offset)) * og.tensor(factor)


@operator("Normalizer", domain=_ML)
def normalize(call: Call, x: og.Tensor) -> og.Tensor:
    """Rows divided by their largest value, sum of magnitudes, or length."""
    wide, kind = x.to(og.float32), call.get("norm", "MAX")
    if kind == "MAX":
        by = wide.amax(-1, keepdim=True)
    elif kind == "L1":
        by = wide.abs().sum(-1, keepdim=True)
    else:
        by = og.sqrt((wide * wide).sum(-1, keepdim=True))
    return wide / og.where(by == 0, og.ones_like(by), by)


@operator("Imputer", domain=_ML)
def impute(call: Call, x: og.Tensor) -> og.Tensor:
    """What is missing replaced."""
    whole = not x.dtype.is_floating_point
    values = call.get("imputed_value_int64s" if whole else "imputed_value_floats")
    missing = call.get("replaced_value_int64" if whole else "replaced_value_float", 0)
    gone = og.isnan(x) if not whole and np.isnan(missing) else x == missing
    return og.where(gone, og.tensor(values, dtype=x.dtype), x)


@operator("FeatureVectorizer", domain=_ML)
def vectorize(call: Call, *values: og.Tensor) -> og.Tensor:
    """Columns of several inputs side by side."""
    rows = [v.reshape([-1, 1]) if v.ndim == 1 else v for v in values]
    return og.cat([v.to(og.float32) for v in rows], 1)


def _table(call: Call, side: str, kinds: tuple[tuple[str, type], ...]) -> tuple[list[Any] | None, Any]:
    for name, kind in kinds:
        found = call.get(f"{side}_{name}")
        if found is not None:
            return list(found), kind
    found = call.get(f"{side}_tensor")
    return (None, None) if found is None else (found.reshape(-1).tolist(), found.dtype)


_KINDS = (("strings", object), ("int64s", np.int64), ("floats", np.float32))


@operator("LabelEncoder", domain=_ML, raw=True)
def encode(call: Call, x: Value) -> Value:
    """Values looked up in a table."""
    values = array(x)
    keys, _ = _table(call, "keys", _KINDS)
    found, kind = _table(call, "values", _KINDS)
    if keys is None:  # version 1: classes are numbered
        classes = call.get("classes_strings")
        if values.dtype.kind in "OUS":
            keys, found, kind = classes, list(range(len(classes))), np.int64
        else:
            keys, found, kind = list(range(len(classes))), classes, object
    assert found is not None
    default = call.get("default_tensor")
    if default is not None:
        default = default.reshape(-1)[0]
    else:
        default = {object: call.get("default_string", "_Unused"), np.int64: call.get("default_int64", -1)}.get(
            kind, call.get("default_float", -0.0)
        )
    table = dict(zip(keys, found, strict=True))
    missing = next((v for k, v in table.items() if isinstance(k, float) and np.isnan(k)), default)
    flat = [
        missing if isinstance(v, float) and np.isnan(v) else table.get(v, default) for v in values.reshape(-1).tolist()
    ]
    result = np.empty(len(flat), kind)
    result[:] = flat
    return result.reshape(values.shape) if result.dtype.kind == "O" else tensor(result.reshape(values.shape))


@operator("OneHotEncoder", domain=_ML, raw=True)
def one_hot(call: Call, x: Value) -> og.Tensor:
    """1 where a value is a category, else 0."""
    values = array(x)
    categories = call.get("cats_strings") or call.get("cats_int64s")
    flat = [str(v) if isinstance(categories[0], str) else int(v) for v in values.reshape(-1)]
    unknown = sorted({v for v in flat if v not in categories}, key=str)
    if unknown and not call.get("zeros", 1):
        raise call.error(f"{unknown[0]!r} is none of the categories")
    found = np.array([[v == c for c in categories] for v in flat], np.float32)
    return og.tensor(found.reshape(*values.shape, len(categories)))


# ---- trees

_COMPARISONS: dict[int, Callable[[Any, Any], Any]] = {
    0: np.less_equal, 1: np.less, 2: np.greater_equal, 3: np.greater, 4: np.equal, 5: np.not_equal,
}  # fmt: skip
_MEMBER = 6
_MODES = {
    "BRANCH_LEQ": 0,
    "BRANCH_LT": 1,
    "BRANCH_GTE": 2,
    "BRANCH_GT": 3,
    "BRANCH_EQ": 4,
    "BRANCH_NEQ": 5,
    "BRANCH_MEMBER": 6,
}


@operator("TreeEnsemble", domain=_ML, raw=True)
def tree_ensemble(call: Call, x: Value) -> og.Tensor:
    """The sums, means, or extremes of the leaves that each row comes to."""
    rows = array(x)
    modes = np.asarray(call.get("nodes_modes")).astype(int)
    splits, features = np.asarray(call.get("nodes_splits")), call.get("nodes_featureids")
    yes, yes_leaf = call.get("nodes_trueleafs") and call.get("nodes_truenodeids"), call.get("nodes_trueleafs")
    no, no_leaf = call.get("nodes_falsenodeids"), call.get("nodes_falseleafs")
    missing = call.get("nodes_missing_value_tracks_true") or [0] * len(modes)
    members = _members(call, modes)
    targets, weights = call.get("leaf_targetids"), np.asarray(call.get("leaf_weights"))
    count, how = call.get("n_targets"), call.get("aggregate_function", 1)
    result = np.zeros((len(rows), count), rows.dtype)
    for r, row in enumerate(rows):
        found: list[list[Any]] = [[] for _ in range(count)]
        for root in call.get("tree_roots"):
            node, leaf = root, yes is None
            if _single_leaf(yes, no, yes_leaf, no_leaf, root):
                leaf, node = True, yes[root]
            while not leaf:
                value = row[features[node]]
                if modes[node] == _MEMBER:
                    holds = bool(value in members[node])
                else:
                    holds = bool(_COMPARISONS[modes[node]](value, splits[node]))
                holds = holds or bool(np.isnan(value) and missing[node])
                leaf, node = (bool(yes_leaf[node]), yes[node]) if holds else (bool(no_leaf[node]), no[node])
            found[targets[node]].append(weights[node])
        result[r] = [_gathered(values, how, len(call.get("tree_roots"))) for values in found]
    return tensor(_after(result, call.get("post_transform", 0)).astype(rows.dtype))


def _single_leaf(yes: Any, no: Any, yes_leaf: Any, no_leaf: Any, root: int) -> bool:
    return bool(yes_leaf[root] and no_leaf[root] and yes[root] == no[root])


def _members(call: Call, modes: Array) -> dict[int, set[float]]:
    """The sets of nodes that ask for membership: in the order of the nodes, ended by NaN."""
    values = call.get("membership_values")
    found: dict[int, set[float]] = {}
    if values is None:
        return found
    rest = iter(np.asarray(values).reshape(-1).tolist())
    for node in np.flatnonzero(modes == _MEMBER):
        found[int(node)] = set()
        for value in rest:
            if np.isnan(value):
                break
            found[int(node)].add(value)
    return found


def _gathered(values: list[Any], how: int, trees: int) -> Any:
    if not values:
        return 0.0
    if how == 0:
        return sum(values) / trees
    return sum(values) if how == 1 else min(values) if how == 2 else max(values)


def _after(x: Array, how: Any) -> Array:
    """The transform of scores at the end: none, logistic, softmax, softmax of what is not zero, probit."""
    name = (
        {0: "NONE", 1: "SOFTMAX", 2: "LOGISTIC", 3: "SOFTMAX_ZERO", 4: "PROBIT"}.get(how, how)
        if isinstance(how, int)
        else how
    )
    if name == "LOGISTIC":
        return np.asarray(1 / (1 + np.exp(-x)))
    if name in ("SOFTMAX", "SOFTMAX_ZERO"):
        shares = np.exp(x - x.max(-1, keepdims=True))
        shares = np.where((x == 0) & (name == "SOFTMAX_ZERO"), 0, shares)
        return np.asarray(shares / np.maximum(shares.sum(-1, keepdims=True), 1e-30))
    if name == "PROBIT":
        return og.special.ndtri(og.tensor(np.asarray(x, np.float64))).numpy()
    return x


def _older_trees(call: Call, x: Value, prefix: str) -> tuple[Array, int]:
    """Sums of the leaves of TreeEnsembleRegressor and TreeEnsembleClassifier, (rows, targets)."""
    rows = array(x).astype(np.float64)
    ids = list(zip(call.get("nodes_treeids"), call.get("nodes_nodeids"), strict=True))
    place = {key: i for i, key in enumerate(ids)}
    modes, splits = call.get("nodes_modes"), call.get("nodes_values")
    yes, no, features = call.get("nodes_truenodeids"), call.get("nodes_falsenodeids"), call.get("nodes_featureids")
    missing = call.get("nodes_missing_value_tracks_true") or [0] * len(ids)
    leaves: dict[int, list[tuple[int, float]]] = {}
    keys = zip(call.get(f"{prefix}_treeids"), call.get(f"{prefix}_nodeids"), strict=True)
    for key, target, weight in zip(keys, call.get(f"{prefix}_ids"), call.get(f"{prefix}_weights"), strict=True):
        leaves.setdefault(place[key], []).append((target, weight))
    count = max(call.get(f"{prefix}_ids")) + 1
    roots = [i for i, (tree, _) in enumerate(ids) if i == 0 or ids[i - 1][0] != tree]
    values: list[list[list[float]]] = [[[] for _ in range(count)] for _ in rows]
    for r, row in enumerate(rows):
        for root in roots:
            at = root
            while modes[at] != "LEAF":
                value = row[features[at]]
                holds = bool(_COMPARISONS[_MODES[modes[at]]](np.float32(value), np.float32(splits[at])))
                holds = holds or bool(np.isnan(value) and missing[at])
                at = place[ids[at][0], (yes if holds else no)[at]]
            for target, weight in leaves.get(at, ()):
                values[r][target].append(weight)
    how = {"AVERAGE": 0, "SUM": 1, "MIN": 2, "MAX": 3}[call.get("aggregate_function", "SUM")]
    return np.array([[_gathered(v, how, len(roots)) for v in row] for row in values]).reshape(len(rows), count), count


@operator("TreeEnsembleRegressor", domain=_ML, raw=True)
def tree_regressor(call: Call, x: Value) -> og.Tensor:
    """Numbers by trees."""
    found, count = _older_trees(call, x, "target")
    wanted = call.get("n_targets", count)
    wide = np.zeros((len(found), max(wanted, count)))
    wide[:, :count] = found
    base = call.get("base_values")
    return tensor(_after(wide + (base if base else 0), call.get("post_transform", "NONE")).astype(np.float32))


def _labels(call: Call) -> list[Any]:
    for name in ("classlabels_strings", "classlabels_int64s", "classlabels_ints"):
        if call.get(name):
            return list(call.get(name))
    raise call.error("it has no labels of classes")


def _classified(call: Call, scores: Array, labels: list[Any]) -> tuple[Value, og.Tensor]:
    """The label of the best score of each row, and all scores."""
    best = [labels[i] for i in scores.argmax(1)]
    chosen: Value = np.array(best, object) if isinstance(labels[0], str) else og.tensor(np.array(best, np.int64))
    return chosen, tensor(_after(scores, call.get("post_transform", "NONE")).astype(np.float32))


@operator("TreeEnsembleClassifier", domain=_ML, raw=True)
def tree_classifier(call: Call, x: Value) -> tuple[Value, og.Tensor]:
    """Classes by trees."""
    found, count = _older_trees(call, x, "class")
    labels = _labels(call)
    scores = np.zeros((len(found), max(len(labels), count)))
    scores[:, :count] = found
    base = call.get("base_values")
    scores = scores + (base if base else 0)
    if len(labels) == 2 and count == 1:  # one score for two classes
        positive = scores[:, 0]
        shares = call.get("post_transform", "NONE") in ("NONE", "PROBIT")  # the others make shares of any number
        scores = np.stack([1 - positive if shares else -positive, positive], 1)
    return _classified(call, scores, labels)


@operator("LinearRegressor", domain=_ML)
def linear_regressor(call: Call, x: og.Tensor) -> og.Tensor:
    """x A' + b."""
    count = call.get("targets", 1)
    weights = og.tensor(np.array(call.get("coefficients"), np.float32).reshape(count, -1))
    found = og.matmul(x.to(og.float32), weights.T)
    base = call.get("intercepts")
    found = found + og.tensor(base) if base else found
    how = call.get("post_transform", "NONE")
    return found if how == "NONE" else tensor(_after(array(found), how).astype(np.float32))


@operator("LinearClassifier", domain=_ML, raw=True)
def linear_classifier(call: Call, x: Value) -> tuple[Value, og.Tensor]:
    """Classes by linear scores."""
    labels = _labels(call)
    weights = np.array(call.get("coefficients"), np.float64)
    rows = array(x).astype(np.float64)
    scores = rows @ weights.reshape(-1, rows.shape[1]).T + np.array(call.get("intercepts") or [0.0])
    if scores.shape[1] == 1 and len(labels) == 2:
        scores = np.concatenate([-scores, scores], 1)
    return _classified(call, scores, labels)
