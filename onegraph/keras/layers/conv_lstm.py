"""LSTMs whose products are convolutions: `ConvLSTM1D`, `ConvLSTM2D`, `ConvLSTM3D`. Read first: `rnn.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend import EXPORTS
from onegraph.ir.dtype import as_dtype
from onegraph.keras import activations
from onegraph.keras.backend import data_format_of
from onegraph.keras.layers.recurrent_cells import (
    RECURRENT_NAMES,
    DropoutRNNCell,
    forget_bias,
    lstm_gates,
    own_arguments,
)
from onegraph.keras.layers.rnn import RNN
from onegraph.keras.layers.spatial import channels_back, channels_first, padded, same_padding, sizes_of
from onegraph.nn import functional as F

_zeros, _cat = EXPORTS["zeros"], EXPORTS["cat"]
CONV_LSTM_NAMES = {
    **{k: v for k, v in RECURRENT_NAMES.items() if k != "output_dim"},
    "nb_filter": "filters",
    "border_mode": "padding",
    "subsample": "strides",
    "dim_ordering": "data_format",
}


class ConvLSTMCell(DropoutRNNCell):
    """One step of a ConvLSTM; see `ConvLSTM2D` for the arguments.

    Args:
        rank: dimensions of space.
        options: what the layer was given.
    """

    gates = 4

    def __init__(self, rank: int, options: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rank, self.filters = rank, options["filters"]
        self.kernel_size = sizes_of(options["kernel_size"], rank, "ConvLSTM: kernel_size")
        self.strides = sizes_of(options["strides"], rank, "ConvLSTM: strides")
        self.dilation_rate = sizes_of(options["dilation_rate"], rank, "ConvLSTM: dilation_rate")
        self.padding = options["padding"].lower()
        if self.padding not in ("valid", "same"):
            raise ArgumentError(f"ConvLSTM: padding must be 'valid' or 'same', got {options['padding']!r}")
        self.data_format = data_format_of(None, options["data_format"])
        self.activation = activations.get(options["activation"])
        self.recurrent_activation = activations.get(options["recurrent_activation"])
        self.use_bias, self.unit_forget_bias = options["use_bias"], options["unit_forget_bias"]
        self._weight_options = {
            name: {kind: options[f"{name}_{kind}"] for kind in ("initializer", "regularizer", "constraint")}
            for name in ("kernel", "recurrent", "bias")
        }
        self._set_dropout(options["dropout"], options["recurrent_dropout"], options["seed"])

    def build(self, input_shape: Any) -> None:
        """Make the kernels and the bias, and note the size of the state."""
        last = self.data_format == "channels_last"
        space, channels = (input_shape[1:-1], input_shape[-1]) if last else (input_shape[2:], input_shape[1])
        if None in space or channels is None:
            raise ShapeError(
                f"layer {self.name!r} (ConvLSTM): sizes of space and channels must be known, got {tuple(input_shape)}"
            )
        options, width = self._weight_options, 4 * self.filters
        self.kernel = self.add_weight(shape=(*self.kernel_size, channels, width), name="kernel", **options["kernel"])
        self.recurrent_kernel = self.add_weight(
            shape=(*self.kernel_size, self.filters, width), name="recurrent_kernel", **options["recurrent"]
        )
        self.bias = None
        if self.use_bias:
            settings = dict(options["bias"])
            if self.unit_forget_bias:
                settings["initializer"] = forget_bias(settings["initializer"], self.filters)
            self.bias = self.add_weight(shape=(width,), name="bias", **settings)
        self._space = tuple(
            -(-size // stride) if self.padding == "same" else (size - (k - 1) * d - 1) // stride + 1
            for size, k, stride, d in zip(space, self.kernel_size, self.strides, self.dilation_rate, strict=True)
        )
        if min(self._space) < 1:
            raise ShapeError(
                f"layer {self.name!r} (ConvLSTM): a kernel {self.kernel_size} does not fit into images of {tuple(space)}",
                hint="padding='same'",
            )

    @property
    def _state_shape(self) -> tuple[int, ...]:
        last = self.data_format == "channels_last"
        return (*self._space, self.filters) if last else (self.filters, *self._space)

    @property
    def state_size(self) -> list[Any]:
        """The sizes of output and memory."""
        return [self.filters, self.filters]

    @property
    def output_size(self) -> Any:
        """The sizes of the output."""
        return self._state_shape

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """Zeros to start with."""
        kind = as_dtype(self.compute_dtype)
        return [_zeros(batch_size, *self._state_shape, dtype=kind) for _ in range(2)]

    def _convolved(
        self, x: Any, kernel: Any, bias: Any, strides: Sequence[int], dilation: Sequence[int], same: bool
    ) -> Any:
        x = channels_first(x, self.data_format)
        pairs = same_padding(x.shape[2:], self.kernel_size, strides, dilation) if same else [(0, 0)] * self.rank
        x, padding = padded(x, pairs)
        function = (F.conv1d, F.conv2d, F.conv3d)[self.rank - 1]
        result = function(x, kernel.movedim((-1, -2), (0, 1)), bias, strides, padding, dilation)
        return channels_back(result, self.data_format)

    def _by_gates(self, x: Any, masks: Any, kernel: Any, bias: Any, *how: Any) -> Any:
        """The convolution for all gates, with a mask for each gate or one for all."""
        if masks is None or len(masks) == 1:
            return self._convolved(x if masks is None else x * masks[0], kernel, bias, *how)
        parts = [self._convolved(x * m, k, None, *how) for m, k in zip(masks, kernel.chunk(4, -1), strict=True)]
        axis = -1 if self.data_format == "channels_last" else 1
        result = _cat(parts, axis)
        shape = [-1 if d == axis % result.ndim else 1 for d in range(result.ndim)]
        return result if bias is None else result + bias.reshape(*shape)

    def project(self, inputs: Any, training: bool = False) -> Any:
        """What inputs (batch, ...) or (batch, steps, ...) add to the gates."""
        several = inputs.ndim == self.rank + 3
        masks = self.get_dropout_mask(inputs[:, 0] if several else inputs) if training else None
        how = (self.strides, self.dilation_rate, self.padding == "same")
        if not several:
            return self._by_gates(inputs, masks, self.kernel, self.bias, *how)
        batch, steps = inputs.shape[:2]
        if masks is not None:
            spread = [m.unsqueeze(1).expand(batch, steps, *m.shape[1:]) for m in masks]
            masks = [m.reshape(batch * steps, *m.shape[2:]) for m in spread]
        flat = inputs.reshape(batch * steps, *inputs.shape[2:])
        result = self._by_gates(flat, masks, self.kernel, self.bias, *how)
        return result.reshape(batch, steps, *result.shape[1:])

    def step(self, row: Any, states: Sequence[Any], training: bool = False) -> tuple[Any, list[Any]]:
        """Output and next states, from what the inputs add and the states."""
        h, c = states
        masks = self.get_recurrent_dropout_mask(h) if training else None
        ones = (1,) * self.rank
        sums = row + self._by_gates(h, masks, self.recurrent_kernel, None, ones, ones, True)
        axis = -1 if self.data_format == "channels_last" else 1
        output, memory = lstm_gates(self, sums.chunk(4, axis), c)
        return output, [output, memory]

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, Any]:
        """Output and next states."""
        return self.step(self.project(inputs, training), states, training)


def kernel_size_of(kernel_size: Any, options: dict[str, Any]) -> Any:
    """The size of the kernel, which Keras 1 called `nb_row` and `nb_col`."""
    if kernel_size is None and "nb_row" in options and "nb_col" in options:
        return options.pop("nb_row"), options.pop("nb_col")
    if kernel_size is None:
        raise ArgumentError("a ConvLSTM needs a kernel_size", hint="ConvLSTM2D(16, 3)")
    return kernel_size


class ConvLSTM(RNN):
    """Base of the layers; see `ConvLSTM2D`."""

    rank = 2
    min_rank = None
    legacy_names: ClassVar = CONV_LSTM_NAMES

    def __init__(
        self,
        filters: int,
        kernel_size: Any = None,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        **kwargs: Any,
    ) -> None:
        options = own_arguments(locals())
        options["kernel_size"] = kernel_size_of(kernel_size, kwargs)
        cell = ConvLSTMCell(self.rank, options, dtype=kwargs.get("dtype"))
        super().__init__(
            cell,
            return_sequences,
            return_state,
            go_backwards,
            stateful,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        self.input_rank = self.rank + 3


class ConvLSTM1D(ConvLSTM):
    """An LSTM over sequences of sequences (batch, steps, length, channels). See `ConvLSTM2D` for the arguments."""

    rank = 1


class ConvLSTM2D(ConvLSTM):
    """An LSTM over films (batch, steps, height, width, channels), whose products are convolutions.

    Args:
        filters: channels of output and memory.
        kernel_size, strides, padding, data_format, dilation_rate: of the convolution of the inputs, as for `Conv2D`; that
            of the output that comes back always has the padding 'same'.
        return_sequences, return_state, go_backwards, stateful: as for `RNN`.

    The other arguments are those of `LSTMCell`. Source: Shi et al., "Convolutional LSTM network", NeurIPS 2015.

    >>> import onegraph as og
    >>> ConvLSTM2D(2, 3, padding="same", return_sequences=True)(og.zeros(1, 4, 5, 6, 3)).shape
    onegraph.Size([1, 4, 5, 6, 2])
    """


class ConvLSTM3D(ConvLSTM):
    """An LSTM over films of volumes. See `ConvLSTM2D` for the arguments."""

    rank = 3
