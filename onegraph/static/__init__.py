# ruff: noqa: I001, RUF022  the names are packed, several a line
"""Define-and-run with TensorFlow 1's names: `import onegraph.static as tf`.

Build a graph from placeholders and variables, differentiate it with `tf.gradients` or an optimizer, then run it many
times in a `tf.Session`. The graph is onegraph's own; what differs from TensorFlow is listed in the README beside
this file.

>>> import onegraph.static as tf
>>> x = tf.placeholder(tf.float32, shape=(None, 2))
>>> loss = tf.reduce_mean(tf.square(x))
>>> (grad,) = tf.gradients(loss, [x])
>>> with tf.Session() as sess:
...     sess.run([loss, grad], feed_dict={x: [[1, 2]]})
[np.float32(2.5), array([[1., 2.]], dtype=float32)]

Read next: `onegraph/frontend/static/__init__.py`, where the graph, sessions and functions are.
"""

import sys as _sys
from types import SimpleNamespace as _Namespace

from onegraph.frontend.static import initializers, nn
from onegraph.frontend.static.arrays import (
    boolean_mask, broadcast_to, concat, diag_part, expand_dims, eye, fill, gather, gather_nd, linspace,
    matrix_transpose, one_hot, ones, ones_like, pad, range_ as range, rank, reshape, reverse, scatter_nd, shape,
    size, slice_ as slice, split, squeeze, stack, strided_slice, tile, transpose, unstack, where, zeros, zeros_like,
)  # fmt: skip
from onegraph.frontend.static.clip import clip_by_global_norm, clip_by_norm, global_norm
from onegraph.frontend.static.control import case, cond, foldl, foldr, map_fn, scan, while_loop
from onegraph.frontend.static.functions import (
    abs_ as abs, acos, acosh, add, add_n, argmax, argmin, asin, asinh, atan, atan2, atanh, cast, ceil,
    clip_by_value, cos, cosh, count_nonzero, cumprod, cumsum, digamma, div, divide, einsum, equal, erf, erfc, exp,
    expm1, floor, floordiv, floormod, greater, greater_equal, identity, is_finite, is_inf, is_nan, less, less_equal,
    lgamma, log, log1p, logical_and, logical_not, logical_or, logical_xor, matmul, maximum, minimum, mod, multiply,
    negative, norm, not_equal, pow_ as pow, realdiv, reciprocal, reduce_all, reduce_any, reduce_logsumexp,
    reduce_max, reduce_mean, reduce_min, reduce_prod, reduce_sum, round_ as round, rsqrt, sigmoid, sign, sin, sinh,
    sqrt, square, squared_difference, stop_gradient, subtract, tan, tanh, tensordot, to_double, to_float, to_int32,
    to_int64, truediv,
)  # fmt: skip
from onegraph.frontend.static.gradients import gradients
from onegraph.frontend.static.graph import (
    Graph, GraphKeys, add_to_collection, add_to_collections, control_dependencies, device, get_collection,
    get_collection_ref, get_default_graph, name_scope, reset_default_graph, set_random_seed,
)  # fmt: skip
from onegraph.frontend.static.grouping import group, no_op, tuple_ as tuple
from onegraph.frontend.static.initializers import (
    Constant as constant_initializer, Ones as ones_initializer, RandomNormal as random_normal_initializer,
    RandomUniform as random_uniform_initializer, TruncatedNormal as truncated_normal_initializer, VarianceScaling as
    variance_scaling_initializer, Zeros as zeros_initializer, glorot_normal_initializer, glorot_uniform_initializer,
)  # fmt: skip
from onegraph.frontend.static.random import (
    multinomial, random_crop, random_normal, random_shuffle, random_uniform, truncated_normal,
)  # fmt: skip
from onegraph.frontend.static.scope import AUTO_REUSE, VariableScope, get_variable, get_variable_scope, variable_scope
from onegraph.frontend.static.session import InteractiveSession, Session, get_default_session
from onegraph.frontend.static.shape import TensorShape, dimension as Dimension
from onegraph.frontend.static.tensor import (
    Operation, Tensor, constant_ as constant, convert_to_tensor, placeholder, placeholder_with_default,
)  # fmt: skip
from onegraph.frontend.static.variable import (
    Variable, assign, assign_add, assign_sub, global_variables, global_variables_initializer,
    is_variable_initialized, local_variables, local_variables_initializer, model_variables,
    moving_average_variables, scatter_add, scatter_sub, scatter_update, trainable_variables, variables_initializer,
)  # fmt: skip
from onegraph.ir.dtype import DType, as_dtype, bool_ as bool
from onegraph.ir.dtype import bfloat16, float16, float32, float64, int8, int16, int32, int64, uint8
from onegraph.static import layers, losses, summary, train
from onegraph.static.configuration import ConfigProto, GPUOptions, disable_eager_execution, disable_v2_behavior

initialize_all_variables = global_variables_initializer
mul, sub, neg, pack, unpack = multiply, subtract, negative, stack, unstack  # their names before TensorFlow 1.0
half, double = float16, float64
newaxis = None

