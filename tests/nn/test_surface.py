"""Every public name of `torch.nn` exists here with the same arguments, in the same order, with the same defaults.

What differs stands in a table with its reason; an entry that is no longer needed fails too. Read next:
`onegraph/nn/README.md`.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import onegraph as og
from onegraph import nn

torch = pytest.importorskip("torch")

# torch's module -> ours; what both offer is compared
SPACES = {
    "torch.nn": "onegraph.nn",
    "torch.nn.functional": "onegraph.nn.functional",
    "torch.nn.init": "onegraph.nn.init",
    "torch.nn.parameter": "onegraph.nn.parameter",
    "torch.nn.grad": "onegraph.nn.grad",
    "torch.nn.attention": "onegraph.nn.attention",
    "torch.nn.parallel": "onegraph.nn.parallel",
    "torch.nn.utils": "onegraph.nn.utils",
    **{
        f"torch.nn.utils.{name}": f"onegraph.nn.utils.{name}"
        for name in [
            "clip_grad",
            "convert_parameters",
            "fusion",
            "init",
            "memory_format",
            "parametrizations",
            "parametrize",
            "prune",
            "rnn",
            "stateless",
        ]
    },
    **{
        f"torch.nn.modules.{name}": f"onegraph.nn.modules.{name}"
        for name in [
            "activation",
            "adaptive",
            "batchnorm",
            "channelshuffle",
            "container",
            "conv",
            "distance",
            "dropout",
            "flatten",
            "fold",
            "instancenorm",
            "lazy",
            "linear",
            "loss",
            "module",
            "normalization",
            "padding",
            "pixelshuffle",
            "pooling",
            "rnn",
            "sparse",
            "transformer",
            "upsampling",
            "utils",
        ]
    },
}

COMPILER = "about PyTorch's own compiler, scripting or overriding of functions, not about networks"
QUANTIZED = "quantized and 8-bit numbers are not here"
DISTRIBUTED = "several devices or machines are not here"
NOT_HERE: dict[str, str] = {
    "functional.assert_int_or_pair": COMPILER,
    "functional.boolean_dispatch": COMPILER,
    "functional.handle_torch_function": COMPILER,
    "functional.has_torch_function": COMPILER,
    "functional.has_torch_function_unary": COMPILER,
    "functional.has_torch_function_variadic": COMPILER,
    "functional.ScalingType": QUANTIZED,
    "functional.SwizzleType": QUANTIZED,
    "functional.scaled_mm": QUANTIZED,
    "functional.scaled_grouped_mm": QUANTIZED,
    "functional.grouped_mm": "a kernel of graphics processors for mixtures of experts",
    "parallel.DistributedDataParallel": DISTRIBUTED,
    "parallel.gather": DISTRIBUTED,
    "parallel.parallel_apply": DISTRIBUTED,
    "parallel.replicate": DISTRIBUTED,
    "parallel.scatter": DISTRIBUTED,
    "parallel.DistributedDataParallelCPU": DISTRIBUTED,
    "modules.rnn.apply_permutation": "an old helper that PyTorch warns of",
    "utils.rnn.PackedSequence_": "the base of PackedSequence, a detail",
    "utils.rnn.bind": "a helper of PyTorch's files",
    "factory_kwargs": "a helper for writing PyTorch's own layers",
    **dict.fromkeys(
        [
            f"attention.{name}"
            for name in [
                "activate_flash_attention_impl",
                "can_use_efficient_attention",
                "can_use_flash_attention",
                "current_flash_attention_impl",
                "list_flash_attention_impls",
                "register_flash_attention_impl",
                "restore_flash_attention_impl",
            ]
        ],
        "about kernels of graphics processors; the compiler makes the kernels here",
    ),
}
"""Public names that are not here, and why."""

OWN_CHECKS = "a step of PyTorch's own checks; the layer checks in its call"
ANY = "takes what the class takes, in the same order"
OTHER_SIGNATURES: dict[str, str] = {
    **{
        f"{space}{name}": OWN_CHECKS
        for space in ("", "modules.rnn.")
        for name in [
            "RNNBase.check_input",
            "RNNBase.get_expected_hidden_size",
            "RNNBase.check_hidden_size",
            "RNNBase.check_forward_args",
            "RNNBase.permute_hidden",
            "LSTM.get_expected_cell_size",
            "LSTM.check_forward_args",
            "LSTM.permute_hidden",
        ]
    },
    **{f"DataParallel.{name}": DISTRIBUTED for name in ("gather", "parallel_apply", "replicate", "scatter")},
    **{f"parallel.DataParallel.{name}": DISTRIBUTED for name in ("gather", "parallel_apply", "replicate", "scatter")},
    **{
        f"utils.prune.{name}.apply": ANY
        for name in ["CustomFromMask", "L1Unstructured", "LnStructured", "RandomStructured", "RandomUnstructured"]
    },
}
"""Names whose arguments differ or that lack a method, and why."""


def short(space: str, name: str) -> str:
    return f"{space.removeprefix('torch.nn').removeprefix('.')}.{name}".removeprefix(".")


def names(space: str) -> Iterator[tuple[str, Any, Any]]:
    """Public functions and classes of a space: short name, theirs, ours (None if missing)."""
    theirs, ours = importlib.import_module(space), importlib.import_module(SPACES[space])
    for name in sorted(dir(theirs)):
        value = getattr(theirs, name)
        if name.startswith("_") or not callable(value) or isinstance(value, types.ModuleType):
            continue
        home = str(getattr(value, "__module__", None) or "torch")
        if not home.startswith("torch") or (isinstance(value, type) and not home.startswith("torch.nn")):
            continue  # of Python, or of another part of torch
        if space.count(".") > 2 and home != space:
            continue  # a name of another file, imported there for use
        yield short(space, name), value, getattr(ours, name, None)


ALL = [entry for space in SPACES for entry in names(space)]


def test_every_name_is_here_or_listed() -> None:
    missing = [name for name, _, ours in ALL if ours is None]
    assert [name for name in missing if name not in NOT_HERE] == []
    assert [name for name in NOT_HERE if name not in missing] == []
    assert len(ALL) > 500


def parameters(function: Callable[..., Any]) -> list[tuple[str, str, Any]] | None:
    """Name, kind and default of each parameter; None where Python does not know them."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    return [(p.name, p.kind.name, value_of(p.default)) for p in found if p.name != "self"]


