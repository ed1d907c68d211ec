"""Exporters of sums and their like, matrix products, convolutions, and what matrices have.

Read next: `control.py`.
"""

from __future__ import annotations

from typing import Final

from onegraph.ir.dtype import int64
from onegraph.ir.node import Node
from onegraph.onnx.export.emitter import Emitter
from onegraph.onnx.export.movement import pad_ends
from onegraph.onnx.export.registry import EXPORTERS, exporter

_REDUCTIONS: Final = {"sum": "ReduceSum", "prod": "ReduceProd", "max": "ReduceMax", "min": "ReduceMin"}


@exporter(*_REDUCTIONS)
def _reduce(emitter: Emitter, node: Node) -> str:
    (x,) = node.inputs
    value = emitter.value(x) if x.dtype is node.dtype else emitter.cast(emitter.value(x), node.dtype)
    return emitter.reduce(_REDUCTIONS[node.op], value, node.attributes["dims"], node.attributes["keepdim"])


@exporter("argmax", "argmin")
def _arg(emitter: Emitter, node: Node) -> str:
    op = "ArgMax" if node.op == "argmax" else "ArgMin"
    keep = int(node.attributes["keepdim"])
    return str(emitter.node(op, [emitter.value(node.inputs[0])], axis=node.attributes["dim"], keepdims=keep))


@exporter("moments")
def _moments(emitter: Emitter, node: Node) -> str:
    (x,) = node.inputs
    value, dims = emitter.value(x), node.attributes["dims"]
    mean = emitter.reduce("ReduceMean", value, dims, True)
    centered = emitter.node("Sub", [value, mean])
    spread = emitter.reduce("ReduceSum", emitter.node("Mul", [centered, centered]), dims, False)
    rows = [emitter.unsqueeze(row, 0) for row in (emitter.reshape(mean, node.shape[1:]), spread)]
    return str(emitter.node("Concat", rows, axis=0))


@exporter("cumsum")
def _cumsum(emitter: Emitter, node: Node) -> str:
    emitter.need(11, "CumSum")
    (x,) = node.inputs
    value = emitter.value(x) if x.dtype is node.dtype else emitter.cast(emitter.value(x), node.dtype)
    axis = emitter.constant(node.attributes["dim"], int64)
    return str(emitter.node("CumSum", [value, axis], reverse=int(node.attributes["reverse"])))


@exporter("cumprod", "cummax")
def _running(emitter: Emitter, node: Node) -> str:
    """A Scan that carries the product or the largest element so far."""
    emitter.need(9, "Scan without a batch")
    (x,) = node.inputs
    dim, reverse = node.attributes["dim"], int(node.attributes["reverse"])
    value = emitter.value(x) if x.dtype is node.dtype else emitter.cast(emitter.value(x), node.dtype)
    from onegraph.onnx.export.control import running

    size = x.shape[dim]
    if size == 0:
        return value
    place, stop = (0, 1) if not reverse else (size - 1, size)
    first = emitter.squeeze(emitter.slice(value, [dim], [place], [stop]), dim)
    return running(emitter, value, first, "Mul" if node.op == "cumprod" else "Max", node, dim, reverse)


@exporter("matmul")
def _matmul(emitter: Emitter, node: Node) -> str:
    return str(emitter.node("MatMul", [emitter.value(x) for x in node.inputs]))


def _pads(padding: list[tuple[int, int]]) -> list[int]:
    return [before for before, _ in padding] + [after for _, after in padding]


