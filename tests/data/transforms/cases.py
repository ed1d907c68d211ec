"""What is compared with torchvision: calls of its functions on one small image, and how to record their results.

    python tests/data/transforms/cases.py tests/data/transforms/torchvision.npz

in an environment with torchvision (0.29.1 was used) writes the results that `test_transforms_as_torchvision.py`
compares with.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

Call = tuple[str, str, dict[str, Any]]
"""Kinds of image (p: Pillow's, u: uint8 array, f: float32 array), function, arguments."""


def image() -> np.ndarray:
    """Smooth and rough parts in three channels, uint8 of shape (11, 14, 3)."""
    rows, columns = np.mgrid[:11, :14]
    base = np.stack([columns * 17 + rows * 4, 255 - rows * 21, (columns * rows * 3) % 256], axis=2)
    noise = (rows * 7919 + columns * 104729)[..., None] * np.array([1, 5, 11]) % 41 - 20
    return np.clip(base + noise, 0, 255).astype(np.uint8)


def calls() -> dict[str, Call]:
    """All calls by a name that says what they do."""
    found: dict[str, Call] = {}

    def add(kinds: str, function: str, **arguments: Any) -> None:
        found[f"{function}({', '.join(f'{k}={v}' for k, v in arguments.items())})"] = (kinds, function, arguments)

    _add_moves(add)
    _add_warps(add)
    _add_colors(add)
    return found


def _add_moves(add: Any) -> None:
    for function in ("hflip", "vflip"):
        add("puf", function)
    add("puf", "crop", top=2, left=3, height=6, width=7)
    add("puf", "crop", top=-2, left=-1, height=16, width=17)
    add("puf", "center_crop", output_size=[5, 8])
    add("puf", "center_crop", output_size=[16, 7])
    add("puf", "pad", padding=[3, 2])
    for mode in ("edge", "reflect", "symmetric"):
        add("puf", "pad", padding=[1, 2, 3, 4], padding_mode=mode)
    for interpolation in ("nearest", "bilinear", "bicubic"):
        add("puf", "resize", size=[7], interpolation=interpolation)
        add("puf", "resize", size=[20, 15], interpolation=interpolation)
        add("uf", "resize", size=[7, 5], interpolation=interpolation, antialias=False)
    add("puf", "resized_crop", top=2, left=3, height=8, width=9, size=[6, 7], interpolation="bilinear")
    for interpolation in ("lanczos", "box", "hamming"):
        add("p", "resize", size=[7, 5], interpolation=interpolation)
    add("uf", "resize", size=[7, 5], interpolation="nearest-exact")
    add("puf", "resize", size=[6], max_size=7)


def _add_warps(add: Any) -> None:
    corners = [[0.3, 0.2], [13.4, 0.1], [12.7, 9.9], [0.2, 10.3]]
    for interpolation in ("nearest", "bilinear"):
        add("puf", "rotate", angle=30.5, interpolation=interpolation)
        add("puf", "rotate", angle=-17.25, interpolation=interpolation, expand=True, fill=[10, 20, 30])
        add("puf", "rotate", angle=40.0, interpolation=interpolation, center=[4, 5])
        turn = {"angle": 12.5, "translate": [3, -2], "scale": 1.2, "shear": [5.0, -3.0]}
        add("puf", "affine", **turn, interpolation=interpolation)
        slant = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [11.0, 0.0], "center": [0, 0]}
        add("puf", "affine", **slant, interpolation=interpolation, fill=[10, 20, 30])
        ends = [[2, 1], [11, 2], [12, 9], [1, 8]]
        add("puf", "perspective", startpoints=corners, endpoints=ends, interpolation=interpolation)
    add("puf", "gaussian_blur", kernel_size=[3, 5])
    add("puf", "gaussian_blur", kernel_size=[7, 7], sigma=[1.5, 0.7])


def _add_colors(add: Any) -> None:
    for factor in (0.0, 0.4, 1.7):
        add("puf", "adjust_brightness", brightness_factor=factor)
        add("puf", "adjust_contrast", contrast_factor=factor)
        add("puf", "adjust_saturation", saturation_factor=factor)
        add("puf", "adjust_sharpness", sharpness_factor=factor)
        add("puf", "adjust_gamma", gamma=factor)
    for factor in (-0.5, -0.2, 0.1):
        add("puf", "adjust_hue", hue_factor=factor)
    for function in ("autocontrast", "invert"):
        add("puf", function)
    add("pu", "equalize")
    for bits in (1, 3, 8):
        add("pu", "posterize", bits=bits)
    add("pu", "solarize", threshold=100)
    add("f", "solarize", threshold=0.4)
    for channels in (1, 3):
        add("puf", "rgb_to_grayscale", num_output_channels=channels)
    add("f", "normalize", mean=[0.4, 0.5, 0.6], std=[0.2, 0.3, 0.4])


def as_array(result: Any) -> np.ndarray:
    """A Pillow image or an array as (C, H, W)."""
    array = np.asarray(result)
    if not hasattr(result, "getbands"):
        return array
    return array[None] if array.ndim == 2 else np.ascontiguousarray(array.transpose(2, 0, 1))


def record(path: str) -> None:
    """Write what torchvision gives."""
    import torch  # type: ignore[import-not-found, unused-ignore]
    import torchvision  # type: ignore[import-not-found, unused-ignore]
    from PIL import Image

    pixels = image()
    channels_first = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
    images = {"p": Image.fromarray(pixels), "u": channels_first, "f": channels_first.float() / 255}
    results = {}
    for name, (kinds, function, arguments) in calls().items():
        given = dict(arguments)
        if "interpolation" in given:
            given["interpolation"] = torchvision.transforms.InterpolationMode(given["interpolation"])
        for kind in kinds:
            own = {**given, "fill": tuple(given["fill"])} if kind == "p" and "fill" in given else given
            result = getattr(torchvision.transforms.functional, function)(images[kind], **own)
            results[f"{kind} {name}"] = as_array(result if kind == "p" else result.numpy())
    np.savez_compressed(path, **results)


if __name__ == "__main__":
    record(sys.argv[1])
