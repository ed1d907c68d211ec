"""Modules: finding parts, saving and loading, modes, hooks, scopes, copies.

Read next: `onegraph/nn/module.py`, `onegraph/nn/state.py`.
"""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import nn
from onegraph.errors import (
    ArgumentError,
    ArgumentTypeError,
    DeviceError,
    OutOfRangeError,
    ShapeError,
    StateError,
    UnsupportedError,
)
from onegraph.ir.traverse import topological


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)
        self.scale = nn.Parameter(og.ones(4))
        self.register_buffer("shift", og.zeros(4))
        self.register_buffer("scratch", og.zeros(1), persistent=False)
        self.tied = self.first

    def forward(self, x: Any) -> Any:
        return self.norm(self.first(x)) * self.scale + self.shift


NAMES = ["scale", "first.weight", "first.bias", "norm.weight", "norm.bias"]
STATE = [
    "scale", "shift", "first.weight", "first.bias", "norm.weight", "norm.bias", "norm.running_mean", "norm.running_var",
    "norm.num_batches_tracked", "tied.weight", "tied.bias",
]  # fmt: skip


def test_parts_are_found_once_and_by_name() -> None:
    block = Block()
    assert [n for n, _ in block.named_parameters()] == NAMES
    assert len(list(block.parameters())) == 5 and len(list(block.parameters(recurse=False))) == 1
    assert [n for n, _ in block.named_modules()] == ["", "first", "norm"]
    assert [n for n, _ in block.named_children()] == ["first", "norm"]
    assert [n for n, _ in block.named_buffers(recurse=False)] == ["shift", "scratch"]
    assert block.get_submodule("first") is block.first and block.get_parameter("norm.bias") is block.norm.bias
    assert block.get_buffer("norm.running_var") is block.norm.running_var
    with pytest.raises(AttributeError, match="no module 'second'"):
        block.get_submodule("second.weight")
    assert list(block.state_dict()) == STATE
    assert "first" in dir(block)


def test_attributes() -> None:
    block = Block()
    with pytest.raises(ArgumentTypeError, match=r"cannot set parameter 'scale'.*"):
        block.scale = og.ones(4)
    block.shift = og.ones(4)  # a buffer takes a tensor
    assert block.get_buffer("shift").tolist() == [1.0] * 4
    block.scale = nn.Parameter(og.zeros(4))
    assert block.get_parameter("scale").tolist() == [0.0] * 4
    block.scale = None
    assert "scale" not in dict(block.named_parameters())
    del block.first
    with pytest.raises(AttributeError, match="'Block' object has no attribute 'first'"):
        _ = block.first
    block.extra = nn.Buffer(og.zeros(2), persistent=False)
    assert "extra" in dict(block.named_buffers()) and "extra" not in block.state_dict()
    with pytest.raises(ArgumentError, match="must not be empty nor contain a dot"):
        block.register_buffer("a.b", None)
    with pytest.raises(ArgumentError, match="already has an attribute 'train'"):
        block.add_module("train", nn.Identity())
    with pytest.raises(ArgumentTypeError, match=r"must be an nn.Parameter or None, got Tensor"):
        block.register_parameter("w", og.ones(1))  # type: ignore[arg-type]


def test_forgotten_init_and_forward() -> None:
    class Bare(nn.Module):
        def __init__(self) -> None:
            self.layer = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"write super\(\).__init__\(\) first"):
        Bare()
    with pytest.raises(UnsupportedError, match="Module has no forward"):
        nn.Module()(1)


def test_load_state_dict_lists_everything_that_is_wrong_and_changes_nothing() -> None:
    block = Block()
    before = {k: v.numpy().copy() for k, v in block.state_dict().items()}
    state = dict(block.state_dict())
    del state["scale"]
    state["other"] = og.ones(1)
    state["norm.weight"] = og.ones(7)
    state["first.bias"] = og.ones(4) * 5
    with pytest.raises(StateError) as error:
        block.load_state_dict(state)
    text = str(error.value)
    assert "norm.weight: (7,) is given, (4,) is needed" in text
    assert "scale: missing" in text and "other: unexpected" in text and "strict=False" in text
    for name, value in block.state_dict().items():
        assert np.array_equal(value.numpy(), before[name]), name
    with pytest.raises(StateError, match="is needed"):
        block.load_state_dict(state, strict=False)
    state["norm.weight"] = og.ones(4) * 3
    result = block.load_state_dict(state, strict=False)
    assert result == (["scale"], ["other"]) and block.norm.weight.tolist() == [3.0] * 4
    assert repr(block.load_state_dict(block.state_dict())) == "<All keys matched successfully>"


