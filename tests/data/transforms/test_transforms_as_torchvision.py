"""Functions on images give torchvision's pixels: Pillow images exactly, bytes to one level, floats to rounding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph.data.transforms import functional
from tests.data.transforms.cases import as_array, calls, image

CALLS = calls()


@pytest.fixture(scope="module")
def recorded() -> Any:
    with np.load(Path(__file__).with_name("torchvision.npz"), allow_pickle=False) as arrays:
        return dict(arrays)


def image_of(kind: str) -> Any:
    pixels = image()
    if kind == "p":
        return pytest.importorskip("PIL.Image").fromarray(pixels)
    array = np.ascontiguousarray(pixels.transpose(2, 0, 1))
    return array if kind == "u" else array.astype(np.float32) / np.float32(255)


@pytest.mark.parametrize("name", list(CALLS))
def test_pixels_as_torchvision(name: str, recorded: Any) -> None:
    kinds, function, arguments = CALLS[name]
    for kind in kinds:
        given = image_of(kind)
        before = as_array(given).copy()
        result = as_array(getattr(functional, function)(given, **arguments))
        theirs = recorded[f"{kind} {name}"]
        assert (result.shape, result.dtype) == (theirs.shape, theirs.dtype), kind
        # Pixels outside were given fill values of up to 30, so floats are not only 0 to 1.
        tolerance = {"p": 0, "u": 1, "f": 1e-5 * max(1.0, float(np.abs(theirs).max()))}[kind]
        assert np.abs(result.astype(np.float64) - theirs).max() <= tolerance, kind
        assert np.array_equal(as_array(given), before), f"{kind}: the image itself was changed"


@pytest.mark.parametrize("function", ["hflip", "autocontrast", "rgb_to_grayscale"])
def test_tensors_come_back_as_tensors(function: str) -> None:
    array = image_of("u")
    result = getattr(functional, function)(og.from_numpy(array))
    assert isinstance(result, og.Tensor)
    assert np.array_equal(result.numpy(), getattr(functional, function)(array))


def test_bytes_in_the_middle_are_mostly_equal(recorded: Any) -> None:
    """A tolerance of one level must not hide a systematic shift."""
    differing = total = 0
    for name, (kinds, function, arguments) in CALLS.items():
        if "u" in kinds:
            result = getattr(functional, function)(image_of("u"), **arguments)
            differing += int((result != recorded[f"u {name}"]).sum())
            total += result.size
    assert differing < total / 1000
