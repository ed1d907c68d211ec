"""What is said when weights do not fit a network: everything that differs, what is probably meant, and whose they may be.

Read next: `weights.py`.
"""

from __future__ import annotations

import difflib
import functools
import math
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from onegraph.errors import StateError
from onegraph.ops.shapes import show
from onegraph.zoo.finetune import head_of
from onegraph.zoo.layouts import Pair
from onegraph.zoo.registry import NETWORKS, Network

if TYPE_CHECKING:
    from onegraph.zoo.weights import Loaded

_COMPARED = 400  # names for which a similar one is looked for


def explain_misfit(
    network: str,
    loaded: Loaded,
    state: Mapping[str, Any],
    missing: Sequence[Pair],
    extra: Sequence[str],
    wrong: Sequence[Pair],
    other_classes: Sequence[Pair],
) -> StateError:
    """The error that lists all that does not fit.

    Args:
        network: the network's name.
        loaded: the source and its layout.
        state: the tensors of the file.
        missing: what the file lacks.
        extra: names that the network has no place for.
        wrong: tensors of other shapes.
        other_classes: those of `wrong` that belong to the last layer.
    """
    if wrong and not missing and not extra and len(wrong) == len(other_classes):
        return _about_classes(network, loaded, state, wrong)
    lines = [f"  {p.theirs}: {show(state[p.theirs].shape)} is given, {show(p.their_shape())} is needed" for p in wrong]
    wanted = [p.theirs for p in missing]
    lines += [f"  {name}: missing" for name in wanted]
    compared = wanted if len(wanted) <= _COMPARED else []
    for name in extra:
        near = difflib.get_close_matches(name, compared, 1, 0.8) if len(extra) <= _COMPARED else []
        lines.append(f"  {name}: no place for it" + (f"; is it {near[0]}?" if near else ""))
    found = looks_like(state, network)
    counts = f"{len(wrong)} of another shape, {len(wanted)} missing, {len(extra)} without a place"
    message = f"the weights in {loaded.source} do not fit {network} ({counts}):\n" + "\n".join(lines)
    if found:
        return StateError(message, hint=f"these look like the weights of {' or '.join(found)}")
    return StateError(message, hint="they are of another network, or of one that was built with other options")


def _about_classes(network: str, loaded: Loaded, state: Mapping[str, Any], wrong: Sequence[Pair]) -> StateError:
    lines = [f"  {p.theirs}: {show(state[p.theirs].shape)} is given, {show(p.their_shape())} is needed" for p in wrong]
    weight = next((p for p in wrong if len(p.shape) > 1), wrong[0])
    classes = state[weight.theirs].shape[-1 if loaded.layout == "keras" else 0]
    return StateError(
        f"the weights in {loaded.source} tell {classes} classes apart, {network} was built for {weight.shape[0]}:\n"
        + "\n".join(lines),
        hint=f"for other classes: model = zoo.{network}(num_classes={classes}, weights=...); zoo.replace_head(model, "
        f"{weight.shape[0]}); or load_into(..., strict_head=False)",
    )


def looks_like(state: Mapping[str, Any], but: str = "") -> list[str]:
    """Networks of the zoo that some weights fit but for the number of classes; at most three.

    >>> from onegraph import zoo
    >>> looks_like(zoo.squeezenet1_1(num_classes=5).state_dict())
    ['squeezenet1_1']
    """
    from onegraph.zoo.weights import layouts_of

    total = sum(math.prod(tensor.shape) for name, tensor in state.items() if _counts(name))
    found: list[str] = []
    for name, (body, head) in _sizes().items():
        classes, rest = divmod(total - body, head)
        if name == but or rest or not 1 <= classes <= 100_000 or name not in NETWORKS or len(found) == 3:
            continue
        entry = NETWORKS[name]
        model = entry.make(**entry.options_with_weights)
        for pairs in layouts_of(model).values():
            numbers = [p for p in pairs if _counts(p.ours)]
            last = {p.ours for p in numbers[-2:]}
            if all(p.theirs in state for p in numbers) and all(
                p.fits(tuple(state[p.theirs].shape)) for p in numbers if p.ours not in last
            ):
                found.append(name)
                break
    return found


def _counts(name: str) -> bool:
    return not name.endswith("num_batches_tracked") and not name.lower().startswith("aux")


def size_of(entry: Network) -> tuple[int, int]:
    """How many numbers a classifier has without its last layer, and in the last layer for each class.

    `data/sizes.tsv` keeps these, so that a file can be recognized without building every network.
    """
    model = entry.make(**entry.options_with_weights)
    head = model.get_submodule(head_of(model))
    last = math.prod(head.weight.shape) + (0 if head.bias is None else math.prod(head.bias.shape))
    total = sum(math.prod(tensor.shape) for name, tensor in model.state_dict().items() if _counts(name))
    return total - last, last // int(head.weight.shape[0])


@functools.cache
def _sizes() -> dict[str, tuple[int, int]]:
    text = files("onegraph.zoo").joinpath("data/sizes.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines()[1:]]
    return {name: (int(body), int(head)) for name, body, head in rows}
