"""Arithmetic, comparisons, reductions and products with TensorFlow 1's names, and the operators of tensors.

Each is the node function that the define-by-run front end has, so both give the same bits. What moves elements is in
`arrays.py`, layers and losses are in `nn.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from onegraph.errors import ArgumentError, DTypeError, ShapeError, UnsupportedError
from onegraph.frontend.static.shape import ints_of
from onegraph.frontend.static.tensor import Operators, as_operand, beside, checked_dtype, operation
from onegraph.ir.dtype import DType, float32, float64, int32, int64
from onegraph.ir.node import Node
from onegraph.ops import binary, contraction, elementwise, mathematics, movement, reduction, scan, special, statistics
from onegraph.ops.cast import cast as to_dtype
from onegraph.ops.layout import permute_to
from onegraph.ops.leaf import constant
from onegraph.ops.public import PUBLIC
from onegraph.ops.shapes import normalize_dims, numel, show

# ---------------------------------------------------------------------------------------- one operand


def _unary(kind: str, function: Callable[[Node], Node], doc: str) -> Any:
    def apply(x: Any) -> Node:
        return function(as_operand(x))

    apply.__name__ = apply.__qualname__ = kind.lower()
    apply.__doc__ = doc
    return operation(kind)(apply)


abs_ = _unary("Abs", elementwise.abs, "The absolute value, elementwise.")
negative = _unary("Neg", elementwise.neg, "-x, elementwise.")
sign = _unary("Sign", elementwise.sign, "-1, 0 or 1 by the sign, elementwise.")
square = _unary("Square", binary.square, "x * x, elementwise.")
sqrt = _unary("Sqrt", elementwise.sqrt, "The square root, elementwise.")
rsqrt = _unary("Rsqrt", elementwise.rsqrt, "1 / sqrt(x), elementwise.")
exp = _unary("Exp", elementwise.exp, "e to the power of x, elementwise.")
expm1 = _unary("Expm1", elementwise.expm1, "exp(x) - 1, exact for small x, elementwise.")
log = _unary("Log", elementwise.log, "The natural logarithm, elementwise.")
log1p = _unary("Log1p", elementwise.log1p, "log(1 + x), exact for small x, elementwise.")
sin = _unary("Sin", elementwise.sin, "The sine, elementwise.")
cos = _unary("Cos", elementwise.cos, "The cosine, elementwise.")
tan = _unary("Tan", elementwise.tan, "The tangent, elementwise.")
asin = _unary("Asin", elementwise.asin, "The arc sine, elementwise.")
acos = _unary("Acos", elementwise.acos, "The arc cosine, elementwise.")
atan = _unary("Atan", elementwise.atan, "The arc tangent, elementwise.")
sinh = _unary("Sinh", elementwise.sinh, "The hyperbolic sine, elementwise.")
cosh = _unary("Cosh", elementwise.cosh, "The hyperbolic cosine, elementwise.")
tanh = _unary("Tanh", elementwise.tanh, "The hyperbolic tangent, elementwise.")
asinh = _unary("Asinh", mathematics.asinh, "The inverse hyperbolic sine, elementwise.")
acosh = _unary("Acosh", mathematics.acosh, "The inverse hyperbolic cosine, elementwise.")
atanh = _unary("Atanh", mathematics.atanh, "The inverse hyperbolic tangent, elementwise.")
sigmoid = _unary("Sigmoid", elementwise.sigmoid, "1 / (1 + exp(-x)), elementwise.")
erf = _unary("Erf", elementwise.erf, "The error function, elementwise.")
erfc = _unary("Erfc", special.erfc, "1 - erf(x), elementwise.")
lgamma = _unary("Lgamma", special.lgamma, "The logarithm of the absolute value of gamma(x), elementwise.")
digamma = _unary("Digamma", special.digamma, "The derivative of lgamma, elementwise.")
floor = _unary("Floor", elementwise.floor, "Rounded down, elementwise.")
ceil = _unary("Ceil", elementwise.ceil, "Rounded up, elementwise.")
round_ = _unary("Round", elementwise.round, "Rounded to the nearest integer, halves to even, elementwise.")
reciprocal = _unary("Reciprocal", elementwise.reciprocal, "1 / x, elementwise.")
is_nan = _unary("IsNan", elementwise.isnan, "Whether elements are NaN.")
is_inf = _unary("IsInf", elementwise.isinf, "Whether elements are infinite.")
is_finite = _unary("IsFinite", elementwise.isfinite, "Whether elements are neither infinite nor NaN.")
logical_not = _unary("LogicalNot", elementwise.logical_not, "Not, elementwise.")
stop_gradient = _unary("StopGradient", elementwise.detach, "The same value, through which no gradient flows.")
identity = _unary("Identity", lambda x: movement.RESHAPE(x, shape=x.shape), "The same value, as a tensor of its own.")


@operation("Cast")
def cast(x: Any, dtype: Any) -> Node:
    """The values in another dtype; floating numbers are cut toward zero."""
    return to_dtype(as_operand(x), checked_dtype(dtype))


def _cast_to(dtype: DType, name: str) -> Any:
    def convert(x: Any) -> Node:
        return to_dtype(as_operand(x), dtype)

    convert.__name__ = convert.__qualname__ = name
    convert.__doc__ = f"The values as {dtype.name}."
    return operation("Cast")(convert)


to_float = _cast_to(float32, "to_float")
to_double = _cast_to(float64, "to_double")
to_int32 = _cast_to(int32, "to_int32")
to_int64 = _cast_to(int64, "to_int64")

# ---------------------------------------------------------------------------------------- two operands


def _pair(x: Any, y: Any) -> tuple[Any, Any]:
    """Two operands; arrays and lists take the dtype of a tensor beside them, and one of two numbers is a node."""
    if not isinstance(x, Node) and not isinstance(y, Node):
        x = as_operand(x)
    return beside(x, y), beside(y, x)


def _binary(kind: str, function: Callable[[Any, Any], Node], doc: str) -> Any:
    def apply(x: Any, y: Any) -> Node:
        return function(*_pair(x, y))

    apply.__name__ = apply.__qualname__ = kind.lower()
    apply.__doc__ = doc
    return operation(kind)(apply)


def _true_division(x: Any, y: Any) -> Node:
    """Integers are divided as float64 (small ones as float32), as TensorFlow does."""
    x, y = (as_operand(v, u.dtype if isinstance(u, Node) else None) for v, u in ((x, y), (y, x)))
    if not x.dtype.is_floating_point and not y.dtype.is_floating_point:
        wide = float64 if max(x.dtype.bits, y.dtype.bits) > 16 else float32
        x, y = to_dtype(x, wide), to_dtype(y, wide)
    return binary.div(x, y)


def _old_division(x: Any, y: Any) -> Node:
    both = [v.dtype.is_floating_point if isinstance(v, Node) else isinstance(v, float) for v in (x, y)]
    return binary.div(x, y) if any(both) else binary.floor_divide(x, y)


add = _binary("Add", binary.add, "x + y, elementwise with broadcasting.")
subtract = _binary("Sub", binary.sub, "x - y, elementwise with broadcasting.")
multiply = _binary("Mul", binary.mul, "x * y, elementwise with broadcasting.")
divide = _binary("truediv", lambda x, y: _divided(x, y), "x / y, elementwise with broadcasting; integers give float64.")
truediv = divide
realdiv = divide
div = _binary("div", _old_division, "x / y; of integers the quotient rounded down.")
floordiv = _binary("floordiv", binary.floor_divide, "x / y rounded down, elementwise.")
mod = _binary("FloorMod", binary.remainder, "The remainder with the sign of y, elementwise.")
floormod = mod
pow_ = _binary("Pow", binary.pow, "x to the power of y, elementwise.")
maximum = _binary("Maximum", binary.maximum, "The larger of x and y, elementwise.")
minimum = _binary("Minimum", binary.minimum, "The smaller of x and y, elementwise.")
squared_difference = _binary(
    "SquaredDifference", lambda x, y: binary.square(binary.sub(x, y)), "(x - y) ** 2, elementwise."
)
atan2 = _binary("Atan2", binary.atan2, "The angle of the point (y, x), elementwise.")
equal = _binary("Equal", binary.eq, "x == y, elementwise.")
not_equal = _binary("NotEqual", binary.ne, "x != y, elementwise.")
less = _binary("Less", binary.lt, "x < y, elementwise.")
less_equal = _binary("LessEqual", binary.le, "x <= y, elementwise.")
greater = _binary("Greater", binary.gt, "x > y, elementwise.")
greater_equal = _binary("GreaterEqual", binary.ge, "x >= y, elementwise.")
logical_and = _binary("LogicalAnd", binary.logical_and, "x and y, elementwise.")
logical_or = _binary("LogicalOr", binary.logical_or, "x or y, elementwise.")
logical_xor = _binary("LogicalXor", binary.logical_xor, "x or y but not both, elementwise.")


def _divided(x: Any, y: Any) -> Node:
    floats = [v.dtype.is_floating_point if isinstance(v, Node) else isinstance(v, float) for v in (x, y)]
    return binary.div(x, y) if any(floats) else _true_division(x, y)


@operation("AddN")
def add_n(inputs: Any) -> Node:
    """The sum of a list of tensors of one shape and dtype."""
    if not isinstance(inputs, (list, tuple)) or not inputs:
        raise ArgumentError("add_n: needs a list of at least one tensor")
    total = as_operand(inputs[0])
    for x in inputs[1:]:
        total = binary.add(total, as_operand(x))
    return total


@operation("clip_by_value")
def clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any) -> Node:
    """Values below the minimum raised to it, those above the maximum lowered to it."""
    return binary.clamp(as_operand(t), clip_value_min, clip_value_max)


# ---------------------------------------------------------------------------------------- matrix products


@operation("MatMul")
def matmul(
    a: Any,
    b: Any,
    transpose_a: bool = False,
    transpose_b: bool = False,
    adjoint_a: bool = False,
    adjoint_b: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
) -> Node:
    """The matrix product of the last two dimensions; those before broadcast.

    Args:
        a, b: at least two dimensions, of one dtype.
        transpose_a, transpose_b, adjoint_a, adjoint_b: whether the last two dimensions are exchanged first.

    Raises:
        ShapeError: the inner sizes differ.
    """
    x, y = _pair(a, b)
    if len(x.shape) < 2 or len(y.shape) < 2:
        raise ShapeError(
            f"matmul: {show(x.shape)} and {show(y.shape)}: both need at least two dimensions",
            hint="tf.expand_dims(v, 0) makes a row of a vector, tf.expand_dims(v, 1) a column; tf.tensordot takes vectors",
        )
    x = contraction.transpose_last(x) if transpose_a or adjoint_a else x
    y = contraction.transpose_last(y) if transpose_b or adjoint_b else y
    return contraction.matmul(x, y)


def public_function(name: str, namespace: str = "") -> Callable[..., Any]:
    """A node function from the table that all front ends share."""
    for entry in PUBLIC:
        if entry.namespace == namespace and name in entry.names:
            return entry.function
    raise UnsupportedError(f"{name} is not among the functions of this build")


@operation("einsum")
def einsum(equation: str, *inputs: Any) -> Node:
    """Sums of products by Einstein's notation, e.g. "ij,jk->ik"."""
    found: Node = public_function("einsum")(equation, *[as_operand(x) for x in inputs])
    return found


