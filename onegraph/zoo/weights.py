"""Weights of the world for the zoo's networks: found, read, renamed, compared with the network, and written back.

    model = zoo.resnet50(weights="IMAGENET1K_V2")        a published name: fetched once, checked, kept
    model = zoo.resnet50(weights="resnet50.pth")         a file: PyTorch, safetensors, Keras's HDF5, or a saved model's folder
    zoo.save_weights(model, "resnet50.safetensors")

The format is told by the content of a file, the names by what fits the network. No file runs code.
Read next: `naming.py` and `layouts.py` (what other libraries do), `published.py` (what there is), `complaints.py` (errors).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from onegraph import hub, nn
from onegraph.errors import ArgumentError, StateError, StorageError
from onegraph.frontend.tensor import Tensor
from onegraph.interop.download import download
from onegraph.interop.keras_h5 import is_keras, read_keras_weights
from onegraph.storage.checkpoint import load
from onegraph.storage.model import load_model
from onegraph.zoo import naming
from onegraph.zoo.complaints import explain_misfit
from onegraph.zoo.finetune import head_of
from onegraph.zoo.keras_form import as_keras
from onegraph.zoo.layouts import Pair, keras_pairs, plain_pairs
from onegraph.zoo.published import find_published, published

State = dict[str, Any]
# Where training scripts keep the weights; running means first, since those are what was measured.
_WRAPPERS: Final = (
    "state_dict_ema",
    "model_ema",
    "ema_state_dict",
    "ema",
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "weights",
    "params",
    "module",
)
_PREFIXES: Final = ("module.", "_orig_mod.", "model.", "net.", "backbone.", "encoder.")
_COUNTER: Final = "num_batches_tracked"
_IGNORED: Final = ("n_averaged", "total_ops", "total_params")  # of averages of weights, and of a counter of operations
_FILE_ENDINGS: Final = (".pth", ".pt", ".bin", ".tar", ".ckpt", ".safetensors", ".h5", ".hdf5", ".keras", ".json")


@dataclass
class Loaded:
    """What was loaded.

    Attributes:
        source: the file, or "a dict".
        layout: whose names it has: "torchvision", "timm", "keras", "melas" (EfficientNet-PyTorch).
        count: tensors that were loaded.
        left_out: tensors of the network that keep their first values: those of a head with other classes, of auxiliary heads.
        not_used: tensors of the file that the network has no place for: those of auxiliary heads.
    """

    source: str
    layout: str
    count: int = 0
    left_out: list[str] = field(default_factory=list)
    not_used: list[str] = field(default_factory=list)


def load_into(model: nn.Module, network: str, weights: Any, progress: bool = True, strict_head: bool = True) -> Loaded:
    """Load weights into a network of the zoo.

    Args:
        model: the network; nothing in it is changed when something does not fit.
        network: its name, for published weights and for messages.
        weights: the path of a file or of a saved model's folder, the name of published weights ("DEFAULT", "IMAGENET1K_V1",
            "KERAS"), or a dict of tensors.
        progress: show a bar while a file is fetched.
        strict_head: refuse weights of another number of classes; otherwise the last layer keeps its first values.

    Returns:
        What was loaded and what was left.

    Raises:
        StateError: the weights do not fit: lists every name that is missing or has no place, and every other shape.
        ArgumentError: neither a file nor the name of published weights.
        StorageError: a file that is missing, damaged, or would have to run code.
        DownloadError: published weights that cannot be fetched.

    >>> from onegraph import zoo
    >>> zoo.save_weights(zoo.lenet5(), "lenet5.pth")
    >>> load_into(zoo.lenet5(), "lenet5", "lenet5.pth").count
    10
    """
    if isinstance(weights, Mapping):
        source, state = "a dict", tensors_of(weights, "a dict")
    else:
        path = find_weights(network, weights, progress)
        source, state = str(path), read_weights(path)
    layout, pairs = _choose(model, state)
    loaded = Loaded(source, layout)
    given, skipped = _match(model, network, state, pairs, loaded, strict_head)
    model.load_state_dict(given, strict=False)
    loaded.count = len(given)
    loaded.left_out += skipped
    if layout == "keras":
        as_keras(model)
    return loaded


# ---- finding and reading


def find_weights(network: str, weights: Any, progress: bool = True) -> Path:
    """The file of some weights; published ones are fetched if need be.

    Raises:
        ArgumentError: neither a file nor the name of published weights.
        StorageError: a path at which there is nothing.
        DownloadError: published weights that cannot be fetched.
    """
    if hasattr(weights, "name") and not isinstance(weights, os.PathLike):
        weights = weights.name  # torchvision's enumeration
    if not isinstance(weights, (str, os.PathLike)):
        raise ArgumentError(f"{network}: weights={weights!r} is neither a path nor a name")
    text = os.fspath(weights)
    if os.path.exists(text):
        return Path(text)
    if isinstance(weights, os.PathLike) or os.sep in text or text.lower().endswith(_FILE_ENDINGS):
        names = ", ".join(entry.name for entry in published(network))
        raise StorageError(
            f"{network}: there is no file {text!r}", hint=f"check the path; published weights: {names or 'none'}"
        )
    entry = find_published(network, text)
    kind, _, digits = entry.checksum.partition(":")
    folder = Path(hub.get_dir(), "checkpoints")
    return download(entry.url, folder, progress=progress, **{kind: digits})  # type: ignore[arg-type]


def read_weights(path: str | os.PathLike[str]) -> State:
    """The tensors of a file by name, as they are named and laid out there.

    Args:
        path: a file of PyTorch, safetensors (also the index of one in pieces), Keras's HDF5, or a saved model's folder.

    Raises:
        StorageError: it is missing, damaged, or would have to run code.
        StateError: there are no tensors in it.
    """
    path = Path(path)
    if path.is_dir():
        return _read_folder(path)
    if path.name.endswith(".json"):
        return _read_pieces(path)
    try:
        with open(path, "rb") as file:
            start = file.read(8)
    except OSError:
        start = b""  # `load` says what is wrong
    if is_keras(start) or path.name.endswith(".keras"):
        return dict(read_keras_weights(path))
    return tensors_of(load(path, mmap=True), str(path))


def _read_folder(path: Path) -> State:
    for folder in (path, path / "model"):
        if (folder / "signature.json").exists():
            return dict(load_model(folder).weights)
    indices = sorted(path.glob("*.index.json"))
    if indices:
        return _read_pieces(indices[0])
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (path / name).exists():
            return read_weights(path / name)
    return tensors_of(load(path), str(path))


def _read_pieces(path: Path) -> State:
    """A safetensors or PyTorch file in several pieces, by its index."""
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        pieces = sorted(set(index["weight_map"].values()))
        if not all(isinstance(name, str) and os.path.basename(name) == name for name in pieces):
            raise ValueError("a piece lies in another folder")
        wanted = dict(index["weight_map"])
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise StorageError(f"cannot read {str(path)!r}: {error!s:.200}", hint="it is no index of weights") from error
    found: State = {}
    for name in pieces:
        piece = tensors_of(load(path.parent / name, mmap=True), str(path.parent / name))
        found |= {key: value for key, value in piece.items() if wanted.get(key) == name}
    missing = [key for key in wanted if key not in found]
    if missing:
        raise StorageError(f"cannot read {str(path)!r}: the pieces lack {', '.join(missing)}")
    return found


def tensors_of(value: Any, source: str) -> State:
    """The tensors of a checkpoint by name: out of the wrappers and without the prefixes of training scripts.

    >>> import onegraph as og
    >>> list(tensors_of({"epoch": 3, "state_dict": {"module.fc.bias": og.zeros(2)}}, "a dict"))
    ['fc.bias']
    """
    for _ in range(4):
        inner = next((value[key] for key in _WRAPPERS if _is_state(value, key)), None)
        if inner is None:
            break
        value = inner
    found = {k: v for k, v in value.items() if _is_tensor(v)} if isinstance(value, Mapping) else {}
    found = {str(k): v for k, v in found.items() if str(k).rpartition(".")[2] not in _IGNORED}
    if not found:
        raise StateError(f"{source} holds no tensors by name", hint="expected a state_dict, or a checkpoint with one")
    shortened = True
    while shortened:
        shortened = False
        for prefix in _PREFIXES:
            if all(name.startswith(prefix) for name in found):
                found, shortened = {name.removeprefix(prefix): v for name, v in found.items()}, True
    return {naming.older_names(name): tensor for name, tensor in found.items()}


def _is_state(value: Any, key: str) -> bool:
    inner = value.get(key) if isinstance(value, Mapping) else None
    return isinstance(inner, Mapping) and any(_is_tensor(v) or isinstance(v, Mapping) for v in inner.values())


def _is_tensor(value: Any) -> bool:
    return isinstance(value, (Tensor, np.ndarray))


# ---- comparing


def shape_in(model: nn.Module, state: Mapping[str, Any], name: str) -> tuple[int, ...] | None:
    """The shape that a tensor of a network has in some weights, whatever they call it; None if they lack it.

    >>> from onegraph import zoo
    >>> shape_in(zoo.lenet5(num_classes=2), zoo.lenet5(num_classes=5).state_dict(), "output.weight")
    (5, 84)
    """
    _, pairs = _choose(model, dict(state))
    pair = next((p for p in pairs if p.ours == name and p.theirs in state), None)
    if pair is None:
        return None
    return tuple(pair.load(np.broadcast_to(np.float32(0), tuple(state[pair.theirs].shape))).shape)


def layouts_of(model: nn.Module) -> dict[str, list[Pair]]:
    """What files may call the tensors of a network, by layout."""
    found = {"torchvision": plain_pairs(model)}
    for name, names in (("timm", naming.timm_names(model)), ("melas", naming.melas_names(model))):
        if names is not None:
            found[name] = plain_pairs(model, names)
    keras = naming.keras_names(model)
    if keras is not None:
        found["keras"] = keras_pairs(model, keras)
    return found


def _choose(model: nn.Module, state: State) -> tuple[str, list[Pair]]:
    """The layout of which the file has most names."""
    candidates = layouts_of(model)
    share = {name: sum(pair.theirs in state for pair in pairs) / len(pairs) for name, pairs in candidates.items()}
    best = max(share, key=lambda name: share[name])
    return best, candidates[best]


def _match(
    model: nn.Module, network: str, state: State, pairs: list[Pair], loaded: Loaded, strict_head: bool
) -> tuple[State, list[str]]:
    """What to load, and what keeps its first values."""
    missing = [p for p in pairs if p.theirs not in state and not p.ours.endswith(_COUNTER)]
    known = {p.theirs for p in pairs} | {p.minus for p in pairs}
    extra = [name for name in state if name not in known]
    wrong = [p for p in pairs if p.theirs in state and not p.fits(tuple(state[p.theirs].shape))]
    if loaded.layout == "keras":  # how images are prepared, inside of some networks
        extra = [name for name in extra if name.partition(".")[0] not in ("normalization", "rescaling")]
    aside = [p for p in missing if _is_auxiliary(p.ours)]
    if aside and not any(_is_auxiliary(name) for name in state):
        missing = [p for p in missing if p not in aside]  # the file has no auxiliary heads
        loaded.left_out += [p.ours for p in aside]
    if not any(_is_auxiliary(p.ours) for p in pairs):
        loaded.not_used = [name for name in extra if _is_auxiliary(name)]
        extra = [name for name in extra if not _is_auxiliary(name)]
    heads = _heads(model)
    other_classes = [p for p in wrong if p.ours.rpartition(".")[0] in heads]
    skipped: list[str] = []
    if not strict_head and other_classes:
        skipped = [
            p.ours for p in pairs if p.ours.rpartition(".")[0] in {q.ours.rpartition(".")[0] for q in other_classes}
        ]
        wrong = [p for p in wrong if p not in other_classes]
    if missing or extra or wrong:
        raise explain_misfit(network, loaded, state, missing, extra, wrong, other_classes)
    taken = [p for p in pairs if p.theirs in state and p.ours not in skipped]
    return {p.ours: _converted(p, state) for p in taken}, skipped


def _converted(pair: Pair, state: State) -> Any:
    value = state[pair.theirs]
    bias = state.get(pair.minus) if pair.minus else None
    if pair.layout == "same" and bias is None:
        return value
    array = pair.load(_numpy(value))
    return array if bias is None else array - _numpy(bias)


def _numpy(value: Any) -> np.ndarray[Any, Any]:
    return np.asarray(value.detach().float().numpy() if isinstance(value, Tensor) else value)


def _is_auxiliary(name: str) -> bool:
    return name.lower().startswith("aux")


def _heads(model: nn.Module) -> set[str]:
    """Paths of the layers that give scores; none in a generator of images."""
    if not any(isinstance(module, (nn.Linear, nn.Conv2d)) for module in model.modules()):
        return set()
    head = head_of(model)
    outputs = model.get_submodule(head).weight.shape[0]
    found = {head}
    for path in naming.leaves(model):
        layer = model.get_submodule(path)
        if _is_auxiliary(path) and isinstance(layer, nn.Linear) and layer.weight.shape[0] == outputs:
            found.add(path)
    return found
