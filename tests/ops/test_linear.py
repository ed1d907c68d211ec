"""Products, einsum and distances against PyTorch: values, gradients, dtypes; and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onegraph.backends.reference import evaluate
from onegraph.errors import ArgumentError, DTypeError, ShapeError
from onegraph.ir.dim import Dim
from onegraph.ir.dtype import float32
from onegraph.ir.node import input_node
from onegraph.ops import distance, einsum, linear, norms
from onegraph.ops.elementwise import numpy_constant
from tests.ops.torch_oracle import compare, random, torch

functional = torch.nn.functional

PRODUCTS: list[tuple[str, list[tuple[int, ...]]]] = [
    ("mm", [(3, 4), (4, 5)]),
    ("bmm", [(2, 3, 4), (2, 4, 5)]),
    ("mv", [(3, 4), (4,)]),
    ("dot", [(4,), (4,)]),
    ("inner", [(2, 3, 4), (5, 4)]),
    ("inner", [(), (5, 4)]),
    ("outer", [(3,), (4,)]),
    ("kron", [(2, 3), (4, 5)]),
    ("kron", [(2, 3), (4,)]),
    ("kron", [(2,), (2, 3, 2)]),
    ("chain_matmul", [(2, 30), (30, 3), (3, 20), (20, 4)]),
    ("addmm", [(5,), (3, 4), (4, 5)]),
    ("addmv", [(3,), (3, 4), (4,)]),
    ("addr", [(3, 1), (3,), (4,)]),
    ("addbmm", [(3, 5), (2, 3, 4), (2, 4, 5)]),
    ("baddbmm", [(3, 5), (2, 3, 4), (2, 4, 5)]),
]


@pytest.mark.filterwarnings("ignore:torch.chain_matmul is deprecated")
@pytest.mark.parametrize(("name", "shapes"), PRODUCTS)
def test_product(name: str, shapes: list[tuple[int, ...]]) -> None:
    arrays = [random(*s, seed=i) for i, s in enumerate(shapes)]
    arguments = {"beta": 0.3, "alpha": -2.0} if name.startswith(("add", "badd")) else {}
    compare(getattr(linear, name), getattr(torch, name), *arrays, **arguments)
    if arguments:
        compare(getattr(linear, name), getattr(torch, name), *arrays)


def test_beta_of_zero_hides_nan() -> None:
    x = np.full((3, 5), np.nan)
    compare(linear.addmm, torch.addmm, x, random(3, 4), random(4, 5), beta=0, gradients=False)


def test_products_of_integers() -> None:
    a, b = np.arange(12).reshape(3, 4), np.arange(8).reshape(4, 2)
    compare(linear.mm, torch.mm, a, b)
    compare(linear.addmm, torch.addmm, np.ones((3, 2), np.int64), a, b, beta=2, alpha=3)
    compare(linear.outer, torch.outer, np.arange(3), random(2))


def test_multi_dot_with_vectors() -> None:
    arrays = [random(3), random(3, 4), random(4, 5), random(5)]
    compare(linear.multi_dot, torch.linalg.multi_dot, arrays)
    compare(linear.multi_dot, torch.linalg.multi_dot, arrays[:3])


@pytest.mark.parametrize("shape", [(5, 3), (3,), (2, 4, 3), (0, 3), (2, 0, 3)])
def test_linear(shape: tuple[int, ...]) -> None:
    compare(linear.linear, functional.linear, random(*shape), random(4, 3), random(4))
    compare(linear.linear, functional.linear, random(*shape), random(4, 3))
    compare(linear.linear, functional.linear, random(*shape), random(3, seed=1))


@pytest.mark.parametrize("lead", [(5,), (), (2, 4)])
def test_bilinear(lead: tuple[int, ...]) -> None:
    a, b, w = random(*lead, 3), random(*lead, 4), random(2, 3, 4)
    compare(linear.bilinear, functional.bilinear, a, b, w, random(2))
    compare(linear.bilinear, functional.bilinear, a, b, w)


EQUATIONS: list[tuple[str, list[tuple[int, ...]]]] = [
    ("ij,jk->ik", [(2, 3), (3, 4)]),
    ("ij,jk", [(2, 3), (3, 4)]),
    ("ba", [(2, 3)]),
    ("Ab->bA", [(2, 3)]),
    ("bA", [(2, 3)]),
    ("ii", [(3, 3)]),
    ("ii->i", [(3, 3)]),
    ("iji->j", [(3, 2, 3)]),
    ("iii->i", [(3, 3, 3)]),
    ("ij->", [(2, 3)]),
    ("i,j->ij", [(2,), (3,)]),
    ("i,i", [(3,), (3,)]),
    ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]),
    ("bhqd,bhkd->bhqk", [(2, 3, 4, 5), (2, 3, 6, 5)]),
    ("...ij,...jk->...ik", [(2, 1, 3, 4), (5, 4, 2)]),
    ("...ij,...jk", [(2, 3, 4), (4, 2)]),
    ("...ij->...ji", [(2, 3, 4)]),
    ("i...,i->...", [(3, 2, 4), (3,)]),
    ("ij,ij->ij", [(2, 3), (1, 3)]),
    ("ij,ij->i", [(2, 3), (2, 1)]),
    ("ij,ij->", [(2, 1), (2, 3)]),
    ("bn,anm,bm->ba", [(2, 5), (3, 5, 4), (2, 4)]),
    ("i,j,k->ijk", [(2,), (3,), (4,)]),
    ("ij,kl,jk->il", [(2, 3), (4, 5), (3, 4)]),
    ("ij , j -> i", [(2, 3), (3,)]),
    (",i->i", [(), (3,)]),
    ("ijk,jkl->l", [(2, 3, 4), (3, 4, 5)]),
    ("...,...->...", [(2, 3), (3,)]),
]


@pytest.mark.parametrize(("equation", "shapes"), EQUATIONS)
def test_einsum(equation: str, shapes: list[tuple[int, ...]]) -> None:
    compare(einsum.einsum, torch.einsum, equation, *[random(*s, seed=i) for i, s in enumerate(shapes)])


def test_einsum_of_sublists() -> None:
    a, b = random(2, 3, 4), random(4, 5)
    compare(lambda a, b: einsum.einsum(a, [..., 2], b, [2, 30], [30, ...]),
            lambda a, b: torch.einsum(a, [..., 2], b, [2, 30], [30, ...]), a, b)  # fmt: skip
    compare(lambda a: einsum.einsum(a, [1, 0, 2]), lambda a: torch.einsum(a, [1, 0, 2]), a)


@pytest.mark.parametrize(
    ("a", "b", "dims"),
    [
        ((4, 3), (3, 2), 1),
        ((4, 3), (2,), 0),
        ((4, 2, 3), (2, 3, 4), 2),
        ((4, 2, 3), (2, 3, 4), ([1, 2], [0, 1])),
        ((4, 2, 3), (2, 3, 4), ([0], [2])),
        ((4, 2, 3), (2, 3, 4), ([-1, 0], [1, -1])),
    ],
)
def test_tensordot(a: Any, b: Any, dims: Any) -> None:
    compare(einsum.tensordot, torch.tensordot, random(*a), random(*b), dims=dims)


@pytest.mark.parametrize(
    ("a", "b", "dim"), [((3, 4), (3, 4), 1), ((2, 3, 4), (3, 4), 0), ((5,), (5,), 0), ((3, 1, 4), (1, 2, 4), -1)]
)
def test_cosine_similarity(a: Any, b: Any, dim: int) -> None:
    compare(distance.cosine_similarity, functional.cosine_similarity, random(*a), random(*b, seed=1), dim=dim)


def test_cosine_of_numbers() -> None:
    compare(distance.cosine_similarity, functional.cosine_similarity, random(), random(seed=1), dim=0)


ORDERS = [None, 0, 1, -1, 2, 3.5, float("inf"), float("-inf")]


@pytest.mark.parametrize("ord", ORDERS)
@pytest.mark.parametrize("keepdim", [False, True])
def test_norms_of_vectors(ord: float | None, keepdim: bool) -> None:
    x = random(3, 4)
    gradients = ord != 0
    for dim in (1, (0,)):
        compare(norms.linalg_norm, torch.linalg.norm, x, ord, dim, keepdim, gradients=gradients)
    if ord is not None:
        compare(norms.vector_norm, torch.linalg.vector_norm, x, ord, None, keepdim, gradients=gradients)
        compare(
            norms.vector_norm, torch.linalg.vector_norm, random(2, 3, 4), ord, (0, -1), keepdim, gradients=gradients
        )


@pytest.mark.parametrize("ord", ["fro", "nuc", 1, -1, 2, -2, float("inf"), float("-inf")])
@pytest.mark.parametrize("dim", [(0, 1), (-1, 0), (2, 1)])
def test_norms_of_matrices(ord: Any, dim: tuple[int, int]) -> None:
    for keepdim in (False, True):
        compare(norms.matrix_norm, torch.linalg.matrix_norm, random(2, 3, 4), ord, dim, keepdim)
        compare(norms.linalg_norm, torch.linalg.norm, random(2, 3, 4), ord, dim, keepdim)
    compare(norms.linalg_norm, torch.linalg.norm, random(3, 4), ord)


def test_norms_of_wrong_orders() -> None:
    x = numpy_constant(random(3, 4))
    with pytest.raises(ArgumentError, match="ord must be"):
        norms.matrix_norm(x, 3)
    with pytest.raises(ShapeError, match="one or two dimensions"):
        norms.linalg_norm(numpy_constant(random(2, 3, 4)), 1)


def test_vecdot() -> None:
    compare(norms.vecdot, torch.linalg.vecdot, random(3, 4), random(4))
    compare(norms.vecdot, torch.linalg.vecdot, random(3, 4), random(3, 1), dim=0)


def test_cosine_of_a_zero_vector_is_zero() -> None:
    x = np.stack([np.zeros(3), np.ones(3)])
    compare(distance.cosine_similarity, functional.cosine_similarity, x, random(2, 3))


@pytest.mark.parametrize("p", [1.0, 2.0, 3.5])
def test_distances(p: float) -> None:
    a, b = random(4, 3), random(5, 3, seed=1)
    compare(distance.cdist, torch.cdist, a, b, p)
    compare(distance.cdist, torch.cdist, random(2, 1, 4, 3), random(3, 5, 3), p)
    compare(distance.pdist, torch.pdist, a, p)
    compare(distance.pairwise_distance, functional.pairwise_distance, a, random(4, 3, seed=2), p, 1e-3, True)
    compare(distance.pairwise_distance, functional.pairwise_distance, a, random(3, seed=2), p)
    compare(distance.normalize, functional.normalize, random(2, 3, 4), p)
    compare(distance.normalize, functional.normalize, np.zeros((2, 3)), p, 0, 0.5, gradients=p == 2)


def test_distance_of_equal_points_has_gradient_zero() -> None:
    x = random(3, 2)
    compare(distance.cdist, torch.cdist, x, x.copy())


def test_unknown_batch_size() -> None:
    n = Dim.unknown("n")
    x = input_node((n, 5, 3), float32)
    w = numpy_constant(random(4, 3, dtype=np.float32))
    assert linear.linear(x, w).shape == (n, 5, 4)
    assert einsum.einsum("bij,kj->bki", x, w).shape == (n, 4, 5)
    assert einsum.einsum("bij,bkj->bik", x, x).shape == (n, 5, 5)


def test_errors() -> None:
    a, b = numpy_constant(random(2, 3)), numpy_constant(random(4, 5))
    with pytest.raises(ShapeError, match=r"mm: \(2, 3\) and \(4, 5\): inner sizes 3 and 4 differ"):
        linear.mm(a, b)
    with pytest.raises(ShapeError, match="needs tensors of 3 and 3 dimensions"):
        linear.bmm(a, b)
    with pytest.raises(
        ShapeError, match=r"linear: input \(2, 3\), weight \(4, 5\): the input has 3 features, the weight takes 5"
    ):
        linear.linear(a, b)
    with pytest.raises(DTypeError, match=r"float64 .* float32"):
        linear.linear(a, numpy_constant(random(4, 3, dtype=np.float32)))
    with pytest.raises(ShapeError, match=r"cannot be expanded|do not broadcast"):
        linear.addmm(b, a, numpy_constant(random(3, 5)))
    with pytest.raises(ShapeError, match="subscript 'j' stands for sizes 3 and 4"):
        einsum.einsum("ij,jk", a, b)
    with pytest.raises(ArgumentError, match="subscripts for 1 operands"):
        einsum.einsum("ij", a, b)
    with pytest.raises(ArgumentError, match="in no operand"):
        einsum.einsum("ij->ik", a)
    with pytest.raises(ArgumentError, match="more than once"):
        einsum.einsum("ij->ii", a)
    with pytest.raises(ShapeError, match="name 3 dimensions"):
        einsum.einsum("ijk", a)
    with pytest.raises(ArgumentError, match="letters"):
        einsum.einsum("i1", a)
    with pytest.raises(ShapeError, match="differ"):
        einsum.tensordot(a, b, 1)
    assert evaluate([einsum.tensordot(a, b, 0)])[0].shape == (2, 3, 4, 5)
