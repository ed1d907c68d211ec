"""A language model with LSTMs.

Source: Zaremba, Sutskever, Vinyals, "Recurrent neural network regularization" (2014), sections 3 and 4.1: dropout between
layers but not along time, and the sizes called medium. The cell: Hochreiter and Schmidhuber, "Long short-term memory"
(1997), with the forget gate of Gers, Schmidhuber, Cummins (2000). Read next: `vae.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from onegraph import nn, no_grad, tensor
from onegraph.errors import ArgumentError
from onegraph.frontend.convert import evaluate
from onegraph.frontend.tensor import Tensor
from onegraph.zoo.registry import network
from onegraph.zoo.sampling import Generator, draw


class LSTMLanguageModel(nn.Module):
    """Embedding, stacked LSTMs, a dense layer. Takes token numbers (N, T) and gives logits (N, T, vocabulary) and a state.

    Args:
        vocabulary: how many different tokens there are.
        width: of the tokens' vectors and of the LSTMs.
        layers: number of LSTMs.
        dropout: probability before, between and after the layers, in training.
        tied: use the table of tokens as the weight of the last layer too (Press and Wolf 2016).
        uniform: first values are drawn evenly from [-uniform, uniform].
    """

    def __init__(
        self,
        vocabulary: int = 10_000,
        width: int = 650,
        layers: int = 2,
        dropout: float = 0.5,
        tied: bool = False,
        uniform: float = 0.05,
    ) -> None:
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(vocabulary, width)
        self.rnn = nn.LSTM(width, width, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.decoder = nn.Linear(width, vocabulary)
        if tied:
            self.decoder.weight = self.encoder.weight
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -uniform, uniform)

    def forward(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Logits of the token that follows each position, and the state to go on with.

        Args:
            tokens: (N, T) numbers of tokens.
            state: what an earlier call gave; zeros if None. Detach it to stop gradients there.
        """
        x, state = self.rnn(self.drop(self.encoder(tokens)), state)
        return self.decoder(self.drop(x)), state

    def generate(
        self,
        tokens: Tensor,
        count: int,
        temperature: float = 1.0,
        top_k: int | None = None,
        generator: Generator | None = None,
    ) -> Tensor:
        """Write on: `count` more tokens, each drawn from what the model expects after those before.

        Args:
            tokens: (N, T), what it begins with, T at least 1.
            count: how many to add.
            temperature: below 1 the likely ones become likelier still; 0 always takes the likeliest.
            top_k: draw from the k likeliest only.
            generator: of random numbers; the default one if None.

        Returns:
            (N, T + count) tokens.

        Raises:
            ArgumentError: there is nothing to begin with.
        """
        if tokens.ndim != 2 or tokens.shape[1] < 1:
            raise ArgumentError(f"generate: needs tokens of shape (N, T) with T at least 1, got {tuple(tokens.shape)}")
        was_training = self.training
        self.eval()
        with no_grad():
            written, state, seen = [tokens.numpy()], None, tokens
            for _ in range(count):
                logits, state = self(seen, state)
                seen = draw(logits[:, -1], temperature, top_k, generator)
                evaluate(seen, *state)  # every token is computed by the same plan
                written.append(seen.numpy())
        self.train(was_training)
        return tensor(np.concatenate(written, 1))


@network(
    doc="language model of 2 LSTMs of width 650",
    task="language",
    num_classes=10_000,
    family="LSTM",
    source="Zaremba et al. 2014",
)
def lstm(
    vocabulary: int = 10_000,
    width: int = 650,
    layers: int = 2,
    dropout: float = 0.5,
    tied: bool = False,
    uniform: float = 0.05,
) -> LSTMLanguageModel:
    """A language model with LSTMs, by default the paper's medium one; see `LSTMLanguageModel` for the arguments.

    >>> import onegraph as og
    >>> model = lstm(vocabulary=10, width=8)
    >>> logits, (hidden, cell) = model(og.zeros(2, 5, dtype=og.int64))
    >>> logits.shape, hidden.shape
    (onegraph.Size([2, 5, 10]), onegraph.Size([2, 2, 8]))
    """
    return LSTMLanguageModel(vocabulary, width, layers, dropout, tied, uniform)
