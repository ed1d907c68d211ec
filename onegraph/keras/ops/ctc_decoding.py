"""Class numbers from the outputs of connectionist temporal classification, best path and beam search, with NumPy.

Source: Graves et al., ICML 2006, section 3.2; prefixes as in Hannun et al., arXiv 1408.2873.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def _filled(paths: list[list[list[int]]], length: int) -> Array:
    """Paths (kind, sample) in one array, filled up with -1 to a length."""
    found = np.full((len(paths), len(paths[0]), length), -1, np.int32)
    for own, kind in zip(found, paths, strict=True):
        for row, path in zip(own, kind, strict=True):
            row[: len(path)] = path
    return found


def greedy(scores: Array, lengths: Array, merge_repeated: bool, blank: int) -> tuple[Array, Array]:
    """The most probable class of each step."""
    paths, values = [], []
    for sample, length in zip(scores, lengths, strict=True):
        best = sample[: int(length)].argmax(-1)
        kept = [int(c) for i, c in enumerate(best) if c != blank and not (merge_repeated and i and best[i - 1] == c)]
        paths.append(kept)
        values.append([-float(sample[: int(length)].max(-1).sum())])
    return _filled([paths], scores.shape[1]), np.array(values, np.float32)


def beam_search(scores: Array, lengths: Array, width: int, top_paths: int, blank: int) -> tuple[Array, Array]:
    """The most probable sequences, from sums over all paths that give them."""
    shifted = scores - scores.max(-1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    per_sample = [_beams(sample[: int(n)], width, blank)[:top_paths] for sample, n in zip(logs, lengths, strict=True)]
    for found in per_sample:
        found += [((), -np.inf)] * (top_paths - len(found))
    paths = [[list(found[k][0]) for found in per_sample] for k in range(top_paths)]
    values = np.array([[found[k][1] for k in range(top_paths)] for found in per_sample], np.float32)
    return _filled(paths, scores.shape[1]), values


def _beams(logs: Array, width: int, blank: int) -> list[tuple[tuple[int, ...], float]]:
    minus = -np.inf
    beams: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, minus)}  # ends in blank, ends in its last class
    for step in logs:
        grown: dict[tuple[int, ...], tuple[float, float]] = {}

        def put(path: tuple[int, ...], in_blank: float, in_class: float, grown: Any = grown) -> None:
            a, b = grown.get(path, (minus, minus))
            grown[path] = (float(np.logaddexp(a, in_blank)), float(np.logaddexp(b, in_class)))

        for path, (in_blank, in_class) in beams.items():
            total = np.logaddexp(in_blank, in_class)
            put(path, total + step[blank], in_class + step[path[-1]] if path else minus)
            for c, value in enumerate(step):
                if c != blank:
                    before = in_blank if path and path[-1] == c else total
                    put((*path, c), minus, before + value)
        best = sorted(grown.items(), key=lambda item: -np.logaddexp(*item[1]))[:width]
        beams = dict(best)
    ordered = [(path, float(np.logaddexp(*both))) for path, both in beams.items()]
    return sorted(ordered, key=lambda item: -item[1])
