"""Numbers made ready for a network: shifted and scaled, put into bins, or encoded as rows of 0 and 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, OutOfRangeError, ShapeError, UninitializedError
from onegraph.frontend import EXPORTS
from onegraph.frontend.convert import tensor as make_tensor
from onegraph.frontend.state import no_grad, tracing
from onegraph.ir.dtype import as_dtype
from onegraph.keras.backend import epsilon
from onegraph.keras.layers.base import Layer
from onegraph.keras.layers.encoding import batches_of, check_mode, encode, host, refuse_sparse, whole

_bucketize = EXPORTS["bucketize"]
MODES = ("int", "one_hot", "multi_hot", "count")


class Normalization(Layer):
    """Features shifted and scaled to mean 0 and variance 1, as measured on data by `adapt`.

    Args:
        axis: the axes along which each place has a mean of its own; None for one mean in all.
        mean, variance: given instead of measured.
        invert: go back, from normalized numbers to the original ones.

    >>> import numpy as np
    >>> layer = Normalization(axis=None)
    >>> layer.adapt(np.array([1.0, 2.0, 3.0, 4.0, 5.0], np.float32))
    >>> layer(np.array([3.0, 5.0], np.float32))
    tensor([0.0000, 1.4142])
    """

    supports_masking = True

    def __init__(
        self, axis: int | Sequence[int] | None = -1, mean: Any = None, variance: Any = None, invert: bool = False, **kwargs: Any
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        if (mean is None) != (variance is None):
            raise ArgumentError("Normalization: give both mean and variance, or neither and call adapt")
        self.axis = () if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        self.invert = invert
        self._given = None if mean is None else (np.asarray(mean, np.float32), np.asarray(variance, np.float32))

    def build(self, input_shape: Any) -> None:
        """Make the statistics."""
        rank = len(input_shape)
        if any(not -rank <= a < rank for a in self.axis):
            raise ArgumentError(
                f"layer {self.name!r} (Normalization): axis {self.axis} does not exist in an input of shape {tuple(input_shape)}"
            )
        kept = sorted(a % rank for a in self.axis)
        unknown = [a for a in kept if input_shape[a] is None]
        if unknown:
            raise ShapeError(
                f"layer {self.name!r} (Normalization): size {unknown[0]} of the input must be known, got {tuple(input_shape)}"
            )
        self._kept, self._rank = kept, rank
        self._sizes = tuple([input_shape[a] for a in kept])
        self._spread = tuple([input_shape[a] if a in kept else 1 for a in range(rank)])
        if self._given is None:
            for name, attribute, start in (("mean", "adapt_mean", "zeros"), ("variance", "adapt_variance", "ones")):
                weight = self.add_weight(
                    shape=self._sizes, name=name, initializer=start, trainable=False, autocast=False
                )
                setattr(self, attribute, weight)
            self.count = self.add_weight(shape=(), name="count", initializer="zeros", trainable=False, dtype="int32")

    @property
    def mean(self) -> Any:
        """The mean that is taken off, in a shape that spreads to the input's."""
        return self._statistic(0)

    @property
    def variance(self) -> Any:
        """The variance that is divided by the root of."""
        return self._statistic(1)

    def _statistic(self, which: int) -> Any:
        if not self.built:
            return None
        if self._given is None:
            return (self.adapt_mean, self.adapt_variance)[which].reshape(*self._spread)
        value = (
            np.broadcast_to(self._given[which], self._sizes)
            if self._given[which].size != np.prod(self._sizes)
            else self._given[which]
        )
        return make_tensor(np.ascontiguousarray(value).reshape(self._spread))

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Measure mean and variance.

        Args:
            data: an array, or anything that gives batches when iterated.
            steps: how many batches to take.
        """
        if self._given is not None:
            raise ArgumentError(f"layer {self.name!r} (Normalization) was given its mean, so it cannot adapt")
        count, mean, spread = 0, np.float64(0), np.float64(0)
        for batch in batches_of(data, steps):
            values = host(batch).astype(np.float64)
            values = values[:, None] if values.ndim == 1 and self.axis else values
            if not self.built:
                self._build_for((make_tensor(values[:1].astype(np.float32)),))
            self._check_batch(values)
            dims = tuple(d for d in range(values.ndim) if d not in self._kept)
            own = int(np.prod([values.shape[d] for d in dims])) if dims else 1
            difference = values.mean(dims) - mean  # Chan et al., 1979
            total = count + own
            spread = spread + values.var(dims) * own + difference**2 * (count * own / total)
            mean, count = mean + difference * (own / total), total
        if not count:
            raise ArgumentError(f"layer {self.name!r} (Normalization): there is no data to adapt to")
        with no_grad(), tracing(None):
            self.adapt_mean.copy_(make_tensor(np.asarray(mean, np.float32)))
            self.adapt_variance.copy_(make_tensor(np.asarray(spread / count, np.float32)))

    def _check_batch(self, values: Any) -> None:
        sizes = tuple([values.shape[d] for d in self._kept]) if values.ndim == self._rank else None
        if sizes != self._sizes:
            raise ShapeError(
                f"layer {self.name!r} (Normalization) was built for inputs of shape {self._build_shape}, adapt got {values.shape}"
            )

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        for dim, size in zip(self._kept, self._sizes, strict=True):
            self._check_size(inputs.shape, dim, size)
        kind = as_dtype(self.compute_dtype)
        deviation = self.variance.sqrt().clamp(min=epsilon())
        x = inputs.to(as_dtype("float32"))
        result = x * deviation + self.mean if self.invert else (x - self.mean) / deviation
        return result.to(kind)


class CategoryEncoding(Layer):
    """Whole numbers as rows of 0 and 1, or of counts.

    Args:
        num_tokens: how many different numbers there are.
        output_mode: 'one_hot' for a row for each number, 'multi_hot' for a row of which numbers are in a sample, 'count'
            for how often.
        sparse: not supported.

    >>> import numpy as np
    >>> CategoryEncoding(4, "count")(np.array([[0, 1, 0], [3, 3, 3]]))
    tensor([[2., 1., 0., 0.],
            [0., 0., 0., 3.]])
    """

    def __init__(
        self, num_tokens: int | None = None, output_mode: str = "multi_hot", sparse: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(num_tokens, int) or num_tokens < 1:
            raise ArgumentError(
                f"CategoryEncoding: num_tokens must be a positive whole number, got {num_tokens!r}",
                hint="IntegerLookup finds out which numbers there are",
            )
        refuse_sparse("CategoryEncoding", sparse)
        self.num_tokens = num_tokens
        self.output_mode = check_mode("CategoryEncoding", output_mode, ("one_hot", "multi_hot", "count"))

    def call(self, inputs: Any, count_weights: Any = None) -> Any:
        """Compute the result; `count_weights` says what each number counts."""
        if count_weights is not None and self.output_mode != "count":
            raise ArgumentError("CategoryEncoding: count_weights goes with output_mode='count'")
        numbers = whole(inputs)
        self._check_range(numbers)
        return encode(numbers, self.output_mode, self.num_tokens, self.compute_dtype, count_weights)

    def _check_range(self, numbers: Any) -> None:
        value = numbers.node.value
        array = getattr(value, "array", None)
        if array is None or not array.size:
            return  # computed later: a number that is too large counts for nothing then
        if array.min() < 0 or array.max() >= self.num_tokens:
            wrong = array[(array < 0) | (array >= self.num_tokens)].flat[0]
            raise OutOfRangeError(
                f"layer {self.name!r} (CategoryEncoding): {wrong} is not from 0 to {self.num_tokens - 1}",
                hint=f"num_tokens={int(array.max()) + 1}" if array.min() >= 0 else None,
            )


class Discretization(Layer):
    """Numbers put into bins: the bin's number says between which boundaries a number lies.

    Args:
        bin_boundaries: rising; a number on a boundary belongs to the bin above.
        num_bins: how many bins of equally many samples `adapt` is to find.
        epsilon: how exact `adapt` is: the share of the samples by which a boundary may be off.
        output_mode: 'int', 'one_hot', 'multi_hot' or 'count'.
        sparse: not supported.

    >>> import numpy as np
    >>> Discretization(bin_boundaries=[0.0, 1.0, 2.0])(np.array([[-1.5, 1.0, 3.4, 0.5]]))
    tensor([[0, 2, 3, 1]])
    """

    def __init__(
        self,
        bin_boundaries: Any = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        dtype: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if bin_boundaries is not None and num_bins is not None:
            raise ArgumentError("Discretization: give bin_boundaries or num_bins, not both")
        if bin_boundaries is None and (not isinstance(num_bins, int) or num_bins < 1):
            raise ArgumentError(f"Discretization: num_bins must be a positive whole number, got {num_bins!r}")
        refuse_sparse("Discretization", sparse)
        self.bin_boundaries = None if bin_boundaries is None else sorted(float(b) for b in host(bin_boundaries))
        self.num_bins, self.epsilon = num_bins, epsilon
        self.output_mode = check_mode("Discretization", output_mode, MODES)
        self._output_dtype = dtype or ("int64" if self.output_mode == "int" else "float32")
        self.reset_state()

    def reset_state(self) -> None:
        """Forget the data that was seen."""
        if self.num_bins is not None:
            self.summary = np.zeros((2, 0), np.float32)

    def update_state(self, data: Any) -> None:
        """Take a batch into account."""
        own = _summary(host(data), self.epsilon)
        both = np.concatenate((own, self.summary), 1)
        self.summary = _compressed(both[:, np.argsort(both[0], kind="stable")], self.epsilon)

    def finalize_state(self) -> None:
        """Find the boundaries from the data that was seen."""
        if self.num_bins is not None:
            self.bin_boundaries = _compressed(self.summary, 1.0 / self.num_bins)[0, :-1].tolist()

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Find boundaries between which equally many samples lie.

        Args:
            data: an array, or anything that gives batches when iterated.
            steps: how many batches to take.
        """
        if self.num_bins is None:
            raise ArgumentError("Discretization: with bin_boundaries there is nothing to adapt", hint="use num_bins")
        self.reset_state()
        for batch in batches_of(data, steps):
            self.update_state(batch)
        if not self.summary.size:
            raise ArgumentError("Discretization: there is no data to adapt to")
        self.finalize_state()

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        if self.bin_boundaries is None:
            raise UninitializedError(
                f"layer {self.name!r} (Discretization) has no boundaries yet",
                hint="call adapt(data), or give bin_boundaries",
            )
        x = inputs if inputs.dtype.is_floating_point else inputs.to(as_dtype("float32"))
        bins = _bucketize(x, make_tensor(np.array(self.bin_boundaries, np.float32)).to(x.dtype), right=True)
        result = encode(bins, self.output_mode, len(self.bin_boundaries) + 1, self._output_dtype)
        return result.to(as_dtype(self._output_dtype))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, with the boundaries that were found."""
        config = super().get_config()
        config["dtype"] = self._output_dtype
        if self.num_bins is not None and self.bin_boundaries is not None:
            config.update(bin_boundaries=list(self.bin_boundaries), num_bins=None)
        return config


def _summary(values: np.ndarray[Any, Any], precision: float) -> np.ndarray[Any, Any]:
    """Some of the sorted values, evenly spaced, and how many each stands for."""
    values = np.sort(values.astype(np.float32).reshape(-1))
    step = max(values.size * precision, 1.0)
    chosen = values[int(step - 1) :: int(step)]
    return np.stack([chosen, np.full_like(chosen, step)])


def _compressed(summary: np.ndarray[Any, Any], precision: float) -> np.ndarray[Any, Any]:
    """Fewer values for the same distribution, found by interpolating between quantiles."""
    if summary.shape[1] * precision < 1:
        return summary
    shares = precision + np.arange(0.0, 1.0, precision)
    counts = summary[1].cumsum()
    values = np.interp(shares, counts / counts[-1], summary[0])
    counts = np.interp(shares, counts / counts[-1], counts)
    return np.stack((values, np.diff(counts, prepend=0.0))).astype(np.float32)
