"""Every network of the zoo as ONNX: accepted by the full check, and ONNX Runtime computes what we do.

The networks with the fewest weights run always, the others are slow.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph.zoo.registry import NETWORKS, Network
from tests.onnx.comparing import agree

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

BACKEND = "reference"  # compiling the large networks takes longer than computing them op by op
QUICK = {"lenet5", "mlp", "resnet20", "squeezenet1_1"}


def inputs(network: Network, model: Any, batch: int) -> og.Tensor:
    """An input of the smallest size that the network takes."""
    random = np.random.default_rng(batch)
    if network.task == "language":
        return og.tensor(random.integers(0, 20, (batch, 8)))
    if network.task == "generate":
        return og.tensor(random.standard_normal((batch, model.latent)).astype(np.float32))
    size = network.min_size if network.min_size >= 32 or max(network.input_size) < 32 else 32
    if network.name in ("lenet5", "mlp"):
        size = network.input_size[0]
    return og.tensor(random.standard_normal((batch, network.in_channels, size, size)).astype(np.float32))


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in sorted(NETWORKS)]
)
def test_network(name: str) -> None:
    network = NETWORKS[name]
    og.manual_seed(0)
    model = network.make().eval()
    x, other = inputs(network, model, 1), inputs(network, model, 3)
    with og.config.using(backend=BACKEND):
        program = agree(model, x, others=(other,), input_names=["input"], dynamic_axes={"input": {0: "batch"}})
    assert set(program.weights) <= model.state_dict().keys()
