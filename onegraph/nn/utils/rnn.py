"""Sequences of different lengths in one batch: packed, padded, and back.

A `PackedSequence` lists the first elements of all sequences, then the second ones, and so on. Those that come from
here remember the padded form as well, from which recurrent layers read. Read next: `onegraph/nn/recurrent.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from onegraph.backends.contract import Buffer
from onegraph.errors import ArgumentError, ArgumentTypeError, ShapeError
from onegraph.frontend import namespaces
from onegraph.frontend.tensor import Tensor, wrap_buffer
from onegraph.ir import dtype as dtypes
from onegraph.ir.dtype import int64
from onegraph.ops.shapes import show


def _integers(values: Any) -> Tensor:
    """An int64 tensor that is there at once: an argument of plans, so that other lengths compile nothing."""
    return wrap_buffer(Buffer(np.ascontiguousarray(values, np.int64), int64))


class _Fields(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Fields):
    """Sequences of different lengths without padding; made by `pack_padded_sequence` and `pack_sequence`.

    Attributes:
        data: (sum of lengths, ...): the first elements of all sequences, longest sequence first, then the second ones.
        batch_sizes: int64: how many sequences have a first element, a second one, ...
        sorted_indices: int64 (batch,): where each sequence, longest first, stood in the batch; None where they did
            not move.
        unsorted_indices: the inverse: where each of the batch stands now.

    >>> import onegraph as og
    >>> og.nn.utils.rnn.pack_sequence([og.tensor([1, 2, 3]), og.tensor([4, 5])]).data
    tensor([1, 4, 2, 5, 3])
    """

    _padded: Tensor | None = None  # (time, batch, ...), where it is known
    _lengths: tuple[int, ...] | None = None

    def __new__(
        cls,
        data: Tensor,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        if batch_sizes is None:
            if not isinstance(data, (tuple, list)) or len(data) < 2:
                raise ArgumentTypeError("PackedSequence: needs data and batch_sizes")
            data, batch_sizes = data[:2]
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def padded(self) -> tuple[Tensor, tuple[int, ...]]:
        """The padded form (time, batch, ...), in which padding is arbitrary, and the lengths; longest first."""
        sizes = [int(n) for n in self.batch_sizes.tolist()]
        if self._padded is not None and self._lengths is not None:
            return self._padded, self._lengths
        steps, batch = len(sizes), sizes[0]
        if sum(sizes) != self.data.shape[0] or any(a < b for a, b in itertools.pairwise(sizes)):
            raise ShapeError(
                f"PackedSequence: data {show(self.data.shape)} does not fit batch sizes {sizes}: "
                "they must not grow, and add up to the first dimension"
            )
        starts = np.cumsum([0, *sizes[:-1]])
        places = np.minimum(starts[:, None] + np.arange(batch)[None, :], np.cumsum(sizes)[:, None] - 1)
        found = self.data.index_select(0, _integers(places.reshape(-1)))
        lengths = tuple([sum(n > i for n in sizes) for i in range(batch)])
        return found.reshape(steps, batch, *self.data.shape[1:]), lengths

    def with_data(self, padded: Tensor) -> PackedSequence:
        """The same lengths with other elements, given in padded form (time, batch, ...)."""
        lengths = self._lengths or self.padded()[1]
        return _packed(padded, lengths, self.batch_sizes, self.sorted_indices, self.unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The data converted to a dtype; the device can only be 'cpu'."""
        if self._padded is not None:
            return self.with_data(self._padded.to(*args, **kwargs))
        return type(self)(self.data.to(*args, **kwargs), self.batch_sizes, self.sorted_indices, self.unsorted_indices)

    def double(self) -> PackedSequence:
        """As float64."""
        return self.to(dtypes.float64)

    def float(self) -> PackedSequence:
        """As float32."""
        return self.to(dtypes.float32)

    def half(self) -> PackedSequence:
        """As float16."""
        return self.to(dtypes.float16)

    def long(self) -> PackedSequence:
        """As int64."""
        return self.to(dtypes.int64)

    def int(self) -> PackedSequence:
        """As int32."""
        return self.to(dtypes.int32)

    def short(self) -> PackedSequence:
        """As int16."""
        return self.to(dtypes.int16)

    def char(self) -> PackedSequence:
        """As int8."""
        return self.to(dtypes.int8)

    def byte(self) -> PackedSequence:
        """As uint8."""
        return self.to(dtypes.uint8)

    def cpu(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Itself."""
        return self

    def cuda(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Refused: this build knows only the host's processor."""
        return self.to("cuda")

    def pin_memory(self) -> PackedSequence:
        """Itself: there is no device that memory would be pinned for."""
        return self

    @property
    def is_cuda(self) -> bool:
        """False."""
        return False

    def is_pinned(self) -> bool:
        """False."""
        return False


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes another one; None for None."""
    return None if permutation is None else _integers(np.argsort(np.asarray(permutation.tolist(), np.int64)))


def _packed(
    padded: Tensor, lengths: Sequence[int], sizes: Tensor, sorted_indices: Tensor | None, unsorted: Tensor | None
) -> PackedSequence:
    """A packed sequence from the padded one (time, batch, ...), longest first."""
    steps, batch = padded.shape[:2]
    time, place = np.arange(steps)[:, None], np.arange(batch)[None, :]
    counts = time < np.asarray(lengths)[None, :]
    flat = padded.reshape(steps * batch, *padded.shape[2:])
    result = PackedSequence(
        flat.index_select(0, _integers((time * batch + place)[counts])), sizes, sorted_indices, unsorted
    )
    result._padded, result._lengths = padded, tuple(lengths)
    return result


def pack_padded_sequence(
    input: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack a padded batch of sequences.

    Args:
        input: (time, batch, ...), or (batch, time, ...) with `batch_first`.
        lengths: of each sequence, at least 1 and at most `time`.
        enforce_sorted: expect the longest sequence first; otherwise they are sorted here, and the result remembers how.

    Raises:
        ArgumentError: lengths that are not positive, too long, too few, or not sorted.

    >>> import onegraph as og
    >>> og.nn.utils.rnn.pack_padded_sequence(og.tensor([[1, 2], [3, 0]]), [2, 1], batch_first=True).data
    tensor([1, 3, 2])
    """
    sizes = [int(n) for n in (lengths.tolist() if isinstance(lengths, Tensor) else lengths)]
    if input.ndim < 2:
        raise ShapeError(f"pack_padded_sequence: the input must be (time, batch, ...), got {show(input.shape)}")
    padded = input.transpose(0, 1) if batch_first else input
    steps, batch = padded.shape[:2]
    if len(sizes) != batch:
        raise ArgumentError(f"pack_padded_sequence: {len(sizes)} lengths for a batch of {batch} {show(input.shape)}")
    if not sizes or min(sizes) <= 0:
        raise ArgumentError(f"pack_padded_sequence: every length must be greater than 0, got {sizes}")
    if max(sizes) > steps:
        raise ArgumentError(
            f"pack_padded_sequence: a length of {max(sizes)} in a batch of {steps} steps {show(input.shape)}",
            hint="batch_first=True, if the first dimension is the batch",
        )
    order = None
    if enforce_sorted:
        if any(a < b for a, b in itertools.pairwise(sizes)):
            raise ArgumentError(
                f"pack_padded_sequence: lengths must be in decreasing order, got {sizes}",
                hint="pass enforce_sorted=False",
            )
    else:
        order = np.argsort(-np.asarray(sizes), kind="stable")
        padded = padded.index_select(1, _integers(order))
        sizes = [sizes[i] for i in order]
    if max(sizes) < steps:
        padded = padded[: max(sizes)]
    batch_sizes = _integers((np.arange(sizes[0])[:, None] < np.asarray(sizes)[None, :]).sum(1))
    sorted_indices = None if order is None else _integers(order)
    return _packed(padded, sizes, batch_sizes, sorted_indices, None if order is None else _integers(np.argsort(order)))


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """Pad a packed batch of sequences, in the order that they had before they were packed.

    Args:
        sequence: what to pad.
        batch_first: give (batch, time, ...) rather than (time, batch, ...).
        padding_value: what stands behind the ends.
        total_length: how long to make them; as long as the longest when None.

    Returns:
        The padded sequences, and their lengths (int64).

    >>> import onegraph as og
    >>> rnn = og.nn.utils.rnn
    >>> rnn.pad_packed_sequence(rnn.pack_sequence([og.tensor([1, 2, 3]), og.tensor([4])]), batch_first=True)
    (tensor([[1, 2, 3],
            [4, 0, 0]]), tensor([3, 1]))
    """
    padded, lengths = sequence.padded()
    steps, batch = padded.shape[:2]
    if total_length is not None and total_length < steps:
        raise ArgumentError(
            f"pad_packed_sequence: total_length {total_length} is less than the longest sequence, {steps}"
        )
    value = padding_value if padded.dtype.is_floating_point else int(padding_value)
    counts = namespaces[""]["arange"](steps).reshape(steps, 1) < _integers(lengths).reshape(1, batch)
    counts = counts.reshape(steps, batch, *[1] * (padded.ndim - 2))
    padded = padded.masked_fill(~counts, value)
    if total_length is not None and total_length > steps:
        rest = namespaces[""]["full"]((total_length - steps, *padded.shape[1:]), value, dtype=padded.dtype)
        padded = namespaces[""]["cat"]([padded, rest])
    sizes = np.asarray(lengths)
    if sequence.unsorted_indices is not None:
        padded = padded.index_select(1, sequence.unsorted_indices)
        sizes = sizes[np.asarray(sequence.unsorted_indices.tolist())]
    return padded.transpose(0, 1) if batch_first else padded, _integers(sizes)


def pad_sequence(
    sequences: Tensor | Iterable[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Sequences (length, ...) stacked to one tensor, as long as the longest.

    Args:
        sequences: tensors that differ in their first dimension only.
        batch_first: give (batch, time, ...) rather than (time, batch, ...).
        padding_value: what fills the rest.
        padding_side: 'right' (behind the end) or 'left'.

    >>> import onegraph as og
    >>> og.nn.utils.rnn.pad_sequence([og.tensor([1, 2]), og.tensor([3])], batch_first=True)
    tensor([[1, 2],
            [3, 0]])
    """
    if padding_side not in ("left", "right"):
        raise ArgumentError(f"pad_sequence: padding_side must be 'left' or 'right', got {padding_side!r}")
    given: list[Any] = list(sequences)  # type: ignore[arg-type]
    if not given or not all(isinstance(s, Tensor) and s.ndim for s in given):
        raise ArgumentError("pad_sequence: needs at least one tensor, each with a dimension to pad")
    longest = max(s.shape[0] for s in given)
    rows = []
    for s in given:
        if s.shape[1:] != given[0].shape[1:]:
            raise ShapeError(
                f"pad_sequence: {show(given[0].shape)} and {show(s.shape)} may differ in the first dimension only"
            )
        missing = longest - s.shape[0]
        if missing:
            rest = namespaces[""]["full"]((missing, *s.shape[1:]), padding_value, dtype=s.dtype)
            s = namespaces[""]["cat"]([rest, s] if padding_side == "left" else [s, rest])
        rows.append(s)
    result: Tensor = namespaces[""]["stack"](rows, 0 if batch_first else 1)
    return result


def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False
) -> list[Tensor]:
    """The sequences of a padded batch, each cut to its length."""
    padded = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    sizes = lengths.tolist() if isinstance(lengths, Tensor) else lengths
    return [row[: int(n)] for row, n in zip(padded.unbind(), sizes, strict=True)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences (length, ...); see `pack_padded_sequence`."""
    return pack_padded_sequence(pad_sequence(sequences), [s.shape[0] for s in sequences], enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences of a packed batch.

    >>> import onegraph as og
    >>> rnn = og.nn.utils.rnn
    >>> rnn.unpack_sequence(rnn.pack_sequence([og.tensor([1, 2]), og.tensor([3])]))
    [tensor([1, 2]), tensor([3])]
    """
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
