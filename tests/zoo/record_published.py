"""Records what torchvision's and timm's networks give for the weights of `filling.py`, into `published_networks.json`.

Run in an environment that has both:  python tests/zoo/record_published.py [NETWORK...]
With names, only those are recorded again. The tests need neither. Read next: `test_published_networks.py`.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
import torchvision
from filling import digest, filled, image, kept

TORCHVISION = (
    *("alexnet", "googlenet", "inception_v3", "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small"),
    *(f"vgg{n}{bn}" for n in (11, 13, 16, 19) for bn in ("", "_bn")),
    *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x8d"),
    *("resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2"),
    *("densenet121", "densenet161", "densenet169", "densenet201", "squeezenet1_0", "squeezenet1_1"),
    *(f"efficientnet_b{n}" for n in range(8)),
    *(f"efficientnet_v2_{size}" for size in "sml"),
)
SIZE = (64, 72)  # not square, so that height and width cannot be exchanged
LARGER = {"inception_v3": (107, 99), "alexnet": (75, 67)}
OPTIONS: list[tuple[str, dict[str, Any], str, tuple[int, ...]]] = [  # network, options, part, input
    ("resnet50", {"replace_stride_with_dilation": [False, True, True]}, "", ()),
    ("resnet18", {"num_classes": 7}, "", ()),
    ("mobilenet_v2", {"width_mult": 0.75}, "", ()),
    ("mobilenet_v2", {"width_mult": 1.4, "round_nearest": 4}, "", ()),
    ("mobilenet_v3_large", {"reduced_tail": True, "dilated": True}, "", ()),
    ("mobilenet_v3_small", {"width_mult": 0.5}, "", ()),
    ("mobilenet_v3_small", {"reduced_tail": True}, "", ()),
    ("googlenet", {"transform_input": True, "aux_logits": False}, "", ()),
    ("inception_v3", {"transform_input": True, "aux_logits": False}, "", ()),
    ("densenet121", {"bn_size": 2, "drop_rate": 0.3}, "", ()),
    ("googlenet", {}, "aux1", (1, 512, 14, 14)),
    ("googlenet", {}, "aux2", (1, 528, 14, 14)),
    ("inception_v3", {}, "AuxLogits", (1, 768, 17, 17)),
]
TIMM = {
    "mobilenet_v1": "mobilenetv1_100",
    **{f"efficientnet_lite{i}": f"tf_efficientnet_lite{i}" for i in range(5)},
}


def fill(model: torch.nn.Module, gain: float, by_place: bool) -> None:
    state = model.state_dict()
    floating = [name for name, value in state.items() if value.is_floating_point()]
    for place, name in enumerate(floating):
        key = str(place) if by_place else name
        state[name].copy_(torch.from_numpy(filled(key, name.rpartition(".")[2], tuple(state[name].shape), gain)))


def largest(model: torch.nn.Module, x: torch.Tensor) -> tuple[float, torch.Tensor]:
    """The largest value of any layer, and the result."""
    found = [0.0]
    hooks = [
        m.register_forward_hook(lambda _, __, out: found.append(float(out.abs().max())))
        for m in model.modules()
        if not list(m.children())
    ]
    result = model(x)
    for hook in hooks:
        hook.remove()
    return max(found), result


def measure(make: Callable[[], torch.nn.Module], shape: tuple[int, ...], part: str, by_place: bool) -> dict[str, Any]:
    model = make().eval()
    whole = model
    if part:
        model = model.get_submodule(part)
    x = torch.from_numpy(image(shape))
    with torch.no_grad():
        best: tuple[float, float, Any] = (-1.0, 0.0, None)
        for gain in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 2.0):  # until what is seen matters, but nothing explodes
            fill(whole, gain, by_place)
            most, found = largest(model, x)
            change = float((model(x.flip(-1)) - found).norm() / found.norm())
            if most < 1000 and change > best[0]:
                best = (change, gain, found)
            if best[0] > 0.05 or most > 1000:
                break
    change, gain, result = best
    entries = [(n, tuple(v.shape), str(v.dtype).removeprefix("torch.")) for n, v in whole.state_dict().items()]
    names = "" if by_place else digest(entries)
    count = sum(p.numel() for p in whole.parameters())
    print(f"{gain:4} {np.linalg.norm(result.numpy()):8.3g} {change:8.2g}", end=" ")
    return {"parameters": count, "names": names, "gain": gain, "input": list(shape), **kept(result.numpy())}


def wanted() -> list[tuple[dict[str, Any], Callable[[], torch.nn.Module], tuple[int, ...]]]:
    """What is recorded: the row's title, what makes the network, and the shape of its input."""
    rows: list[Any] = []
    for name, options, part, shape in [*((name, {}, "", ()) for name in TORCHVISION), *OPTIONS]:
        title = {"network": name, "options": options, "part": part}
        rows.append(
            (title, partial(getattr(torchvision.models, name), **options), shape or (1, 3, *LARGER.get(name, SIZE)))
        )
    for name, theirs in TIMM.items():
        title = {"network": name, "options": {}, "part": "", "timm": theirs}
        rows.append((title, partial(timm.create_model, theirs), (1, 3, *SIZE)))
    return rows


def main() -> None:
    warnings.simplefilter("ignore")
    path = Path(__file__).with_name("published_networks.json")
    old = json.loads(path.read_text())["networks"] if sys.argv[1:] else []
    rows: list[dict[str, Any]] = []
    for title, make, shape in wanted():
        kept_rows = [row for row in old if all(row.get(key) == value for key, value in title.items())]
        if kept_rows and title["network"] not in sys.argv[1:]:
            rows += kept_rows
            continue
        rows.append({**title, **measure(make, shape, title["part"], "timm" in title)})
        print(*title.values(), flush=True)
    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__, "timm": timm.__version__}
    text = ",\n".join(json.dumps(row) for row in rows)
    path.write_text(f'{{"versions": {json.dumps(versions)},\n"networks": [\n{text}\n]}}\n')


if __name__ == "__main__":
    main()
