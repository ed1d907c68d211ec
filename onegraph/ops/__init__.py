"""The ops: one record each, one file a family; and the functions on nodes that front ends offer.

Importing this package fills the tables `OPS` (primitives) and `PUBLIC` (functions).
"""

from onegraph.ops import (
    activation,
    adaptive_pooling,
    arrangement,
    attention,
    binary,
    class_loss,
    contraction,
    control,
    control_functions,
    convolution,
    convolution_functions,
    creation,
    custom,
    decomposition,
    distance,
    dropout,
    einsum,
    elementwise,
    gathering,
    grid_sample,
    indexing,
    interpolate,
    joining,
    layout,
    leaf,
    linear,
    linear_algebra,
    lookup,
    loss,
    mathematics,
    metric_loss,
    movement,
    normalization,
    norms,
    padding,
    philox,
    pooling,
    quantiles,
    random,
    reduction,
    scan,
    softmax,
    sorting,
    special,
    statistics,
    subscript,
    triangular,
    variance,
    windows,
)
from onegraph.ops.public import PUBLIC, Public, public
from onegraph.ops.record import OPS, Kind, Op, Sample, check_rule, record_of

FAMILIES = (
    leaf,
    elementwise,
    binary,
    movement,
    reduction,
    scan,
    sorting,
    contraction,
    windows,
    convolution,
    indexing,
    philox,
    control,
    custom,
    decomposition,
)
"""The files that hold primitives."""

__all__ = ["FAMILIES", "OPS", "PUBLIC", "Kind", "Op", "Public", "Sample", "check_rule", "public", "record_of"]
