"""`torchvision.datasets`: known data sets by name, and folders of images.

Those that are not here are listed in `NOT_HERE` with what to do instead. Read next: `vision.py`, `mnist.py`,
`cifar.py`, `folder.py`.
"""

from typing import Any as _Any

from onegraph.vision.datasets.cifar import CIFAR10, CIFAR100
from onegraph.vision.datasets.fakedata import FakeData
from onegraph.vision.datasets.folder import DatasetFolder, ImageFolder, default_loader, fast_loader, pil_loader
from onegraph.vision.datasets.mnist import EMNIST, KMNIST, MNIST, FashionMNIST
from onegraph.vision.datasets.vision import StandardTransform, VisionDataset

_LISTS = "its list of files and labels is a format of its own: read it and hand (path, label) pairs to a Dataset"
_FOLDERS = "unpack it and sort the images into a folder a class: ImageFolder reads that"
_DETECTION = "boxes, masks and captions have no transforms here"
_VIDEO = "videos are not read"
_PAIRS = "pairs of images with depth or motion have no transforms here"
_LMDB = "its files are LMDB databases: export the images into a folder a class, which ImageFolder reads"
_MATLAB = "its labels are MATLAB files: read them with SciPy and hand the images to a Dataset"

NOT_HERE: dict[str, str] = {
    **dict.fromkeys(("LSUN", "LSUNClass"), _LMDB),
    **dict.fromkeys(("SVHN", "StanfordCars", "Flowers102"), _MATLAB),
    **dict.fromkeys(("ImageNet", "Imagenette", "Caltech101", "Caltech256", "EuroSAT", "Country211", "SUN397"), _FOLDERS),
    **dict.fromkeys(
        ("CelebA", "Food101", "DTD", "FER2013", "GTSRB", "FGVCAircraft", "INaturalist", "LFWPeople", "LFWPairs", "Omniglot",
         "OxfordIIITPet", "PCAM", "PhotoTour", "Places365", "RenderedSST2", "SEMEION", "STL10", "USPS",
         "CLEVRClassification", "QMNIST", "SBU", "Flickr8k", "Flickr30k"),
        _LISTS,
    ),
    **dict.fromkeys(
        ("CocoCaptions", "CocoDetection", "VOCSegmentation", "VOCDetection", "Cityscapes", "SBDataset", "Kitti", "WIDERFace",
         "wrap_dataset_for_transforms_v2"),
        _DETECTION,
    ),
    **dict.fromkeys(("Kinetics", "HMDB51", "UCF101", "MovingMNIST"), _VIDEO),
    **dict.fromkeys(
        ("KittiFlow", "Sintel", "FlyingChairs", "FlyingThings3D", "HD1K", "Kitti2012Stereo", "Kitti2015Stereo",
         "CarlaStereo", "Middlebury2014Stereo", "CREStereo", "FallingThingsStereo", "SceneFlowStereo", "SintelStereo",
         "InStereo2k", "ETH3DStereo"),
        _PAIRS,
    ),
}  # fmt: skip
"""torchvision's data sets that are not here, and why."""

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "EMNIST",
    "KMNIST",
    "MNIST",
    "NOT_HERE",
    "DatasetFolder",
    "FakeData",
    "FashionMNIST",
    "ImageFolder",
    "VisionDataset",
]


def __getattr__(name: str) -> _Any:
    """A reason for names that torchvision has and this package has not."""
    if name in NOT_HERE:
        raise AttributeError(f"onegraph.vision.datasets has no {name}: {NOT_HERE[name]}")
    raise AttributeError(f"module 'onegraph.vision.datasets' has no attribute {name!r}")
