"""The operators of ONNX, a family a file; importing this package registers them all. See `README.md`."""

from __future__ import annotations

from onegraph.onnx.operators import (
    casting,
    control,
    convolution,
    elementwise,
    images,
    indexing,
    linear,
    machine_learning,
    normalization,
    pooling,
    quantization,
    random,
    recurrent,
    reduction,
    sequences,
    shape,
    signal,
    strings,
    training,
)
