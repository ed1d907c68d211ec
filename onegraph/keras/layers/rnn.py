"""`RNN`: a cell taken through a sequence, as a scan in the graph. Read first: `recurrent_cells.py`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from onegraph.errors import ArgumentError, ShapeError, UninitializedError
from onegraph.frontend import EXPORTS
from onegraph.frontend.control import scan
from onegraph.frontend.state import no_grad, tracing
from onegraph.ir.dtype import as_dtype
from onegraph.keras.layers.base import Layer
from onegraph.keras.layers.masking import as_mask, broadcast_to_rank
from onegraph.keras.layers.recurrent_cells import (
    DropoutRNNCell,
    StackedRNNCells,
    as_cell,
    build_cell,
    call_cell,
    initial_state_of,
    output_size_of,
)
from onegraph.keras.layers.symbolic import flatten, map_structure, stands_for_batch

_where, _stack, _zeros = EXPORTS["where"], EXPORTS["stack"], EXPORTS["zeros"]


class RNN(Layer):
    """A cell taken through the steps of (batch, steps, ...).

    Args:
        cell: has `call(inputs, states)`, giving an output and the next states, and `state_size`; or a list of cells.
        return_sequences: give the outputs of all steps rather than the last one.
        return_state: give the last states as well, behind the output.
        go_backwards: from the last step to the first; outputs come in that order.
        stateful: start each batch from the states that the one before ended with; `reset_states` starts from zeros. The
            batch size must be known.
        unroll: write the steps out instead of a loop.
        zero_output_for_mask: give zeros at masked steps, rather than the output of the step before.

    Called on sequences, with `initial_state` (a list) and `mask` (bool, (batch, steps)): masked steps leave the states as
    they are.

    >>> import onegraph as og
    >>> from onegraph import keras
    >>> class Decay(keras.Layer):
    ...     state_size = 3
    ...     def call(self, inputs, states):
    ...         state = states[0] * 0.5 + inputs
    ...         return state, [state]
    >>> RNN(Decay())(og.ones(1, 3, 3))
    tensor([[1.7500, 1.7500, 1.7500]])
    """

    min_rank: int | None = 3
    supports_masking = True

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ) -> None:
        for name in ("implementation", "consume_less", "use_cudnn", "time_major"):  # older versions' hints
            kwargs.pop(name, None)
        if isinstance(cell, (list, tuple)) and "dtype" in kwargs:
            cell = StackedRNNCells(cell, dtype=kwargs["dtype"])
        super().__init__(**kwargs)
        self.cell = as_cell(type(self).__name__, cell)
        self.return_sequences, self.return_state = return_sequences, return_state
        self.go_backwards, self.stateful, self.unroll = go_backwards, stateful, unroll
        self.zero_output_for_mask = zero_output_for_mask
        self.__dict__["states"] = None
        self._batch: int | None = None

    @property
    def state_size(self) -> Any:
        """The sizes of the states, as a list."""
        size = self.cell.state_size
        return [size] if isinstance(size, int) else list(size)

    # ---- states

    def _build_for(self, args: tuple[Any, ...], kwargs: Any = None) -> None:
        first = args[0] if args else (kwargs or {}).get("sequences")
        if first is not None and getattr(first, "shape", None):
            self.__dict__["_batch"] = first.shape[0]
        super()._build_for(args, kwargs)

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:  # type: ignore[override]
        """Build the cell; where the layer is stateful, make its states."""
        build_cell(self.cell, (sequences_shape[0], *sequences_shape[2:]))
        if self.stateful:
            self._make_states(self._batch)

    def _make_states(self, batch: int | None) -> None:
        if batch is None:
            raise ShapeError(
                f"layer {self.name!r} ({type(self).__name__}) is stateful and must know the batch size",
                hint="give the model's input with it: Input(batch_shape=(32, None, 8)), or batch_input_shape=",
            )
        with no_grad(), tracing(None):
            states = self.get_initial_state(batch)
        for i, state in enumerate(flatten(states)):
            self.register_buffer(f"state_{i}", state, persistent=False)
        names = iter(range(len(list(flatten(states)))))
        self.__dict__["states"] = map_structure(lambda _: self._buffers[f"state_{next(names)}"], states)

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """The states to start with, for a batch of a size."""
        states = initial_state_of(self.cell, batch_size, as_dtype(self.compute_dtype))
        return list(states) if isinstance(states, (list, tuple)) else [states]

    def reset_state(self, states: Any = None) -> None:
        """Start the next batch from zeros, or from states that are given as arrays."""
        if not self.stateful:
            raise ArgumentError(
                f"layer {self.name!r} ({type(self).__name__}) is not stateful", hint="make it with stateful=True"
            )
        if self.states is None:
            raise UninitializedError(f"layer {self.name!r} has no states yet: call it on data first")
        given = None if states is None else list(flatten(states))
        with no_grad():
            for i, state in enumerate(flatten(self.states)):
                state.copy_(state * 0 if given is None else EXPORTS["as_tensor"](given[i]).to(state.dtype))

    reset_states = reset_state

    def _first_states(self, sequences: Any, initial_state: Any) -> list[Any]:
        batch = sequences.shape[0]
        if initial_state is None and self.stateful and not stands_for_batch(batch):
            held = next(flatten(self.states)).shape[0]
            if held != batch:
                raise ShapeError(
                    f"layer {self.name!r} ({type(self).__name__}) is stateful with {held} sequences in a batch, got {batch}",
                    hint="every batch must have the same size; leave out a smaller last one",
                )
            initial_state = self.states
        elif initial_state is None:
            initial_state = self.get_initial_state(batch)
        states = list(initial_state) if isinstance(initial_state, (list, tuple)) else [initial_state]
        if len(states) != len(self.state_size):
            raise ArgumentError(
                f"layer {self.name!r} ({type(self).__name__}) has {len(self.state_size)} states, initial_state has {len(states)}"
            )
        kind = as_dtype(self.compute_dtype)
        return [map_structure(lambda s: s.to(kind) if s.dtype.is_floating_point else s, s) for s in states]

    # ---- calling

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if args and isinstance(args[0], (list, tuple)) and len(args) == 1:  # Keras 2: [sequences, state, ...]
            sequences, *states = args[0]
            args = (sequences,)
            if states:
                kwargs["initial_state"] = states
        return super().__call__(*args, **kwargs)

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        """Compute the result."""
        states = self._first_states(sequences, initial_state)
        mask = as_mask(next(flatten(mask)) if isinstance(mask, (list, tuple)) else mask)
        if training:
            draw_dropout(self.cell, sequences[:, 0], states)
        try:
            last, outputs, after = self._run(sequences, states, mask, training)
        finally:
            forget_dropout(self.cell)
        if self.stateful and not stands_for_batch(sequences.shape[0]):
            with no_grad():
                for held, new in zip(flatten(self.states), flatten(after), strict=True):
                    held.copy_(new.detach())
        output = outputs if self.return_sequences else last
        return (output, *after) if self.return_state else output

    def _run(self, sequences: Any, states: list[Any], mask: Any, training: bool) -> tuple[Any, Any, list[Any]]:
        """The last output, all outputs (None if they are not wanted) and the last states."""
        cell: Any = self.cell
        if hasattr(cell, "project") and hasattr(cell, "step"):
            rows = cell.project(sequences, training).movedim(1, 0)

            def step(row: Any, own: Any) -> tuple[Any, Any]:
                return cell.step(row, own, training)  # type: ignore[no-any-return]
        else:
            rows = sequences.movedim(1, 0)

            def step(row: Any, own: Any) -> tuple[Any, Any]:
                return call_cell(cell, row, own, training)

        body = _Body(self, step, states, mask is not None)
        xs = (rows,) if mask is None else (rows, mask.movedim(1, 0))
        before = () if mask is None else (body.no_output(rows[0], states),)
        carry = (*before, *flatten(states))
        if self.unroll:
            carry, ys = self._unrolled(body, carry, xs)
        else:
            carry, ys = scan(body, carry, xs, reverse=self.go_backwards)
        after = body.packed(iter(carry[len(before) :]))
        if not self.return_sequences:
            last = (
                carry[0]
                if before
                else after[body.same]
                if body.same is not None
                else ys[0 if self.go_backwards else -1]
            )
            return last, None, after
        if self.go_backwards and not self.unroll:
            ys = ys.flip(0)
        return None, ys.movedim(0, 1), after

    def _unrolled(self, body: Any, carry: Any, xs: Sequence[Any]) -> tuple[Any, Any]:
        found = []
        steps = range(xs[0].shape[0])
        for i in reversed(steps) if self.go_backwards else steps:
            carry, y = body(carry, tuple([x[i] for x in xs]))
            found.append(y)
        if found and found[0] == ():
            return carry, ()
        return carry, _stack(found if self.return_sequences or not self.go_backwards else found[::-1])

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The input's mask for the outputs of all steps; the states have none."""
        mask = next(flatten(previous_mask)) if isinstance(previous_mask, (list, tuple)) else previous_mask
        mask = mask if self.return_sequences else None
        return [mask, *[None for _ in flatten(self.state_size)]] if self.return_state else mask