def value_of(default: Any) -> Any:
    """A default that can be compared across libraries."""
    if default is inspect.Parameter.empty:
        return "required"
    if callable(default):
        return default.__name__.strip("_")
    if isinstance(default, enum.Enum):
        return default.name
    return default


def differs(ours: Any, theirs: Any) -> str | None:
    """What is different between two signatures, if anything that a caller would notice."""
    mine, wanted = parameters(ours), parameters(theirs)
    if mine is None or wanted is None or any(kind.startswith("VAR") for _, kind, _ in wanted):
        return None
    for i, (name, kind, default) in enumerate(wanted):
        if i >= len(mine):
            return f"{name} is missing"
        if mine[i][0] != name:
            return f"argument {i} is {mine[i][0]}, not {name}"
        if mine[i][1] != kind:
            return f"{name} is {mine[i][1]}, not {kind}"
        if mine[i][2] != default:
            return f"the default of {name} is {mine[i][2]!r}, not {default!r}"
    extra = [
        name for name, kind, default in mine[len(wanted) :] if default == "required" and not kind.startswith("VAR")
    ]
    return f"more arguments are required: {extra}" if extra else None


def compared() -> Iterator[tuple[str, Any, Any]]:
    """What has a signature: functions, classes (as they are made), and the methods that PyTorch's classes define."""
    for name, theirs, ours in ALL:
        if ours is None or ours is theirs:
            continue
        yield name, theirs, ours
        if isinstance(theirs, type) and isinstance(ours, type):
            for method, value in vars(theirs).items():
                if method.startswith("_") or not isinstance(value, (types.FunctionType, classmethod, staticmethod)):
                    continue
                yield f"{name}.{method}", getattr(theirs, method), getattr(ours, method, None)


def test_arguments_are_the_same() -> None:
    problems: dict[str, str] = {}
    for name, theirs, ours in compared():
        problem = "not here" if ours is None else differs(ours, theirs)
        if problem is not None:
            problems[name] = problem
    unexpected = {n: p for n, p in problems.items() if n not in OTHER_SIGNATURES}
    assert unexpected == {}
    assert [n for n in OTHER_SIGNATURES if n not in problems] == []


def test_classes_have_the_same_relations() -> None:
    """`isinstance` and `issubclass` answer as in PyTorch."""
    pairs = [(n, t, o) for n, t, o in ALL if "." not in n and isinstance(t, type) and issubclass(t, torch.nn.Module)]
    private = [
        (f"{space}.{name}", getattr(importlib.import_module(f"torch.nn.modules.{space}"), name),
         getattr(importlib.import_module(f"onegraph.nn.modules.{space}"), name))
        for space, name in (
            ("batchnorm", "_NormBase"), ("batchnorm", "_BatchNorm"), ("instancenorm", "_InstanceNorm"), ("conv", "_ConvNd"),
            ("pooling", "_MaxPoolNd"), ("pooling", "_AvgPoolNd"), ("pooling", "_AdaptiveAvgPoolNd"),
            ("pooling", "_AdaptiveMaxPoolNd"), ("pooling", "_LPPoolNd"), ("pooling", "_MaxUnpoolNd"),
            ("dropout", "_DropoutNd"), ("loss", "_Loss"), ("loss", "_WeightedLoss"), ("padding", "_ReflectionPadNd"),
            ("padding", "_ReplicationPadNd"), ("padding", "_ConstantPadNd"), ("padding", "_CircularPadNd"),
        )
    ]  # fmt: skip
    wrong = [
        f"{a} of {b}: {issubclass(ours, other_ours)}"
        for a, theirs, ours in pairs
        for b, other, other_ours in [*pairs, *private]
        if issubclass(theirs, other) != issubclass(ours, other_ours)
    ]
    assert wrong == [], "\n".join(wrong)


def test_a_difference_is_noticed() -> None:
    def theirs(a: int, b: int = 2, *, c: int = 3) -> None: ...
    def same(a: int, b: int = 2, *, c: int = 3, d: int = 4) -> None: ...
    def default(a: int, b: int = 1, *, c: int = 3) -> None: ...
    def order(b: int, a: int = 2, *, c: int = 3) -> None: ...
    def needs_more(a: int, b: int = 2, *, c: int = 3, d: int) -> None: ...

    assert differs(same, theirs) is None
    assert differs(default, theirs) == "the default of b is 1, not 2"
    assert differs(order, theirs) == "argument 0 is b, not a"
    assert differs(needs_more, theirs) == "more arguments are required: ['d']"
    assert nn is og.nn
