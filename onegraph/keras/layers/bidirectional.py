"""`Bidirectional`: a recurrent layer in both directions. Read first: `rnn.py`, `wrappers.py`."""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentError
from onegraph.frontend import EXPORTS
from onegraph.keras.layers.base import Layer
from onegraph.keras.layers.masking import as_mask
from onegraph.keras.layers.wrappers import build_inside, inner_layer
from onegraph.keras.registry import custom_object_scope

_cat = EXPORTS["cat"]
MODES = ("sum", "mul", "concat", "ave", None)


def again(layer: Layer, **changes: Any) -> Any:
    """A layer of the same configuration, some of it changed, with weights of its own."""
    own = {type(m).__name__: type(m) for m in layer.modules()}
    with custom_object_scope(own):
        return type(layer).from_config({**layer.get_config(), **changes})


class Bidirectional(Layer):
    """A recurrent layer that reads sequences forwards, and another that reads them backwards.

    Args:
        layer: the one that reads forwards; the other is made like it.
        merge_mode: how their outputs are put together: 'concat', 'sum', 'mul', 'ave', or None for both.
        weights: arrays to start from.
        backward_layer: the one that reads backwards, if it is to differ; it must have been made with go_backwards=True.

    Source: Schuster and Paliwal, "Bidirectional recurrent neural networks", 1997.

    >>> import onegraph as og
    >>> from onegraph.keras.layers import LSTM
    >>> Bidirectional(LSTM(3, return_sequences=True))(og.zeros(2, 5, 4)).shape
    onegraph.Size([2, 5, 6])
    """

    min_rank = 3
    supports_masking = True

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: Any = None,
        backward_layer: Any = None,
        **kwargs: Any,
    ) -> None:
        layer = inner_layer("Bidirectional", layer)
        if kwargs.get("batch_input_shape") is None and "input_shape" not in kwargs:
            kwargs["batch_input_shape"] = layer._batch_input_shape  # given to the layer inside, as in Keras 1
        super().__init__(weights=weights, **kwargs)
        if merge_mode not in MODES:
            raise ArgumentError(
                f"Bidirectional: merge_mode must be one of {', '.join(map(str, MODES))}, got {merge_mode!r}"
            )
        missing = [n for n in ("go_backwards", "return_sequences", "return_state") if not hasattr(layer, n)]
        if missing:
            raise ArgumentError(
                f"Bidirectional needs a recurrent layer, {type(layer).__name__} has no {missing[0]}",
                hint="LSTM, GRU, SimpleRNN, ConvLSTM2D or RNN(cell)",
            )
        self.merge_mode = merge_mode
        backwards = inner_layer("Bidirectional", backward_layer) if backward_layer is not None else None
        if backwards is not None:
            self._check_pair(layer, backwards)
        name = layer.name
        self.forward_layer = again(layer, name=f"forward_{name}")
        if backwards is None:
            backwards = again(layer, name=f"backward_{name}", go_backwards=not layer.go_backwards)
        self.backward_layer = backwards
        for inner in (self.forward_layer, self.backward_layer):
            if hasattr(inner, "zero_output_for_mask"):  # or the two directions would show different things there
                inner.zero_output_for_mask = inner.return_sequences
        self.return_sequences, self.return_state = layer.return_sequences, layer.return_state
        self.stateful = getattr(layer, "stateful", False)

    def _check_pair(self, layer: Any, backwards: Any) -> None:
        if layer.go_backwards == backwards.go_backwards:
            raise ArgumentError("Bidirectional: layer and backward_layer must differ in go_backwards")
        for name in ("stateful", "return_sequences", "return_state"):
            if getattr(layer, name) != getattr(backwards, name):
                raise ArgumentError(f"Bidirectional: layer and backward_layer must agree in {name}")

    def _build_for(self, args: tuple[Any, ...], kwargs: Any = None) -> None:
        for layer in (self.forward_layer, self.backward_layer):
            first = args[0] if args else (kwargs or {}).get("sequences")
            if hasattr(layer, "_batch") and first is not None and getattr(first, "shape", None):
                layer.__dict__["_batch"] = first.shape[0]
        super()._build_for(args, kwargs)

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:  # type: ignore[override]
        """Build both layers."""
        build_inside(self.forward_layer, sequences_shape)
        build_inside(self.backward_layer, sequences_shape)

    def reset_state(self) -> None:
        """Start the next batch from zeros."""
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    reset_states = reset_state

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if args and isinstance(args[0], (list, tuple)) and len(args) == 1:  # Keras 2: [sequences, state, ...]
            sequences, *states = args[0]
            args = (sequences,)
            if states:
                kwargs["initial_state"] = states
        return super().__call__(*args, **kwargs)

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        """Compute the result: the outputs put together, then the states of both, if they are wanted."""
        options: dict[str, Any] = {"mask": as_mask(mask), "training": training}
        first: dict[str, Any] = {}
        second: dict[str, Any] = {}
        if initial_state is not None:
            half = len(initial_state) // 2
            first, second = {"initial_state": initial_state[:half]}, {"initial_state": initial_state[half:]}
        forwards = self.forward_layer(sequences, **first, **options)
        backwards = self.backward_layer(sequences, **second, **options)
        states: tuple[Any, ...] = ()
        if self.return_state:
            states = (*forwards[1:], *backwards[1:])
            forwards, backwards = forwards[0], backwards[0]
        if self.return_sequences:
            backwards = backwards.flip(1)
        output = self._merge(forwards, backwards)
        if self.merge_mode is None:
            return (*output, *states)
        return (output, *states) if self.return_state else output

    def _merge(self, forwards: Any, backwards: Any) -> Any:
        if self.merge_mode == "concat":
            return _cat([forwards, backwards], -1)
        if self.merge_mode == "sum":
            return forwards + backwards
        if self.merge_mode == "mul":
            return forwards * backwards
        return (forwards + backwards) / 2 if self.merge_mode == "ave" else (forwards, backwards)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The input's mask for the outputs of all steps; the states have none."""
        mask = previous_mask if self.return_sequences else None
        found = [mask, mask] if self.merge_mode is None else [mask]
        return [*found, *[None] * 8] if self.return_state or self.merge_mode is None else mask