math = _Namespace(
    acos=acos, add=add, argmax=argmax, argmin=argmin, asin=asin, atan=atan, ceil=ceil, cos=cos, cosh=cosh,
    count_nonzero=count_nonzero, cumprod=cumprod, cumsum=cumsum, digamma=digamma, divide=divide, equal=equal,
    erf=erf, exp=exp, expm1=expm1, floor=floor, greater=greater, greater_equal=greater_equal, is_finite=is_finite,
    is_inf=is_inf, is_nan=is_nan, less=less, less_equal=less_equal, lgamma=lgamma, log=log, log1p=log1p,
    logical_and=logical_and, logical_not=logical_not, logical_or=logical_or, maximum=maximum, minimum=minimum,
    multiply=multiply, negative=negative, not_equal=not_equal, reciprocal=reciprocal, reduce_all=reduce_all,
    reduce_any=reduce_any, reduce_logsumexp=reduce_logsumexp, reduce_max=reduce_max, reduce_mean=reduce_mean,
    reduce_min=reduce_min, reduce_prod=reduce_prod, reduce_sum=reduce_sum, rsqrt=rsqrt, sigmoid=sigmoid, sign=sign,
    sin=sin, sinh=sinh, sqrt=sqrt, square=square, squared_difference=squared_difference, subtract=subtract, tan=tan,
    tanh=tanh,
)  # fmt: skip
"""`tf.math`."""
random = _Namespace(
    normal=random_normal, uniform=random_uniform, truncated_normal=truncated_normal, shuffle=random_shuffle,
    set_random_seed=set_random_seed, multinomial=multinomial,
)  # fmt: skip
"""`tf.random`."""
linalg = _Namespace(
    matmul=matmul, norm=norm, eye=eye, diag_part=diag_part, transpose=matrix_transpose, tensordot=tensordot, einsum=einsum,
)  # fmt: skip
"""`tf.linalg`."""
compat = _Namespace(v1=_sys.modules[__name__])
"""`tf.compat.v1` is this module."""

__all__ = [
    "AUTO_REUSE", "ConfigProto", "DType", "Dimension", "GPUOptions", "Graph", "GraphKeys", "InteractiveSession",
    "Operation", "Session", "Tensor", "TensorShape", "Variable", "VariableScope", "abs", "acos", "acosh", "add",
    "add_n", "add_to_collection", "add_to_collections", "argmax", "argmin", "as_dtype", "asin", "asinh", "assign",
    "assign_add", "assign_sub", "atan", "atan2", "atanh", "bfloat16", "bool", "boolean_mask", "broadcast_to", "case",
    "cast", "ceil", "clip_by_global_norm", "clip_by_norm", "clip_by_value", "compat", "concat", "cond", "constant",
    "constant_initializer", "control_dependencies", "convert_to_tensor", "cos", "cosh", "count_nonzero", "cumprod",
    "cumsum", "device", "diag_part", "digamma", "disable_eager_execution", "disable_v2_behavior", "div", "divide",
    "double", "einsum", "equal", "erf", "erfc", "exp", "expand_dims", "expm1", "eye", "fill", "float16", "float32",
    "float64", "floor", "floordiv", "floormod", "foldl", "foldr", "gather", "gather_nd", "get_collection",
    "get_collection_ref", "get_default_graph", "get_default_session", "get_variable", "get_variable_scope",
    "global_norm", "global_variables", "global_variables_initializer", "glorot_normal_initializer",
    "glorot_uniform_initializer", "gradients", "greater", "greater_equal", "group", "half", "identity",
    "initialize_all_variables", "initializers", "int16", "int32", "int64", "int8", "is_finite", "is_inf", "is_nan",
    "is_variable_initialized", "layers", "less", "less_equal", "lgamma", "linalg", "linspace", "local_variables",
    "local_variables_initializer", "log", "log1p", "logical_and", "logical_not", "logical_or", "logical_xor",
    "losses", "map_fn", "math", "matmul", "matrix_transpose", "maximum", "minimum", "mod", "model_variables",
    "moving_average_variables", "multinomial", "multiply", "name_scope", "negative", "newaxis", "nn", "no_op",
    "norm", "not_equal", "one_hot", "ones", "ones_initializer", "ones_like", "pad", "placeholder",
    "placeholder_with_default", "pow", "random", "random_crop", "random_normal", "random_normal_initializer",
    "random_shuffle", "random_uniform", "random_uniform_initializer", "range", "rank", "realdiv", "reciprocal",
    "reduce_all", "reduce_any", "reduce_logsumexp", "reduce_max", "reduce_mean", "reduce_min", "reduce_prod",
    "reduce_sum", "reset_default_graph", "reshape", "reverse", "round", "rsqrt", "scan", "scatter_add", "scatter_nd",
    "scatter_sub", "scatter_update", "set_random_seed", "shape", "sigmoid", "sign", "sin", "sinh", "size", "slice",
    "split", "sqrt", "square", "squared_difference", "squeeze", "stack", "stop_gradient", "strided_slice",
    "subtract", "summary", "tan", "tanh", "tensordot", "tile", "to_double", "to_float", "to_int32", "to_int64",
    "train", "trainable_variables", "transpose", "truediv", "truncated_normal", "truncated_normal_initializer",
    "tuple", "uint8", "unstack", "variable_scope", "variables_initializer", "variance_scaling_initializer", "where",
    "while_loop", "zeros", "zeros_initializer", "zeros_like",
]  # fmt: skip
