"""11,228 newswires as word numbers, in 46 topics. Source: Reuters-21578."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError
from onegraph.keras.datasets.source import Pair, arrays, fetch, objects, sequences

CHECKSUM = "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916"
WORDS_CHECKSUM = "4d44cc38712099c9e383dc6e5f11a921"

LABELS = (
    "cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar trade reserves ship cotton carcass crude "
    "nat-gas cpi money-fx interest gnp meal-feed alum oilseed gold tin strategic-metal livestock retail ipi iron-steel "
    "rubber heat jobs lei bop zinc orange pet-chem dlr gas silver wpi hog lead"
)


def load_data(
    path: Any = "reuters.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
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
        test_split: the share of the test set.
        seed: of the order.
        start_char: the number that every text begins with.
        oov_char: the number of words that are left out; None drops them.
        index_from: what is added to word numbers.
    """
    num_words = legacy.pop("nb_words", num_words)
    if legacy:
        raise ArgumentError(f"load_data does not take {', '.join(legacy)}")
    found = arrays(fetch("reuters.npz", CHECKSUM, path))
    order = np.arange(len(found["x"]))
    np.random.RandomState(seed).shuffle(order)
    texts, labels = found["x"][order], found["y"][order]
    numbers, keep = sequences(texts, num_words, skip_top, maxlen, start_char, oov_char, index_from)
    labels, at = labels[keep], int(len(numbers) * (1 - test_split))
    return (objects(numbers[:at]), labels[:at]), (objects(numbers[at:]), labels[at:])


def get_word_index(path: Any = "reuters_word_index.json") -> dict[str, int]:
    """The numbers of words, from 1; `load_data` adds index_from to them."""
    found: dict[str, int] = json.loads(Path(fetch("reuters_word_index.json", WORDS_CHECKSUM, path)).read_text())
    return found


def get_label_names() -> tuple[str, ...]:
    """The names of the 46 topics."""
    return tuple(LABELS.split())