@operation("Tensordot")
def tensordot(a: Any, b: Any, axes: Any) -> Node:
    """The product summed over the given axes of both.

    Args:
        axes: a number n, for the last n of a and the first n of b, or a pair of lists.
    """
    x, y = _pair(a, b)
    if isinstance(axes, int):
        first, second = list(range(len(x.shape) - axes, len(x.shape))), list(range(axes))
    else:
        first, second = (
            [v % len(n.shape) for v in ints_of("tensordot", side)] for side, n in zip(axes, (x, y), strict=True)
        )
    if len(first) != len(second):
        raise ArgumentError(f"tensordot: {len(first)} axes of a and {len(second)} of b")
    kept_a = [d for d in range(len(x.shape)) if d not in first]
    kept_b = [d for d in range(len(y.shape)) if d not in second]
    shape = (*[x.shape[d] for d in kept_a], *[y.shape[d] for d in kept_b])
    inner = numel([x.shape[d] for d in first])
    left = movement.reshape_to(permute_to(x, [*kept_a, *first]), (numel([x.shape[d] for d in kept_a]), inner))
    inner = numel([y.shape[d] for d in second])
    right = movement.reshape_to(permute_to(y, [*second, *kept_b]), (inner, numel([y.shape[d] for d in kept_b])))
    return movement.reshape_to(contraction.matmul(left, right), shape)


