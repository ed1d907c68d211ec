"""The ops: one record each, one file a family; and the functions on nodes that front ends offer.

Importing this package fills the tables `OPS` (primitives) and `PUBLIC` (functions).
"""

from onegraph.ops import (
    adaptive_pooling,
    binary,
    contraction,
    convolution,
    convolution_functions,
    elementwise,
    leaf,
    movement,
    pooling,
    reduction,
    scan,
    windows,
)
from onegraph.ops.public import PUBLIC, Public, public
from onegraph.ops.record import OPS, Kind, Op, Sample, check_rule, record_of

FAMILIES = (leaf, elementwise, binary, movement, reduction, scan, contraction, windows, convolution)

__all__ = ["FAMILIES", "OPS", "PUBLIC", "Kind", "Op", "Public", "Sample", "check_rule", "public", "record_of"]