def convolve(emitter: Emitter, node: Node, inputs: list[str]) -> str:
    """A `conv` node, with a bias where the inputs have one; negative padding cuts first."""
    a = node.attributes
    padding = [(int(before), int(after)) for before, after in a["padding"]]
    value = inputs[0]
    if any(size < 0 for pair in padding for size in pair):
        cut = [(0, 0), (0, 0), *[(min(before, 0), min(after, 0)) for before, after in padding]]
        zero = Node("constant", (), node.attributes, (), node.dtype)
        emitter.need(11, "Pad with negative sizes")
        value = pad_ends(emitter, value, cut, zero, emitter.constant(0, node.dtype))
        padding = [(max(before, 0), max(after, 0)) for before, after in padding]
    return str(
        emitter.node(
            "Conv",
            [value, *inputs[1:]],
            kernel_shape=list(node.inputs[1].shape[2:]),
            strides=list(a["stride"]),
            pads=_pads(padding),
            dilations=list(a["dilation"]),
            group=a["groups"],
        )
    )


@exporter("conv")
def _conv(emitter: Emitter, node: Node) -> str:
    return convolve(emitter, node, [emitter.value(x) for x in node.inputs])


def convolve_transposed(emitter: Emitter, node: Node, inputs: list[str]) -> str:
    """A `conv_input_gradient` node, with a bias where the inputs have one."""
    a = node.attributes
    g, w = node.inputs
    kernel = w.shape[2:]
    extra = []
    for i, wanted in enumerate(a["input_size"]):
        before, after = a["padding"][i]
        reach = a["dilation"][i] * (kernel[i] - 1) + 1
        left = wanted - (a["stride"][i] * (g.shape[2 + i] - 1) + reach - before - after)
        if not isinstance(left, int) or before < 0 or after < 0:
            emitter.refuse("a transposed convolution of this size, or with negative padding, has no operator in ONNX")
        extra.append(int(left))
    return str(
        emitter.node(
            "ConvTranspose",
            inputs,
            kernel_shape=list(kernel),
            strides=list(a["stride"]),
            pads=_pads(list(a["padding"])),
            dilations=list(a["dilation"]),
            group=a["groups"],
            output_padding=extra,
        )
    )


@exporter("conv_input_gradient")
def _conv_transposed(emitter: Emitter, node: Node) -> str:
    return convolve_transposed(emitter, node, [emitter.value(x) for x in node.inputs])


@exporter("conv_weight_gradient")
def _conv_weight_gradient(emitter: Emitter, node: Node) -> str:
    """A convolution whose batch is the channels: of x with the gradient, steps and dilation changing places."""
    x, g = node.inputs
    a = node.attributes
    if any(size < 0 for pair in a["padding"] for size in pair):
        emitter.refuse("the gradient of the weight of a convolution that cuts its input has no operator in ONNX")
    if a["groups"] != 1:
        emitter.refuse("the gradient of a grouped convolution's weight has no operator in ONNX")
    swap = [1, 0, *range(2, len(x.shape))]
    value = emitter.node(
        "Conv",
        [emitter.permute(emitter.value(x), swap), emitter.permute(emitter.value(g), swap)],
        strides=list(a["dilation"]),
        pads=_pads(list(a["padding"])),
        dilations=list(a["stride"]),
    )
    axes = list(range(2, len(x.shape)))
    value = emitter.slice(value, axes, [0] * len(axes), list(a["kernel_size"]))
    return emitter.permute(value, swap)


@exporter("det", "logabsdet", "det_sign")
def _det(emitter: Emitter, node: Node) -> str:
    emitter.need(11, "Det")
    det = emitter.node("Det", [emitter.value(node.inputs[0])])
    if node.op == "det":
        return str(det)
    if node.op == "det_sign":
        return str(emitter.node("Sign", [det]))
    return str(emitter.node("Log", [emitter.node("Abs", [det])]))


def _no_operator(emitter: Emitter, node: Node) -> str:
    what = {"random_bits": "random numbers from a key"}.get(node.op, f"`{node.op}`")
    return str(emitter.refuse(f"no opset of ONNX has an operator for {what}", "compute it outside of the model"))


for _name in ("cholesky", "eigh", "qr", "svd", "solve", "random_bits"):
    EXPORTERS[_name] = _no_operator
