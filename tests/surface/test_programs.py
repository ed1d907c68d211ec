"""Programs as PyTorch's examples write them, run with `import onegraph as torch`, with the numbers that PyTorch gives.

Each program is a function of the library: it builds a model, trains a few steps on made data from the same first weights,
and gives its losses and outputs. Read next: `test_torch_names.py` (single names).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import onegraph as og
from tests.surface.names import filled

PROGRAMS: dict[str, tuple[Callable[[Any], dict[str, Any]], float]] = {}


def program(tolerance: float) -> Callable[[Callable[[Any], dict[str, Any]]], Callable[[Any], dict[str, Any]]]:
    """Offer a program, whose numbers may differ from PyTorch's by this part."""

    def offer(function: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
        PROGRAMS[function.__name__] = function, tolerance
        return function

    return offer


def part(torch: Any, name: str) -> Any:
    """A module of the library: `import torch.optim.lr_scheduler as ...`."""
    return importlib.import_module(f"{torch.__name__}.{name}")


def made(torch: Any, *shape: int, seed: int = 0) -> Any:
    """Data from -1 to 1, the same in both libraries."""
    return torch.from_numpy(np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32))


@program(2e-4)
def handwritten_digits(torch: Any) -> dict[str, Any]:
    """MNIST: convolutions, log_softmax and nll_loss, Adadelta with StepLR, DataLoader, test accuracy."""
    nn, F, data = torch.nn, torch.nn.functional, part(torch, "utils.data")

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(1, 4, 3, 1)
            self.conv2 = nn.Conv2d(4, 6, 3, 1)
            self.dropout1 = nn.Dropout(0.0)
            self.fc1 = nn.Linear(6 * 4 * 4, 8)
            self.fc2 = nn.Linear(8, 10)

        def forward(self, x: Any) -> Any:
            x = F.relu(self.conv1(x))
            x = F.max_pool2d(F.relu(self.conv2(x)), 2)
            x = torch.flatten(self.dropout1(x), 1)
            return F.log_softmax(self.fc2(F.relu(self.fc1(x))), dim=1)

    def train(model: Any, device: Any, loader: Any, optimizer: Any) -> list[float]:
        model.train()
        losses = []
        for _, (image, target) in enumerate(loader):
            image, target = image.to(device), target.to(device)
            optimizer.zero_grad()
            loss = F.nll_loss(model(image), target)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    def test(model: Any, device: Any, loader: Any) -> tuple[float, int]:
        model.eval()
        total, correct = 0.0, 0
        with torch.no_grad():
            for image, target in loader:
                output = model(image.to(device))
                total += F.nll_loss(output, target.to(device), reduction="sum").item()
                correct += (
                    output.argmax(dim=1, keepdim=True)
                    .eq(target.view_as(output.argmax(dim=1, keepdim=True)))
                    .sum()
                    .item()
                )
        return total / len(loader.dataset), correct

    torch.manual_seed(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rows = data.TensorDataset(made(torch, 12, 1, 12, 12), torch.arange(12) % 10)
    loader = data.DataLoader(rows, batch_size=4, shuffle=False)
    model = filled(Net(), torch).to(device)
    optimizer = part(torch, "optim").Adadelta(model.parameters(), lr=1.0)
    scheduler = part(torch, "optim.lr_scheduler").StepLR(optimizer, step_size=1, gamma=0.7)
    losses = []
    for _ in range(2):
        losses += train(model, device, loader, optimizer)
        scheduler.step()
    return {"losses": losses, "test": test(model, device, loader), "rate": scheduler.get_last_lr()}


@program(1e-4)
def actor_critic(torch: Any) -> dict[str, Any]:
    """A policy and a value from one network, trained with log_prob, smooth_l1_loss and normalized returns."""
    nn, F = torch.nn, torch.nn.functional
    Categorical = part(torch, "distributions").Categorical

    class Policy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.affine1 = nn.Linear(4, 8)
            self.action_head = nn.Linear(8, 2)
            self.value_head = nn.Linear(8, 1)
            self.saved_actions: list[Any] = []
            self.rewards: list[float] = []

        def forward(self, x: Any) -> Any:
            x = F.relu(self.affine1(x))
            return F.softmax(self.action_head(x), dim=-1), self.value_head(x)

    model = filled(Policy(), torch)
    optimizer = part(torch, "optim").Adam(model.parameters(), lr=3e-2)
    eps = np.finfo(np.float32).eps.item()
    losses, state = [], np.array([0.1, -0.2, 0.3, 0.0], np.float32)
    for episode in range(3):
        for step in range(5):
            probs, value = model(torch.from_numpy(state).float())
            m = Categorical(probs)
            assert m.sample().item() in (0, 1)
            action = torch.tensor((step + episode) % 2)  # chosen, so that both libraries do the same
            model.saved_actions.append((m.log_prob(action), value))
            model.rewards.append(1.0 - 0.1 * step)
            state = np.roll(state, 1) * np.float32(1.1) - np.float32(0.05)
        returns: list[float] = []
        total = 0.0
        for r in model.rewards[::-1]:
            total = r + 0.99 * total
            returns.insert(0, total)
        target = torch.tensor(returns)
        target = (target - target.mean()) / (target.std() + eps)
        policy_losses, value_losses = [], []
        for (log_prob, value), reached in zip(model.saved_actions, target, strict=True):
            advantage = reached - value.item()
            policy_losses.append(-log_prob * advantage)
            value_losses.append(F.smooth_l1_loss(value, torch.tensor([reached])))
        optimizer.zero_grad()
        loss = torch.stack(policy_losses).sum() + torch.stack(value_losses).sum()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        del model.rewards[:]
        del model.saved_actions[:]
    return {"losses": losses}


@program(1e-4)
def autoencoder(torch: Any) -> dict[str, Any]:
    """A VAE: reparameterization, binary cross entropy summed, the divergence from a normal."""
    nn, F = torch.nn, torch.nn.functional

    class VAE(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.fc21, self.fc22 = nn.Linear(16, 8), nn.Linear(8, 3), nn.Linear(8, 3)
            self.fc3, self.fc4 = nn.Linear(3, 8), nn.Linear(8, 16)

        def encode(self, x: Any) -> Any:
            h1 = F.relu(self.fc1(x))
            return self.fc21(h1), self.fc22(h1)

        def reparameterize(self, mu: Any, logvar: Any, noise: Any) -> Any:
            std = torch.exp(0.5 * logvar)
            assert torch.randn_like(std).shape == std.shape
            return mu + noise * std

        def decode(self, z: Any) -> Any:
            return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))

        def forward(self, x: Any, noise: Any) -> Any:
            mu, logvar = self.encode(x.view(-1, 16))
            return self.decode(self.reparameterize(mu, logvar, noise)), mu, logvar

    def loss_function(recon_x: Any, x: Any, mu: Any, logvar: Any) -> Any:
        bce = F.binary_cross_entropy(recon_x, x.view(-1, 16), reduction="sum")
        kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
        return bce + kld

    model = filled(VAE(), torch)
    optimizer = part(torch, "optim").Adam(model.parameters(), lr=1e-2)
    losses = []
    for step in range(5):
        x = (made(torch, 5, 1, 4, 4, seed=step) + 1) / 2
        optimizer.zero_grad()
        recon, mu, logvar = model(x, made(torch, 5, 3, seed=100 + step))
        loss = loss_function(recon, x, mu, logvar)
        loss.backward()
        losses.append(loss.item() / len(x))
        optimizer.step()
    normal = part(torch, "distributions").Normal(mu.detach(), torch.exp(0.5 * logvar.detach()))
    divergence = part(torch, "distributions").kl_divergence(normal, part(torch, "distributions").Normal(0.0, 1.0))
    return {"losses": losses, "divergence": divergence.sum().item()}


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


