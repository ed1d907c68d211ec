"""Names, arguments and structure of torchvision's transforms, v1 and v2."""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

import numpy as np
import pytest

import onegraph as og
import onegraph.vision as torchvision
from onegraph.data.collate import to_tensor
from onegraph.errors import ArgumentTypeError
from onegraph.vision import transforms
from onegraph.vision.transforms import v2
from onegraph.vision.transforms._presets import ImageClassification

Image = pytest.importorskip("PIL.Image")

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
PICTURE = Image.fromarray(PIXELS)

# Arguments and defaults of torchvision 0.29.1, in order; "-" stands for an argument without a default.
SIGNATURES = {
    "AugMix": "severity=3 mixture_width=3 chain_depth=-1 alpha=1.0 all_ops=True interpolation=BILINEAR fill=None",
    "AutoAugment": "policy=IMAGENET interpolation=NEAREST fill=None",
    "CenterCrop": "size=-",
    "ColorJitter": "brightness=0 contrast=0 saturation=0 hue=0",
    "Compose": "transforms=-",
    "ElasticTransform": "alpha=50.0 sigma=5.0 interpolation=BILINEAR fill=0",
    "FiveCrop": "size=-",
    "GaussianBlur": "kernel_size=- sigma=(0.1, 2.0)",
    "Grayscale": "num_output_channels=1",
    "LinearTransformation": "transformation_matrix=- mean_vector=-",
    "Normalize": "mean=- std=- inplace=False",
    "Pad": "padding=- fill=0 padding_mode=constant",
    "RandAugment": "num_ops=2 magnitude=9 num_magnitude_bins=31 interpolation=NEAREST fill=None",
    "RandomAdjustSharpness": "sharpness_factor=- p=0.5",
    "RandomAffine": "degrees=- translate=None scale=None shear=None interpolation=NEAREST fill=0 center=None",
    "RandomApply": "transforms=- p=0.5",
    "RandomAutocontrast": "p=0.5",
    "RandomChoice": "transforms=- p=None",
    "RandomCrop": "size=- padding=None pad_if_needed=False fill=0 padding_mode=constant",
    "RandomEqualize": "p=0.5",
    "RandomErasing": "p=0.5 scale=(0.02, 0.33) ratio=(0.3, 3.3) value=0 inplace=False",
    "RandomGrayscale": "p=0.1",
    "RandomHorizontalFlip": "p=0.5",
    "RandomInvert": "p=0.5",
    "RandomOrder": "transforms=-",
    "RandomPerspective": "distortion_scale=0.5 p=0.5 interpolation=BILINEAR fill=0",
    "RandomPosterize": "bits=- p=0.5",
    "RandomResizedCrop": "size=- scale=(0.08, 1.0) ratio=(0.75, 1.3333333333333333) interpolation=BILINEAR antialias=True",
    "RandomRotation": "degrees=- interpolation=NEAREST expand=False center=None fill=0",
    "RandomSolarize": "threshold=- p=0.5",
    "RandomVerticalFlip": "p=0.5",
    "Resize": "size=- interpolation=BILINEAR max_size=None antialias=True",
    "TenCrop": "size=- vertical_flip=False",
    "ToPILImage": "mode=None",
    "TrivialAugmentWide": "num_magnitude_bins=31 interpolation=NEAREST fill=None",
}


def signature_of(thing: type) -> str:
    parts = []
    for parameter in list(inspect.signature(thing.__init__).parameters.values())[1:]:
        default = "-" if parameter.default is parameter.empty else getattr(parameter.default, "name", parameter.default)
        parts.append(f"{parameter.name}={default}")
    return " ".join(parts)


@pytest.mark.parametrize("name", SIGNATURES)
def test_arguments_are_those_of_torchvision(name: str) -> None:
    assert signature_of(getattr(transforms, name)) == SIGNATURES[name]
    assert getattr(v2, name) is getattr(transforms, name)


def test_the_names_that_programs_use() -> None:
    assert torchvision.transforms.functional.to_pil_image is v2.functional.to_pil_image
    assert torchvision.transforms.autoaugment.RandAugment is transforms.RandAugment
    assert torchvision.transforms.transforms.Compose is transforms.Compose
    assert og.vision is torchvision
    assert torchvision.get_image_backend() == "PIL"


