"""Files that PyTorch's exporter wrote: the same values, and the same gradients for every weight."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import pytest

import onegraph as og

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

NETWORKS: dict[str, Any] = {
    "convolutions": lambda nn: nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2, 1), nn.Conv2d(8, 8, 3, groups=4, padding=1),
        nn.Hardswish(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4), nn.LogSoftmax(1),
    ),
    "transposed": lambda nn: nn.Sequential(
        nn.ConvTranspose2d(3, 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.AvgPool2d(2), nn.Upsample(scale_factor=2), nn.Flatten(),
        nn.LayerNorm(4 * 16 * 16), nn.GELU(), nn.Softmax(-1),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_files_of_torch(name: str) -> None:
    torch.manual_seed(0)
    theirs = NETWORKS[name](torch.nn).eval()
    with torch.no_grad():  # PyTorch writes equal tensors once: weights of 1 and variances of 1 would be one parameter
        for tensor in theirs.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor) * 0.1)
    x = torch.randn(2, 3, 16 if name == "convolutions" else 8, 16 if name == "convolutions" else 8)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            theirs, (x,), file, dynamo=False, do_constant_folding=False, training=torch.onnx.TrainingMode.PRESERVE
        )
    ours = og.onnx.load(file.getvalue())
    wanted = theirs(x)
    with og.config.using(backend="reference"):
        found = ours(og.tensor(x.numpy()))
        np.testing.assert_allclose(found.detach().numpy(), wanted.detach().numpy(), rtol=1e-4, atol=1e-5)
        factor = np.random.default_rng(0).standard_normal(tuple(wanted.shape)).astype(np.float32)
        (found * og.tensor(factor)).sum().backward()
        (wanted * torch.tensor(factor)).sum().backward()
        gradients = {key: p.grad.numpy() for key, p in ours.named_parameters() if p.grad is not None}
    for key, parameter in theirs.named_parameters():
        expected = parameter.grad.numpy()
        np.testing.assert_allclose(gradients[key], expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
