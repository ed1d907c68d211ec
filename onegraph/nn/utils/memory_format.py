"""Where weights lie in memory: the compiler's choice, so these give the module back as it is."""

from __future__ import annotations

from typing import Any

from onegraph.nn.module import Module


def convert_conv2d_weight_memory_format(module: Module, memory_format: Any) -> Module:
    """The module itself: images and weights are laid out by the compiler, whatever format is asked for."""
    return module


def convert_conv3d_weight_memory_format(module: Module, memory_format: Any) -> Module:
    """The module itself: volumes and weights are laid out by the compiler, whatever format is asked for."""
    return module
