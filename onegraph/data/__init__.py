"""Input pipelines: data sets, samplers, the loader, file formats, augmentation. Start with README.md."""

from onegraph.data.archive import TarImageFolder, extract_archive
from onegraph.data.array import ImageArrays, ImageClassificationData, arrays_from
from onegraph.data.augment import Augmented
from onegraph.data.cifar import load_cifar
from onegraph.data.collate import default_collate, default_convert, numpy_collate
from onegraph.data.dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from onegraph.data.digits import digits_split, load_digits, stratified_split, upscale
from onegraph.data.folder import DatasetFolder, ImageFolder, check_same_classes
from onegraph.data.idx import IdxFolder, load_idx_folder, read_idx, write_idx
from onegraph.data.images import load_image
from onegraph.data.loader import DataLoader
from onegraph.data.philox import RandomStream
from onegraph.data.pipelines import AUGMENTATIONS, Augmentation, augmentation
from onegraph.data.resize import resize_bilinear
from onegraph.data.sampler import (
    BatchSampler,
    DistributedSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from onegraph.data.tables import TableDataset, read_csv, read_parquet
from onegraph.data.transforms import (
    Compose,
    Normalize,
    RandomAffine,
    RandomCrop,
    RandomHorizontalFlip,
    RandomRotation,
    RandomShift,
)
from onegraph.data.worker import WorkerError, WorkerInfo, get_worker_info

__all__ = [
    "AUGMENTATIONS",
    "Augmentation",
    "Augmented",
    "BatchSampler",
    "ChainDataset",
    "Compose",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "DatasetFolder",
    "DistributedSampler",
    "IdxFolder",
    "ImageArrays",
    "ImageClassificationData",
    "ImageFolder",
    "IterableDataset",
    "Normalize",
    "RandomAffine",
    "RandomCrop",
    "RandomHorizontalFlip",
    "RandomRotation",
    "RandomSampler",
    "RandomShift",
    "RandomStream",
    "Sampler",
    "SequentialSampler",
    "StackDataset",
    "Subset",
    "SubsetRandomSampler",
    "TableDataset",
    "TarImageFolder",
    "TensorDataset",
    "WeightedRandomSampler",
    "WorkerError",
    "WorkerInfo",
    "arrays_from",
    "augmentation",
    "check_same_classes",
    "default_collate",
    "default_convert",
    "digits_split",
    "extract_archive",
    "get_worker_info",
    "load_cifar",
    "load_digits",
    "load_idx_folder",
    "load_image",
    "numpy_collate",
    "random_split",
    "read_csv",
    "read_idx",
    "read_parquet",
    "resize_bilinear",
    "stratified_split",
    "upscale",
    "write_idx",
]
