"""What training starts from: a fresh network, or weights that are there, with a new head where the classes are others.

Read next: `onegraph/zoo/finetune.py` (heads, stages, freezing), `onegraph/zoo/registry.py` (published weights).
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onegraph import zoo
from onegraph.cli.evaluate import model_folder
from onegraph.cli.preprocessing import Preprocessing
from onegraph.cli.settings import ALL_BUT_HEAD, Settings
from onegraph.errors import ArgumentError, StateError, UnsupportedError
from onegraph.nn import Module
from onegraph.storage.checkpoint import Checkpoints, load
from onegraph.storage.model import load_model
from onegraph.zoo import Network
from onegraph.zoo.published import find_published
from onegraph.zoo.weights import layouts_of, load_into, read_weights


@dataclass
class Start:
    """Weights to start from, before it is known which data they meet.

    Attributes:
        name: what --weights said; "" for none.
        state: tensors by name; None for none, and for published weights, which are loaded into the network by name.
        preprocessing: how images were prepared for them, where that is known.
        channels: of the images that they take; None for any.
    """

    name: str = ""
    state: Mapping[str, Any] | None = None
    preprocessing: Preprocessing | None = None
    channels: int | None = None


def find_start(settings: Settings, found: Network) -> Start:
    """Read --weights.

    Raises:
        StorageError: a file that is missing or cannot be read.
        ArgumentError: neither a file nor the name of published weights.
    """
    name = settings.weights
    if not name:
        return Start()
    if not os.path.exists(name):
        return _published(name, found)
    preprocessing = None
    folder = model_folder(Path(name))
    if (folder / "signature.json").exists():
        model = load_model(folder)
        state: Any = model.weights
        preprocessing = model.extra.get("preprocessing")
    else:
        state = _latest_checkpoint(Path(name))
        if state is None and os.path.isdir(name) and not os.path.exists(os.path.join(name, "state.json")):
            state = read_weights(name)  # a folder of another library
        elif state is None:
            state = load(name) if os.path.isdir(name) else read_weights(name)
        if isinstance(state, Mapping) and "model" in state:
            preprocessing = state.get("preprocessing")
            state = state["model"]
    if not isinstance(state, Mapping):
        raise StateError(f"--weights {name}: {type(state).__name__}, not tensors by name")
    prepared = None if preprocessing is None else Preprocessing.from_dict(preprocessing)
    return Start(name, state, prepared, prepared.channels if prepared else _channels(found, state))


def _latest_checkpoint(folder: Path) -> Any:
    """The newest sound checkpoint in the folder of a run that was not finished; None for everything else."""
    if not (folder / "checkpoints").is_dir():
        return None
    found = Checkpoints(folder / "checkpoints").latest()
    return None if found is None else found[1]


def resumed_start(settings: Settings, state: Mapping[str, Any]) -> Start:
    """What a run that goes on is built from: its checkpoint holds the weights, so no file is read again.

    Published weights are, for some networks are built in another way for them.
    """
    prepared = Preprocessing.from_dict(state["preprocessing"])
    name = "" if not settings.weights or os.path.isabs(settings.weights) else settings.weights
    return Start(name, None, prepared, prepared.channels)


def _published(name: str, found: Network) -> Start:
    """Weights by name, such as IMAGENET1K_V1.

    Raises:
        ArgumentError: the network has none of this name.
        UnsupportedError: they want the colours of images in another order.
    """
    try:
        prepare = find_published(found.name, name).preprocessing
    except ArgumentError as error:
        raise ArgumentError(
            f"--weights {name}: no such file or folder, and {error.message}", hint=error.hint
        ) from error
    if prepare.channels != "RGB":
        raise UnsupportedError(
            f"--weights {name} take colours as {prepare.channels}, which images of this command are not",
            hint="take other weights of the network",
        )
    prepared = Preprocessing((prepare.crop, prepare.crop), 3, prepare.mean, prepare.std)
    return Start(name, None, prepared, 3)


def _is_foreign(found: Network, state: Mapping[str, Any], channels: int) -> bool:
    """Whether another library wrote the weights, with names of its own that are known for this network."""
    if found.name not in zoo.NETWORKS:
        return False
    model = found.make(num_classes=2, in_channels=channels)
    layouts = layouts_of(model)
    share = {layout: sum(pair.theirs in state for pair in pairs) for layout, pairs in layouts.items()}
    return max(share, key=lambda layout: share[layout]) != "torchvision"


def _channels(found: Network, state: Mapping[str, Any]) -> int | None:
    """1 or 3: with how many the network's first weights have the shape of the given ones."""
    for channels in (3, 1):
        model = found.make(num_classes=2, in_channels=channels)
        name, first = next(model.named_parameters(), ("", None))
        if first is not None and name in state and tuple(state[name].shape) == tuple(first.shape):
            return channels
    return found.in_channels if found.name in zoo.NETWORKS and _is_foreign(found, state, found.in_channels) else None


