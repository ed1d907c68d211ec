"""Random transforms that move pixels: crops, flips, turns, bends. Names, arguments and distributions are torchvision's.

Each draws in `make_params` and hands the numbers to a function of `geometry.py` or `warp.py`.
Read next: `coloring.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from onegraph.data.randomness import current_stream, integer, one_stream, uniform
from onegraph.data.transforms import geometry, warp
from onegraph.data.transforms.base import RandomTransform, Transform
from onegraph.data.transforms.kinds import InterpolationMode, get_dimensions, interpolation_mode, is_pillow, pair
from onegraph.errors import ArgumentError, ShapeError


class RandomHorizontalFlip(RandomTransform):
    """Left becomes right with probability `p`.

    >>> RandomHorizontalFlip(1.0)(np.array([[[1.0, 2.0]]]))
    array([[[2., 1.]]])
    """

    def transform(self, inpt: Any, params: Any) -> Any:
        return geometry.hflip(inpt)


class RandomVerticalFlip(RandomTransform):
    """Top becomes bottom with probability `p`."""

    def transform(self, inpt: Any, params: Any) -> Any:
        return geometry.vflip(inpt)


class RandomShift(Transform):
    """Move by up to `pixels` in each direction, whole pixels; what comes in is `fill`.

    >>> RandomShift(1)(np.ones((1, 3, 3))).shape
    (1, 3, 3)
    """

    def __init__(self, pixels: int, fill: float = 0.0) -> None:
        if pixels < 0:
            raise ArgumentError(f"RandomShift: pixels={pixels!r}: at least 0")
        self.pixels, self.fill = pixels, fill

    def make_params(self, flat_inputs: list[Any]) -> Any:
        with one_stream() as stream:
            return stream.integer(-self.pixels, self.pixels), stream.integer(-self.pixels, self.pixels)

    def transform(self, inpt: Any, params: Any) -> Any:
        top, left = params
        _, height, width = get_dimensions(inpt)
        if is_pillow(inpt):
            return geometry.crop(geometry.pad(inpt, self.pixels, self.fill), params[0] + self.pixels,
                                 params[1] + self.pixels, height, width)  # fmt: skip
        return geometry.apply(
            "RandomShift", inpt, lambda i: i, lambda a: geometry.crop_array(a, top, left, height, width, self.fill)
        )


class RandomCrop(Transform):
    """Cut out (height, width) at a random place.

    Args:
        size: (height, width), or one number for both.
        padding: a border first; see `functional.pad`.
        pad_if_needed: pad an image that is too small.
        fill, padding_mode: of the border.

    Raises:
        ArgumentError: a size below 1 or padding that makes no sense.
        ShapeError: when called, an image too small.

    >>> RandomCrop(32, padding=4)(np.zeros((3, 32, 32))).shape
    (3, 32, 32)
    """

    def __init__(
        self,
        size: Any,
        padding: Any = None,
        pad_if_needed: bool = False,
        fill: Any = 0,
        padding_mode: str = "constant",
    ) -> None:
        self.size = pair("RandomCrop", size)
        if padding is not None and min(geometry.four_sides(padding)) < 0:
            raise ArgumentError(f"RandomCrop: padding={padding!r}: at least 0")
        if padding_mode not in geometry.PADDING_MODES:
            raise ArgumentError(
                f"RandomCrop: padding_mode={padding_mode!r}: one of {', '.join(geometry.PADDING_MODES)}"
            )
        self.padding, self.pad_if_needed, self.fill, self.padding_mode = padding, pad_if_needed, fill, padding_mode

    @staticmethod
    def get_params(img: Any, output_size: Any) -> tuple[int, int, int, int]:
        """(top, left, height, width) of a random crop."""
        _, height, width = get_dimensions(img)
        new_height, new_width = pair("RandomCrop", output_size)
        if new_height > height or new_width > width:
            raise ShapeError(
                f"RandomCrop: {(new_height, new_width)} does not fit into {(height, width)}, padding included",
                hint="pass padding= or pad_if_needed=True, or resize first",
            )
        with one_stream() as stream:
            return stream.integer(0, height - new_height), stream.integer(0, width - new_width), new_height, new_width

    def make_params(self, flat_inputs: list[Any]) -> Any:
        _, height, width = get_dimensions(flat_inputs[0])
        left, top, right, bottom = (0, 0, 0, 0) if self.padding is None else geometry.four_sides(self.padding)
        if self.pad_if_needed:
            more_x = max(self.size[1] - (width + left + right), 0)
            more_y = max(self.size[0] - (height + top + bottom), 0)
            left, right, top, bottom = left + more_x, right + more_x, top + more_y, bottom + more_y
        border = (left, top, right, bottom)
        padded = np.broadcast_to(np.int8(0), (height + top + bottom, width + left + right))
        return border, self.get_params(padded, self.size)

    def transform(self, inpt: Any, params: Any) -> Any:
        border, (row, column, height, width) = params
        if self.padding_mode == "constant" and not is_pillow(inpt):
            place = row - border[1], column - border[0]
            return geometry.apply(
                "RandomCrop", inpt, lambda i: i, lambda a: geometry.crop_array(a, *place, height, width, self.fill)
            )
        if any(border):
            inpt = geometry.pad(inpt, border, self.fill, self.padding_mode)
        return geometry.crop(inpt, row, column, height, width)


class RandomResizedCrop(Transform):
    """Cut out a rectangle of random area and shape, and resize it: the usual augmentation of photographs.

    Source: C. Szegedy et al., "Going deeper with convolutions", CVPR 2015, section 6.

    Args:
        size: of the result.
        scale: smallest and largest share of the image's area.
        ratio: smallest and largest width / height, even in logarithm.
        interpolation, antialias: see `functional.resize`.

    >>> RandomResizedCrop(8)(np.zeros((3, 20, 30))).shape
    (3, 8, 8)
    """

    def __init__(
        self,
        size: Any,
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: Any = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        self.size = pair("RandomResizedCrop", size)
        for name, values in (("scale", scale), ("ratio", ratio)):
            if len(values) != 2 or not 0 < values[0] <= values[1]:
                raise ArgumentError(f"RandomResizedCrop: {name}={values!r}: smallest and largest, above 0")
        self.scale, self.ratio, self.antialias = scale, ratio, antialias
        self.interpolation = interpolation_mode(interpolation)

    @staticmethod
    def get_params(img: Any, scale: Sequence[float], ratio: Sequence[float]) -> tuple[int, int, int, int]:
        """(top, left, height, width) of a random rectangle; after ten that do not fit, the largest in the middle."""
        _, height, width = get_dimensions(img)
        low, high = math.log(ratio[0]), math.log(ratio[1])
        with one_stream() as stream:
            for _ in range(10):
                area = height * width * stream.uniform(scale[0], scale[1])
                shape = math.exp(stream.uniform(low, high))
                new_width, new_height = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
                if 0 < new_width <= width and 0 < new_height <= height:
                    top = stream.integer(0, height - new_height)
                    return top, stream.integer(0, width - new_width), new_height, new_width
        shape = width / height
        if shape < min(ratio):
            new_width, new_height = width, round(width / min(ratio))
        elif shape > max(ratio):
            new_width, new_height = round(height * max(ratio)), height
        else:
            new_width, new_height = width, height
        return (height - new_height) // 2, (width - new_width) // 2, new_height, new_width

    def make_params(self, flat_inputs: list[Any]) -> Any:
        return self.get_params(flat_inputs[0], self.scale, self.ratio)

    def transform(self, inpt: Any, params: Any) -> Any:
        top, left, height, width = params
        return geometry.resized_crop(inpt, top, left, height, width, self.size, self.interpolation, self.antialias)


class RandomRotation(Transform):
    """Turn by an angle between the two of `degrees`, or up to `degrees` either way; see `functional.rotate`."""

    def __init__(
        self,
        degrees: Any,
        interpolation: Any = InterpolationMode.NEAREST,
        expand: bool = False,
        center: Sequence[float] | None = None,
        fill: Any = 0,
    ) -> None:
        self.degrees = span("RandomRotation: degrees", degrees)
        self.interpolation, self.expand, self.center, self.fill = (
            interpolation_mode(interpolation),
            expand,
            center,
            fill,
        )

    @staticmethod
    def get_params(degrees: Sequence[float]) -> float:
        """A random angle."""
        return uniform(degrees[0], degrees[1])

    def make_params(self, flat_inputs: list[Any]) -> Any:
        return self.get_params(self.degrees)

    def transform(self, inpt: Any, params: Any) -> Any:
        return warp.rotate(inpt, params, self.interpolation, self.expand, self.center, self.fill)


class RandomAffine(Transform):
    """Turn, move, scale and slant around the center; what comes in is `fill`.

    Args:
        degrees: two angles, or one for either way.
        translate: largest move as a share of (width, height), or None.
        scale: smallest and largest factor, or None.
        shear: degrees along x for either way; (lowest, highest) along x; or those of x and of y.
        interpolation, fill, center: see `functional.affine`.

    Raises:
        ArgumentError: a number out of range.

    >>> RandomAffine(10, translate=(0.1, 0.1))(np.zeros((1, 8, 8))).shape
    (1, 8, 8)
    """

    def __init__(
        self,
        degrees: Any,
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: Any = None,
        interpolation: Any = InterpolationMode.NEAREST,
        fill: Any = 0,
        center: Sequence[float] | None = None,
    ) -> None:
        self.degrees = span("RandomAffine: degrees", degrees)
        if translate is not None and (len(translate) != 2 or not all(0 <= share <= 1 for share in translate)):
            raise ArgumentError(f"RandomAffine: translate={translate!r}: two shares from 0 to 1")
        if scale is not None and (len(scale) != 2 or not 0 < scale[0] <= scale[1]):
            raise ArgumentError(f"RandomAffine: scale={scale!r}: smallest and largest, above 0")
        self.translate, self.scale = translate, scale
        self.shear = None if shear is None else span("RandomAffine: shear", shear, lengths=(2, 4))
        if self.shear is not None and max(map(abs, self.shear)) >= 90:
            raise ArgumentError(f"RandomAffine: shear={shear!r}: below 90 degrees")
        self.interpolation, self.fill, self.center = interpolation_mode(interpolation), fill, center

    @staticmethod
    def get_params(
        degrees: Sequence[float],
        translate: Sequence[float] | None,
        scale_ranges: Sequence[float] | None,
        shears: Sequence[float] | None,
        img_size: Sequence[int],
    ) -> tuple[float, tuple[int, int], float, tuple[float, float]]:
        """(angle, (x, y) in pixels, factor, (slant along x, along y)) for an image of (width, height)."""
        # All numbers are drawn every time, so that one setting does not change what another draws.
        draws = current_stream().uniforms(6)

        def between(values: Sequence[float], draw: float) -> float:
            return float(values[0] + (values[1] - values[0]) * draw)

        moves = [0, 0] if translate is None else [
            round(share * size * (2 * draw - 1)) for share, size, draw in zip(translate, img_size, draws[1:3], strict=True)
        ]  # fmt: skip
        factor = 1.0 if scale_ranges is None else between(scale_ranges, draws[3])
        slant_x = 0.0 if shears is None else between(shears[:2], draws[4])
        slant_y = 0.0 if shears is None or len(shears) < 4 else between(shears[2:], draws[5])
        return between(degrees, draws[0]), (moves[0], moves[1]), factor, (slant_x, slant_y)

    def make_params(self, flat_inputs: list[Any]) -> Any:
        _, height, width = get_dimensions(flat_inputs[0])
        return self.get_params(self.degrees, self.translate, self.scale, self.shear, (width, height))

    def transform(self, inpt: Any, params: Any) -> Any:
        angle, move, factor, slants = params
        return warp.affine(inpt, angle, move, factor, slants, self.interpolation, self.fill, self.center)


class RandomPerspective(RandomTransform):
    """Look at the image from another side, with probability `p`.

    Args:
        distortion_scale: from 0 to 1: how far corners move inwards, as a share of half the size.
    """

    def __init__(
        self,
        distortion_scale: float = 0.5,
        p: float = 0.5,
        interpolation: Any = InterpolationMode.BILINEAR,
        fill: Any = 0,
    ) -> None:
        super().__init__(p)
        if not 0 <= distortion_scale <= 1:
            raise ArgumentError(f"RandomPerspective: distortion_scale={distortion_scale!r}: from 0 to 1")
        self.distortion_scale, self.fill = distortion_scale, fill
        self.interpolation = interpolation_mode(interpolation)

    @staticmethod
    def get_params(width: int, height: int, distortion_scale: float) -> tuple[list[list[int]], list[list[int]]]:
        """The corners, and where they go."""
        reach_x, reach_y = int(distortion_scale * (width // 2)), int(distortion_scale * (height // 2))
        with one_stream() as stream:
            ends = []
            for right, lower in ((False, False), (True, False), (True, True), (False, True)):
                in_x, in_y = stream.integer(0, reach_x), stream.integer(0, reach_y)
                ends.append([width - 1 - in_x if right else in_x, height - 1 - in_y if lower else in_y])
        corners = [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]
        return corners, ends

    def make_params(self, flat_inputs: list[Any]) -> Any:
        _, height, width = get_dimensions(flat_inputs[0])
        return self.get_params(width, height, self.distortion_scale)

    def transform(self, inpt: Any, params: Any) -> Any:
        start, end = params
        return warp.perspective(inpt, start, end, self.interpolation, self.fill)


class ElasticTransform(Transform):
    """Bend the image as if it were drawn on rubber.

    Source: P. Simard et al., "Best practices for convolutional neural networks applied to visual document
    analysis", ICDAR 2003.

    Args:
        alpha: how far, one number or two.
        sigma: how smooth, one number or two.
    """

    def __init__(
        self,
        alpha: Any = 50.0,
        sigma: Any = 5.0,
        interpolation: Any = InterpolationMode.BILINEAR,
        fill: Any = 0,
    ) -> None:
        self.alpha, self.sigma = ([float(v)] * 2 if isinstance(v, int | float) else list(v) for v in (alpha, sigma))
        self.interpolation, self.fill = interpolation_mode(interpolation), fill

    @staticmethod
    def get_params(alpha: Sequence[float], sigma: Sequence[float], size: Sequence[int]) -> np.ndarray:
        """A displacement for `functional.elastic_transform`, float32 (1, H, W, 2)."""
        shifts = []
        for strength, width, length in zip(alpha, sigma, size, strict=True):
            noise = current_stream().uniforms(size[0] * size[1]).reshape(1, *size) * 2 - 1
            if width > 0:
                kernel = int(8 * width + 1)
                noise = warp.gaussian_blur(noise, kernel + (kernel % 2 == 0), width)
            shifts.append(noise * strength / length)
        return np.stack(shifts, axis=-1).astype(np.float32)

    def make_params(self, flat_inputs: list[Any]) -> Any:
        _, height, width = get_dimensions(flat_inputs[0])
        return self.get_params(self.alpha, self.sigma, [height, width])

    def transform(self, inpt: Any, params: Any) -> Any:
        return warp.elastic_transform(inpt, params, self.interpolation, self.fill)


class RandomResize(Transform):
    """Resize the shorter side to a length from `min_size` up to, but not including, `max_size`."""

    def __init__(
        self,
        min_size: int,
        max_size: int,
        interpolation: Any = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        if not 1 <= min_size < max_size:
            raise ArgumentError(f"RandomResize: min_size={min_size!r}, max_size={max_size!r}: 1 <= min_size < max_size")
        self.min_size, self.max_size, self.antialias = min_size, max_size, antialias
        self.interpolation = interpolation_mode(interpolation)

    def make_params(self, flat_inputs: list[Any]) -> Any:
        return integer(self.min_size, self.max_size - 1)

    def transform(self, inpt: Any, params: Any) -> Any:
        return geometry.resize(inpt, [params], self.interpolation, antialias=self.antialias)


class RandomShortestSize(Transform):
    """Resize the shorter side to one of the lengths in `min_size`, the longer one to at most `max_size`."""

    def __init__(
        self,
        min_size: Any,
        max_size: int | None = None,
        interpolation: Any = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        self.min_size = [min_size] if isinstance(min_size, int) else list(min_size)
        if not self.min_size or min(self.min_size) < 1:
            raise ArgumentError(f"RandomShortestSize: min_size={min_size!r}: lengths of at least 1")
        self.max_size, self.antialias = max_size, antialias
        self.interpolation = interpolation_mode(interpolation)

    def make_params(self, flat_inputs: list[Any]) -> Any:
        _, height, width = get_dimensions(flat_inputs[0])
        factor = self.min_size[integer(0, len(self.min_size) - 1)] / min(height, width)
        if self.max_size is not None:
            factor = min(factor, self.max_size / max(height, width))
        return int(height * factor), int(width * factor)

    def transform(self, inpt: Any, params: Any) -> Any:
        return geometry.resize(inpt, params, self.interpolation, antialias=self.antialias)


class ScaleJitter(Transform):
    """Resize to fit into `target_size` (height, width), made larger or smaller by a factor from `scale_range`."""

    def __init__(
        self,
        target_size: Sequence[int],
        scale_range: Sequence[float] = (0.1, 2.0),
        interpolation: Any = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        if len(target_size) != 2 or len(scale_range) != 2 or not 0 < scale_range[0] <= scale_range[1]:
            raise ArgumentError(
                f"ScaleJitter: target_size={target_size!r}, scale_range={scale_range!r}: two numbers each"
            )
        self.target_size, self.scale_range, self.antialias = target_size, scale_range, antialias
        self.interpolation = interpolation_mode(interpolation)

    def make_params(self, flat_inputs: list[Any]) -> Any:
        _, height, width = get_dimensions(flat_inputs[0])
        fit = min(self.target_size[0] / height, self.target_size[1] / width)
        factor = uniform(self.scale_range[0], self.scale_range[1]) * fit
        return max(int(height * factor), 1), max(int(width * factor), 1)

    def transform(self, inpt: Any, params: Any) -> Any:
        return geometry.resize(inpt, params, self.interpolation, antialias=self.antialias)


class RandomZoomOut(RandomTransform):
    """Put the image at a random place of a larger one, `side_range` times as long, with probability `p`."""

    def __init__(self, fill: Any = 0, side_range: Sequence[float] = (1.0, 4.0), p: float = 0.5) -> None:
        super().__init__(p)
        if len(side_range) != 2 or not 1 <= side_range[0] <= side_range[1]:
            raise ArgumentError(f"RandomZoomOut: side_range={side_range!r}: smallest and largest, at least 1")
        self.fill, self.side_range = fill, side_range

    def make_params(self, flat_inputs: list[Any]) -> Any:
        _, height, width = get_dimensions(flat_inputs[0])
        with one_stream() as stream:
            factor = stream.uniform(*self.side_range)
            new_height, new_width = int(height * factor), int(width * factor)
            left = int((new_width - width) * stream.uniform())
            top = int((new_height - height) * stream.uniform())
        return [left, top, new_width - width - left, new_height - height - top]

    def transform(self, inpt: Any, params: Any) -> Any:
        return geometry.pad(inpt, params, self.fill)


def span(name: str, value: Any, lengths: tuple[int, ...] = (2,)) -> tuple[float, ...]:
    """(-value, value) of one number, or the numbers of a sequence of an allowed length.

    Raises:
        ArgumentError: anything else, or a single negative number.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value < 0:
            raise ArgumentError(f"{name}={value!r}: one number may not be negative")
        return (-float(value), float(value))
    if not isinstance(value, Sequence) or len(value) not in lengths:
        raise ArgumentError(f"{name}={value!r}: a number, or {' or '.join(map(str, lengths))} of them")
    return tuple(float(number) for number in value)
