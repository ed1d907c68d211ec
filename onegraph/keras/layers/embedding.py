"""Whole numbers as learned vectors. Read next: `masking.py` (`mask_zero`)."""

from __future__ import annotations

from typing import Any, ClassVar

from onegraph.errors import ArgumentError, DTypeError
from onegraph.ir.dtype import as_dtype
from onegraph.keras.layers.base import Layer
from onegraph.nn import functional as F


class Embedding(Layer):
    """Whole numbers as learned vectors: (batch, steps) gives (batch, steps, output_dim).

    Args:
        input_dim: how many different numbers there are.
        output_dim: size of a vector.
        embeddings_initializer, embeddings_regularizer, embeddings_constraint: of the table.
        mask_zero: whether 0 stands for a step that does not count; layers behind then leave it out.
        weights: a list with one array to start from.
        input_length: size of the input's second dimension, where known (Keras 2).

    Raises:
        OutOfRangeError: a number is negative or not below input_dim.

    >>> import onegraph as og
    >>> x = og.tensor([[1, 2, 0]])
    >>> y = Embedding(3, 4, mask_zero=True)(x)
    >>> y.shape, y._keras_mask
    (onegraph.Size([1, 3, 4]), tensor([[ True,  True, False]]))
    """

    legacy_names: ClassVar = {
        "init": "embeddings_initializer",
        "W_regularizer": "embeddings_regularizer",
        "W_constraint": "embeddings_constraint",
    }

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        input_length: int | None = None,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        if input_length is not None and "batch_input_shape" not in kwargs:
            kwargs["batch_input_shape"] = (None, input_length)
        if weights is not None and not isinstance(weights, (list, tuple)):
            weights = [weights]
        super().__init__(weights=weights, **kwargs)
        if not isinstance(input_dim, int) or not isinstance(output_dim, int) or min(input_dim, output_dim) < 1:
            raise ArgumentError(
                f"{type(self).__name__}: input_dim and output_dim must be positive whole numbers, got {input_dim!r} "
                f"and {output_dim!r}"
            )
        self.input_dim, self.output_dim = input_dim, output_dim
        self.mask_zero = self.supports_masking = mask_zero
        self.autocast = False  # numbers that are whole, even as floats, must stay exact
        self._dropout = float(dropout)  # Keras 1: whole vectors are dropped
        self._options = {
            "initializer": embeddings_initializer,
            "regularizer": embeddings_regularizer,
            "constraint": embeddings_constraint,
        }

    def build(self, input_shape: Any) -> None:
        """Make the table."""
        self.embeddings = self.add_weight(shape=(self.input_dim, self.output_dim), name="embeddings", **self._options)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Compute the result."""
        if inputs.dtype.name == "bool":
            raise DTypeError(f"{type(self).__name__}: needs whole numbers, got bool")
        table = self.embeddings
        if self._dropout and training:
            kept = F.dropout(table[:, :1] * 0 + 1, self._dropout, True)
            table = table * kept
        result = F.embedding(inputs.long() if inputs.dtype.is_floating_point else inputs, table)
        return result.to(as_dtype(self.compute_dtype))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Where the number is not 0, if 0 is masked."""
        return inputs != 0 if self.mask_zero else None


class ReversibleEmbedding(Embedding):
    """An embedding that also goes back: from vectors to a score for each number, as the head of a language model.

    Args:
        input_dim, output_dim: as for `Embedding`.
        tie_weights: use the same table in both directions.
        reverse_dtype: the dtype of the way back, that of the layer by default.
        logit_soft_cap: scores are squeezed to this range by c * tanh(x / c).

    >>> import onegraph as og
    >>> layer = ReversibleEmbedding(10, 4)
    >>> layer(layer(og.tensor([[1, 2]])), reverse=True).shape
    onegraph.Size([1, 2, 10])
    """

    legacy_names: ClassVar = {}

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        tie_weights: bool = True,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        reverse_dtype: Any = None,
        logit_soft_cap: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            input_dim,
            output_dim,
            embeddings_initializer,
            embeddings_regularizer,
            embeddings_constraint,
            mask_zero,
            **kwargs,
        )
        self.tie_weights, self.reverse_dtype, self.logit_soft_cap = tie_weights, reverse_dtype, logit_soft_cap

    def build(self, input_shape: Any) -> None:
        """Make the table, or both."""
        super().build(input_shape)
        if not self.tie_weights:
            self.reverse_embeddings = self.add_weight(
                shape=(self.output_dim, self.input_dim), name="reverse_embeddings", **self._options
            )

    def call(self, inputs: Any, reverse: bool = False, training: bool = False) -> Any:  # type: ignore[override]
        """Compute the result: vectors for numbers, or scores for vectors if `reverse`."""
        if not reverse:
            return super().call(inputs, training)
        kernel = self.embeddings.T if self.tie_weights else self.reverse_embeddings
        if self.reverse_dtype is not None:
            kind = as_dtype(self.reverse_dtype)
            inputs, kernel = inputs.to(kind), kernel.to(kind)
        scores = inputs @ kernel
        if self.logit_soft_cap is not None:
            scores = (scores / self.logit_soft_cap).tanh() * self.logit_soft_cap
        return scores

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Where the number is not 0, if 0 is masked; vectors keep their mask."""
        return previous_mask if inputs.dtype.is_floating_point else super().compute_mask(inputs)
