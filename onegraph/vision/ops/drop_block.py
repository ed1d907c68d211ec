"""DropBlock: dropout of whole squares. Read next: `boxes.py`.

Source: G. Ghiasi, T. Lin, Q. Le, "DropBlock: a regularization method for convolutional networks", NeurIPS 2018.
"""

from __future__ import annotations

from typing import Any

from onegraph import empty
from onegraph.errors import ArgumentError, ShapeError
from onegraph.nn import Module, functional

__all__ = ["DropBlock2d", "DropBlock3d", "drop_block2d", "drop_block3d"]


def drop_block2d(
    input: Any, p: float, block_size: int, inplace: bool = False, eps: float = 1e-06, training: bool = True
) -> Any:
    """Zero squares of (N, C, H, W), so that a share `p` of the elements is zero, and scale the rest up.

    Args:
        p: share of elements to drop.
        block_size: odd length of a side.
        inplace: accepted; the result is new.
        eps: added to the number of elements that are kept.
        training: in evaluation nothing is dropped.

    Raises:
        ArgumentError: `p` is no probability, or the block is even.
        ShapeError: another number of axes.
    """
    return _drop("drop_block2d", input, p, block_size, eps, training, 2)


def drop_block3d(
    input: Any, p: float, block_size: int, inplace: bool = False, eps: float = 1e-06, training: bool = True
) -> Any:
    """`drop_block2d` for cubes of (N, C, D, H, W)."""
    return _drop("drop_block3d", input, p, block_size, eps, training, 3)


def _drop(name: str, input: Any, p: float, block: int, eps: float, training: bool, axes: int) -> Any:
    if not 0 <= p <= 1:
        raise ArgumentError(f"{name}: p={p!r}: from 0 to 1")
    if input.ndim != axes + 2:
        raise ShapeError(f"{name}: shape {tuple(input.shape)}; {axes + 2} axes are needed")
    if not training or p == 0:
        return input
    sizes = [int(size) for size in input.shape[2:]]
    block = min(block, *sizes)
    if block % 2 == 0:
        raise ArgumentError(f"{name}: a block of {block}; odd lengths have a middle")
    # Each dropped center takes block ** axes elements with it, and only inner elements can be centers.
    centers, whole = 1, 1
    for size in sizes:
        centers, whole = centers * (size - block + 1), whole * size
    share = p * whole / (block**axes * centers)
    noise = empty((*input.shape[:2], *(size - block + 1 for size in sizes)), dtype=input.dtype).bernoulli_(share)
    noise = functional.pad(noise, [block // 2] * (2 * axes))
    pool = functional.max_pool2d if axes == 2 else functional.max_pool3d
    kept = 1 - pool(noise, block, 1, block // 2)
    return input * kept * (kept.numel() / (eps + kept.sum()))


class DropBlock2d(Module):
    """`drop_block2d` as a module.

    >>> import onegraph as og
    >>> DropBlock2d(0.1, 3).eval()(og.ones(1, 1, 1, 2))
    tensor([[[[1., 1.]]]])
    """

    def __init__(self, p: float, block_size: int, inplace: bool = False, eps: float = 1e-06) -> None:
        super().__init__()
        self.p, self.block_size, self.inplace, self.eps = p, block_size, inplace, eps

    def forward(self, input: Any) -> Any:
        """(N, C, H, W) to the same shape."""
        return drop_block2d(input, self.p, self.block_size, self.inplace, self.eps, self.training)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p}, block_size={self.block_size}, inplace={self.inplace})"


class DropBlock3d(DropBlock2d):
    """`drop_block3d` as a module."""

    def forward(self, input: Any) -> Any:
        """(N, C, D, H, W) to the same shape."""
        return drop_block3d(input, self.p, self.block_size, self.inplace, self.eps, self.training)