def test_state_dict_shares_storage_and_loading_keeps_dtypes() -> None:
    layer = nn.Linear(2, 1)
    weight = layer.state_dict()["weight"]
    with og.no_grad():
        layer.weight.fill_(2.0)
    assert weight.tolist() == [[2.0, 2.0]]
    layer.load_state_dict({"weight": np.full((1, 2), 3.0), "bias": np.zeros(1)})
    assert layer.weight.dtype == og.float32 and layer.weight.tolist() == [[3.0, 3.0]] and layer.weight.requires_grad
    layer.load_state_dict({"weight": og.ones(1, 2, dtype=og.float64), "bias": og.zeros(1)}, assign=True)
    assert layer.weight.dtype == og.float64 and layer.weight.requires_grad


def test_extra_state() -> None:
    class Counter(nn.Module):
        count = 0

        def get_extra_state(self) -> Any:
            return self.count

        def set_extra_state(self, state: Any) -> None:
            self.count = state

    a, b = nn.Sequential(Counter()), nn.Sequential(Counter())
    a[0].count = 5
    b.load_state_dict(a.state_dict())
    assert b[0].count == 5 and list(a.state_dict()) == ["0._extra_state"]


def test_modes_conversion_and_gradients() -> None:
    block = Block()
    assert not block.eval().norm.training and block.train().norm.training
    with pytest.raises(ArgumentTypeError, match="train: expected True or False"):
        block.train(1)  # type: ignore[arg-type]
    weight = block.first.weight
    block.double()
    assert block.first.weight is weight and weight.dtype == og.float64 and weight.requires_grad
    assert block.norm.num_batches_tracked.dtype == og.int64
    assert block.to(og.float32).norm.running_mean.dtype == og.float32
    assert block.to("cpu") is block and block.cpu() is block
    with pytest.raises(DeviceError):
        block.cuda()
    with pytest.raises(ArgumentError, match="floating dtypes only"):
        block.to(og.int64)
    block(og.ones(2, 3)).sum().backward()
    assert all(p.grad is not None for p in block.parameters())
    block.zero_grad(set_to_none=False)
    assert block.scale.grad.tolist() == [0.0] * 4
    block.zero_grad()
    assert all(p.grad is None for p in block.parameters())
    block.requires_grad_(False)
    assert not block(og.ones(2, 3)).requires_grad
    seen: list[str] = []
    block.apply(lambda m: seen.append(type(m).__name__))
    assert seen == ["Linear", "BatchNorm1d", "Block"]


def test_hooks() -> None:
    layer = nn.Linear(2, 2)
    before = layer.register_forward_pre_hook(lambda m, args: (args[0] * 0,))
    after = layer.register_forward_hook(lambda m, args, result: result + 1)
    np.testing.assert_allclose(layer(og.ones(1, 2)).detach().numpy(), layer.bias.detach().numpy()[None] + 1)
    before.remove()
    after.remove()
    order: list[int] = []
    layer.register_forward_hook(lambda m, a, k, r: order.append(1), with_kwargs=True)
    layer.register_forward_hook(lambda m, a, r: order.append(2), prepend=True)
    layer(og.ones(1, 2))
    assert order == [2, 1]


