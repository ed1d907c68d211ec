"""Products of bfloat16: which of them are multiplied with matrix tiles, and where their weights lie.

Without tiles (or where a product does not suit them) operands are cast to float32, see `prepare.py`. Either way a product is
summed in float32 and rounded once. Read next: `kernels/matrix_tiles.py`, `contractions.py`.
"""

from __future__ import annotations

from math import prod

from onegraph.ir.dtype import bfloat16
from onegraph.ir.node import Node
from onegraph.kernels.matrix_tiles import has_tiles, permit_tiles
from onegraph.kernels.target import Target
from onegraph.ops.index import shape_of

LONGEST_RUN = 1 << 15
"""The k below the outermost loop over the depth, which may be the only one that is cut: blocks of them are packed."""
NARROW = 16
"""Fewer channels in a group leave most of a tile idle."""


def uses_tiles(node: Node, target: Target) -> bool:
    """Whether a product of bfloat16 is multiplied with the processor's matrix tiles."""
    if node.dtype is not bfloat16 or not has_tiles(target) or any(0 in shape_of(n) for n in (node, *node.inputs)):
        return False
    if node.op == "matmul":
        return permit_tiles()
    attributes = node.attributes
    if any(low < 0 or high < 0 for low, high in attributes["padding"]):
        return False
    first, second = (shape_of(n) for n in node.inputs)
    groups = attributes["groups"]
    if node.op == "conv_weight_gradient":
        inside, outside, run = first[1] // groups, second[1] // groups, prod(second[2:])
    else:
        inside, outside, run = second[1], second[0] // groups, prod(second[2:]) * second[1]
    if groups > 1 and min(inside, outside) < NARROW:
        return False
    return run <= LONGEST_RUN and permit_tiles()
