"""Batch normalization with running statistics is folded into weight and bias; in training nothing is."""

import numpy as np
import pytest

import onegraph as og
import onegraph.nn.functional as F
from onegraph import nn
from onegraph.ir import Graph, input_node
from onegraph.ir.dtype import float32
from onegraph.ir.verify import verify
from onegraph.ops.binary import ADD, DIV, MUL, SUB
from onegraph.ops.contraction import MATMUL
from onegraph.ops.convolution import CONV
from onegraph.ops.elementwise import EXP
from onegraph.ops.movement import RESHAPE
from onegraph.ops.record import check_rule
from onegraph.ops.reduction import SUM
from onegraph.passes.fold_batch_norm import fold_batch_norm
from onegraph.passes.pipeline import optimize
from tests.passes.graphs import graph_of, run, text

X, W = (2, 3, 5, 5), (4, 3, 3, 3)
C = (1, 4, 1, 1)
GOLDEN = """%5: f32[4, 1, 1, 1] = reshape(%3, shape=(4, 1, 1, 1))
%6: f32[4, 3, 3, 3] = mul(%1, %5)
%7: f32[2, 4, 5, 5] = conv(%0, %6, stride=(1, 1), padding=((1, 1), (1, 1)), dilation=(1, 1), groups=1)
%8: f32[4] = reshape(%2, shape=(4,))
%9: f32[4] = neg(%8)
%10: f32[4] = reshape(%3, shape=(4,))
%11: f32[4] = mul(%9, %10)
%12: f32[4] = reshape(%4, shape=(4,))
%13: f32[4] = add(%11, %12)
%14: f32[4, 1, 1] = reshape(%13, shape=(4, 1, 1))
%15: f32[2, 4, 5, 5] = add(%7, %14)
return %15"""


def conv(x, w, groups=1):
    return CONV(x, w, stride=(1, 1), padding=((1, 1), (1, 1)), dilation=(1, 1), groups=groups)


def close(before: Graph, after: Graph) -> None:
    verify(after, check_rule)
    random = np.random.default_rng(0)
    values = [random.uniform(0.5, 1.5, n.shape).astype(n.dtype.numpy) for n in before.inputs]
    for a, b in zip(run(before, values), run(after, values), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)


def test_golden():
    graph = graph_of(lambda x, w, mean, scale, bias: ADD(MUL(SUB(conv(x, w), mean), scale), bias), X, W, C, C, C)
    found = fold_batch_norm(graph)
    assert text(found) == GOLDEN
    close(graph, found)


@pytest.mark.parametrize(
    "build, shapes",
    [
        (lambda x, w, a, b: DIV(ADD(conv(x, w), a), b), (X, W, C, C)),
        (lambda x, w, a, b: SUB(MUL(a, conv(x, w)), b), (X, W, (4, 1, 1), ())),
        (lambda x, w, a, b: MUL(b, DIV(ADD(a, conv(x, w)), a)), (X, W, C, ())),
        (lambda x, w, a, b: ADD(MUL(conv(x, w, 3), a), b), ((2, 3, 5, 5), (6, 1, 3, 3), (6, 1, 1), (6, 1, 1))),
        (lambda x, w, a, b: ADD(b, MUL(MATMUL(x, w), a)), ((6, 3), (3, 4), (4,), (1, 4))),
        (
            lambda x, w, a, b: ADD(MUL(RESHAPE(MATMUL(x, w), shape=(2, 3, 4)), a), b),
            ((6, 3), (3, 4), (4,), (1, 1, 4)),
        ),
        (lambda x, w, a, b: ADD(MUL(MATMUL(x, w), a), b), ((6, 3), (3, 1), (1,), (1, 1))),
        (
            lambda x, w, a, b: ADD(
                MUL(CONV(x, w, stride=(2,), padding=((0, 1),), dilation=(1,), groups=1), a), b
            ),
            ((2, 3, 7), (5, 3, 2), (5, 1), (1, 5, 1)),
        ),
    ],
)  # fmt: skip
def test_chains_that_are_folded(build, shapes):
    graph = graph_of(build, *shapes)
    found = fold_batch_norm(graph)
    (contraction,) = (n for n in found.nodes() if n.op in ("conv", "matmul"))
    assert contraction.inputs[1].op == "mul"
    assert found.outputs[0].op in ("add", "reshape")
    close(graph, found)


