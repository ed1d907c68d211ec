"""Words or whole numbers looked up in a vocabulary, which is given or learned from data. Read next: `text.py`."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from onegraph.errors import ArgumentError, DataError, StorageError, UninitializedError
from onegraph.frontend import EXPORTS
from onegraph.frontend.convert import tensor as make_tensor
from onegraph.frontend.tensor import Tensor
from onegraph.ir.dtype import as_dtype
from onegraph.keras.layers.base import Layer
from onegraph.keras.layers.encoding import (
    batches_of,
    check_mode,
    encode,
    encoded_shape,
    host,
    refuse_sparse,
    spec,
    strings,
)
from onegraph.keras.layers.hashing import hash_words

MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")
_where, _searchsorted = EXPORTS["where"], EXPORTS["searchsorted"]


class IndexLookup(Layer):
    """Base of lookups; see `StringLookup` for the arguments."""

    text: ClassVar[bool] = True

    def _set_up(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        invert: bool,
        output_mode: str,
        pad_to_max_tokens: bool,
        salt: Any,
    ) -> None:
        label = type(self).__name__
        if max_tokens is not None and max_tokens <= 1:
            raise ArgumentError(f"{label}: max_tokens must be above 1, got {max_tokens}")
        if num_oov_indices < 0:
            raise ArgumentError(f"{label}: num_oov_indices must not be negative, got {num_oov_indices}")
        if invert and output_mode != "int":
            raise ArgumentError(f"{label}: invert goes with output_mode='int', got {output_mode!r}")
        if invert and num_oov_indices != 1:
            raise ArgumentError(f"{label}: invert goes with num_oov_indices=1, got {num_oov_indices}")
        if pad_to_max_tokens and max_tokens is None:
            raise ArgumentError(f"{label}: pad_to_max_tokens needs max_tokens")
        self.max_tokens, self.num_oov_indices = max_tokens, num_oov_indices
        self.mask_token, self.oov_token = mask_token, oov_token
        self.invert, self.pad_to_max_tokens = invert, pad_to_max_tokens
        self.output_mode = check_mode(label, output_mode, MODES)
        self.salt = [salt, salt] if isinstance(salt, int) else salt
        self._tokens: tuple[Any, ...] | None = None
        self._idf: np.ndarray[Any, Any] | None = None
        self._places: dict[Any, int] = {}
        self._fixed = False
        self.reset_state()

    # ---- the vocabulary

    @property
    def _mask_places(self) -> int:
        return int(self.mask_token is not None and self.output_mode == "int")

    @property
    def _first_token(self) -> int:
        return self._mask_places + self.num_oov_indices

    def _specials(self) -> list[Any]:
        return [self.mask_token] * self._mask_places + [self.oov_token] * self.num_oov_indices

    def _host_tokens(self, values: Any) -> list[Any]:
        """Values as a list of Python's own strings or whole numbers."""
        raise NotImplementedError

    def _read(self, vocabulary: Any) -> list[Any]:
        if isinstance(vocabulary, (str, os.PathLike)):
            try:
                lines = Path(vocabulary).read_text(encoding="utf-8").splitlines()
            except OSError as error:
                raise StorageError(
                    f"{type(self).__name__}: the vocabulary {os.fspath(vocabulary)!r} cannot be read: {error}"
                ) from None
            return lines if self.text else [int(line) for line in lines]
        return self._host_tokens(vocabulary)

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Set the vocabulary.

        Args:
            vocabulary: tokens in the order of their indices, with or without the special ones at the front; or the path of
                a text file with one in each line.
            idf_weights: how much each token counts, for output_mode='tf_idf'.

        Raises:
            ArgumentError: a token is there twice, or there are more than max_tokens.
        """
        label = f"layer {self.name!r} ({type(self).__name__})"
        tokens = self._read(vocabulary)
        if not tokens:
            raise ArgumentError(f"{label}: the vocabulary is empty")
        if (self.output_mode == "tf_idf") != (idf_weights is not None):
            raise ArgumentError(f"{label}: idf_weights go with output_mode='tf_idf', and only with it")
        weights = None if idf_weights is None else np.asarray(host(idf_weights), np.float32)
        if weights is not None and len(weights) != len(tokens):
            raise ArgumentError(f"{label}: {len(tokens)} tokens and {len(weights)} idf_weights")
        specials = self._specials()
        if specials and tokens[: len(specials)] == specials:
            tokens = tokens[len(specials) :]
            weights = None if weights is None else weights[len(specials) :]
        twice = [t for t, n in Counter(tokens).items() if n > 1]
        if twice:
            raise ArgumentError(f"{label}: the vocabulary has {twice[0]!r} more than once")
        for what, token in (("mask", self.mask_token), ("out-of-vocabulary", self.oov_token if self.invert else None)):
            if token is not None and token in tokens:
                raise ArgumentError(
                    f"{label}: the {what} token {token!r} is in the middle of the vocabulary",
                    hint=f"leave it out, or start the vocabulary with {specials}",
                )
        if self.max_tokens is not None and self._first_token + len(tokens) > self.max_tokens:
            raise ArgumentError(
                f"{label}: {len(tokens)} tokens and {self._first_token} special ones are more than max_tokens={self.max_tokens}"
            )
        self._keep(tokens, weights)
        self._fixed = True

    def _keep(self, tokens: Any, weights: Any) -> None:
        self._tokens = tuple(tokens)
        self._places = {token: i for i, token in enumerate(tokens, self._first_token)}
        self._idf = None
        if weights is not None:
            size = self.max_tokens if self.pad_to_max_tokens and self.max_tokens else self.vocabulary_size()
            full = np.zeros(size, np.float32)
            full[: self._first_token] = weights.mean() if len(weights) else 0
            full[self._first_token : self._first_token + len(weights)] = weights
            self._idf = full

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The tokens in the order of their indices, with those for masks and unknown tokens at the front."""
        tokens = list(self._tokens or ())
        return [*self._specials(), *tokens] if include_special_tokens else tokens

    def vocabulary_size(self) -> int:
        """How many indices there are."""
        return self._first_token + len(self._tokens or ())

    # ---- learning it

    def reset_state(self) -> None:
        """Forget the data that was seen."""
        self._counts: Counter[Any] = Counter()
        self._documents: Counter[Any] = Counter()
        self._document_count = 0

    def update_state(self, data: Any) -> None:
        """Count the tokens of a batch; each row is a document."""
        if self._fixed:
            raise ArgumentError(
                f"layer {self.name!r} ({type(self).__name__}) was given its vocabulary, so it cannot adapt"
            )
        array = np.asarray(data if not isinstance(data, Tensor) else host(data), dtype=object)
        rows = [array.reshape(-1)] if array.ndim < 2 else list(array.reshape(len(array), -1))
        self.count_rows([self._host_tokens(row) for row in rows])

    def count_rows(self, rows: list[list[Any]]) -> None:
        """Count the tokens of documents."""
        for row in rows:
            self._counts.update(row)
            if self.output_mode == "tf_idf":
                self._documents.update(set(row))
        self._document_count += len(rows)

    def finalize_state(self) -> None:
        """Make the vocabulary of the tokens that were counted: the most frequent first, of equal ones the last in order."""
        for special in (self.mask_token, self.oov_token):
            self._counts.pop(special, None)
        if self._fixed or not self._counts:
            return
        order = sorted(self._counts, reverse=True)
        order.sort(key=lambda t: -self._counts[t])
        if self.max_tokens is not None:
            order = order[: self.max_tokens - self._first_token]
        weights = None
        if self.output_mode == "tf_idf":
            seen = np.array([self._documents[t] for t in order], np.float64)
            weights = np.log(1 + self._document_count / (1 + seen)).astype(np.float32)
        self._keep(order, weights)
        self.reset_state()

    def adapt(self, data: Any, steps: int | None = None, batch_size: int | None = None) -> None:
        """Learn the vocabulary.

        Args:
            data: an array or a list of tokens, or anything that gives batches when iterated.
            steps: how many batches to take.
            batch_size: accepted.
        """
        self.reset_state()
        for batch in batches_of(data, steps):
            array = batch if isinstance(batch, Tensor) else np.asarray(batch, dtype=object)
            alone = isinstance(data, (list, tuple, np.ndarray, Tensor)) and array.ndim == 1
            self.update_state(array.reshape(-1, 1) if alone else array)
        self.finalize_state()

    # ---- calling

    def _depth(self) -> int:
        """How long a row of the output is."""
        if self._tokens is None and not (self.output_mode == "int" and self.num_oov_indices):
            raise UninitializedError(
                f"layer {self.name!r} ({type(self).__name__}) has no vocabulary yet",
                hint="give vocabulary=, or call adapt(data)",
            )
        return self.max_tokens if self.pad_to_max_tokens and self.max_tokens is not None else self.vocabulary_size()

    def _index(self, token: Any) -> int:
        """The index of one token."""
        found = self._places.get(token)
        if found is not None:
            return found
        if self.mask_token is not None and token == self.mask_token:
            return 0 if self._mask_places else -1
        if not self.num_oov_indices:
            raise DataError(
                f"layer {self.name!r} ({type(self).__name__}): {token!r} is not in the vocabulary",
                hint="num_oov_indices=1 gives unknown tokens an index",
            )
        return self._mask_places + self._unknown(token)

    def _unknown(self, token: Any) -> int:
        """Which of the indices for unknown tokens it gets."""
        return hash_words([str(token)], self.num_oov_indices, self.salt)[0] if self.num_oov_indices > 1 else 0

    def indices(self, values: Any) -> np.ndarray[Any, Any]:
        """The indices of tokens, as an array."""
        array = np.asarray(values, dtype=object)
        known: dict[Any, int] = {}
        found = []
        for token in self._host_tokens(array.reshape(-1)):
            if token not in known:
                known[token] = self._index(token)
            found.append(known[token])
        return np.array(found, np.int64).reshape(array.shape)

    def _encoded(self, indices: Any, depth: int) -> Any:
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        result = encode(indices, mode, depth, "float32")
        return result if self._idf is None else result * make_tensor(self._idf)

    def _inverted(self, inputs: Any) -> Any:
        names = self.get_vocabulary()
        array = host(inputs)
        found = [names[i] if 0 <= i < len(names) else self.oov_token for i in array.reshape(-1).tolist()]
        result = np.empty(len(found), object) if self.text else np.array(found, np.int64)
        result[:] = found
        result = result.reshape(array.shape)
        return result if self.text else make_tensor(result)

    def compute_output_spec(self, inputs: Any, **kwargs: Any) -> Any:
        """Shape and dtype of the result."""
        depth = self._depth()
        kind = "int64" if self.output_mode == "int" else "float32"
        return spec(encoded_shape(inputs.shape, self.output_mode, depth), kind)

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        depth = self._depth()
        if self.invert:
            return self._inverted(inputs)
        return self._encoded(make_tensor(self.indices(inputs)), depth)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, with the vocabulary."""
        config = super().get_config()
        if self._tokens is not None:
            config["vocabulary"] = self.get_vocabulary()
            config["idf_weights"] = None if self._idf is None else self._idf[: self.vocabulary_size()].tolist()
        return config


class StringLookup(IndexLookup):
    """Strings looked up in a vocabulary: each gets its index. It takes strings, so it stands at a model's beginning.

    Args:
        max_tokens: how many indices there may be, special ones included.
        num_oov_indices: how many indices unknown strings are spread over, by their hashes; 0 makes them an error.
        mask_token: a string that gets index 0, for padding.
        oov_token: what unknown strings become with `invert`.
        vocabulary: the strings in the order of their indices, or the path of a text file; else call `adapt`.
        idf_weights: how much each string counts, for 'tf_idf'.
        invert: from indices to strings.
        output_mode: 'int', 'one_hot', 'multi_hot', 'count' or 'tf_idf'.
        pad_to_max_tokens: rows of max_tokens numbers, however many strings there are.
        sparse: not supported.
        encoding: of bytes.
        salt: one number or two, to hash unknown strings in another way.

    >>> layer = StringLookup(vocabulary=["a", "b", "c"])
    >>> layer([["a", "c", "d"]])
    tensor([[1, 3, 0]])
    >>> StringLookup(vocabulary=["a", "b", "c"], invert=True)([[1, 3, 0]]).tolist()
    [['a', 'c', '[UNK]']]
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str = "[UNK]",
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        salt: Any = None,
        **kwargs: Any,
    ) -> None:
        for key in ("vocabulary_size", "has_input_vocabulary", "dtype"):  # written into files by Keras
            kwargs.pop(key, None)
        super().__init__(name=name, **kwargs)
        refuse_sparse("StringLookup", sparse)
        self.encoding = encoding
        self._set_up(max_tokens, num_oov_indices, mask_token, oov_token, invert, output_mode, pad_to_max_tokens, salt)
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)

    def _host_tokens(self, values: Any) -> list[Any]:
        label = f"layer {self.name!r} ({type(self).__name__})"
        found: list[Any] = strings(label, values, self.encoding).reshape(-1).tolist()
        return found


