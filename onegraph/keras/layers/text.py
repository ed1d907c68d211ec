"""`TextVectorization`: texts as indices of their words. Read first: `lookup.py`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend.convert import tensor as make_tensor
from onegraph.keras.layers.base import Layer
from onegraph.keras.layers.encoding import batches_of, refuse_sparse, spec, strings
from onegraph.keras.layers.lookup import StringLookup

_PUNCTUATION = re.compile(r"""[!"#$%&()*+,\-./:;<=>?@\[\\\]^_`{|}~']""")
_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
STANDARDIZE = ("lower_and_strip_punctuation", "lower", "strip_punctuation")


class TextVectorization(Layer):
    """Texts made even, split into tokens, and looked up in a vocabulary. It takes strings, so it stands at a model's beginning.

    Args:
        max_tokens: how large the vocabulary may get, with the two special tokens '' (padding) and '[UNK]' (unknown).
        standardize: 'lower_and_strip_punctuation', 'lower', 'strip_punctuation', None, or a function of an array of
            strings. Letters of ASCII only are made small, as in TensorFlow.
        split: 'whitespace', 'character', None, or a function of an array of strings giving lists of tokens.
        ngrams: also join neighbouring tokens: up to so many, or of the sizes in a tuple.
        output_mode: 'int' for indices in the texts' order, filled up with 0; 'multi_hot', 'count' or 'tf_idf' for one row
            of numbers for a text.
        output_sequence_length: how many indices; longer texts are cut. As many as the longest text has by default.
        pad_to_max_tokens: rows of max_tokens numbers, however large the vocabulary is.
        vocabulary: the tokens, without the special ones, or the path of a text file; else call `adapt`.
        idf_weights: how much each token counts, for 'tf_idf'.
        sparse, ragged: not supported.
        encoding: of bytes.

    >>> layer = TextVectorization(output_sequence_length=4)
    >>> layer.adapt(["The cat sat.", "The dog sat!"])
    >>> layer.get_vocabulary()
    ['', '[UNK]', 'the', 'sat', 'dog', 'cat']
    >>> layer(["The bird sat"])
    tensor([[2, 1, 3, 0]])
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: Any = "lower_and_strip_punctuation",
        split: Any = "whitespace",
        ngrams: Any = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: Any = None,
        idf_weights: Any = None,
        sparse: bool = False,
        ragged: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        for key in ("vocabulary_size", "has_input_vocabulary", "dtype"):  # written into files by Keras
            kwargs.pop(key, None)
        super().__init__(name=name, **kwargs)
        refuse_sparse("TextVectorization", sparse, ragged)
        if not (standardize is None or callable(standardize) or standardize in STANDARDIZE):
            raise ArgumentError(
                f"TextVectorization: standardize must be one of {', '.join(STANDARDIZE)}, None or a function, got {standardize!r}"
            )
        if not (split is None or callable(split) or split in ("whitespace", "character")):
            raise ArgumentError(
                f"TextVectorization: split must be 'whitespace', 'character', None or a function, got {split!r}"
            )
        if output_sequence_length is not None and output_mode != "int":
            raise ArgumentError("TextVectorization: output_sequence_length goes with output_mode='int'")
        self.standardize, self.split = standardize, split
        self.ngrams = tuple(range(1, ngrams + 1)) if isinstance(ngrams, int) else ngrams and tuple(ngrams)
        self.output_sequence_length, self.encoding = output_sequence_length, encoding
        self._lookup = StringLookup(
            max_tokens,
            1,
            "",
            "[UNK]",
            vocabulary,
            idf_weights,
            False,
            output_mode,
            pad_to_max_tokens,
            encoding=encoding,
        )

    # ---- tokens

    def _tokens(self, texts: Any) -> list[list[str]]:
        """The tokens of each text."""
        label = f"layer {self.name!r} (TextVectorization)"
        array = strings(label, texts, self.encoding)
        if self.split is not None and array.ndim > 1:
            if array.shape[-1] != 1 or array.ndim > 2:
                raise ShapeError(
                    f"{label} takes one text for each sample, got an array of shape {array.shape}",
                    hint="an array of shape (samples,) or (samples, 1)",
                )
            array = array[..., 0]
        array = array.reshape(1) if array.ndim == 0 else array
        even = self._even(array)
        if self.split is None:
            rows = [list(row) for row in even.reshape(len(even), -1)]
        elif callable(self.split):
            rows = [[str(t) for t in row] for row in self.split(even)]
        else:
            rows = [text.split() if self.split == "whitespace" else list(text) for text in even.tolist()]
        return [self._joined(row) for row in rows] if self.ngrams else rows

    def _even(self, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        if self.standardize is None:
            return array
        if callable(self.standardize):
            given = array.astype(str)
            return strings("standardize", np.asarray(self.standardize(given)))
        result = np.empty(array.size, object)
        for i, text in enumerate(array.reshape(-1).tolist()):
            if "lower" in self.standardize:
                text = text.translate(_LOWER)
            result[i] = _PUNCTUATION.sub("", text) if "punctuation" in self.standardize else text
        return result.reshape(array.shape)

    def _joined(self, row: Sequence[str]) -> list[str]:
        found = []
        for size in self.ngrams:
            found += [" ".join(row[i : i + size]) for i in range(len(row) - size + 1)]
        return found

    # ---- the vocabulary

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learn the vocabulary: the most frequent tokens.

        Args:
            data: an array or a list of texts, or anything that gives batches of texts when iterated.
            batch_size: accepted.
            steps: how many batches to take.
        """
        self._lookup.reset_state()
        for batch in batches_of(data, steps):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Count the tokens of a batch of texts."""
        if self._lookup._fixed:
            raise ArgumentError(f"layer {self.name!r} (TextVectorization) was given its vocabulary, so it cannot adapt")
        self._lookup.count_rows(self._tokens(data))

    def finalize_state(self) -> None:
        """Make the vocabulary of the tokens that were counted."""
        self._lookup.finalize_state()

    def reset_state(self) -> None:
        """Forget the texts that were seen."""
        self._lookup.reset_state()

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """The tokens in the order of their indices."""
        return self._lookup.get_vocabulary(include_special_tokens)

    def vocabulary_size(self) -> int:
        """How many indices there are."""
        return self._lookup.vocabulary_size()

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Set the vocabulary; see `StringLookup.set_vocabulary`."""
        self._lookup.set_vocabulary(vocabulary, idf_weights)

    # ---- calling

    def compute_output_spec(self, inputs: Any, **kwargs: Any) -> Any:
        """Shape and dtype of the result."""
        depth = self._lookup._depth()
        if self._lookup.output_mode == "int":
            return spec((inputs.shape[0], self.output_sequence_length), "int64")
        return spec((inputs.shape[0], depth), "float32")

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        depth = self._lookup._depth()
        alone = isinstance(inputs, (str, bytes)) or (isinstance(inputs, np.ndarray) and inputs.ndim == 0)
        rows = [[self._lookup._index(t) for t in row] for row in self._tokens(inputs)]
        length = self.output_sequence_length
        if length is None:
            length = max((len(row) for row in rows), default=0)
        if self._lookup.output_mode != "int":
            length = max(max((len(row) for row in rows), default=0), 1)
        table = np.full((len(rows), length), 0 if self._lookup.output_mode == "int" else -1, np.int64)
        for i, row in enumerate(rows):
            table[i, : min(len(row), length)] = row[:length]
        result = self._lookup._encoded(make_tensor(table), depth)
        return result[0] if alone else result

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, with the vocabulary."""
        config = super().get_config()
        own = self._lookup.get_config()
        if self._lookup._tokens is not None:
            config.update(vocabulary=self.get_vocabulary(), idf_weights=own["idf_weights"])
        return config
