"""Tensors as text: the same characters as PyTorch, the name of the package aside."""

import random
from collections.abc import Iterator

import numpy as np
import pytest

import onegraph as og
from onegraph.errors import ArgumentError
from onegraph.ir.dtype import DType

OPTIONS = [
    {},
    {"precision": 2},
    {"precision": 0},
    {"edgeitems": 1},
    {"threshold": 5},
    {"threshold": 3, "edgeitems": 2},
    {"linewidth": 40},
    {"linewidth": 120, "precision": 7},
    {"sci_mode": True},
    {"sci_mode": False},
    {"profile": "short"},
    {"profile": "full"},
]
DTYPES = ["float32", "float64", "float16", "bfloat16", "int64", "int32", "uint8", "bool"]
SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-5, 1000.0]


@pytest.fixture(autouse=True)
def _default_options() -> Iterator[None]:
    yield
    og.set_printoptions(profile="default")


def _values(rng: random.Random, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    dims = rng.choice([0, 1, 1, 2, 2, 3, 4])
    shape = [rng.choice([0, 1, 2, 3, 5, 8, 12, 1001 if dims < 2 else 2]) for _ in range(dims)]
    values = np.asarray(generator.standard_normal(shape) * 10.0 ** rng.choice([-6, -3, -1, 0, 0, 1, 3, 5, 9]))
    kind = rng.random()
    if kind < 0.25:
        return np.round(values)
    if kind < 0.5:
        return np.where(generator.random(shape) < 0.3, rng.choice(SPECIAL), values)
    return values


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_random_tensors_print_as_in_pytorch(options: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    # Names of equal length, so that lines break at the same places.
    monkeypatch.setattr(DType, "__repr__", lambda self: f"torch.{self.name}")
    og.set_printoptions(**options)
    torch.set_printoptions(**options)
    rng = random.Random(str(options))
    try:
        for seed in range(60):
            name = rng.choice(DTYPES)
            with np.errstate(all="ignore"):
                theirs = torch.tensor(_values(rng, seed)).to(getattr(torch, name))
            ours = og.tensor(theirs.float().numpy() if name == "bfloat16" else theirs.numpy(), dtype=getattr(og, name))
            if "float" in name and rng.random() < 0.3:
                theirs.requires_grad_()
                ours.requires_grad_()
            assert repr(ours) == repr(theirs)
    finally:
        torch.set_printoptions(profile="default")


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: og.tensor([1.0, 2.0, 1000.0]), "tensor([   1.,    2., 1000.])"),
        (lambda: og.tensor([1.5, 1e8]), "tensor([1.5000e+00, 1.0000e+08])"),
        (lambda: og.tensor([float("inf"), 1.5, float("nan")]), "tensor([   inf, 1.5000,    nan])"),
        (lambda: og.tensor([True, False]), "tensor([ True, False])"),
        (lambda: og.tensor(3), "tensor(3)"),
        (lambda: og.zeros(0, 3, dtype=og.int64), "tensor([], size=(0, 3), dtype=onegraph.int64)"),
        (lambda: og.tensor([]), "tensor([])"),
        (lambda: og.tensor([1.5], dtype=og.float16), "tensor([1.5000], dtype=onegraph.float16)"),
        (lambda: og.ones(2, requires_grad=True), "tensor([1., 1.], requires_grad=True)"),
        (lambda: og.ones(2, requires_grad=True) * 2, "tensor([2., 2.], grad_fn=<MulBackward>)"),
        (lambda: og.arange(2000), "tensor([   0,    1,    2,  ..., 1997, 1998, 1999])"),
    ],
)
def test_known_texts(make: object, text: str) -> None:
    assert repr(make()) == text  # type: ignore[operator]


def test_options_left_out_stay_and_sci_mode_returns_to_automatic() -> None:
    og.set_printoptions(precision=1, sci_mode=True)
    assert repr(og.tensor([0.25])) == "tensor([2.5e-01])"
    og.set_printoptions(linewidth=100)
    assert repr(og.tensor([0.25])) == "tensor([0.2])"


def test_an_unknown_profile_is_an_error() -> None:
    with pytest.raises(ArgumentError, match="no profile 'long'"):
        og.set_printoptions(profile="long")
