"""Preparing images for networks trained on ImageNet, and naming its classes. Read next: `shared.py`."""

from __future__ import annotations

from typing import Any

from onegraph.keras.applications.shared import decode_predictions, preprocess

__all__ = ["decode_predictions", "preprocess_input"]


def preprocess_input(x: Any, data_format: str | None = None, mode: str = "caffe") -> Any:
    """Images from 0 to 255 as a network wants them.

    Args:
        x: an array or a tensor, RGB.
        mode: 'tf' for -1 to 1, 'torch' for ImageNet's mean 0 and deviation 1, 'caffe' for BGR with mean 0.
    """
    return preprocess(x, data_format, mode)
