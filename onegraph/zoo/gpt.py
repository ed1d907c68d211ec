"""A GPT: a stack of Transformer blocks that each look only at what came before, to predict the next token.

Sources: Radford, Wu, Child, Luan, Amodei, Sutskever, "Language models are unsupervised multitask learners" (GPT-2, 2019),
section 2.3: normalization before each part and after the last block, projections into the residual path started smaller;
Radford et al., "Improving language understanding by generative pre-training" (2018), section 4.1: GELU, learned
positions. The table of tokens is also the weight of the last layer (Press and Wolf 2016). Parts have the names of GPT-2's
published weights. Read next: `sampling.py`.
"""

from __future__ import annotations

import math
from typing import Any

from onegraph import arange, nn
from onegraph.errors import ArgumentError
from onegraph.frontend.tensor import Tensor
from onegraph.zoo.registry import network
from onegraph.zoo.sampling import Generator, next_tokens


class CausalSelfAttention(nn.Module):
    """Every position looks at itself and those before, with several heads.

    Args:
        width: of the tokens' vectors.
        heads: into which the width is divided.
        dropout: of the attention's weights and of the result.
        bias: whether the projections add one.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0, bias: bool = True) -> None:
        super().__init__()
        if width % heads:
            raise ArgumentError(f"gpt: {heads} heads do not divide a width of {width}")
        self.heads, self.dropout = heads, dropout
        self.c_attn = nn.Linear(width, 3 * width, bias)
        self.c_proj = nn.Linear(width, width, bias)
        self.resid_dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, width) to the same shape."""
        batch, length, width = x.shape
        parts = self.c_attn(x).split(width, 2)
        q, k, v = (p.reshape(batch, length, self.heads, width // self.heads).transpose(1, 2) for p in parts)
        dropout = self.dropout if self.training else 0.0
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True)
        return self.resid_dropout(self.c_proj(mixed.transpose(1, 2).reshape(batch, length, width)))


class FeedForward(nn.Module):
    """Two dense layers with GELU between them, the hidden one four times as wide."""

    def __init__(self, width: int, dropout: float = 0.0, bias: bool = True) -> None:
        super().__init__()
        self.c_fc = nn.Linear(width, 4 * width, bias)
        self.gelu = nn.GELU(approximate="tanh")
        self.c_proj = nn.Linear(4 * width, width, bias)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, width) to the same shape."""
        return self.dropout(self.c_proj(self.gelu(self.c_fc(x))))


class Block(nn.Module):
    """Attention and a feed-forward part, each with a normalization before it and a shortcut around both."""

    def __init__(self, width: int, heads: int, dropout: float = 0.0, bias: bool = True) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width, bias=bias)
        self.attn = CausalSelfAttention(width, heads, dropout, bias)
        self.ln_2 = nn.LayerNorm(width, bias=bias)
        self.mlp = FeedForward(width, dropout, bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, width) to the same shape."""
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    """A language model. Takes token numbers (N, T), an integer dtype, T <= context; gives logits (N, T, vocabulary).

    Args:
        vocabulary: how many different tokens there are.
        width: of the tokens' vectors.
        layers: number of blocks.
        heads: of each block's attention; they divide the width.
        context: the largest number of tokens that it can look at.
        dropout: probability, in training.
        bias: whether dense layers and normalizations add one.
        tied: use the table of tokens as the weight of the last layer too.
    """

    def __init__(
        self,
        vocabulary: int = 65,
        width: int = 384,
        layers: int = 6,
        heads: int = 6,
        context: int = 256,
        dropout: float = 0.0,
        bias: bool = False,
        tied: bool = True,
    ) -> None:
        super().__init__()
        self.context = context
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(vocabulary, width),
                "wpe": nn.Embedding(context, width),
                "drop": nn.Dropout(dropout),
                "h": nn.ModuleList([Block(width, heads, dropout, bias) for _ in range(layers)]),
                "ln_f": nn.LayerNorm(width, bias=bias),
            }
        )
        self.lm_head = nn.Linear(width, vocabulary, bias=False)
        if tied:
            self.lm_head.weight = self.transformer["wte"].weight
        self._initialize(layers)

    def _initialize(self, layers: int) -> None:
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif name.endswith("c_proj.weight"):  # what is added to the residual path: two parts in each layer
                nn.init.normal_(parameter, 0.0, 0.02 / math.sqrt(2 * layers))
            elif parameter.ndim > 1:
                nn.init.normal_(parameter, 0.0, 0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits of the token that follows each position."""
        length = tokens.shape[1]
        if length > self.context:
            raise ArgumentError(
                f"gpt: got {length} tokens, and its context is {self.context}", hint="pass the last ones only"
            )
        parts = self.transformer
        x = parts["drop"](parts["wte"](tokens) + parts["wpe"](arange(length)))
        for block in parts["h"]:
            x = block(x)
        return self.lm_head(parts["ln_f"](x))

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
            tokens: (N, T), what it begins with.
            count: how many to add.
            temperature: below 1 the likely ones become likelier still; 0 always takes the likeliest.
            top_k: draw from the k likeliest only.
            generator: of random numbers; the default one if None.

        Returns:
            (N, T + count) tokens.

        >>> import onegraph as og
        >>> model = GPT(vocabulary=5, width=8, layers=1, heads=2, context=4)
        >>> model.generate(og.zeros(2, 1, dtype=og.int64), 6).shape
        onegraph.Size([2, 7])
        """
        return next_tokens(self, tokens, count, self.context, temperature, top_k, generator)


@network(
    doc="GPT of characters: 6 blocks of width 384",
    task="language",
    num_classes=65,
    family="GPT",
    source="Radford et al. 2019",
)
def gpt(
    vocabulary: int = 65,
    width: int = 384,
    layers: int = 6,
    heads: int = 6,
    context: int = 256,
    dropout: float = 0.0,
    bias: bool = False,
    tied: bool = True,
) -> GPT:
    """A small GPT, by default of the size that models of characters usually have; see `GPT` for the arguments.

    >>> import onegraph as og
    >>> model = gpt(vocabulary=10, width=16, layers=2, heads=2, context=8)
    >>> model(og.zeros(1, 8, dtype=og.int64)).shape
    onegraph.Size([1, 8, 10])
    """
    return GPT(vocabulary, width, layers, heads, context, dropout, bias, tied)


@network(
    doc="GPT-2 small: 12 blocks of width 768",
    task="language",
    num_classes=50257,
    family="GPT",
    source="Radford et al. 2019",
)
def gpt2(vocabulary: int = 50257, context: int = 1024, dropout: float = 0.1, **options: Any) -> GPT:
    """GPT-2, the smallest of the paper's four: 12 blocks, width 768 (Radford et al. 2019, table 2).

    Args:
        vocabulary: how many different tokens there are.
        context: the largest number of tokens that it can look at.
        dropout: probability, in training.
        options: further arguments of `GPT`, such as `layers=24, width=1024, heads=16` for the next size.
    """
    sizes: dict[str, Any] = {"width": 768, "layers": 12, "heads": 12, "bias": True, **options}
    return GPT(vocabulary, context=context, dropout=dropout, **sizes)