# ---------------------------------------------------------------------------------------- reductions


def _axes(op: str, x: Node, axis: Any, reduction_indices: Any) -> tuple[int, ...]:
    chosen = axis if axis is not None else reduction_indices
    return normalize_dims(op, None if chosen is None else ints_of(op, chosen), len(x.shape))


def _reduction(kind: str, function: Callable[[Node, tuple[int, ...], bool], Node], doc: str) -> Any:
    name = "reduce_" + kind.lower()

    def apply(
        input_tensor: Any, axis: Any = None, keepdims: Any = None, reduction_indices: Any = None, keep_dims: Any = None
    ) -> Node:
        x = as_operand(input_tensor)
        dims = _axes(name, x, axis, reduction_indices)
        return x if not dims else function(x, dims, bool(keepdims or keep_dims))

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"{doc}\n\n    Args:\n        axis: one dimension or several; all where None.\n        keepdims: keep them with size 1."
    return operation(kind)(apply)


def _sum(x: Node, dims: tuple[int, ...], keep: bool) -> Node:
    if x.dtype.kind == "bool":
        raise DTypeError("reduce_sum: needs numbers, got bool", hint="use tf.cast(x, tf.int32) to count")
    return statistics.sum(x, dims, keep) if x.dtype.is_floating_point else reduction.sum_(x, dims, keep)


