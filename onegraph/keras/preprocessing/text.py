"""Texts as Keras 1 and 2 prepared them: words, numbers of words, matrices. Today's way is the layer `TextVectorization`."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, StateError

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'


def text_to_word_sequence(text: str, filters: str = FILTERS, lower: bool = True, split: str = " ") -> list[str]:
    """The words of a text.

    >>> text_to_word_sequence("A small, quiet text.")
    ['a', 'small', 'quiet', 'text']
    """
    text = text.lower() if lower else text
    return [w for w in text.translate({ord(c): split for c in filters}).split(split) if w]


def hashing_trick(
    text: str,
    n: int,
    hash_function: Any = None,
    filters: str = FILTERS,
    lower: bool = True,
    split: str = " ",
) -> list[int]:
    """Words as numbers from 1 to n - 1, by a hash; different words may get the same number.

    Args:
        hash_function: 'md5' for numbers that stay the same from run to run, a function, or None for Python's `hash`.
    """
    if hash_function == "md5":
        function: Callable[[str], int] = lambda w: int(hashlib.md5(w.encode()).hexdigest(), 16)  # noqa: E731
    else:
        function = hash_function or hash
    return [function(w) % (n - 1) + 1 for w in text_to_word_sequence(text, filters, lower, split)]


def one_hot(text: str, n: int, filters: str = FILTERS, lower: bool = True, split: str = " ") -> list[int]:
    """Words as numbers from 1 to n - 1, by Python's hash."""
    return hashing_trick(text, n, None, filters, lower, split)


