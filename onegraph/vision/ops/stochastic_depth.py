"""`torchvision.ops.stochastic_depth`. Read next: `onegraph/zoo/blocks.py`."""

from onegraph.zoo.blocks import StochasticDepth, stochastic_depth

__all__ = ["StochasticDepth", "stochastic_depth"]
