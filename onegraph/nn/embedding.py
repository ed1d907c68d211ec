"""Tables of vectors, looked up by number: `Embedding`, and `EmbeddingBag`, which combines several of them."""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend.state import no_grad
from onegraph.frontend.tensor import Tensor
from onegraph.nn import functional, init
from onegraph.nn.layers import new_parameter
from onegraph.nn.module import Module
from onegraph.nn.parameter import Parameter
from onegraph.ops.shapes import show


class _Table(Module):
    """Base: the table, and a row of zeros in it."""

    num_embeddings: int
    embedding_dim: int
    padding_idx: int | None

    def _make(
        self, rows: int, width: int, padding_idx: int | None, given: Tensor | None, device: Any, dtype: Any
    ) -> None:
        name = type(self).__name__
        if padding_idx is not None and not -rows <= padding_idx < rows:
            raise ArgumentError(f"{name}: padding_idx {padding_idx} is outside the table of {rows} rows")
        self.num_embeddings, self.embedding_dim = rows, width
        self.padding_idx = padding_idx if padding_idx is None or padding_idx >= 0 else rows + padding_idx
        if given is None:
            self.weight = new_parameter(name, rows, width, device=device, dtype=dtype)
            self.reset_parameters()
        else:
            if tuple(given.shape) != (rows, width):
                raise ShapeError(f"{name}: the given table {show(given.shape)} must be ({rows}, {width})")
            self.weight = Parameter(given)

    def reset_parameters(self) -> None:
        """Draw the table anew, from the normal distribution."""
        init.normal_(self.weight)
        self._fill_padding_idx_with_zero()

    def _fill_padding_idx_with_zero(self) -> None:
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0


def _rows_and_width(name: str, embeddings: Tensor) -> tuple[int, int]:
    if embeddings.ndim != 2:
        raise ShapeError(f"{name}: the table must have two dimensions, got {show(embeddings.shape)}")
    rows, width = embeddings.shape
    return rows, width


class Embedding(_Table):
    """A table of vectors, looked up by number.

    Args:
        num_embeddings: rows of the table.
        embedding_dim: width of the table.
        padding_idx: a row that starts as zeros and is not learned.
        max_norm: rows that are looked up are scaled down to this norm, in the table itself.
        norm_type: p of that norm.
        scale_grad_by_freq: divide a row's gradient by how often the row is looked up.
        sparse: accepted; gradients are dense.

    >>> import onegraph as og
    >>> og.nn.Embedding(10, 3)(og.tensor([[1, 2], [4, 5]])).shape
    onegraph.Size([2, 2, 3])
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        self._make(num_embeddings, embedding_dim, padding_idx, _weight, device, dtype)
        self.weight.requires_grad_(not _freeze)

    def forward(self, input: Any) -> Any:
        """Numbers of any shape to vectors: (..., embedding_dim)."""
        return functional.embedding(
            input,
            self.weight,
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.sparse,
        )

    def extra_repr(self) -> str:
        """The sizes, and what is not the default."""
        shown = [f"{self.num_embeddings}, {self.embedding_dim}"]
        defaults = {"padding_idx": None, "max_norm": None, "norm_type": 2, "scale_grad_by_freq": False}
        shown += [f"{n}={getattr(self, n)}" for n, default in defaults.items() if getattr(self, n) != default]
        return ", ".join(shown + ["sparse=True"] * bool(self.sparse))

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """An embedding with a given table, not learned unless `freeze` is false."""
        rows, width = _rows_and_width("Embedding", embeddings)
        return cls(rows, width, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, embeddings, freeze)


class EmbeddingBag(_Table):
    """The sum, mean or maximum of the vectors that each bag lists.

    Args:
        num_embeddings: rows of the table.
        embedding_dim: width of the table.
        max_norm: rows that are looked up are scaled down to this norm, in the table itself.
        norm_type: p of that norm.
        scale_grad_by_freq: divide a row's gradient by how often the row is listed.
        mode: 'sum', 'mean' or 'max'.
        sparse: accepted; gradients are dense.
        include_last_offset: the last offset is the end of the last bag.
        padding_idx: a row that starts as zeros, is not learned, and does not take part.

    >>> import onegraph as og
    >>> bag = og.nn.EmbeddingBag(10, 3, mode="sum")
    >>> bag(og.tensor([1, 2, 4, 5, 4, 3]), og.tensor([0, 4])).shape
    onegraph.Size([2, 3])
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse, self.mode = scale_grad_by_freq, sparse, mode
        self.include_last_offset = include_last_offset
        self._make(num_embeddings, embedding_dim, padding_idx, _weight, device, dtype)

    def forward(self, input: Any, offsets: Any = None, per_sample_weights: Any = None) -> Any:
        """A vector (bags, embedding_dim) for each bag.

        Args:
            input: int64 or int32 (bags, length), or (all,) with `offsets`.
            offsets: (bags,): where each bag begins in a vector `input`.
            per_sample_weights: shaped as input: factors, for mode 'sum'.
        """
        return functional.embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )

    def extra_repr(self) -> str:
        """The sizes, the mode, and what is not the default."""
        shown = [f"{self.num_embeddings}, {self.embedding_dim}"]
        defaults = {"max_norm": None, "norm_type": 2, "scale_grad_by_freq": False}
        shown += [f"{n}={getattr(self, n)}" for n, default in defaults.items() if getattr(self, n) != default]
        shown.append(f"mode={self.mode!r}")
        return ", ".join(shown + [f"padding_idx={self.padding_idx}"] * (self.padding_idx is not None))

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> EmbeddingBag:
        """One with a given table, not learned unless `freeze` is false."""
        rows, width = _rows_and_width("EmbeddingBag", embeddings)
        made = cls(
            rows,
            width,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            mode,
            sparse,
            embeddings,
            include_last_offset,
            padding_idx,
        )
        made.weight.requires_grad_(not freeze)
        return made