@program(1e-4)
def super_resolution(torch: Any) -> dict[str, Any]:
    """Sub-pixel convolution: orthogonal first weights, PixelShuffle, mean squared error, PSNR."""
    nn, init = torch.nn, torch.nn.init

    class Net(nn.Module):
        def __init__(self, upscale_factor: int) -> None:
            super().__init__()
            self.relu = nn.ReLU()
            self.conv1 = nn.Conv2d(1, 6, (5, 5), (1, 1), (2, 2))
            self.conv2 = nn.Conv2d(6, upscale_factor**2, (3, 3), (1, 1), (1, 1))
            self.pixel_shuffle = nn.PixelShuffle(upscale_factor)
            init.orthogonal_(self.conv1.weight, init.calculate_gain("relu"))
            init.orthogonal_(self.conv2.weight)

        def forward(self, x: Any) -> Any:
            return self.pixel_shuffle(self.conv2(self.relu(self.conv1(x))))

    model, criterion = filled(Net(3), torch), nn.MSELoss()
    optimizer = part(torch, "optim").Adam(model.parameters(), lr=0.01)
    losses = []
    for step in range(3):
        optimizer.zero_grad()
        loss = criterion(model(made(torch, 2, 1, 6, 6, seed=step)), made(torch, 2, 1, 18, 18, seed=50 + step))
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    return {"losses": losses, "psnr": 10 * np.log10(1 / losses[-1]).item()}


