"""`torch.utils.data.distributed`. Read next: `onegraph/data/sampler.py`."""

from onegraph.data.sampler import DistributedSampler

__all__ = ["DistributedSampler"]