def test_to_tensor_and_normalize_in_one_step_has_the_same_bits() -> None:
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    both = transforms.Compose([transforms.ToTensor(), transforms.Normalize(mean, std)])(PICTURE)
    one_by_one = transforms.Normalize(mean, std)(transforms.ToTensor()(PICTURE))
    assert isinstance(both, og.Tensor)
    assert np.array_equal(both.numpy(), one_by_one.numpy())
    gray = PICTURE.convert("L")
    both = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5], [0.25])])(gray)
    expected = (np.asarray(gray)[None].astype(np.float32) / np.float32(255) - np.float32(0.5)) / np.float32(0.25)
    assert np.array_equal(both.numpy(), expected)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "1", "I", "F", "I;16", "LA"])
def test_pillow_images_come_back(mode: str) -> None:
    image = PICTURE.convert("L").convert(mode) if mode in ("I", "F", "I;16") else PICTURE.convert(mode)
    tensor = transforms.PILToTensor()(image)
    assert tuple(tensor.shape[1:]) == (20, 30)
    if mode == "I;16":  # there is no uint16, so int32 holds the values
        assert tensor.numpy()[0].tolist() == np.asarray(image).tolist()
    elif mode != "1":
        again = transforms.ToPILImage(None if mode != "F" else "F")(tensor)
        assert again.mode == mode
        assert again.tobytes() == image.tobytes()
    scaled = transforms.ToTensor()(image)
    assert scaled.dtype == {"I": og.int32, "I;16": og.int32}.get(mode, og.float32)


def test_samples_keep_their_structure() -> None:
    class Sample(NamedTuple):
        image: Any
        label: int

    crop = v2.RandomCrop(8)
    image, label = crop(PICTURE, 3)
    assert (image.size, label) == ((8, 8), 3)
    assert crop({"image": PICTURE, "name": "x"})["image"].size == (8, 8)
    named = crop(Sample(PICTURE, 1))
    assert (type(named), named.image.size) == (Sample, (8, 8))
    left, right = v2.RandomHorizontalFlip(1.0)(PICTURE, PICTURE)
    assert left.tobytes() == right.tobytes() != PICTURE.tobytes()
    tensor, mask = v2.RandomCrop(8)(to_tensor(PIXELS.transpose(2, 0, 1).copy()), og.zeros(20, 30))
    assert (tensor.shape, mask.shape) == ((3, 8, 8), (20, 30))
    assert v2.Compose([crop, v2.ToImage()])(PICTURE, 5)[1] == 5
    with pytest.raises(ArgumentTypeError, match=r"RandomCrop: no image among its inputs \(int, str\)"):
        crop(1, "x")


def test_the_preset_of_published_networks() -> None:
    preset = ImageClassification(crop_size=12, resize_size=16)
    result = preset(PICTURE).numpy()
    assert (result.shape, result.dtype) == ((3, 12, 12), np.float32)
    resized = PICTURE.resize((24, 16), Image.Resampling.BILINEAR).crop((6, 2, 18, 14))
    mean, std = (np.array(v, np.float32)[:, None, None] for v in (preset.mean, preset.std))
    expected = (np.asarray(resized).transpose(2, 0, 1).astype(np.float32) / np.float32(255) - mean) / std
    np.testing.assert_allclose(result, expected, atol=1e-6)
    batch = np.stack([PIXELS.transpose(2, 0, 1)] * 2)
    assert preset(to_tensor(batch)).shape == (2, 3, 12, 12)
    assert "crop_size=[12]" in repr(preset)


def test_v2_conversions() -> None:
    image = v2.ToImage()(PICTURE)
    assert (image.dtype, image.shape) == (og.uint8, (3, 20, 30))
    floats = v2.ToDtype(og.float32, scale=True)(image)
    assert floats.numpy().max() <= 1
    assert v2.functional.to_dtype(image, og.float32).numpy().max() > 1
    assert v2.functional.to_pil_image(image).tobytes() == PICTURE.tobytes()
    assert v2.RGB()(PICTURE.convert("L")).mode == "RGB"
    assert v2.functional.get_size(image) == [20, 30]


def test_gradients_flow_through_normalize_and_flips() -> None:
    image = og.ones(3, 4, 4, requires_grad=True)
    result = transforms.functional.hflip(transforms.functional.normalize(image, [0.5] * 3, [0.25] * 3))
    transforms.functional.crop(result, 0, 0, 2, 2).sum().backward()
    assert image.grad.sum().item() == 3 * 4 * 4


def test_what_is_printed() -> None:
    steps = transforms.Compose([transforms.Resize(8), transforms.RandomHorizontalFlip()])
    assert "Resize(size=8, interpolation=InterpolationMode.BILINEAR, max_size=None, antialias=True)" in repr(steps)
    assert "RandomHorizontalFlip(p=0.5)" in repr(steps)