def _mean(x: Node, dims: tuple[int, ...], keep: bool) -> Node:
    if x.dtype.is_floating_point:
        return statistics.mean(x, dims, keep)
    count = constant(numel([x.shape[d] for d in dims]), x.dtype)
    return binary.floor_divide(_sum(x, dims, keep), count)


reduce_sum = _reduction("Sum", _sum, "The sum over dimensions.")
reduce_mean = _reduction("Mean", _mean, "The mean over dimensions; that of integers is rounded down.")
reduce_prod = _reduction("Prod", lambda x, d, k: reduction.PROD(x, dims=d, keepdim=k), "The product over dimensions.")
reduce_max = _reduction("Max", statistics.amax, "The largest element over dimensions.")
reduce_min = _reduction("Min", statistics.amin, "The smallest element over dimensions.")
reduce_any = _reduction("Any", statistics.any, "Whether any element over dimensions is true.")
reduce_all = _reduction("All", statistics.all, "Whether all elements over dimensions are true.")
reduce_logsumexp = _reduction(
    "LogSumExp", statistics.logsumexp, "The logarithm of the sum of exponentials over dimensions."
)


@operation("count_nonzero")
def count_nonzero(
    input_tensor: Any, axis: Any = None, keepdims: Any = None, dtype: Any = int64, keep_dims: Any = None
) -> Node:
    """How many elements over dimensions are not 0."""
    x = as_operand(input_tensor)
    truth = to_dtype(x if x.dtype.kind == "bool" else binary.ne(x, 0), checked_dtype(dtype))
    return reduction.sum_(truth, _axes("count_nonzero", x, axis, None), bool(keepdims or keep_dims))