@program(2e-3)
def generator_and_discriminator(torch: Any) -> dict[str, Any]:
    """DCGAN: weights set by class name, two Adams, the discriminator trained on real and made images in turn."""
    nn, optim = torch.nn, part(torch, "optim")
    G = nn.Sequential(
        nn.ConvTranspose2d(5, 6, 4, 1, 0, bias=False), nn.BatchNorm2d(6), nn.ReLU(True),
        nn.ConvTranspose2d(6, 1, 4, 2, 1, bias=False), nn.Tanh(),
    )  # fmt: skip
    D = nn.Sequential(
        nn.Conv2d(1, 6, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(6, 6, 3, 1, 1, bias=False), nn.BatchNorm2d(6), nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(6, 1, 4, 1, 0, bias=False), nn.Sigmoid(),
    )  # fmt: skip
    seen = []

    def weights_init(m: Any) -> None:
        classname = m.__class__.__name__
        if classname.find("Conv") != -1:
            torch.nn.init.normal_(m.weight, 0.0, 0.02)
            seen.append(classname)
        elif classname.find("BatchNorm") != -1:
            torch.nn.init.normal_(m.weight, 1.0, 0.02)
            torch.nn.init.zeros_(m.bias)

    for net in (G, D):
        net.apply(weights_init)
        filled(net, torch)
    criterion = nn.BCELoss()
    of_d = optim.Adam(D.parameters(), lr=0.01, betas=(0.5, 0.999))
    of_g = optim.Adam(G.parameters(), lr=0.01, betas=(0.5, 0.999))
    history = []
    for step in range(2):
        D.zero_grad()
        real, noise = made(torch, 3, 1, 8, 8, seed=step), made(torch, 3, 5, 1, 1, seed=20 + step)
        label = torch.full((3,), 1, dtype=real.dtype, device=torch.device("cpu"))
        real_loss = criterion(D(real).view(-1, 1).squeeze(1), label)
        real_loss.backward()
        fake = G(noise)
        label.fill_(0)
        fake_loss = criterion(D(fake.detach()).view(-1, 1).squeeze(1), label)
        fake_loss.backward()
        of_d.step()
        G.zero_grad()
        label.fill_(1)
        g_loss = criterion(D(fake).view(-1, 1).squeeze(1), label)
        g_loss.backward()
        of_g.step()
        history.append([real_loss.item() + fake_loss.item(), g_loss.item()])
    return {"history": history, "layers": seen}


@program(1e-6)
def sine_waves(torch: Any) -> dict[str, Any]:
    """Time sequence prediction: LSTM cells stepped by hand in float64, L-BFGS with a closure, going on into the future."""
    nn = torch.nn

    class Sequence(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm1, self.lstm2 = nn.LSTMCell(1, 4), nn.LSTMCell(4, 4)
            self.linear = nn.Linear(4, 1)

        def forward(self, input: Any, future: int = 0) -> Any:
            outputs = []
            states = [torch.zeros(input.size(0), 4, dtype=torch.double) for _ in range(4)]
            h_t, c_t, h_t2, c_t2 = states
            for input_t in input.split(1, dim=1):
                h_t, c_t = self.lstm1(input_t, (h_t, c_t))
                h_t2, c_t2 = self.lstm2(h_t, (h_t2, c_t2))
                output = self.linear(h_t2)
                outputs += [output]
            for _ in range(future):
                h_t, c_t = self.lstm1(output, (h_t, c_t))
                h_t2, c_t2 = self.lstm2(h_t, (h_t2, c_t2))
                output = self.linear(h_t2)
                outputs += [output]
            return torch.cat(outputs, dim=1)

    waves = np.sin((np.arange(8) + np.array([[0.0], [2.0], [5.0]])) / 2.0)
    data = torch.from_numpy(waves)
    seq = filled(Sequence().double(), torch)
    criterion = nn.MSELoss()
    optimizer = part(torch, "optim").LBFGS(seq.parameters(), lr=0.8, max_iter=4)
    losses = []

    def closure() -> Any:
        optimizer.zero_grad()
        loss = criterion(seq(data[:, :-1]), data[:, 1:])
        losses.append(loss.item())
        loss.backward()
        return loss

    for _ in range(2):
        optimizer.step(closure)
    with torch.no_grad():
        pred = seq(data[:, :-1], future=2)
    return {"losses": losses, "pred": pred.detach().numpy()}


@program(1e-4)
def graph_convolution(torch: Any) -> dict[str, Any]:
    """A GCN on a small graph: a sparse adjacency matrix, nodes for training chosen by index, accuracy."""
    nn, F = torch.nn, torch.nn.functional

    class GraphConv(nn.Module):
        def __init__(self, input_dim: int, output_dim: int) -> None:
            super().__init__()
            self.kernel = nn.Parameter(torch.Tensor(input_dim, output_dim))
            nn.init.xavier_normal_(self.kernel)
            self.bias = nn.Parameter(torch.zeros(output_dim))

        def forward(self, x: Any, adj: Any) -> Any:
            return torch.spmm(adj, torch.mm(x, self.kernel)) + self.bias

    class GCN(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gc1, self.gc2 = GraphConv(4, 5), GraphConv(5, 3)
            self.dropout = nn.Dropout(0.0)

        def forward(self, input_tensor: Any, adj_mat: Any) -> Any:
            x = self.dropout(F.relu(self.gc1(input_tensor, adj_mat)))
            return F.log_softmax(self.gc2(x, adj_mat), dim=1)

    edges = torch.LongTensor([[0, 1, 1, 2, 3, 4, 4, 5], [1, 0, 2, 1, 4, 3, 5, 4]])
    adj = torch.sparse_coo_tensor(edges, torch.ones(8), (6, 6), dtype=torch.float32).to_dense() + torch.eye(6)
    degree = torch.diag(torch.pow(adj.sum(dim=1), -0.5))
    adj = (degree @ adj @ degree).to_sparse()
    labels, idx = torch.tensor([0, 0, 1, 1, 2, 2]), torch.tensor([0, 2, 4])
    gcn = filled(GCN(), torch)
    optimizer = part(torch, "optim").Adam(gcn.parameters(), lr=0.05, weight_decay=5e-4)
    losses = []
    for _ in range(4):
        gcn.train()
        optimizer.zero_grad()
        output = gcn(made(torch, 6, 4), adj)
        loss = nn.NLLLoss()(output[idx], labels[idx])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    correct = (output[idx].argmax(dim=1) == labels[idx]).sum().item() / len(idx)
    return {"losses": losses, "accuracy": correct, "output": output}


@program(2e-4)
def siamese(torch: Any) -> dict[str, Any]:
    """Two images through the same network, their features joined, trained with BCE; and with a triplet loss."""
    nn = torch.nn

    class SiameseNetwork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(
                nn.Conv2d(1, 4, 3, stride=2, bias=False), nn.BatchNorm2d(4), nn.ReLU(inplace=True)
            )
            self.fc = nn.Sequential(nn.Linear(2 * 4 * 3 * 3, 8), nn.ReLU(inplace=True), nn.Linear(8, 1))
            self.sigmoid = nn.Sigmoid()
            self.fc.apply(self.init_weights)

        def init_weights(self, m: Any) -> None:
            if isinstance(m, nn.Linear):
                torch.nn.init.xavier_uniform_(m.weight)
                m.bias.data.fill_(0.01)

        def forward_once(self, x: Any) -> Any:
            output = self.features(x)
            return output.view(output.size()[0], -1)

        def forward(self, input1: Any, input2: Any) -> Any:
            output = torch.cat((self.forward_once(input1), self.forward_once(input2)), 1)
            return self.sigmoid(self.fc(output))

    model = filled(SiameseNetwork(), torch)
    optimizer = part(torch, "optim").AdamW(model.parameters(), lr=0.01)
    triplet = nn.TripletMarginLoss(margin=1.0)
    losses = []
    for step in range(3):
        a, b, c = (made(torch, 4, 1, 8, 8, seed=10 * step + k) for k in range(3))
        optimizer.zero_grad()
        outputs = model(a, b).squeeze()
        loss = nn.BCELoss()(outputs, torch.tensor([1.0, 0.0, 1.0, 0.0]))
        loss = loss + 0.1 * triplet(model.forward_once(a), model.forward_once(b), model.forward_once(c))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    pred = torch.where(outputs > 0.5, 1, 0)
    return {"losses": losses, "pred": pred}


@program(1e-4)
def small_gpt(torch: Any) -> dict[str, Any]:
    """A GPT: causal attention by hand, weight decay by groups, AdamW, a warmed up cosine rate, saving and going on."""
    nn, F, optim = torch.nn, torch.nn.functional, part(torch, "optim")

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

    model = filled(GPT(), torch)
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


def flat(value: Any) -> list[float]:
    """All numbers of an answer."""
    if isinstance(value, dict):
        return [n for v in value.values() for n in flat(v)]
    if hasattr(value, "detach"):
        value = value.detach().numpy()
    if isinstance(value, np.ndarray):
        return value.ravel().astype(float).tolist()
    if isinstance(value, (list, tuple)):
        return [n for v in value for n in flat(v)]
    return [float(value)] if isinstance(value, (int, float)) else []


@pytest.fixture(autouse=True)
def reference() -> Any:
    with og.config.using(backend="reference"):
        yield


@pytest.mark.parametrize("name", PROGRAMS)
def test_runs_and_gives_the_numbers_of_torch(name: str) -> None:
    run, tolerance = PROGRAMS[name]
    mine = flat(run(og))
    assert np.isfinite(mine).all()
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    theirs = flat(run(torch))
    np.testing.assert_allclose(mine, theirs, rtol=tolerance, atol=tolerance / 10)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["handwritten_digits", "language_model_LSTM", "small_gpt"])
def test_compiled_code_gives_the_same(name: str) -> None:
    run, tolerance = PROGRAMS[name]
    expected = flat(run(og))
    with og.config.using(backend="native"):
        found = flat(run(og))
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance / 10)
