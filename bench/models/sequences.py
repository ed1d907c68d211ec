"""Networks that read sequences: a GPT of characters and an LSTM.

Sources: Radford et al., "Language models are unsupervised multitask learners" (2019), in the size that character
models are usually trained in; Hochreiter and Schmidhuber, "Long short-term memory" (1997). Read next: `weights.py`.
"""

from __future__ import annotations

import functools
from typing import Any

from bench.models.parts import Framework, residual_class


@functools.cache
def _attention_class(framework: Framework) -> type:
    nn = framework.nn

    class CausalAttention(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, width: int, heads: int) -> None:
            super().__init__()
            self.width, self.heads = width, heads
            self.projections = nn.Linear(width, 3 * width, bias=False)
            self.output = nn.Linear(width, width, bias=False)

        def forward(self, x: Any) -> Any:
            batch, length, width = x.shape
            parts = self.projections(x).split(width, 2)
            q, k, v = (p.reshape(batch, length, self.heads, width // self.heads).transpose(1, 2) for p in parts)
            mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.output(mixed.transpose(1, 2).reshape(batch, length, width))

    return CausalAttention


@functools.cache
def _gpt_class(framework: Framework) -> type:
    nn = framework.nn

    class GPT(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, layers: int, width: int, heads: int, context: int, vocabulary: int) -> None:
            super().__init__()
            self.tokens = nn.Embedding(vocabulary, width)
            self.positions = nn.Embedding(context, width)
            residual = residual_class(framework)
            blocks: list[Any] = []
            for _ in range(layers):
                attention = _attention_class(framework)(width, heads)
                blocks.append(residual(nn.Sequential(nn.LayerNorm(width), attention)))
                wide, narrow = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)
                blocks.append(residual(nn.Sequential(nn.LayerNorm(width), wide, nn.GELU(), narrow)))
            self.blocks = nn.Sequential(*blocks)
            self.norm = nn.LayerNorm(width)
            self.head = nn.Linear(width, vocabulary, bias=False)

        def forward(self, x: Any) -> Any:
            positions = self.positions(framework.arange(x.shape[1]))
            return self.head(self.norm(self.blocks(self.tokens(x) + positions)))

    return GPT


def gpt(
    framework: Framework, layers: int = 6, width: int = 384, heads: int = 6, context: int = 256, vocabulary: int = 65
) -> Any:
    """A GPT of characters: pre-norm, GELU, learned positions, no dropout. Takes int64 (N, T), gives (N, T, vocabulary)."""
    return _gpt_class(framework)(layers, width, heads, context, vocabulary)


@functools.cache
def _scanned_lstm_class(framework: Framework) -> type:
    """An LSTM with the weights' names of `torch.nn.LSTM`, written with `scan`, for a framework without that layer."""
    nn = framework.nn

    class ScannedLSTM(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, inputs: int, hidden: int) -> None:
            super().__init__()
            self.hidden = hidden
            self.weight_ih_l0 = nn.Parameter(framework.zeros(4 * hidden, inputs))
            self.weight_hh_l0 = nn.Parameter(framework.zeros(4 * hidden, hidden))
            self.bias_ih_l0 = nn.Parameter(framework.zeros(4 * hidden))
            self.bias_hh_l0 = nn.Parameter(framework.zeros(4 * hidden))

        def forward(self, x: Any) -> Any:
            # What the inputs add to the gates needs no recurrence: one product for all time steps.
            rows = nn.functional.linear(x, self.weight_ih_l0, self.bias_ih_l0 + self.bias_hh_l0)
            recurrent = self.weight_hh_l0.T

            def step(carry: Any, row: Any) -> Any:
                h, c = carry
                i, f, g, o = (row + h @ recurrent).chunk(4, -1)
                c = f.sigmoid() * c + i.sigmoid() * g.tanh()
                h = o.sigmoid() * c.tanh()
                return (h, c), h

            start = framework.zeros(x.shape[1], self.hidden)
            last, outputs = framework.scan(step, (start, start), rows)
            return outputs, last

    return ScannedLSTM


@functools.cache
def _classifier_class(framework: Framework) -> type:
    nn = framework.nn

    class SequenceClassifier(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, inputs: int, hidden: int, classes: int) -> None:
            super().__init__()
            layer = nn.LSTM if hasattr(nn, "LSTM") else _scanned_lstm_class(framework)
            self.lstm = layer(inputs, hidden)
            self.head = nn.Linear(hidden, classes)

        def forward(self, x: Any) -> Any:
            outputs, _ = self.lstm(x)
            return self.head(outputs)

    return SequenceClassifier


def lstm(framework: Framework, inputs: int = 128, hidden: int = 256, classes: int = 64) -> Any:
    """An LSTM with a linear head on every time step. Takes (T, N, inputs), gives (T, N, classes)."""
    return _classifier_class(framework)(inputs, hidden, classes)
