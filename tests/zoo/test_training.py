"""Each network takes a traced training step: loss and gradients are finite, and parameters move.

One or two of each family are compiled to machine code; compiling all of them would take a quarter of an hour, so the others
run the same graph on the reference. Images are small and few. Read next: `test_published_networks.py`.
"""

from __future__ import annotations

import math
from typing import Any

import pytest

import onegraph as og
from onegraph import nn, zoo

QUICK = ("lenet5",)
COMPILED = (
    *("lenet5", "mlp", "nin_cifar", "squeezenet1_1", "resnet20", "resnet50", "densenet_bc100", "googlenet", "vgg11"),
    *("mobilenet_v3_small", "efficientnet_b0", "efficientnet_lite0", "gpt", "lstm", "vae"),
    *("dcgan_generator", "dcgan_discriminator"),
)
WITHOUT = ("resnet1202",)  # the same layers as resnet20, sixty times as many
SIZES = {"inception_v3": 299, "vae": 28}  # the auxiliary head of Inception v3 needs the full size


def loss_of(result: Any, classes: int) -> og.Tensor:
    """The loss of a classifier, with those of auxiliary heads."""
    outputs = [r for r in result if r is not None] if isinstance(result, tuple) else [result]
    labels = og.arange(outputs[0].shape[0]) % classes
    return sum(nn.functional.cross_entropy(output, labels) for output in outputs)


def loss_for(name: str, model: nn.Module) -> Any:
    """A function of one input that gives a loss, and that input."""
    entry = zoo.network(name)
    size = SIZES.get(name, max(entry.min_size, 32))
    if entry.task == "classify":
        x = og.rand(2, entry.in_channels, size, size)
        return lambda x: loss_of(model(x), 5), x
    if entry.task == "language":
        tokens = og.arange(12).reshape(2, 6) % 7

        def loss(tokens: og.Tensor) -> og.Tensor:
            result = model(tokens)
            logits = result[0] if isinstance(result, tuple) else result
            return nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())

        return loss, tokens
    if entry.task == "reconstruct":
        return lambda x: model.loss(x, model(x)), og.rand(2, entry.in_channels, size, size)
    if entry.task == "generate":
        return lambda noise: (model(noise) ** 2).mean(), og.randn(2, model.latent)
    return lambda x: nn.functional.softplus(-model(x)).mean(), og.rand(2, 3, *entry.input_size)


def build(name: str) -> nn.Module:
    task = zoo.network(name).task
    small: dict[str, Any] = {}
    if task == "classify":
        small = {"num_classes": 5}
    elif task == "language":
        small = {"vocabulary": 7, **({"width": 16} if name != "gpt2" else {"layers": 2, "context": 8})}
    elif task in ("generate", "discriminate"):
        small = {"channels": 64}
    model: nn.Module = zoo.network(name).make(**({"heads": 2} if name == "gpt" else {}), **small)
    return model


def names() -> list[Any]:
    return [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in zoo.NETWORKS if n not in WITHOUT]


@pytest.mark.parametrize("name", names())
def test_a_step_moves_all_parameters(name: str) -> None:
    backend = "native" if name in COMPILED else "reference"
    with og.config.using(backend=backend):
        take_step(name)


def take_step(name: str) -> None:
    og.manual_seed(0)
    model = build(name).train()
    loss_function, x = loss_for(name, model)
    optimizer = og.optim.SGD(model.parameters(), lr=0.01)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}

    @og.jit
    def step(x: og.Tensor) -> og.Tensor:
        optimizer.zero_grad()
        loss = loss_function(x)
        loss.backward()
        optimizer.step()
        return loss

    assert math.isfinite(step(x).item())
    moved = og.stack([(p.detach() != before[n]).any() for n, p in model.named_parameters()]).numpy()
    finite = og.stack([p.detach().isfinite().all() for p in model.parameters()]).numpy()
    still = [n for n, m in zip(before, moved, strict=True) if not m]
    assert finite.all() and len(still) <= len(before) // 10, still
