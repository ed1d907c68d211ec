"""Fine-tuning: a network that learned one thing learns another. Replace the head, freeze what is below, train each depth
at its own speed, and thaw layer by layer.

    model = zoo.resnet18(weights="resnet18.pth")
    zoo.replace_head(model, num_classes=5)
    zoo.freeze(model)                                       everything but the head
    optimizer = og.optim.AdamW(zoo.parameter_groups(model, lr=1e-3, factor=2.6))

The functions look at how a model is put together, not at its name, and work for models of your own as well.
Read next: `onegraph/cli/train.py`, which offers them as options; `docs/howto/fine-tune.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from onegraph.errors import ArgumentError
from onegraph.nn import Conv2d, Linear, Module, ModuleList, Parameter, Sequential

M = TypeVar("M", bound=Module)
_NORMALIZATION = ("BatchNorm", "SyncBatchNorm", "InstanceNorm")  # those with running statistics
_FEWEST_STAGES = 4  # containers are opened until a model has that many


# ---- the head


def head_of(model: Module) -> str:
    """The dotted name of the layer that gives a classifier's scores: the last dense layer or 2-D convolution in it.

    Raises:
        ArgumentError: there is none.

    >>> from onegraph import zoo
    >>> head_of(zoo.lenet5())
    'output'
    """
    names = [name for name, module in model.named_modules() if isinstance(module, (Linear, Conv2d))]
    if not names:
        raise ArgumentError(f"{type(model).__name__} has no Linear and no Conv2d layer, so no head is known")
    return names[-1]


def _auxiliary_heads(model: Module, head: str) -> list[str]:
    """Last layers of parts that give scores too while training (GoogLeNet, Inception v3)."""
    outputs = _outputs(model.get_submodule(head))
    last: dict[str, str] = {}
    for name, module in model.named_modules():
        first = name.split(".")[0]
        if "aux" in first.lower() and isinstance(module, (Linear, Conv2d)):
            last[first] = name
    return [name for name in last.values() if _outputs(model.get_submodule(name)) == outputs]


def _outputs(layer: Module) -> int:
    return int(layer.out_features if isinstance(layer, Linear) else layer.out_channels)


def replace_head(model: M, num_classes: int, head: str | None = None) -> M:
    """Put a new, untrained last layer into a classifier, with other outputs; heads of auxiliary parts too.

    Args:
        model: the network; it is changed.
        num_classes: outputs of the new layer.
        head: dotted name of the layer; found by `head_of` by default.

    Returns:
        The same model.

    Raises:
        ArgumentError: fewer than one class, or a head that is neither a Linear nor a Conv2d layer.

    >>> from onegraph import zoo
    >>> model = replace_head(zoo.lenet5(), 3)
    >>> model.output
    Linear(in_features=84, out_features=3, bias=True)
    """
    if num_classes < 1:
        raise ArgumentError(f"replace_head: num_classes={num_classes!r}: at least 1")
    found = head_of(model) if head is None else head
    names = [found] if head is not None else [found, *_auxiliary_heads(model, found)]
    for name in names:
        parent, _, attribute = name.rpartition(".")
        new = _resized(model.get_submodule(name), num_classes, name)
        new.train(model.get_submodule(name).training)
        setattr(model.get_submodule(parent), attribute, new)
    if isinstance(getattr(model, "num_classes", None), int):
        model.num_classes = num_classes
    return model


def _resized(layer: Module, outputs: int, name: str) -> Module:
    """A new layer of the same kind with another number of outputs."""
    bias = getattr(layer, "bias", None) is not None
    if isinstance(layer, Linear):
        return Linear(layer.in_features, outputs, bias=bias, dtype=layer.weight.dtype)
    if isinstance(layer, Conv2d) and layer.groups == 1:
        return Conv2d(
            layer.in_channels, outputs, layer.kernel_size, layer.stride, layer.padding, layer.dilation,
            bias=bias, padding_mode=layer.padding_mode, dtype=layer.weight.dtype,
        )  # fmt: skip
    raise ArgumentError(
        f"the head {name!r} is {type(layer).__name__}, and neither Linear nor Conv2d without groups",
        hint="replace it by hand: model.head = nn.Linear(...)",
    )


# ---- depth


def stages(model: Module) -> list[tuple[str, list[Parameter]]]:
    """The parts of a model from its input to its head, each with its parameters.

    These are the layers directly inside; containers are opened as long as there are fewer than four parts. A
    normalization layer belongs to the part before it, and what has no parameters to none.

    >>> from onegraph import zoo
    >>> [name for name, _ in stages(zoo.lenet5())]
    ['c1', 'c3', 'c5', 'f6', 'output']
    """
    parts = _parts([("", model)])
    found: list[tuple[str, list[Parameter]]] = []
    seen: set[int] = set()
    for name, module in parts:
        parameters = [p for p in module.parameters() if id(p) not in seen]
        seen.update(map(id, parameters))
        if not parameters:
            continue
        if found and type(module).__name__.startswith((*_NORMALIZATION, "LayerNorm", "GroupNorm", "LocalResponse")):
            found[-1][1].extend(parameters)
        else:
            found.append((name, parameters))
    loose = [p for p in model.parameters() if id(p) not in seen]  # of the model itself, e.g. a table of positions
    if loose:
        found.insert(0, ("", loose))
    return found


def _parts(parts: list[tuple[str, Module]]) -> list[tuple[str, Module]]:
    """Open models and containers until there are enough parts with parameters."""
    while True:
        filled = [(name, module) for name, module in parts if any(True for _ in module.parameters())]
        closed = [
            name
            for name, module in filled
            if name == "" or isinstance(module, (Sequential, ModuleList)) or len(filled) == 1
        ]
        closed = [name for name in closed if any(True for _ in dict(filled)[name].children())]
        if len(filled) >= _FEWEST_STAGES or not closed:
            return filled
        opened: list[tuple[str, Module]] = []
        for name, module in filled:
            if name in closed:
                opened += [(f"{name}.{child}" if name else child, part) for child, part in module.named_children()]
            else:
                opened.append((name, module))
        parts = opened


def parameter_groups(
    model: Module, lr: float, factor: float = 2.6, head_lr: float | None = None, **settings: Any
) -> list[dict[str, Any]]:
    """Groups for an optimizer in which each stage learns `factor` times slower than the next one.

    The first layers find edges and colours that every task needs, and should change least. Source: Howard, Ruder,
    "Universal language model fine-tuning for text classification" (2018), section 3.2 (discriminative fine-tuning, with
    the factor 2.6).

    Args:
        model: any model.
        lr: learning rate of the last stage.
        factor: at least 1; with 1 all stages learn equally fast.
        head_lr: learning rate of the head itself; `lr` by default.
        settings: of all groups, such as `weight_decay`.

    Returns:
        Dicts with "params", "lr" and "name", from the input to the head.

    Raises:
        ArgumentError: a rate that is not positive, or a factor below 1.

    >>> from onegraph import zoo
    >>> [(group["name"], group["lr"]) for group in parameter_groups(zoo.lenet5(), lr=1.0, factor=2.0)]
    [('c1', 0.0625), ('c3', 0.125), ('c5', 0.25), ('f6', 0.5), ('output', 1.0)]
    """
    if not lr > 0 or not factor >= 1 or (head_lr is not None and not head_lr > 0):
        raise ArgumentError(
            f"parameter_groups: lr={lr!r}, factor={factor!r}, head_lr={head_lr!r}: above 0, at least 1, above 0"
        )
    found = stages(model)
    head = {id(p) for p in model.get_submodule(head_of(model)).parameters()}
    groups = []
    for depth, (name, parameters) in enumerate(reversed(found)):
        rate = lr / factor**depth
        own = [p for p in parameters if id(p) in head]
        rest = [p for p in parameters if id(p) not in head]
        if own and (head_lr is not None or not rest):
            groups.append({"params": own, "lr": lr if head_lr is None else head_lr, "name": head_of(model), **settings})
        elif own:
            rest = parameters
        if rest:
            groups.append({"params": rest, "lr": rate, "name": name, **settings})
    return groups[::-1]


# ---- freezing


class StaysInEvaluation:
    """Stands in for the `train` of a frozen normalization layer, so that its statistics stay as they are."""

    def __call__(self, mode: bool = True) -> None:
        """Do nothing: the layer is in evaluation mode."""


def freeze(model: M, keep: str | Iterable[str] | int | None = None, batch_norm: bool = True) -> M:
    """Let parts of a model learn nothing.

    Args:
        model: the model; it is changed.
        keep: what goes on learning: a dotted name (or several) of layers with everything inside; or a number, that of
            the last stages (see `stages`), 0 for none; by default the head alone.
        batch_norm: keep batch normalization layers that are frozen in evaluation mode, also after `model.train()`: their
            means and variances are those of the weights around them.

    Returns:
        The same model.

    Raises:
        ArgumentError: there is no such layer, or not so many stages.

    >>> from onegraph import zoo
    >>> model = freeze(zoo.lenet5())
    >>> [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    ['output.weight', 'output.bias']
    """
    learning = _chosen(model, keep)
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) in learning)
    _hold_statistics(model, batch_norm)
    return model


def unfreeze(model: M, last: int | None = None) -> M:
    """Let a model learn again.

    Args:
        model: the model; it is changed.
        last: only the last stages (see `stages`), one more each time for gradual unfreezing (Howard and Ruder 2018,
            section 3.3); all by default.

    Returns:
        The same model. Normalization layers whose parameters learn again go into training mode with the next
        `model.train()`.

    >>> from onegraph import zoo
    >>> model = unfreeze(freeze(zoo.lenet5()), last=2)
    >>> [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    ['f6.weight', 'f6.bias', 'output.weight', 'output.bias']
    """
    if last is not None:
        return freeze(model, last, batch_norm=any("train" in m.__dict__ for m in model.modules()))
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    _hold_statistics(model, False)
    return model


def _chosen(model: Module, keep: str | Iterable[str] | int | None) -> set[int]:
    """Which parameters go on learning, by identity."""
    if isinstance(keep, int):
        found = stages(model)
        if not 0 <= keep <= len(found):
            raise ArgumentError(
                f"{type(model).__name__} has {len(found)} stages ({', '.join(name for name, _ in found)}), not {keep}"
            )
        return {id(p) for _, parameters in found[len(found) - keep :] for p in parameters}
    if keep is None:
        head = head_of(model)
        names: Sequence[str] = [head, *_auxiliary_heads(model, head)]
    else:
        names = [keep] if isinstance(keep, str) else list(keep)
    known = dict(model.named_modules())
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ArgumentError(
            f"{type(model).__name__} has no layer {unknown[0]!r}; there are {', '.join(name for name in known if name)}"
        )
    return {id(p) for name in names for p in known[name].parameters()}


def _hold_statistics(model: Module, hold: bool) -> None:
    """Frozen normalization layers stay in evaluation mode, others follow the model again."""
    for module in model.modules():
        if not type(module).__name__.startswith(_NORMALIZATION):
            continue
        own = list(module.parameters())
        if hold and own and not any(p.requires_grad for p in own):
            module.eval()
            module.__dict__["train"] = StaysInEvaluation()
        elif module.__dict__.pop("train", None) is not None:
            module.train(model.training)