@operation("norm")
def norm(tensor: Any, ord: Any = "euclidean", axis: Any = None, keepdims: Any = None, keep_dims: Any = None) -> Node:
    """The length of vectors: the root of the sum of squares over dimensions, or another p-norm by `ord`."""
    x = as_operand(tensor)
    power = 2.0 if ord in ("euclidean", "fro") else float(ord)
    return statistics.vector_norm(x, power, _axes("norm", x, axis, None), bool(keepdims or keep_dims))


def _arg(kind: str, function: Callable[..., Node], doc: str) -> Any:
    def apply(input: Any, axis: Any = None, dimension: Any = None, output_type: Any = int64) -> Node:
        chosen = axis if axis is not None else dimension
        (dim,) = ints_of(kind, 0 if chosen is None else chosen)
        return to_dtype(function(as_operand(input), dim), checked_dtype(output_type))

    apply.__name__ = apply.__qualname__ = kind.lower()
    apply.__doc__ = (
        f"{doc}\n\n    Args:\n        axis: one dimension, the first where None.\n        output_type: int64 or int32."
    )
    return operation(kind)(apply)


argmax = _arg("ArgMax", statistics.argmax, "Where the largest element along a dimension is; the first of several.")
argmin = _arg("ArgMin", statistics.argmin, "Where the smallest element along a dimension is; the first of several.")


def _running(kind: str, function: Callable[..., Node], neutral: int, doc: str) -> Any:
    def apply(x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False) -> Node:
        node = as_operand(x)
        dim = ints_of(kind, axis)[0] % max(1, len(node.shape))
        y = movement.FLIP(node, dims=(dim,)) if reverse else node
        y = to_dtype(function(y, dim), node.dtype)
        if exclusive:
            first = movement.full((*y.shape[:dim], 1, *y.shape[dim + 1 :]), neutral, y.dtype)
            y = movement.concat([first, movement.slice_dim(y, dim, 0, y.shape[dim] - 1)], dim)
        return movement.FLIP(y, dims=(dim,)) if reverse else y

    apply.__name__ = apply.__qualname__ = kind.lower()
    apply.__doc__ = (
        f"{doc}\n\n    Args:\n        exclusive: leave out the element itself.\n        reverse: start at the end."
    )
    return operation(kind)(apply)


cumsum = _running("Cumsum", scan.cumsum, 0, "The running sum along a dimension.")
cumprod = _running("Cumprod", scan.cumprod, 1, "The running product along a dimension.")

# ---------------------------------------------------------------------------------------- operators


def _operator(function: Any, name: str, reflected: bool = False) -> Any:
    def apply(self: Operators, other: Any) -> Any:
        if other is None or isinstance(other, (str, dict, set)):
            return NotImplemented
        return function(other, self, name=name) if reflected else function(self, other, name=name)

    return apply


def install() -> None:
    """Give tensors and variables their operators. `==` and `!=` compare identity, as in TensorFlow 1."""
    arithmetic = {
        "add": add, "sub": subtract, "mul": multiply, "truediv": divide, "floordiv": floordiv, "mod": mod, "pow": pow_,
        "matmul": matmul, "and": logical_and, "or": logical_or, "xor": logical_xor,
    }  # fmt: skip
    for name, function in arithmetic.items():
        setattr(Operators, f"__{name}__", _operator(function, name))
        setattr(Operators, f"__r{name}__", _operator(function, name, reflected=True))
    for name, function in (("lt", less), ("le", less_equal), ("gt", greater), ("ge", greater_equal)):
        setattr(Operators, f"__{name}__", _operator(function, function.__name__))
    for name, function in (("neg", negative), ("abs", abs_), ("invert", logical_not)):
        setattr(Operators, f"__{name}__", lambda self, f=function: f(self))


install()