@pytest.mark.parametrize(
    "build",
    [
        lambda x, w, a, b: [MUL(conv(x, w), a)],  # no shift
        lambda x, w, a, b: [SUB(ADD(conv(x, w), a), b)],  # no scale
        lambda x, w, a, b: [ADD(MUL(y := conv(x, w), a), b), y],  # the result of the convolution is wanted
        lambda x, w, a, b: [ADD(MUL(conv(x, w), a), b), EXP(w)],  # the weight is read elsewhere
        lambda x, w, a, b: [ADD(MUL(y := conv(x, w), a), SUM(y, dims=(0, 2, 3), keepdim=True))],
        lambda x, w, a, b: [ADD(DIV(a, conv(x, w)), b)],
        lambda x, w, a, b: [ADD(MUL(conv(x, w), SUM(x, dims=(0, 1, 2, 3), keepdim=True)), b)],
        lambda x, w, a, b: [ADD(MUL(conv(x, w), MUL(a, SUM(b, dims=(0,), keepdim=True))), b)],
        lambda x, w, a, b: [ADD(MUL(conv(RESHAPE(MUL(x, b), shape=X), w), a), RESHAPE(b, shape=(1, 1, 1, 1)))],
    ],
)
def test_chains_that_stay(build):
    graph = graph_of(build, X, W, C, (1, 1, 1, 1))
    assert fold_batch_norm(graph) is graph


def test_values_that_are_not_for_channels_stay():
    graph = graph_of(lambda x, w, a: ADD(MUL(MATMUL(x, w), a), a), (4, 3), (3, 4), (4, 1))
    assert fold_batch_norm(graph) is graph
    graph = graph_of(lambda x, w, a: ADD(MUL(conv(x, w), a), a), X, W, (5, 1))
    assert fold_batch_norm(graph) is graph


def test_a_weight_that_depends_on_the_data_stays():
    x, a = input_node((4, 4), float32), input_node((4,), float32)
    graph = Graph([x, a], [ADD(MUL(MATMUL(x, EXP(x)), a), a)])
    assert fold_batch_norm(graph) is graph


def _network() -> nn.Module:
    og.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3, groups=2, bias=False),
        nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(36, 5), nn.BatchNorm1d(5),
    )  # fmt: skip


def test_layers_are_folded_for_inference():
    network = _network()
    x = og.randn(2, 3, 5, 5)
    network(x)
    network.eval()
    graph = og.jit(network).trace(x).graph
    found = optimize(graph)
    contractions = [n for n in found.nodes() if n.op in ("conv", "matmul")]
    assert len(contractions) == 3
    assert all(n.inputs[1].op == "mul" for n in contractions)
    assert sum(n.op == "add" and n.shape == contractions[0].shape for n in found.nodes()) == 1
    close(graph, found)


def test_nothing_is_folded_in_training():
    network = _network()
    x, y = og.randn(2, 3, 5, 5), og.tensor([1, 2])

    def step(x: og.Tensor, y: og.Tensor) -> og.Tensor:
        loss = F.cross_entropy(network(x), y)
        loss.backward()
        return loss

    graph = optimize(og.jit(step).trace(x, y).graph)
    assert all(n.inputs[1].op != "mul" for n in graph.nodes() if n.op == "conv")


def test_gradients_through_frozen_statistics_are_right():
    network = _network().eval()
    x, y = og.randn(2, 3, 5, 5), og.tensor([1, 2])

    def step(x: og.Tensor, y: og.Tensor) -> og.Tensor:
        loss = F.cross_entropy(network(x), y)
        loss.backward()
        return loss

    graph = og.jit(step).trace(x, y).graph
    random = np.random.default_rng(0)
    values = [random.uniform(0.5, 1.5, n.shape).astype(n.dtype.numpy) for n in graph.inputs]
    for a, b in zip(run(graph, values), run(optimize(graph), values), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
