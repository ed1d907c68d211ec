"""Transforms that chain others by chance: AutoAugment, RandAugment, TrivialAugment, AugMix.

Images are Pillow's, or arrays and Tensors (..., 1 or 3, H, W) of uint8; float arrays are rounded to 256 levels.
Sources: E. Cubuk et al., "AutoAugment", CVPR 2019 (policies: its tables 7 to 9), and "RandAugment", 2020;
S. Müller and F. Hutter, "TrivialAugment", ICCV 2021; D. Hendrycks et al., "AugMix", ICLR 2020. Ranges of
magnitudes are torchvision's. Read next: `color.py`, `warp.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum
from typing import Any

import numpy as np

from onegraph.data.randomness import dirichlet, one_stream
from onegraph.data.transforms import color, warp
from onegraph.data.transforms.base import Transform
from onegraph.data.transforms.kinds import (
    InterpolationMode,
    apply,
    get_dimensions,
    interpolation_mode,
    through_array,
)
from onegraph.errors import ArgumentError

Magnitudes = tuple[np.ndarray | None, bool]
"""The magnitudes of an operation from weak to strong, None if it has none, and whether either sign is used."""


class AutoAugmentPolicy(Enum):
    """For which data set a policy was found."""

    IMAGENET = "imagenet"
    CIFAR10 = "cifar10"
    SVHN = "svhn"


# Twenty-five pairs each: operation, probability in tenths, magnitude from 0 to 9 where it has one.
_POLICIES = {
    AutoAugmentPolicy.IMAGENET: """
        Posterize 4 8 Rotate 6 9; Solarize 6 5 AutoContrast 6; Equalize 8 Equalize 6; Posterize 6 7 Posterize 6 6;
        Equalize 4 Solarize 2 4; Equalize 4 Rotate 8 8; Solarize 6 3 Equalize 6; Posterize 8 5 Equalize 10;
        Rotate 2 3 Solarize 6 8; Equalize 6 Posterize 4 6; Rotate 8 8 Color 4 0; Rotate 4 9 Equalize 6;
        Equalize 0 Equalize 8; Invert 6 Equalize 10; Color 6 4 Contrast 10 8; Rotate 8 8 Color 10 2;
        Color 8 8 Solarize 8 7; Sharpness 4 7 Invert 6; ShearX 6 5 Equalize 10; Color 4 0 Equalize 6;
        Equalize 4 Solarize 2 4; Solarize 6 5 AutoContrast 6; Invert 6 Equalize 10; Color 6 4 Contrast 10 8;
        Equalize 8 Equalize 6""",
    AutoAugmentPolicy.CIFAR10: """
        Invert 1 Contrast 2 6; Rotate 7 2 TranslateX 3 9; Sharpness 8 1 Sharpness 9 3; ShearY 5 8 TranslateY 7 9;
        AutoContrast 5 Equalize 9; ShearY 2 7 Posterize 3 7; Color 4 3 Brightness 6 7; Sharpness 3 9 Brightness 7 9;
        Equalize 6 Equalize 5; Contrast 6 7 Sharpness 6 5; Color 7 7 TranslateX 5 8; Equalize 3 AutoContrast 4;
        TranslateY 4 3 Sharpness 2 6; Brightness 9 6 Color 2 8; Solarize 5 2 Invert 0; Equalize 2 AutoContrast 6;
        Equalize 2 Equalize 6; Color 9 9 Equalize 6; AutoContrast 8 Solarize 2 8; Brightness 1 3 Color 7 0;
        Solarize 4 5 AutoContrast 9; TranslateY 9 9 TranslateY 7 9; AutoContrast 9 Solarize 8 3;
        Equalize 8 Invert 1; TranslateY 7 9 AutoContrast 9""",
    AutoAugmentPolicy.SVHN: """
        ShearX 9 4 Invert 2; ShearY 9 8 Invert 7; Equalize 6 Solarize 6 6; Invert 9 Equalize 6; Equalize 6 Rotate 9 3;
        ShearX 9 4 AutoContrast 8; ShearY 9 8 Invert 4; ShearY 9 5 Solarize 2 6; Invert 9 AutoContrast 8;
        Equalize 6 Rotate 9 3; ShearX 9 4 Solarize 3 3; ShearY 8 8 Invert 7; Equalize 9 TranslateY 6 6;
        Invert 9 Equalize 6; Contrast 3 3 Rotate 8 4; Invert 8 TranslateY 0 2; ShearY 7 6 Solarize 4 8;
        Invert 6 Rotate 8 4; ShearY 3 7 TranslateX 9 3; ShearX 1 6 Invert 6; Solarize 7 2 TranslateY 6 7;
        ShearY 8 4 Invert 8; ShearX 7 9 TranslateY 8 3; ShearY 8 5 AutoContrast 7; ShearX 7 2 Invert 1""",
}
_WITHOUT_MAGNITUDE = ("Identity", "AutoContrast", "Equalize", "Invert")

Step = tuple[str, float, int | None]


def _pairs(text: str) -> list[tuple[Step, ...]]:
    """Read one of the tables above."""
    pairs = []
    for line in text.split(";"):
        words, steps = iter(line.split()), []
        for name in words:
            share = int(next(words)) / 10
            steps.append((name, share, None if name in _WITHOUT_MAGNITUDE else int(next(words))))
        pairs.append(tuple(steps))
    return pairs


def apply_operation(img: Any, name: str, magnitude: float, interpolation: InterpolationMode, fill: Any) -> Any:
    """One operation by its name in the papers.

    Raises:
        ArgumentError: no such operation.
    """
    if name in ("ShearX", "ShearY"):
        # Slanting keeps the upper left corner where it is, as in the papers' own code.
        angle = math.degrees(math.atan(magnitude))
        slants = (angle, 0.0) if name == "ShearX" else (0.0, angle)
        return warp.affine(img, 0.0, (0, 0), 1.0, slants, interpolation, fill, (0, 0))
    if name in ("TranslateX", "TranslateY"):
        move = (int(magnitude), 0) if name == "TranslateX" else (0, int(magnitude))
        return warp.affine(img, 0.0, move, 1.0, (0.0, 0.0), interpolation, fill)
    if name == "Rotate":
        return warp.rotate(img, magnitude, interpolation, fill=fill)
    if name in _FACTORS:
        return _FACTORS[name](img, 1.0 + magnitude)
    if name == "Posterize":
        return color.posterize(img, int(magnitude))
    if name == "Solarize":
        return color.solarize(img, magnitude)
    if name in _PLAIN:
        return _PLAIN[name](img)
    raise ArgumentError(f"there is no operation {name!r}")


_FACTORS = {
    "Brightness": color.adjust_brightness,
    "Color": color.adjust_saturation,
    "Contrast": color.adjust_contrast,
    "Sharpness": color.adjust_sharpness,
}
_PLAIN = {
    "AutoContrast": color.autocontrast,
    "Equalize": color.equalize,
    "Invert": color.invert,
    "Identity": lambda img: img,
}


def _space(
    bins: int, shear: float, move_x: float, move_y: float, turn: float, factor: float, least_bits: tuple[int, int]
) -> dict[str, Magnitudes]:
    """Magnitudes of each operation in `bins` steps; `least_bits` is (bits of the weakest posterizing, bits lost)."""

    def up_to(most: float) -> Magnitudes:
        return np.linspace(0.0, most, bins), True

    lost = np.rint(np.arange(bins) / ((bins - 1) / least_bits[1]))
    return {
        "Identity": (None, False),
        "ShearX": up_to(shear),
        "ShearY": up_to(shear),
        "TranslateX": up_to(move_x),
        "TranslateY": up_to(move_y),
        "Rotate": up_to(turn),
        "Brightness": up_to(factor),
        "Color": up_to(factor),
        "Contrast": up_to(factor),
        "Sharpness": up_to(factor),
        "Posterize": (least_bits[0] - lost, False),
        "Solarize": (np.linspace(255.0, 0.0, bins), False),
        "AutoContrast": (None, False),
        "Equalize": (None, False),
    }


class _Policy(Transform):
    """What the policies share: how to move pixels and what comes in."""

    def __init__(self, interpolation: Any, fill: Any) -> None:
        self.interpolation, self.fill = interpolation_mode(interpolation), fill

    def _chain(self, img: Any, steps: list[tuple[str, float]]) -> Any:
        def run(image: Any) -> Any:
            for name, magnitude in steps:
                image = apply_operation(image, name, magnitude, self.interpolation, self.fill)
            return image

        return color.on_bytes(img, run)

    def transform(self, inpt: Any, params: Any) -> Any:
        return self._chain(inpt, params)


class AutoAugment(_Policy):
    """One of 25 pairs of operations, found by search for a data set.

    >>> AutoAugment()(np.zeros((3, 8, 8), np.uint8)).shape
    (3, 8, 8)
    """

    def __init__(
        self,
        policy: AutoAugmentPolicy = AutoAugmentPolicy.IMAGENET,
        interpolation: Any = InterpolationMode.NEAREST,
        fill: Any = None,
    ) -> None:
        super().__init__(interpolation, fill)
        self.policy = AutoAugmentPolicy(policy)
        self.policies = _pairs(_POLICIES[self.policy])

    def make_params(self, flat_inputs: list[Any]) -> Any:
        _, height, width = get_dimensions(flat_inputs[0])
        space = _space(10, 0.3, 150 / 331 * width, 150 / 331 * height, 30.0, 0.9, (8, 4))
        steps = []
        with one_stream() as stream:
            pair = self.policies[stream.integer(0, len(self.policies) - 1)]
            for name, share, strength in pair:
                # Both are drawn whatever happens, so that one step does not change what the next draws.
                drawn, sign = stream.uniform(), 1.0 if stream.uniform() < 0.5 else -1.0
                if drawn <= share:
                    magnitudes, signed = space.get(name, (None, False))
                    magnitude = 0.0 if magnitudes is None or strength is None else float(magnitudes[strength])
                    steps.append((name, magnitude * sign if signed else magnitude))
        return steps


class RandAugment(_Policy):
    """`num_ops` operations drawn from fourteen, all at one strength.

    Args:
        num_ops: how many, one after another.
        magnitude: strength, from 0 to `num_magnitude_bins` - 1.
        num_magnitude_bins: how many strengths there are.
        interpolation, fill: how pixels between pixels are made, and what comes in at the border.

    >>> RandAugment()(np.zeros((3, 8, 8), np.uint8)).shape
    (3, 8, 8)
    """

    def __init__(
        self,
        num_ops: int = 2,
        magnitude: int = 9,
        num_magnitude_bins: int = 31,
        interpolation: Any = InterpolationMode.NEAREST,
        fill: Any = None,
    ) -> None:
        super().__init__(interpolation, fill)
        if num_ops < 0 or not 0 <= magnitude < num_magnitude_bins or num_magnitude_bins < 2:
            raise ArgumentError(
                f"RandAugment: num_ops={num_ops!r}, magnitude={magnitude!r}, num_magnitude_bins={num_magnitude_bins!r}: "
                "num_ops >= 0, 0 <= magnitude < num_magnitude_bins"
            )
        self.num_ops, self.magnitude, self.num_magnitude_bins = num_ops, magnitude, num_magnitude_bins

    def make_params(self, flat_inputs: list[Any]) -> Any:
        _, height, width = get_dimensions(flat_inputs[0])
        space = _space(self.num_magnitude_bins, 0.3, 150 / 331 * width, 150 / 331 * height, 30.0, 0.9, (8, 4))
        return _drawn(space, self.num_ops, lambda stream: self.magnitude)


class TrivialAugmentWide(_Policy):
    """One operation drawn from fourteen, at a strength drawn from all, up to very strong."""

    def __init__(
        self, num_magnitude_bins: int = 31, interpolation: Any = InterpolationMode.NEAREST, fill: Any = None
    ) -> None:
        super().__init__(interpolation, fill)
        if num_magnitude_bins < 2:
            raise ArgumentError(f"TrivialAugmentWide: num_magnitude_bins={num_magnitude_bins!r}: at least 2")
        self.num_magnitude_bins = num_magnitude_bins

    def make_params(self, flat_inputs: list[Any]) -> Any:
        space = _space(self.num_magnitude_bins, 0.99, 32.0, 32.0, 135.0, 0.99, (8, 6))
        return _drawn(space, 1, lambda stream: stream.integer(0, self.num_magnitude_bins - 1))


def _drawn(space: dict[str, Magnitudes], count: int, strength: Any) -> list[tuple[str, float]]:
    """Operations of a space with their magnitudes."""
    names, steps = list(space), []
    with one_stream() as stream:
        for _ in range(count):
            name = names[stream.integer(0, len(names) - 1)]
            magnitudes, signed = space[name]
            magnitude = 0.0 if magnitudes is None else float(magnitudes[strength(stream)])
            if signed and stream.uniform() < 0.5:
                magnitude = -magnitude
            steps.append((name, magnitude))
    return steps


class AugMix(_Policy):
    """A mixture of the image and of several chains of operations on it.

    Args:
        severity: strength, from 1 to 10.
        mixture_width: how many chains.
        chain_depth: how long they are; below 1, one to three operations, drawn.
        alpha: how even the mixture is.
        all_ops: use brightness, color, contrast and sharpness, too.
    """

    _BINS = 10

    def __init__(
        self,
        severity: int = 3,
        mixture_width: int = 3,
        chain_depth: int = -1,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: Any = InterpolationMode.BILINEAR,
        fill: Any = None,
    ) -> None:
        super().__init__(interpolation, fill)
        if not 1 <= severity <= self._BINS or mixture_width < 1 or alpha <= 0:
            raise ArgumentError(
                f"AugMix: severity={severity!r}, mixture_width={mixture_width!r}, alpha={alpha!r}: severity from 1 to "
                f"{self._BINS}, mixture_width >= 1, alpha > 0"
            )
        self.severity, self.mixture_width, self.chain_depth = severity, mixture_width, chain_depth
        self.alpha, self.all_ops = alpha, all_ops

    def make_params(self, flat_inputs: list[Any]) -> Any:
        _, height, width = get_dimensions(flat_inputs[0])
        space = _space(self._BINS, 0.3, width / 3, height / 3, 30.0, 0.9, (4, 4))
        del space["Identity"]
        if not self.all_ops:
            for name in _FACTORS:
                del space[name]
        with one_stream() as stream:
            own, changed = dirichlet([self.alpha, self.alpha])
            shares = dirichlet([self.alpha] * self.mixture_width) * changed
            chains = []
            for _ in range(self.mixture_width):
                depth = self.chain_depth if self.chain_depth > 0 else stream.integer(1, 3)
                chains.append(_drawn(space, depth, lambda s: s.integer(0, self.severity - 1)))
        return float(own), shares.tolist(), chains

    def transform(self, inpt: Any, params: Any) -> Any:
        def on_array(array: np.ndarray) -> np.ndarray:
            return self._mixed(array, *params)

        def run(image: Any) -> Any:
            return apply("AugMix", image, lambda i: through_array(i, on_array), on_array)

        return color.on_bytes(inpt, run)

    def _mixed(self, array: np.ndarray, own: float, shares: Sequence[float], chains: Sequence[Any]) -> np.ndarray:
        mixture = np.float32(own) * array.astype(np.float32)
        for share, steps in zip(shares, chains, strict=True):
            mixture += np.float32(share) * self._chain(array, steps).astype(np.float32)
        return np.clip(mixture, 0, 255).astype(array.dtype)


__all__ = ["AugMix", "AutoAugment", "AutoAugmentPolicy", "RandAugment", "TrivialAugmentWide", "apply_operation"]
