"""`torchvision.transforms.autoaugment`. Read next: `onegraph/data/transforms/policies.py`."""

from onegraph.data.transforms.policies import AugMix, AutoAugment, AutoAugmentPolicy, RandAugment, TrivialAugmentWide

__all__ = ["AugMix", "AutoAugment", "AutoAugmentPolicy", "RandAugment", "TrivialAugmentWide"]
