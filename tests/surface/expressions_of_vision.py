"""As `expressions.py`, for torchvision's names, which are those of `onegraph.vision`; `v` is the library.

`picture` is a PIL image of 6 x 8 pixels. Read first: `expressions.py`.
"""

from __future__ import annotations

_F = "importlib.import_module(v.__name__ + '.transforms.v2.functional')"
_MODELS = "importlib.import_module(v.__name__ + '.models.{}')"

VISION = {
    "datasets": "hasattr(v.datasets, 'CIFAR100')",
    "datasets.CIFAR10": "issubclass(v.datasets.CIFAR100, v.datasets.CIFAR10)",
    "datasets.FakeData": (
        "run(d := v.datasets.FakeData(size=3, image_size=(3, 4, 5), num_classes=2, transform=v.transforms.ToTensor()), "
        "[len(d), list(d[0][0].shape), 0 <= int(d[2][1]) < 2])"
    ),
    "datasets.ImageFolder": "folder_of(v.datasets, picture, v.transforms.ToTensor())",
    "datasets.MNIST": "[v.datasets.MNIST.classes[3], callable(v.datasets.MNIST)]",
    "models": "hasattr(v.models, 'resnet50')",
    "models.VGG16_Weights.IMAGENET1K_V1": "len(v.models.VGG16_Weights.IMAGENET1K_V1.meta['categories'])",
    "models.__dict__": "[n in v.models.__dict__ and callable(v.models.__dict__[n]) for n in ('resnet18', 'vgg16', 'densenet121')]",
    "models._api.Weights": f"sorted(f for f in {_MODELS.format('_api')}.Weights.__dataclass_fields__)",
    "models._api.WeightsEnum": f"issubclass(v.models.VGG16_Weights, {_MODELS.format('_api')}.WeightsEnum)",
    "models._api.register_model": f"callable({_MODELS.format('_api')}.register_model)",
    "models._meta._IMAGENET_CATEGORIES": f"run(c := {_MODELS.format('_meta')}._IMAGENET_CATEGORIES, [len(c), c[0], c[999]])",
    "models._utils._ovewrite_named_param": (
        f"run(k := {{'a': 1}}, {_MODELS.format('_utils')}._ovewrite_named_param(k, 'b', 2), k)"
    ),
    "models._utils.handle_legacy_interface": f"callable({_MODELS.format('_utils')}.handle_legacy_interface)",
    "models.resnet18": "sum(p.numel() for p in v.models.resnet18(weights=None).parameters())",
    "models.vgg16": "callable(v.models.vgg16)",
    "ops.StochasticDepth": "v.ops.StochasticDepth(0.5, 'row').eval()(x)",
    "ops.misc.Conv2dNormActivation": (
        "filled(v.ops.misc.Conv2dNormActivation(2, 4, kernel_size=3, stride=2, padding=1, groups=2, norm_layer=nn.BatchNorm2d, "
        "activation_layer=nn.Hardswish, bias=False, inplace=True))(image)"
    ),
    "ops.misc.SqueezeExcitation": "filled(v.ops.misc.SqueezeExcitation(2, 1, activation=nn.SiLU))(image)",
    "ops.stochastic_depth.StochasticDepth": (
        "importlib.import_module(v.__name__ + '.ops.stochastic_depth').StochasticDepth(0.5, mode='batch').eval()(x)"
    ),
    "transforms": "hasattr(v.transforms, 'ColorJitter')",
    "transforms.CenterCrop": "v.transforms.CenterCrop(2)(image)",
    "transforms.Compose": "v.transforms.Compose([v.transforms.ToTensor(), v.transforms.CenterCrop(3)])(picture)",
    "transforms.Lambda": "v.transforms.Lambda(lambda a: a * 2)(x)",
    "transforms.Normalize": "v.transforms.Normalize(mean=(0.5, 0.25), std=(0.5, 2.0))(image)",
    "transforms.RandomHorizontalFlip": "[v.transforms.RandomHorizontalFlip(1.0)(image), v.transforms.RandomHorizontalFlip(p=0.0)(image)]",
    "transforms.RandomResizedCrop": "list(v.transforms.RandomResizedCrop(5)(image).shape)",
    "transforms.Resize": "[list(v.transforms.Resize(4)(picture).size), v.transforms.Resize((2, 3))(image)]",
    "transforms.ToTensor": "v.transforms.ToTensor()(picture)",
    "transforms._presets.ImageClassification": (
        "run(p := importlib.import_module(v.__name__ + '.transforms._presets').ImageClassification(crop_size=4, resize_size=5), "
        "[list(p(picture).shape), p(picture).mean()])"
    ),
    "transforms._presets.InterpolationMode": "v.transforms.InterpolationMode.BILINEAR.value",
    "transforms._presets.InterpolationMode.BICUBIC": (
        "importlib.import_module(v.__name__ + '.transforms._presets').InterpolationMode.BICUBIC.value"
    ),
    "transforms.v2.functional.pil_to_tensor": f"{_F}.pil_to_tensor(picture)",
    "transforms.v2.functional.to_dtype": f"{_F}.to_dtype({_F}.pil_to_tensor(picture), dtype=t.float32, scale=True)",
    "transforms.v2.functional.to_pil_image": f"np.asarray({_F}.to_pil_image({_F}.pil_to_tensor(picture)))",
    "utils._log_api_usage_once": "v.utils._log_api_usage_once(model)",
    "utils.save_image": "saved_image(v.utils, image[:, :1].repeat(4, 3, 1, 1))",
}
"""Names of torchvision."""