def test_backward_hooks() -> None:
    layer, seen = nn.Linear(2, 1, bias=False), []
    handle = layer.register_full_backward_hook(lambda m, into, out: seen.append((m, into[0], out[0])))
    x = og.ones(3, 2, requires_grad=True)
    (layer(x) * 2).sum().backward()
    ((module, into, out),) = seen
    assert module is layer and out.tolist() == [[2.0]] * 3
    np.testing.assert_allclose(into.numpy(), x.grad.numpy())
    layer(og.ones(3, 2)).sum().backward()  # nothing to differentiate by in the input
    assert seen[1][1] is None and seen[1][2].tolist() == [[1.0]] * 3
    handle.remove()
    layer.register_full_backward_hook(lambda m, into, out: (into[0] * 0,))
    x.grad = None
    layer(x).sum().backward()
    assert x.grad.tolist() == [[0.0, 0.0]] * 3 and len(seen) == 2


def test_backward_hooks_see_several_inputs_and_outputs() -> None:
    class Pair(nn.Module):
        def forward(self, x: Any, y: Any, z: Any) -> Any:
            return x * y, "text", (x + y).sum()

    module, seen = Pair(), []
    module.register_full_backward_pre_hook(lambda m, out: (out[0] * 10, None, out[2]))
    module.register_full_backward_hook(lambda m, into, out: seen.append((into, out)))
    x, y = og.tensor([1.0, 2.0], requires_grad=True), og.tensor([3.0, 4.0], requires_grad=True)
    product, text, total = module(x, y, og.ones(2))
    ((product * og.tensor([1.0, 2.0])).sum() + total * 5).backward()
    ((into, out),) = seen
    assert text == "text" and out[0].tolist() == [10.0, 20.0] and out[1] is None and out[2].item() == 5
    assert into[0].tolist() == x.grad.tolist() == [35.0, 85.0] and into[2] is None
    assert into[1].tolist() == y.grad.tolist() == [15.0, 45.0]
    module.register_full_backward_hook(lambda m, into, out: (into[0] * 0, into[1], None))
    x.grad = None
    sum(module(x, y, og.ones(2))[::2]).sum().backward()
    assert x.grad.tolist() == [0.0, 0.0]
    with pytest.raises(UnsupportedError, match="2 inputs of different dtypes require gradients"):
        module(x, y.detach().double().requires_grad_(), og.ones(2))


def test_hooks_of_all_modules_and_those_that_are_always_called() -> None:
    names: list[str] = []
    hooks = nn.modules.module
    handles = [
        hooks.register_module_forward_pre_hook(lambda m, args: names.append(f"before {type(m).__name__}")),
        hooks.register_module_forward_hook(lambda m, args, result: names.append(f"after {type(m).__name__}")),
        hooks.register_module_parameter_registration_hook(lambda m, name, p: names.append(f"parameter {name}")),
    ]
    try:
        nn.Sequential(nn.Tanh(), nn.Linear(2, 1, bias=False))(og.ones(1, 2))
    finally:
        for handle in handles:
            handle.remove()
    calls = ["before Sequential", "before Tanh", "after Tanh", "before Linear", "after Linear", "after Sequential"]
    assert names == ["parameter weight", "parameter bias", *calls]
    layer, seen = nn.Linear(2, 1), []
    layer.register_forward_hook(lambda m, a, r: seen.append(r), always_call=True)
    layer.register_forward_hook(lambda m, a, r: seen.append("only after success"))
    with pytest.raises(ShapeError):
        layer(og.ones(1, 3))
    assert seen == [None]


def test_state_dict_hooks_and_overridden_parts() -> None:
    class Renamed(nn.Linear):
        _version = 3

        def _load_from_state_dict(self, state_dict: Any, prefix: str, metadata: Any, *rest: Any) -> None:
            versions.append(metadata.get("version"))
            if prefix + "kernel" in state_dict:
                state_dict[prefix + "weight"] = state_dict.pop(prefix + "kernel")
            super()._load_from_state_dict(state_dict, prefix, metadata, *rest)

    versions: list[Any] = []
    net = nn.Sequential(Renamed(2, 1), nn.Linear(1, 1))
    saved = net.state_dict()
    assert saved._metadata["0"] == {"version": 3} and saved._metadata[""] == {"version": 1}
    old = {k.replace("0.weight", "0.kernel"): og.ones(*v.shape) for k, v in saved.items()}
    assert repr(net.load_state_dict(old)) == "<All keys matched successfully>" and "0.kernel" in old
    net.load_state_dict(saved)
    assert versions == [None, 3] and net[0].weight.tolist() == [[1.0, 1.0]]

    net[1].register_state_dict_pre_hook(lambda m, prefix, keep: versions.append(prefix))
    net[1].register_state_dict_post_hook(lambda m, state, prefix, meta: state.pop(prefix + "bias") and None)
    assert list(net.state_dict()) == ["0.weight", "0.bias", "1.weight"] and versions[-1] == "1."
    net[1].register_load_state_dict_pre_hook(
        lambda m, state, prefix, *rest: state.update({prefix + "more": og.ones(1)})
    )
    with pytest.raises(StateError, match=r"1\.bias: missing\n  1\.more: unexpected"):
        net.load_state_dict(net.state_dict())

    def forgive(module: Any, keys: Any) -> None:
        keys.missing_keys.clear()
        keys.unexpected_keys.clear()

    net.register_load_state_dict_post_hook(forgive)
    assert repr(net.load_state_dict(net.state_dict())) == "<All keys matched successfully>"