def build(found: Network, start: Start, settings: Settings, classes: int, channels: int) -> tuple[Module, list[str]]:
    """The network that is trained, and what to say about it.

    Raises:
        StateError: the weights are of another network; everything that does not fit is listed.
    """
    notes: list[str] = []
    trained = classes
    if not start.name:
        model = found.make(num_classes=classes, in_channels=channels)
    elif start.state is None:
        model = found.make(weights=start.name)
        trained = _outputs(model)
    elif _is_foreign(found, start.state, channels):
        model = found.make(num_classes=classes, in_channels=channels)
        loaded = load_into(model, found.name, start.state, strict_head=False)
        head = zoo.head_of(model)
        if any(name.startswith(head) for name in loaded.left_out):
            notes.append(f"{start.name} tells other classes apart: the last layer is new, for {classes:,}")
    else:
        trained = _trained_classes(found, start.state, channels) or classes
        model = found.make(num_classes=trained, in_channels=channels)
        _load(model, start.state, start.name, found)
    if trained != classes:
        zoo.replace_head(model, classes)
        notes.append(f"{start.name} tells {trained:,} classes apart: the last layer is new, for {classes:,}")
    if settings.freeze:
        freeze(model, settings)
        learning = sum(p.numel() for p in model.parameters() if p.requires_grad)
        total = sum(p.numel() for p in model.parameters())
        epochs = settings.unfreeze_after
        until = f" for {epochs} epoch{'s' * (epochs > 1)}" if epochs else ""
        notes.append(f"{learning:,} of {total:,} parameters learn{until}")
    return model, notes


def freeze(model: Module, settings: Settings) -> None:
    """Freeze what --freeze says.

    Raises:
        ArgumentError: more stages than there are.
    """
    if settings.freeze == ALL_BUT_HEAD:
        zoo.freeze(model)
        return
    names = [name for name, _ in zoo.stages(model)]
    count = int(settings.freeze)
    if count >= len(names):
        raise ArgumentError(
            f"--freeze {count}: {settings.network} has {len(names)} stages, {', '.join(names)}; the last one must learn"
        )
    zoo.freeze(model, len(names) - count)


def _outputs(model: Module) -> int:
    head = model.get_submodule(zoo.head_of(model))
    return int(head.weight.shape[0])


def _trained_classes(found: Network, state: Mapping[str, Any], channels: int) -> int | None:
    """How many classes weights tell apart: the first size of the last layer's."""
    head = zoo.head_of(found.make(num_classes=2, in_channels=channels))
    weight = state.get(f"{head}.weight")
    return None if weight is None else int(weight.shape[0])


def _load(model: Module, state: Mapping[str, Any], name: str, found: Network) -> None:
    try:
        model.load_state_dict(state)
    except StateError as error:
        raise StateError(f"--weights {name}: {error.message}", hint="they are of another network") from error


def with_size(preprocessing: Preprocessing, size: tuple[int, int]) -> Preprocessing:
    """The same preprocessing for images of another size."""
    return dataclasses.replace(preprocessing, size=size)