class Tokenizer:
    """Numbers words by how often they occur.

    Args:
        num_words: only the most frequent ones are used (Keras 1's `nb_words`).
        filters: characters to leave out.
        lower: make texts lower case.
        split: what stands between words.
        char_level: every character is a word.
        oov_token: a word that stands for unknown ones.

    >>> tokenizer = Tokenizer()
    >>> tokenizer.fit_on_texts(["a cat and a dog"])
    >>> tokenizer.texts_to_sequences(["a dog"])
    [[1, 4]]
    """

    def __init__(
        self,
        num_words: int | None = None,
        filters: str = FILTERS,
        lower: bool = True,
        split: str = " ",
        char_level: bool = False,
        oov_token: str | None = None,
        analyzer: Callable[[Any], list[str]] | None = None,
        **legacy: Any,
    ) -> None:
        num_words = legacy.pop("nb_words", num_words)
        self.document_count = legacy.pop("document_count", 0)
        if legacy:
            raise ArgumentError(f"Tokenizer does not take {', '.join(legacy)}")
        self.num_words, self.filters, self.lower, self.split = num_words, filters, lower, split
        self.char_level, self.oov_token, self.analyzer = char_level, oov_token, analyzer
        self.word_counts: Counter[str] = Counter()
        self.word_docs: Counter[str] = Counter()
        self.index_docs: dict[int, int] = {}
        self.word_index: dict[str, int] = {}
        self.index_word: dict[int, str] = {}

    def _words(self, text: Any) -> list[str]:
        if self.char_level or isinstance(text, list):
            if isinstance(text, list):
                return [t.lower() for t in text] if self.lower else list(text)
            return list(text.lower() if self.lower else text)
        if self.analyzer is not None:
            return self.analyzer(text)
        return text_to_word_sequence(text, self.filters, self.lower, self.split)

    def fit_on_texts(self, texts: Iterable[Any]) -> None:
        """Count words and number them."""
        for text in texts:
            words = self._words(text)
            self.document_count += 1
            self.word_counts.update(words)
            self.word_docs.update(set(words))
        ordered = sorted(self.word_counts.items(), key=lambda item: -item[1])
        names = [] if self.oov_token is None else [self.oov_token]
        names += [word for word, _ in ordered if word != self.oov_token]
        self.word_index = {word: i + 1 for i, word in enumerate(names)}
        self.index_word = {i: word for word, i in self.word_index.items()}
        self.index_docs = {self.word_index[w]: count for w, count in self.word_docs.items()}

    def fit_on_sequences(self, sequences: Iterable[Any]) -> None:
        """Count documents in which numbers occur, for `sequences_to_matrix` in mode 'tfidf'."""
        found: Counter[int] = Counter()
        for sequence in sequences:
            self.document_count += 1
            found.update(set(sequence))
        self.index_docs = dict(found)

    def texts_to_sequences(self, texts: Iterable[Any]) -> list[list[int]]:
        """The numbers of the words of texts."""
        return list(self.texts_to_sequences_generator(texts))

    def texts_to_sequences_generator(self, texts: Iterable[Any]) -> Iterator[list[int]]:
        """`texts_to_sequences`, one by one."""
        unknown = self.word_index.get(self.oov_token) if self.oov_token is not None else None
        for text in texts:
            numbers = [self.word_index.get(w) for w in self._words(text)]
            known = [n if n is not None and (not self.num_words or n < self.num_words) else unknown for n in numbers]
            yield [n for n in known if n is not None]

    def sequences_to_texts(self, sequences: Iterable[Any]) -> list[str]:
        """The words of numbers."""
        found = []
        for sequence in sequences:
            words = [
                self.index_word[n]
                if n in self.index_word and (not self.num_words or n < self.num_words)
                else self.oov_token
                for n in sequence
            ]
            found.append(" ".join(w for w in words if w is not None))
        return found

    def texts_to_matrix(self, texts: Iterable[Any], mode: str = "binary") -> np.ndarray:
        """A row for each text and a column for each word; see `sequences_to_matrix`."""
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(self, sequences: list[Any], mode: str = "binary") -> np.ndarray:
        """A row for each sequence and a column for each number.

        Args:
            mode: 'binary', 'count', 'freq' (share), or 'tfidf' ((1 + log count) log(1 + documents / (1 + documents with it))).
        """
        if not self.num_words and not self.word_index:
            raise StateError("the tokenizer has seen no texts", hint="fit_on_texts first, or give num_words")
        if mode not in ("binary", "count", "freq", "tfidf"):
            raise ArgumentError(f"mode must be 'binary', 'count', 'freq' or 'tfidf', got {mode!r}")
        if mode == "tfidf" and not self.document_count:
            raise StateError("mode 'tfidf' needs documents", hint="fit_on_texts or fit_on_sequences first")
        columns = self.num_words or len(self.word_index) + 1
        found = np.zeros((len(sequences), columns))
        for row, sequence in zip(found, sequences, strict=True):
            for number, count in Counter(n for n in sequence if n < columns).items():
                if mode == "tfidf":
                    share = np.log(1 + self.document_count / (1 + self.index_docs.get(number, 0)))
                    row[number] = (1 + np.log(count)) * share
                else:
                    row[number] = {"binary": 1.0, "count": count, "freq": count / len(sequence)}[mode]
        return found

    def get_config(self) -> dict[str, Any]:
        """Settings and counts as JSON can hold them."""
        return {
            "num_words": self.num_words,
            "filters": self.filters,
            "lower": self.lower,
            "split": self.split,
            "char_level": self.char_level,
            "oov_token": self.oov_token,
            "document_count": self.document_count,
            "word_counts": json.dumps(self.word_counts),
            "word_docs": json.dumps(self.word_docs),
            "index_docs": json.dumps(self.index_docs),
            "index_word": json.dumps(self.index_word),
            "word_index": json.dumps(self.word_index),
        }

    def to_json(self, **options: Any) -> str:
        """Settings and counts as JSON."""
        return json.dumps({"class_name": "Tokenizer", "config": self.get_config()}, **options)


def tokenizer_from_json(json_string: str) -> Tokenizer:
    """The tokenizer that `to_json` described."""
    config = json.loads(json_string)["config"]
    counts = {
        k: json.loads(config.pop(k)) for k in ("word_counts", "word_docs", "index_docs", "index_word", "word_index")
    }
    made = Tokenizer(**config)
    made.word_counts, made.word_docs = Counter(counts["word_counts"]), Counter(counts["word_docs"])
    made.index_docs = {int(k): v for k, v in counts["index_docs"].items()}
    made.index_word = {int(k): v for k, v in counts["index_word"].items()}
    made.word_index = counts["word_index"]
    return made
