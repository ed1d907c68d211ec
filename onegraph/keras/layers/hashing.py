"""Features put into a fixed number of bins by their hashes, alone or crossed. Read first: `fingerprints.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend.convert import tensor as make_tensor
from onegraph.frontend.tensor import Tensor
from onegraph.ir.dtype import as_dtype
from onegraph.keras.layers.base import Layer
from onegraph.keras.layers.encoding import (
    check_mode,
    encode,
    encoded_shape,
    host,
    is_text,
    refuse_sparse,
    spec,
    strings,
)
from onegraph.keras.layers.fingerprints import farmhash, joined, siphash

CROSS_KEY = 0xDECAFCAFFE
"""Where TensorFlow's hash of a cross starts."""


def hash_words(values: Sequence[str], bins: int, salt: Sequence[int] | None) -> list[int]:
    """The bin of each string: by FarmHash, or with a salt by SipHash."""
    if salt is None:
        return [farmhash(v.encode()) % bins for v in values]
    return [siphash(v.encode(), (salt[0], salt[1])) % bins for v in values]


def as_words(label: str, value: Any) -> np.ndarray[Any, Any]:
    """Strings as they are, and numbers as TensorFlow writes them, floats without their fraction."""
    if is_text(value):
        return strings(label, value)
    array = host(value)
    return array.astype(np.int64).astype(str).astype(object)


class Hashing(Layer):
    """Strings or whole numbers put into bins by their hashes. Needs values, so it stands before a model's traced part.

    Args:
        num_bins: how many bins.
        mask_value: a value that alone goes to bin 0.
        salt: one number or two, to hash in another way (SipHash instead of FarmHash).
        output_mode: 'int', 'one_hot', 'multi_hot' or 'count'.
        sparse: not supported.

    >>> Hashing(num_bins=3)([["A"], ["B"], ["C"], ["D"], ["E"]]).reshape(-1)
    tensor([1, 0, 1, 1, 2])
    """

    def __init__(
        self,
        num_bins: int,
        mask_value: Any = None,
        salt: Any = None,
        output_mode: str = "int",
        sparse: bool = False,
        **kwargs: Any,
    ) -> None:
        wanted = kwargs.pop("dtype", None)
        super().__init__(**kwargs)
        if not isinstance(num_bins, int) or num_bins < 1:
            raise ArgumentError(f"Hashing: num_bins must be a positive whole number, got {num_bins!r}")
        refuse_sparse("Hashing", sparse)
        self.num_bins, self.mask_value = num_bins, mask_value
        self.output_mode = check_mode("Hashing", output_mode, ("int", "one_hot", "multi_hot", "count"))
        self.salt = [salt, salt] if isinstance(salt, int) else salt
        if self.salt is not None and len(self.salt) != 2:
            raise ArgumentError(f"Hashing: salt must be one whole number or two, got {salt!r}")
        self._output_dtype = wanted or ("int64" if self.output_mode == "int" else "float32")

    def compute_output_spec(self, inputs: Any, **kwargs: Any) -> Any:
        """Shape and dtype of the result."""
        return spec(encoded_shape(inputs.shape, self.output_mode, self.num_bins), self._output_dtype)

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        words = as_words(f"layer {self.name!r} (Hashing)", inputs)
        masked = self.mask_value is not None and self.num_bins > 1
        found = np.array(hash_words(words.reshape(-1).tolist(), self.num_bins - masked, self.salt), np.int64)
        if masked:
            at = words.reshape(-1) == str(self.mask_value)
            found = np.where(at, 0, found + 1)
        result = encode(make_tensor(found.reshape(words.shape)), self.output_mode, self.num_bins, self._output_dtype)
        return result.to(as_dtype(self._output_dtype))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "dtype": self._output_dtype}


class HashedCrossing(Layer):
    """Two features, or more, crossed: each combination goes to a bin by its hash.

    Args:
        num_bins: how many bins.
        output_mode: 'int' or 'one_hot'.
        sparse: not supported.

    >>> import numpy as np
    >>> letters, numbers = np.array(["A", "B", "A", "B", "A"]), np.array([101, 101, 101, 102, 102])
    >>> HashedCrossing(num_bins=5)((letters, numbers))
    tensor([1, 4, 1, 1, 3])
    """

    def __init__(
        self,
        num_bins: int,
        output_mode: str = "int",
        sparse: bool = False,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if not isinstance(num_bins, int) or num_bins < 1:
            raise ArgumentError(f"HashedCrossing: num_bins must be a positive whole number, got {num_bins!r}")
        refuse_sparse("HashedCrossing", sparse)
        self.num_bins = num_bins
        self.output_mode = check_mode("HashedCrossing", output_mode, ("int", "one_hot"))
        self._output_dtype = dtype or ("int64" if self.output_mode == "int" else "float32")

    def compute_output_spec(self, inputs: Any, **kwargs: Any) -> Any:
        """Shape and dtype of the result."""
        return spec(encoded_shape(inputs[0].shape, self.output_mode, self.num_bins), self._output_dtype)

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        label = f"layer {self.name!r} (HashedCrossing)"
        if not isinstance(inputs, (list, tuple)) or len(inputs) < 2:
            raise ArgumentError(f"{label} needs a list of at least two features", hint="HashedCrossing(8)([a, b])")
        columns = [_column(label, value) for value in inputs]
        shape = columns[0].shape
        if any(c.shape != shape for c in columns):
            raise ShapeError(f"{label} needs features of one shape, got {', '.join(str(c.shape) for c in columns)}")
        found = []
        for row in zip(*[c.reshape(-1).tolist() for c in columns], strict=True):
            value = CROSS_KEY
            for part in row:
                value = joined(value, part & (1 << 64) - 1)
            found.append(value % self.num_bins)
        indices = make_tensor(np.array(found, np.int64).reshape(shape))
        result = encode(indices, self.output_mode, self.num_bins, self._output_dtype)
        return result.to(as_dtype(self._output_dtype))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "dtype": self._output_dtype}


def _column(label: str, value: Any) -> np.ndarray[Any, Any]:
    """A feature as whole numbers: strings by their hashes."""
    if isinstance(value, Tensor) or not is_text(value):
        return host(value).astype(np.int64).astype(object)
    words = strings(label, value)
    result = np.empty(words.size, object)
    result[:] = [farmhash(v.encode()) for v in words.reshape(-1).tolist()]
    return result.reshape(words.shape)
