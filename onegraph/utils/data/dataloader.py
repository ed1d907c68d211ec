"""`torch.utils.data.dataloader`. Read next: `onegraph/data/loader.py`."""

from onegraph.data import DataLoader, default_collate, default_convert, get_worker_info
from onegraph.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler

__all__ = [
    "BatchSampler",
    "DataLoader",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "default_collate",
    "default_convert",
    "get_worker_info",
]
