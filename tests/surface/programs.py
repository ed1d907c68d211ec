"""Programs as PyTorch's examples write them: pictures, policies, autoencoders, time series, graphs.

Each is a function of the library, and gives losses and outputs. Read first: `program_table.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.surface.names import filled
from tests.surface.program_table import made, part, program


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