class _Body:
    """The body of the scan: from (output before, states) and a step's inputs to the next ones and the output."""

    def __init__(self, layer: RNN, step: Any, states: list[Any], masked: bool) -> None:
        self.layer, self.step, self.states, self.masked = layer, step, states, masked
        self.same: int | None = None
        """Which state is the output itself, so that the outputs of all steps need not be kept for the last one."""

    def packed(self, values: Iterator[Any]) -> list[Any]:
        """States nested as the cell has them."""
        return [map_structure(lambda _: next(values), s) for s in self.states]

    def no_output(self, row: Any, states: list[Any]) -> Any:
        """Zeros of the output's shape."""
        size = output_size_of(self.layer.cell)
        if isinstance(size, int) and isinstance(self.layer.cell, (DropoutRNNCell, StackedRNNCells)):
            return _zeros(row.shape[0], size, dtype=next(flatten(states)).dtype)
        return self.step(row, states)[0] * 0

    def __call__(self, carry: Any, xs: Any) -> Any:
        before = carry[0] if self.masked else None
        old = carry[1:] if self.masked else carry
        states = self.packed(iter(old))
        output, new = self.step(xs[0], states)
        fresh = list(flatten(new))
        self.same = next((i for i, s in enumerate(new) if s is output), None)
        shown = output
        if self.masked:
            kept = xs[1]
            output = _where(broadcast_to_rank(kept, output.ndim), output, before)
            fresh = [_where(broadcast_to_rank(kept, n.ndim), n, o) for n, o in zip(fresh, old, strict=True)]
            shown = output
            if self.layer.zero_output_for_mask:
                shown = _where(broadcast_to_rank(kept, output.ndim), output, output * 0)
                output = shown
        ahead = (output, *fresh) if self.masked else tuple(fresh)
        wanted = self.layer.return_sequences or (not self.masked and self.same is None)
        return ahead, shown if wanted else ()


def draw_dropout(cell: Any, inputs: Any, states: Any) -> None:
    """Let a cell, or the cells inside, draw what they drop in a sequence now, outside of the loop."""
    if isinstance(cell, DropoutRNNCell):
        cell.get_dropout_mask(inputs)
        cell.get_recurrent_dropout_mask(next(flatten(states)))
    for inner, own in zip(getattr(cell, "cells", ()), states, strict=False):
        draw_dropout(inner, inputs, own)
        size = output_size_of(inner)
        inputs = _zeros(inputs.shape[0], *([size] if isinstance(size, int) else size), dtype=inputs.dtype)


def forget_dropout(cell: Any) -> None:
    """Let a cell, or the cells inside, draw anew for the next sequence."""
    if isinstance(cell, DropoutRNNCell):
        cell.reset_dropout_mask()
        cell.reset_recurrent_dropout_mask()
    for inner in getattr(cell, "cells", ()):
        forget_dropout(inner)
