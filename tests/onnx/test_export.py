"""Exporting: names, sizes that change, opsets, operators that patterns become, control flow, files, and round trips."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import nn
from onegraph.errors import ArgumentError, ArgumentTypeError, ExternalDataError, TraceError, UnsupportedError
from onegraph.nn import functional as F
from onegraph.onnx.export.registry import EXPORTERS
from onegraph.ops.record import OPS
from tests.onnx.comparing import agree, checked, difference, run

onnx = pytest.importorskip("onnx")

BATCH = {"input": {0: "batch"}}


@pytest.fixture(autouse=True)
def _reference() -> Any:
    with og.config.using(backend="reference"):
        yield


def operators(program: og.onnx.ONNXProgram) -> list[str]:
    return [node.op_type for node in program.model_proto.graph.node]


def small_network() -> nn.Sequential:
    og.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(8, 4), nn.GELU(), nn.LayerNorm(4), nn.Softmax(-1), nn.Dropout(),
    )  # fmt: skip


def test_every_op_has_an_exporter() -> None:
    assert set(OPS) - {"input"} <= set(EXPORTERS)


def test_weights_have_the_names_of_the_state_dict() -> None:
    model = small_network()
    program = og.onnx.export(model, og.zeros(1, 3, 9, 9))
    wanted = {name for name in model.state_dict() if "num_batches" not in name}
    assert set(program.weights) == wanted
    assert {t.name for t in program.model_proto.graph.initializer} >= wanted


def test_nodes_say_where_they_come_from() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(3, 2)

        def forward(self, x: og.Tensor) -> og.Tensor:
            return self.first(x).tanh()

    gemm, tanh = og.onnx.export(Net(), og.zeros(1, 3)).model_proto.graph.node
    assert gemm.op_type == "Gemm" and "first" in gemm.name
    assert tanh.doc_string.startswith("test_export.py:")


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (nn.Conv2d(4, 6, 3, 2, 1, groups=2), (2, 4, 9, 9), ["Conv"]),
        (nn.Conv1d(4, 6, 3, dilation=2, bias=False), (2, 4, 9), ["Conv"]),
        (nn.ConvTranspose2d(4, 2, 3, 2, 1, 1), (2, 4, 5, 5), ["ConvTranspose"]),
        (nn.Linear(4, 3), (2, 4), ["Gemm"]),
        (nn.BatchNorm2d(4), (2, 4, 5, 5), ["BatchNormalization"]),
        (nn.LayerNorm([5, 4]), (2, 3, 5, 4), ["LayerNormalization"]),
        (nn.ReLU(), (2, 4), ["Relu"]),
        (nn.ReLU6(), (2, 4), ["Clip"]),
        (nn.LeakyReLU(0.2), (2, 4), ["LeakyRelu"]),
        (nn.Hardswish(), (2, 4), ["HardSwish"]),
        (nn.Hardsigmoid(), (2, 4), ["HardSigmoid"]),
        (nn.GELU(), (2, 4), ["Gelu"]),
        (nn.Sigmoid(), (2, 4), ["Sigmoid"]),
        (nn.SiLU(), (2, 4), ["Sigmoid", "Mul"]),
        (nn.Softmax(1), (2, 4, 3), ["Softmax"]),
        (nn.LogSoftmax(-1), (2, 4), ["LogSoftmax"]),
        (nn.MaxPool2d(3, 2, 1), (2, 4, 9, 9), ["MaxPool"]),
        (nn.MaxPool2d(3, 2, ceil_mode=True), (2, 4, 8, 8), ["MaxPool"]),
        (nn.MaxPool1d(2, dilation=2), (2, 4, 9), ["MaxPool"]),
        (nn.AvgPool2d(3, 2, 1), (2, 4, 9, 9), ["AveragePool"]),
        (nn.AdaptiveAvgPool2d(1), (2, 4, 9, 7), ["GlobalAveragePool"]),
        (nn.LocalResponseNorm(5), (2, 6, 3, 3), ["LRN"]),
        (nn.Flatten(), (2, 3, 4), ["Reshape"]),
        (nn.Embedding(5, 3), (2, 4), ["Gather"]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_what_is_one_operator_is_written_as_one(layer: nn.Module, shape: tuple[int, ...], expected: list[str]) -> None:
    pytest.importorskip("onnxruntime")
    og.manual_seed(1)
    integer = isinstance(layer, nn.Embedding)
    x, other = (og.randint(0, 5, s) if integer else og.randn(s) * 3 for s in (shape, (3, *shape[1:])))
    program = agree(layer, x, others=(other,), opset_version=20, dynamic_axes=BATCH)
    assert operators(program) == expected


@pytest.mark.parametrize("opset", [9, 11, 13, 15, 17, 18, 20, 22])
def test_opsets(opset: int) -> None:
    pytest.importorskip("onnxruntime")
    program = agree(small_network(), og.randn(2, 3, 9, 9), opset_version=opset, dynamic_axes=BATCH)
    assert [(o.domain, o.version) for o in program.model_proto.opset_import] == [("", opset)]


@pytest.mark.parametrize("opset", [7, 8])
def test_the_oldest_opsets(opset: int) -> None:
    pytest.importorskip("onnxruntime")
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU6(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(36, 2)
    )
    agree(model, og.randn(2, 3, 8, 8), opset_version=opset)


def test_the_newest_opset() -> None:
    checked(og.onnx.export(small_network(), og.zeros(2, 3, 9, 9), opset_version=onnx.defs.onnx_opset_version()))


def test_an_op_that_the_opset_does_not_have() -> None:
    with pytest.raises(
        UnsupportedError, match=r"`cumsum` needs CumSum, which opset 10 does not have.* is 11"
    ) as caught:
        og.onnx.export(lambda x: x.cumsum(0), og.zeros(3), opset_version=10)
    assert caught.value.location is not None and caught.value.location[0].endswith("test_export.py")
    with pytest.raises(UnsupportedError, match="no opset of ONNX has an operator for `cholesky`"):
        og.onnx.export(og.linalg.cholesky, og.eye(3))


FUNCTIONS: dict[str, Any] = {
    "arithmetic": lambda x: (x * 2 - 1) / (x.abs() + 3) + x.sign() - x.square().rsqrt(),
    "functions": lambda x: og.stack([x.exp(), x.expm1(), x.abs().log1p(), x.sin(), x.atan(), x.erf(), x.floor(), x.trunc()]),
    "comparisons": lambda x: og.stack([x > 0.5, x <= 0.5, x != 0, x.isfinite(), ~(x >= 0) | (x == 1)]),
    "integers": lambda x: og.stack([v // 3 for v in [(x * 10).long()]] + [(x * 10).long() % 3, -((x * 10).long()) // 4]),
    "floats divided": lambda x: (x // 0.3) + (x % 0.7),
    "atan2": lambda x: og.atan2(x, x.flip(0)),
    "reductions": lambda x: (x.sum(0), x.mean(), x.amax(1), x.amin(0, keepdim=True), x.prod(1), x.std(0), x.argmax(1)),
    "running": lambda x: (x.cumsum(1), x.cumprod(0), x.cummax(1).values, og.logcumsumexp(x, 0)),
    "shapes": lambda x: og.cat([x.t().reshape(2, -1), x.flip(1).unflatten(0, (2, 2)).flatten()[None].expand(2, -1)], 1),
    "slices": lambda x: (x[1:, ::2], x[-1], x[:, None, 1], F.pad(x, (1, 2, -1, 0), value=3.0), x.roll(1, 0)),
    "gather": lambda x: (x[[0, 2]], x[[0, 1], [1, 0]], x.gather(1, og.tensor([[0], [1], [2], [0]])), x.tril()),
    "scatter": lambda x: x.scatter_add(0, og.tensor([[0, 0, 1]]), x[:1]) + x.index_fill(0, og.tensor([1]), 2.0),
    "sort": lambda x: (x.sort(1).values, x.topk(2).indices, x.argsort(0, descending=True)),
    "products": lambda x: (x @ x.t(), og.einsum("ij,kj->ik", x, x), og.linalg.det(x[:3]), og.bmm(x[None], x.t()[None])),
    "casts": lambda x: (x.double(), x.int(), x > 0, (x > 0).float(), x.half().float()),
    "windows": lambda x: (x.unfold(1, 2, 1), F.fold(F.unfold(x[None, None], 2), (4, 3), 2)),
    "half": lambda x: F.softplus(x) + F.elu(x) + F.mish(x) + F.celu(x, 0.5) + F.normalize(x),
    "resized": lambda x: (F.interpolate(x[None, None], scale_factor=2), F.interpolate(x[None, None], (7, 5), mode="bicubic")),
    "bits": lambda x: ((x * 9).int() & 5) ^ ((x * 3).int() << 2) | ((x * 50).int() >> 1),
    "loss": lambda x: F.cross_entropy(x, og.tensor([0, 2, 1, 0])),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str) -> None:
    pytest.importorskip("onnxruntime")
    og.manual_seed(3)
    agree(FUNCTIONS[name], og.randn(4, 3), opset_version=18)


def test_gradients_are_graphs_too() -> None:
    pytest.importorskip("onnxruntime")
    weight = og.randn(4, 2, 3, 3)

    def gradients(x: og.Tensor) -> Any:
        with og.enable_grad():
            return og.func.grad(lambda w: F.conv2d(x, w, stride=2, padding=1).square().sum())(weight)

    agree(gradients, og.randn(2, 2, 7, 7))


# ---- sequences and control flow


@pytest.mark.parametrize("layer", [nn.LSTM(4, 3, 2, batch_first=True), nn.GRU(4, 3, bidirectional=True), nn.RNN(4, 3)])
def test_recurrent_layers(layer: nn.Module) -> None:
    pytest.importorskip("onnxruntime")
    axes = {"input": {0 if layer.batch_first else 1: "batch"}}
    others = (og.randn(4, 5, 4) if layer.batch_first else og.randn(5, 4, 4),)
    program = agree(layer, og.randn(5, 5, 4), others=others, dynamic_axes=axes)
    assert "Scan" in operators(program)


def test_transformer() -> None:
    pytest.importorskip("onnxruntime")
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)
    program = agree(model, og.randn(2, 5, 8), others=(og.randn(3, 5, 8),), dynamic_axes={"src": {0: "batch"}})
    assert operators(program).count("Softmax") == 2 and operators(program).count("LayerNormalization") == 4


def test_branches() -> None:
    pytest.importorskip("onnxruntime")

    def choose(x: og.Tensor) -> og.Tensor:
        return og.cond(x.sum() > 0, lambda v: v * 2, lambda v: v - 1, (x,))

    program = agree(choose, og.ones(3), others=(-og.ones(3),))
    assert "If" in operators(program)


def test_loops() -> None:
    pytest.importorskip("onnxruntime")

    def double(x: og.Tensor) -> Any:
        return og.while_loop(lambda v, n: v.sum() < 100, lambda v, n: (v * 2, n + 1), (x, og.tensor(0)))

    program = agree(double, og.ones(3), others=(og.full((3,), 200.0),))
    assert "Loop" in operators(program)


@pytest.mark.parametrize("reverse", [False, True])
def test_scans(reverse: bool) -> None:
    pytest.importorskip("onnxruntime")

    def running(x: og.Tensor) -> Any:
        return og.scan(lambda carry, row: (carry * 0.5 + row, carry), og.zeros(3), x, reverse=reverse)

    program = agree(running, og.randn(4, 3))
    assert "Scan" in operators(program)


# ---- sizes that change


def test_sizes_that_change() -> None:
    pytest.importorskip("onnxruntime")

    def flatten(x: og.Tensor) -> Any:
        n, length, width = x.shape
        return x.reshape(n * length, width).t(), x.new_zeros(n, 2 * length) + og.arange(2 * length)

    shapes = {"x": {0: "batch", 1: "length"}}
    program = agree(flatten, og.randn(2, 3, 4), others=(og.randn(5, 2, 4),), dynamic_shapes=shapes)
    first = program.model_proto.graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_param or d.dim_value for d in first] == ["batch", "length", 4]


def test_ways_to_name_axes() -> None:
    for options in (
        {"dynamic_axes": {"input": [0]}},
        {"dynamic_shapes": ({0: "n"},)},
        {"dynamic_shapes": [("n", None)]},
        {"input_names": ["input"], "dynamic_axes": {"input": {-2: "n"}}},
    ):
        program = og.onnx.export(nn.Linear(3, 2), og.zeros(1, 3), **options)
        first, second = program.model_proto.graph.input[0].type.tensor_type.shape.dim
        assert first.dim_param and second.dim_value == 3
    with pytest.raises(ArgumentError, match="no dimension 5"):
        og.onnx.export(nn.Linear(3, 2), og.zeros(1, 3), dynamic_axes={"input": {5: "n"}})


# ---- arguments


def test_names_and_several_inputs() -> None:
    pytest.importorskip("onnxruntime")
    program = agree(lambda a, b: {"sum": a + b, "same": a}, og.ones(2), og.ones(2), input_names=["p", "q"])
    assert (program.input_names, program.output_names) == (["p", "q"], ["sum", "same"])
    keyword = og.onnx.export(lambda a, *, b: a - b, (og.ones(2),), kwargs={"b": og.zeros(2)}, output_names=["r"])
    assert (keyword.input_names, keyword.output_names) == (["a", "b"], ["r"])


def test_weights_as_inputs() -> None:
    layer = nn.Linear(3, 2)
    bare = og.onnx.export(layer, og.zeros(1, 3), export_params=False).model_proto.graph
    assert [i.name for i in bare.input] == ["input", "weight", "bias"] and not bare.initializer
    both = og.onnx.export(layer, og.zeros(1, 3), keep_initializers_as_inputs=True).model_proto.graph
    assert [i.name for i in both.input] == ["input", "weight", "bias"] and len(both.initializer) == 2


def test_what_is_refused() -> None:
    layer = nn.Linear(3, 2)
    for opset in (6, 1000, "18"):
        with pytest.raises(ArgumentError, match="opset_version must be 7 to"):
            og.onnx.export(layer, og.zeros(1, 3), opset_version=opset)
    with pytest.raises(UnsupportedError, match="exported for evaluation"):
        og.onnx.export(layer, og.zeros(1, 3), training=True)
    with pytest.raises(ArgumentTypeError, match="a tensor or an array, got str"):
        og.onnx.export(layer, "x")
    with pytest.raises(ArgumentError, match="at least one"):
        og.onnx.export(layer)
    with pytest.raises(ArgumentError, match="2 inputs"):
        og.onnx.export(lambda a, b: a, (og.zeros(1), og.zeros(1)), input_names=["a"])
    with pytest.raises(ArgumentTypeError, match="expected a module"):
        og.onnx.export(3, og.zeros(1))
    with pytest.raises(TraceError, match="random numbers"):
        og.onnx.export(lambda x: x + og.randn(3), og.zeros(3))


# ---- files


def test_files(tmp_path: Path) -> None:
    layer, x = nn.Linear(64, 32), og.zeros(1, 64)
    program, buffer = og.onnx.export(layer, x, tmp_path / "plain.onnx"), io.BytesIO()
    program.save(str(tmp_path / "split.onnx"), external_data=True)
    program.save(buffer)
    assert buffer.getvalue() == (tmp_path / "plain.onnx").read_bytes() == program.model_proto.SerializeToString()
    split = onnx.load(tmp_path / "split.onnx", load_external_data=False)
    (large,) = [t for t in split.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
    assert large.name == "weight" and (tmp_path / "split.onnx.data").stat().st_size == 64 * 32 * 4
    onnx.checker.check_model(str(tmp_path / "split.onnx"), full_check=True)
    loaded, inside = (p.graph.initializer for p in (onnx.load(tmp_path / "split.onnx"), program.model_proto))
    assert [(t.name, t.dims, t.raw_data) for t in loaded] == [(t.name, t.dims, t.raw_data) for t in inside]
    for wrong in (3, io.StringIO()):
        with pytest.raises(ArgumentTypeError):
            og.onnx.export(layer, x, wrong)
    with pytest.raises(ArgumentTypeError, match="needs a path"):
        og.onnx.export(layer, x, io.BytesIO(), external_data=True)


def test_external_data_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    (tmp_path / "m.onnx.data").symlink_to("victim")
    with pytest.raises(ExternalDataError, match="symbolic link"):
        og.onnx.export(nn.Linear(64, 32), og.zeros(1, 64), tmp_path / "m.onnx", external_data=True)
    assert (tmp_path / "victim").read_bytes() == b"precious" and not (tmp_path / "m.onnx").exists()


def test_saved_models(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    model = small_network()
    og.save_model(tmp_path / "model", model, og.zeros(2, 3, 9, 9))
    loaded = og.load_model(tmp_path / "model")
    program = og.onnx.export(loaded)
    x = og.randn(3, 3, 9, 9)
    assert difference(run(checked(program), program, (x,)), [loaded(x).numpy()]) < 1e-5


# ---- there and back


def test_round_trip_has_the_same_values_and_gradients(tmp_path: Path) -> None:
    model, x = small_network().eval(), og.randn(2, 3, 9, 9)
    og.onnx.export(model, x, tmp_path / "model.onnx", external_data=True, dynamic_axes=BATCH)
    back = og.onnx.load(tmp_path / "model.onnx")
    back.eval()
    results = [m(x) for m in (model, back)]
    np.testing.assert_allclose(results[0].detach().numpy(), results[1].detach().numpy(), rtol=1e-5, atol=1e-6)
    for result in results:
        (result * og.arange(4)).sum().backward()
    theirs = {name.replace("/", "."): p.grad for name, p in back.named_parameters()}
    for name, parameter in model.named_parameters():
        np.testing.assert_allclose(parameter.grad.numpy(), theirs[name].numpy(), rtol=1e-4, atol=1e-5)
