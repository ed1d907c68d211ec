"""Text: it lives in NumPy arrays of objects and is never part of our graph. Read next: `machine_learning.py`."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np

from onegraph.onnx.interpreter import Call
from onegraph.onnx.registry import operator
from onegraph.onnx.values import Array, Value, array


def _texts(values: list[Any], shape: Any) -> Array:
    found = np.empty(len(values), object)
    found[:] = values
    return found.reshape(shape)


@operator("StringConcat", raw=True)
def concat(call: Call, a: Array, b: Array) -> Array:
    """Texts one after the other."""
    a, b = np.broadcast_arrays(a, b)
    return _texts([str(x) + str(y) for x, y in zip(a.reshape(-1), b.reshape(-1), strict=True)], a.shape)


@operator("StringSplit", raw=True)
def split(call: Call, x: Array) -> tuple[Array, Array]:
    """Parts of each text between delimiters (white space by default), filled up with empty ones; and how many there are."""
    delimiter, most = call.get("delimiter") or None, call.get("maxsplit", -1)
    rows = [[] if str(t) == "" else str(t).split(delimiter, most) for t in x.reshape(-1)]
    width = max([len(r) for r in rows], default=0)
    flat = [word for row in rows for word in (*row, *[""] * (width - len(row)))]
    counts = np.array([len(r) for r in rows], np.int64).reshape(x.shape)
    return _texts(flat, (*x.shape, width)), counts


@operator("StringNormalizer", raw=True)
def normalize(call: Call, x: Array) -> Array:
    """Without some words, in lower or upper case: by Unicode's rules, whatever `locale` says."""
    change, exact = call.get("case_change_action", "NONE"), call.get("is_case_sensitive", 0)
    stop = call.get("stopwords") or []
    stop = set(stop if exact else [w.lower() for w in stop])
    words = [str(w) for w in x.reshape(-1)]
    kept = [w for w in words if (w if exact else w.lower()) not in stop]
    changed = [w.lower() if change == "LOWER" else w.upper() if change == "UPPER" else w for w in kept]
    changed = changed or [""]
    return _texts(changed, (len(changed),) if x.ndim == 1 else (1, len(changed)))


_NESTED = re.compile(r"\([^)]*[+*][^)]*\)[+*{]|\\[1-9]|\(\?[=!<P]")


@operator("RegexFullMatch", raw=True)
def full_match(call: Call, x: Array) -> Array:
    """Whether each whole text matches a pattern, by Python's `re`.

    Simple forms of repeated repeats are refused, and what RE2 does not have. Others may still take long, as RE2's do not.
    """
    pattern = call.get("pattern", "")
    if _NESTED.search(pattern) or len(pattern) > 10_000:
        raise call.unsupported(f"the pattern {pattern[:100]!r} has repeated repeats, references or assertions")
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise call.error(f"the pattern {pattern[:100]!r} is wrong: {error}") from error
    found = [compiled.fullmatch(str(t)) is not None for t in x.reshape(-1)]
    return np.array(found, bool).reshape(x.shape)


@operator("TfIdfVectorizer", raw=True)
def tf_idf(call: Call, x: Value) -> Array:
    """Counts of known n-grams, words of which may be skipped over, weighted."""
    values = array(x)
    pool: list[Any] = call.get("pool_strings") or call.get("pool_int64s") or []
    starts, places = call.get("ngram_counts"), call.get("ngram_indexes")
    weights, mode = call.get("weights"), call.get("mode")
    known: dict[tuple[Any, ...], int] = {}
    ends = [*starts[1:], len(pool)]
    for size, (start, end) in enumerate(zip(starts, ends, strict=True), start=1):
        for at in range(start, end, size):
            known[tuple(pool[at : at + size])] = len(known)
    width = max(places, default=-1) + 1
    rows = values.reshape(1, -1) if values.ndim == 1 else values
    result = np.zeros((len(rows), width), np.float32)
    low, high, skips = call.get("min_gram_length"), call.get("max_gram_length"), call.get("max_skip_count")
    for row, words in zip(result, rows, strict=True):
        items = [w if isinstance(w, str) else int(w) for w in words]
        for gram, count in _grams(items, low, high, skips, known).items():
            weight = 1.0 if weights is None else weights[gram]
            row[places[gram]] = {"TF": count, "IDF": weight}.get(mode, count * weight)
    return result[0] if values.ndim == 1 else result


def _grams(items: list[Any], low: int, high: int, skips: int, known: dict[tuple[Any, ...], int]) -> Counter[int]:
    found: Counter[int] = Counter()
    for size in range(low, high + 1):
        for distance in range(1, skips + 2) if size > 1 else (1,):
            for start in range(len(items) - (size - 1) * distance):
                gram = known.get(tuple(items[start : start + (size - 1) * distance + 1 : distance]))
                if gram is not None:
                    found[gram] += 1
    return found
