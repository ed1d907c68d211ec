"""Writing on with a language model: draw the next token from its logits, again and again.

Read next: `gpt.py`, which uses it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from onegraph import Generator, multinomial, no_grad, tensor, where
from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend.tensor import Tensor
from onegraph.nn import Module
from onegraph.nn.functional import softmax

__all__ = ["Generator", "draw", "next_tokens"]


def draw(logits: Tensor, temperature: float = 1.0, top_k: int | None = None, generator: Any = None) -> Tensor:
    """One token of each row of logits.

    Args:
        logits: (N, vocabulary).
        temperature: divides the logits; 0 takes the largest.
        top_k: only the k largest count.
        generator: of random numbers; the default one if None.

    Returns:
        (N, 1) token numbers.

    Raises:
        ArgumentError: the temperature is negative, or k is not positive.

    >>> import onegraph as og
    >>> draw(og.tensor([[0.0, 3.0, 1.0]]), temperature=0)
    tensor([[1]])
    """
    if temperature < 0 or (top_k is not None and top_k < 1):
        raise ArgumentError(
            f"generate: temperature must not be negative and top_k at least 1, got {temperature} and {top_k}"
        )
    if temperature == 0:
        return logits.argmax(-1, keepdim=True)
    logits = logits / temperature
    if top_k is not None and top_k < logits.shape[-1]:
        least = logits.topk(top_k).values[:, -1:]
        logits = where(logits < least, float("-inf"), logits)
    return multinomial(softmax(logits, -1), 1, generator=generator)


def next_tokens(
    model: Module,
    tokens: Tensor,
    count: int,
    context: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    generator: Any = None,
) -> Tensor:
    """Tokens with `count` more behind them, from a model whose result at a position does not depend on later ones.

    The model sees the last `context` tokens. What it sees is filled up to a power of two (or the context), so that few
    different lengths are compiled; what is filled in comes after the position that is read.

    Args:
        model: gives logits (N, T, vocabulary) for tokens (N, T).
        tokens: (N, T), at least one.
        count: how many to add.
        context: the most that the model takes.
        temperature, top_k, generator: as for `draw`.

    Returns:
        (N, T + count).

    Raises:
        ShapeError: there is nothing to begin with.
    """
    if tokens.ndim != 2 or tokens.shape[1] < 1:
        raise ShapeError(f"generate: needs tokens of shape (N, T) with T at least 1, got {tuple(tokens.shape)}")
    was_training = model.training
    model.eval()
    # Numbers are kept by NumPy: every token is computed at once, by a plan that depends on the filled-up size alone.
    written = tokens.numpy()
    with no_grad():
        for _ in range(count):
            length = min(context, written.shape[1])
            size = min(context, 1 << (length - 1).bit_length())
            seen = np.zeros((len(written), size), written.dtype)
            seen[:, :length] = written[:, -length:]
            last = model(tensor(seen)).index_select(1, tensor([length - 1]))[:, 0]
            written = np.concatenate([written, draw(last, temperature, top_k, generator).numpy()], 1)
    model.train(was_training)
    return tensor(written)