def test_set_submodule_and_compile() -> None:
    net = nn.Sequential(nn.Sequential(nn.Linear(2, 2)), nn.ReLU())
    net.set_submodule("0.0", nn.Identity(), strict=True)
    net.set_submodule("0.more", nn.Tanh())
    assert [type(m).__name__ for m in net[0]] == ["Identity", "Tanh"]
    with pytest.raises(AttributeError, match="no module 'other' to replace"):
        net.set_submodule("0.other", nn.Tanh(), strict=True)
    x = og.tensor([[1.0, -2.0]])
    before = net(x).tolist()
    net.compile()
    assert net(x).tolist() == before
    net.compile(fullgraph=True)
    assert net(x).tolist() == before and copy.deepcopy(net)(x).tolist() == before
    assert net.share_memory() is net and net.to_empty(device="cpu") is net


def test_copies_and_pickles_are_independent() -> None:
    block = Block()
    block(og.ones(2, 3)).sum().backward()
    for other in (copy.deepcopy(block), pickle.loads(pickle.dumps(block))):
        assert other.tied is other.first and other.scale is not block.scale
        assert list(other.state_dict()) == STATE and other.scale.requires_grad
        with og.no_grad():
            other.scale.fill_(9.0)
        assert block.scale.tolist() == [1.0] * 4
        assert type(other.scale) is nn.Parameter


def test_nodes_know_the_layer_that_made_them() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 1)))
    scopes = {n.source[2] for n in topological([net(og.ones(1, 2)).node]) if n.source is not None}
    assert {"Sequential/0", "Sequential/1/0"} <= scopes


def test_traced_modules() -> None:
    og.manual_seed(3)
    block = Block()
    other = copy.deepcopy(block)
    x = og.randn(5, 3)
    fast = og.jit(other)
    for _ in range(3):
        assert np.array_equal(block(x).detach().numpy(), fast(x).detach().numpy())
    assert np.array_equal(block.norm.running_mean.numpy(), other.norm.running_mean.numpy())
    assert other.norm.num_batches_tracked.item() == 3
    with og.no_grad():
        block.eval()
        fast.eval()
        assert np.array_equal(block(x).numpy(), fast(x).numpy())
    assert block.norm.num_batches_tracked.item() == 3


def test_traced_functions_follow_the_mode_of_modules_they_use() -> None:
    layer = nn.Dropout(0.5)
    run = og.jit(lambda x: layer(x))
    assert set(run(og.ones(64)).tolist()) == {0.0, 2.0}
    layer.eval()
    assert run(og.ones(64)).tolist() == [1.0] * 64
    layer.train()
    assert set(run(og.ones(64)).tolist()) == {0.0, 2.0}
    assert run.traces == 2