class IntegerLookup(IndexLookup):
    """Whole numbers looked up in a vocabulary: each gets its index.

    Args:
        vocabulary_dtype: 'int64' or 'int32'.
        mask_token: a number that gets index 0.
        oov_token: what unknown numbers become with `invert`.
        oov_method: 'floormod' to spread unknown numbers by their remainders, 'farmhash' by their hashes.

    The other arguments are those of `StringLookup`.

    >>> import numpy as np
    >>> IntegerLookup(vocabulary=[12, 36, 1138, 42])(np.array([[12, 1138, 42, 7]]))
    tensor([[1, 3, 4, 0]])
    """

    text = False

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int = -1,
        vocabulary: Any = None,
        vocabulary_dtype: str = "int64",
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        for key in ("vocabulary_size", "has_input_vocabulary", "dtype"):
            kwargs.pop(key, None)
        super().__init__(name=name, **kwargs)
        refuse_sparse("IntegerLookup", sparse)
        if oov_method not in ("floormod", "farmhash"):
            raise ArgumentError(f"IntegerLookup: oov_method must be 'floormod' or 'farmhash', got {oov_method!r}")
        self.vocabulary_dtype, self.oov_method = vocabulary_dtype, oov_method
        self._set_up(max_tokens, num_oov_indices, mask_token, oov_token, invert, output_mode, pad_to_max_tokens, salt)
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)

    def _host_tokens(self, values: Any) -> list[Any]:
        found: list[Any] = host(values).reshape(-1).astype(np.int64).tolist()
        return found

    def _unknown(self, token: Any) -> int:
        if self.oov_method == "floormod":
            return int(token % self.num_oov_indices) if self.num_oov_indices > 1 else 0
        return super()._unknown(token)

    def call(self, inputs: Any) -> Any:
        """Compute the result, in the graph: numbers are searched in the sorted vocabulary."""
        depth = self._depth()
        if self.invert or not isinstance(inputs, Tensor) or self.oov_method == "farmhash" or not self.num_oov_indices:
            return super().call(inputs)
        x = inputs.to(as_dtype("int64"))
        unknown = x % self.num_oov_indices if self.num_oov_indices > 1 else x * 0
        result = unknown + self._mask_places
        if self._tokens:
            keys = np.array(self._tokens, np.int64)
            order = np.argsort(keys)
            ordered = make_tensor(keys[order])
            place = _searchsorted(ordered, x).clamp(max=len(keys) - 1)
            index = make_tensor((order + self._first_token).astype(np.int64))[place]
            result = _where(ordered[place] == x, index, result)
        if self.mask_token is not None:
            result = _where(x == self.mask_token, result * 0 + (0 if self._mask_places else -1), result)
        return self._encoded(result, depth)
