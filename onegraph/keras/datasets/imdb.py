"""25,000 and 25,000 film reviews as word numbers, and whether they are good. Source: Maas et al., ACL 2011."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError
from onegraph.keras.datasets.source import Pair, arrays, fetch, objects, sequences

CHECKSUM = "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"
WORDS_CHECKSUM = "bfafd718b763782e994055a2d397834f"


def load_data(
    path: Any = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
    **legacy: Any,
) -> tuple[Pair, Pair]:
    """Texts as arrays of lists of word numbers, the most frequent word first, and class numbers.

    Args:
        path: where the file is kept, or an .npz file of the same form.
        num_words: only words with a smaller number (Keras 1's `nb_words`).
        skip_top: leave the most frequent words out.
        maxlen: only shorter texts.
        seed: of the order.
        start_char: the number that every text begins with.
        oov_char: the number of words that are left out; None drops them.
        index_from: what is added to word numbers.
    """
    num_words = legacy.pop("nb_words", num_words)
    if legacy:
        raise ArgumentError(f"load_data does not take {', '.join(legacy)}")
    found = arrays(fetch("imdb.npz", CHECKSUM, path))
    rng = np.random.RandomState(seed)
    parts = []
    for kind in ("train", "test"):
        order = np.arange(len(found[f"x_{kind}"]))
        rng.shuffle(order)
        parts.append((found[f"x_{kind}"][order], found[f"y_{kind}"][order]))
    texts = [*parts[0][0], *parts[1][0]]
    numbers, keep = sequences(texts, num_words, skip_top, maxlen, start_char, oov_char, index_from)
    labels = np.concatenate([parts[0][1], parts[1][1]])[keep]
    at = int(keep[: len(parts[0][0])].sum())
    return (objects(numbers[:at]), labels[:at]), (objects(numbers[at:]), labels[at:])


def get_word_index(path: Any = "imdb_word_index.json") -> dict[str, int]:
    """The numbers of words, from 1; `load_data` adds index_from to them."""
    found: dict[str, int] = json.loads(Path(fetch("imdb_word_index.json", WORDS_CHECKSUM, path)).read_text())
    return found
