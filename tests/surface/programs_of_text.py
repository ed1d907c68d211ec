"""Programs as PyTorch's examples write them: language models with recurrent networks, a transformer, a small GPT.

Each is a function of the library, and gives losses and outputs. Read first: `program_table.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.surface.names import filled
from tests.surface.program_table import PROGRAMS, part, program


def language_model(torch: Any, kind: str) -> dict[str, Any]:
    """A word language model: embedding, a recurrent network with its state carried over, clipping, plain descent."""
    nn = torch.nn

    class RNNModel(nn.Module):
        def __init__(self, ntoken: int, ninp: int, nhid: int, nlayers: int) -> None:
            super().__init__()
            self.encoder = nn.Embedding(ntoken, ninp)
            if kind in ("LSTM", "GRU"):
                self.rnn = getattr(nn, kind)(ninp, nhid, nlayers, dropout=0.0)
            else:
                self.rnn = nn.RNN(ninp, nhid, nlayers, nonlinearity={"RNN_TANH": "tanh", "RNN_RELU": "relu"}[kind])
            self.decoder = nn.Linear(nhid, ntoken)
            nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
            self.nhid, self.nlayers, self.ntoken = nhid, nlayers, ntoken

        def forward(self, input: Any, hidden: Any) -> Any:
            output, hidden = self.rnn(self.encoder(input), hidden)
            decoded = self.decoder(output).view(-1, self.ntoken)
            return nn.functional.log_softmax(decoded, dim=1), hidden

        def init_hidden(self, bsz: int) -> Any:
            weight = next(self.parameters())
            zeros = weight.new_zeros(self.nlayers, bsz, self.nhid)
            return (zeros, weight.new_zeros(self.nlayers, bsz, self.nhid)) if kind == "LSTM" else zeros

    def repackage_hidden(h: Any) -> Any:
        return h.detach() if isinstance(h, torch.Tensor) else tuple(repackage_hidden(v) for v in h)

    ids = torch.arange(64) * 5 % 11
    source = ids.narrow(0, 0, 64).view(4, -1).t().contiguous()
    model, criterion = filled(RNNModel(11, 6, 5, 2), torch), nn.NLLLoss()
    hidden, losses = model.init_hidden(4), []
    for i in range(0, 12, 4):
        data, target = source[i : i + 4], source[i + 1 : i + 5].view(-1)
        model.zero_grad()
        hidden = repackage_hidden(hidden)
        output, hidden = model(data, hidden)
        loss = criterion(output, target)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        for p in model.parameters():
            p.data.add_(p.grad, alpha=-0.5)
        losses.append(loss.item())
    return {"losses": losses}


for _kind in ("RNN_TANH", "RNN_RELU", "LSTM", "GRU"):
    PROGRAMS[f"language_model_{_kind}"] = (lambda torch, kind=_kind: language_model(torch, kind), 1e-4)


@program(1e-4)
def transformer_language_model(torch: Any) -> dict[str, Any]:
    """The transformer variant: positions added, a causal mask, an encoder, its decoder a linear layer."""
    nn = torch.nn
    layer = nn.TransformerEncoderLayer(8, 2, 12, 0.0)
    encoder = filled(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), torch)
    table, head = filled(nn.Embedding(11, 8), torch), filled(nn.Linear(8, 11), torch)
    position = torch.arange(0, 6, dtype=torch.float).unsqueeze(1)
    div_term = torch.exp(torch.arange(0, 8, 2).float() * (-np.log(10000.0) / 8))
    pe = torch.zeros(6, 8)
    pe[:, 0::2] = torch.sin(position * div_term)
    pe[:, 1::2] = torch.cos(position * div_term)
    mask = torch.log(torch.tril(torch.ones(6, 6)))
    ids = (torch.arange(18) * 3 % 11).view(6, 3)
    x = table(ids) * np.sqrt(8.0).item() + pe.unsqueeze(0).transpose(0, 1)
    logits = head(encoder(x, mask=mask))
    loss = nn.functional.cross_entropy(logits.view(-1, 11), ids.view(-1))
    loss.backward()
    return {"loss": loss.item(), "logits": logits, "gradient": table.weight.grad}


def gpt(torch: Any) -> Any:
    """The model of `small_gpt`: two blocks of width 8 over 9 tokens, with causal attention by hand."""
    nn, F = torch.nn, torch.nn.functional

    class Block(nn.Module):
        def __init__(self, n: int) -> None:
            super().__init__()
            self.ln_1, self.ln_2 = nn.LayerNorm(n), nn.LayerNorm(n)
            self.c_attn, self.c_proj = nn.Linear(n, 3 * n), nn.Linear(n, n)
            self.mlp = nn.Sequential(nn.Linear(n, 4 * n), nn.GELU(), nn.Linear(4 * n, n))
            self.register_buffer("mask", torch.tril(torch.ones(6, 6)).view(1, 1, 6, 6))

        def forward(self, x: Any) -> Any:
            B, T, C = x.size()
            q, k, v = (m.view(B, T, 2, C // 2).transpose(1, 2) for m in self.c_attn(self.ln_1(x)).split(C, dim=2))
            att = (q @ k.transpose(-2, -1)) * (1.0 / np.sqrt(k.size(-1)).item())
            att = F.softmax(att.masked_fill(self.mask[:, :, :T, :T] == 0, float("-inf")), dim=-1)
            y = (att @ v).transpose(1, 2).contiguous().view(B, T, C)
            x = x + self.c_proj(y)
            return x + self.mlp(self.ln_2(x))

    class GPT(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.transformer = nn.ModuleDict(
                {"wte": nn.Embedding(9, 8), "wpe": nn.Embedding(6, 8), "h": nn.ModuleList([Block(8) for _ in range(2)])}
            )
            self.lm_head = nn.Linear(8, 9, bias=False)

        def forward(self, idx: Any, targets: Any) -> Any:
            pos = torch.arange(0, idx.size(1), dtype=torch.long, device=idx.device).unsqueeze(0)
            x = self.transformer.wte(idx) + self.transformer["wpe"](pos)
            for block in self.transformer.h:
                x = block(x)
            logits = self.lm_head(x)
            return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.reshape(-1), ignore_index=-1)

    return filled(GPT(), torch)


@program(1e-4)
def small_gpt(torch: Any) -> dict[str, Any]:
    """A GPT: causal attention by hand, weight decay by groups, AdamW, a warmed up cosine rate, saving and going on."""
    nn, F, optim = torch.nn, torch.nn.functional, part(torch, "optim")
    model = gpt(torch)
    decay = [p for n, p in model.named_parameters() if p.dim() >= 2]
    rest = [p for n, p in model.named_parameters() if p.dim() < 2]
    optimizer = optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}], lr=1e-2)
    warm = optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=2)
    scheduler = optim.lr_scheduler.SequentialLR(
        optimizer, [warm, optim.lr_scheduler.CosineAnnealingLR(optimizer, 4)], [2]
    )
    losses = []
    for step in range(4):
        idx = (torch.arange(18) * 2 + step).remainder(9).view(3, 6)
        _, loss = model(idx[:, :-1], idx[:, 1:])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
        if step == 1:  # a checkpoint in the middle
            saved = {k: v.clone() for k, v in model.state_dict().items()}
            model.load_state_dict(saved)
            optimizer.load_state_dict(optimizer.state_dict())
    logits, _ = model(idx[:1, :4], idx[:1, :4])
    values, _ = torch.topk(logits[:, -1, :], 3)
    logits = logits[:, -1, :].clone()
    logits[logits < values[:, [-1]]] = -float("Inf")
    probs = F.softmax(logits, dim=-1)
    assert torch.multinomial(probs, num_samples=1).shape == (1, 1)
    return {"losses": losses, "probs": probs, "rates": scheduler.get_last_lr()}