def test_sequential_and_lists() -> None:
    net = nn.Sequential({"a": nn.Linear(1, 2), "b": nn.ReLU()})
    assert list(net.state_dict()) == ["a.weight", "a.bias"] and len(net) == 2 and isinstance(net[-1], nn.ReLU)
    assert isinstance(net[:1], nn.Sequential) and [n for n, _ in net[:1].named_children()] == ["a"]
    net = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1))
    net.insert(1, nn.Tanh())
    net[2] = nn.Identity()
    del net[0]
    assert [type(m).__name__ for m in net] == ["Tanh", "Identity", "Linear"]
    assert isinstance(net.pop(0), nn.Tanh) and len(net + net) == 4
    with pytest.raises(OutOfRangeError, match="index 5 is outside 0 to 1"):
        _ = net[5]
    layers = nn.ModuleList([nn.Linear(1, 1)])
    layers += [nn.Linear(1, 1)]
    layers.append(nn.ReLU()).extend([nn.Tanh()])
    assert list(layers.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"] and len(layers[1:]) == 3


def test_dicts_and_parameter_containers() -> None:
    modules = nn.ModuleDict({"relu": nn.ReLU()})
    modules["linear"] = nn.Linear(1, 1)
    assert "linear" in modules and list(modules) == ["relu", "linear"] and len(list(modules.items())) == 2
    modules.pop("relu")
    assert list(modules.keys()) == ["linear"]
    parameters = nn.ParameterList([og.ones(2)])
    parameters.append(nn.Parameter(og.zeros(1)))
    parameters[0] = og.zeros(3)
    assert list(parameters.state_dict()) == ["0", "1"] and tuple(parameters[0].shape) == (3,)
    by_name = nn.ParameterDict({"w": og.ones(2)})
    by_name["b"] = og.zeros(1)
    assert [n for n, _ in by_name.named_parameters()] == ["w", "b"]
    with pytest.raises(ArgumentError, match="only holds parameters"):
        by_name(1)
    with pytest.raises(ArgumentTypeError, match="expected a parameter or a tensor, got int"):
        parameters.append(3)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nn.Linear(2.5, 3), TypeError, r"Linear: sizes must be whole numbers, got \(3, 2\.5\)"),
        (lambda: nn.Conv2d(1, 2, 0), ValueError, r"Conv2d: kernel_size must be positive, got \(0, 0\)"),
        (lambda: nn.Conv2d(1, 2, 3, stride=0), ValueError, r"Conv2d: stride must be positive, got \(0, 0\)"),
        (lambda: nn.Linear(2, 3)(og.ones(4, 5)), ValueError, "5 features, the weight takes 2"),
        (lambda: nn.Linear(2, 3)(og.ones(4, 2, dtype=og.float64)), TypeError, "linear"),
        (lambda: nn.Conv2d(3, 4, 3, groups=2), ArgumentError, "2 groups do not divide 3"),
        (lambda: nn.Conv2d(3, 4, 3, stride=2, padding="same"), ArgumentError, "needs stride 1"),
        (lambda: nn.BatchNorm2d(3)(og.ones(2, 3)), ValueError, r"BatchNorm2d: needs an input of 4 dimensions"),
        (lambda: nn.BatchNorm1d(3)(og.ones(1, 3)), ValueError, "no variance"),
        (lambda: nn.Dropout(1.5), ArgumentError, "Dropout"),
        (lambda: nn.GroupNorm(2, 3), ArgumentError, "do not divide"),
        (lambda: nn.ZeroPad2d((1, 2)), ArgumentError, "4 ints"),
        (lambda: nn.EmbeddingBag(3, 2, mode="max")(og.zeros(3, dtype=og.int64)), ArgumentError, "needs offsets"),
        (lambda: nn.MSELoss(reduction="avg"), ArgumentError, "reduction"),
        (lambda: nn.Linear(-1, 2), ArgumentError, "negative"),
    ],
)
def test_errors(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


def test_errors_name_the_layer() -> None:
    inner = nn.Sequential(nn.Flatten(), nn.Linear(3, 2))
    net = nn.Sequential(nn.Identity(), inner)
    with pytest.raises(
        ShapeError, match=r"(?s)the input has 5 features.*\n  in layer Sequential\.1\.1 \(Linear\)\n  at "
    ) as caught:
        net(og.ones(4, 5))
    assert caught.value.layer == "Sequential.1.1 (Linear)"
    with pytest.raises(ShapeError) as caught:
        inner[1](og.ones(4, 5))
    assert caught.value.layer is None and "in layer" not in str(caught.value), "it was called by itself"
