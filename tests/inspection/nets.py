"""Networks that are written once for onegraph and for PyTorch, whose summaries by torchinfo are kept in `golden/`.

To record them anew: `python -m tests.inspection.nets`, where torch and torchinfo are installed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parent / "golden"


def lenet(nn: Any) -> Any:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip


def blocks(nn: Any) -> Any:
    """A list of blocks, a layer that is used twice, a frozen part, and a parameter of the model's own."""

    class Block(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.conv = nn.Conv2d(width, width, 3, padding=1, groups=2, bias=False)
            self.bn = nn.BatchNorm2d(width)
            self.act = nn.ReLU()

        def forward(self, x: Any) -> Any:
            return x + self.act(self.bn(self.conv(x)))

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 8, 3, stride=2)
            self.blocks = nn.ModuleList([nn.Sequential(Block(8), nn.Dropout(0.5)), Block(8)])
            self.shared = nn.Conv2d(8, 8, 1)
            self.unused = nn.Linear(3, 3)
            self.scale = nn.Parameter(nn.Linear(8, 8).weight.detach()[0])
            self.head = nn.Linear(8, 5)
            for parameter in self.stem.parameters():
                parameter.requires_grad_(False)
            self.head.bias.requires_grad_(False)

        def forward(self, x: Any) -> Any:
            x = self.stem(x)
            for block in self.blocks:
                x = self.shared(block(x))
            return self.head(x.mean((2, 3)) * self.scale)

    return Net()


def text_and_numbers(nn: Any) -> Any:
    """Two inputs, one of them of whole numbers, and a dictionary as the result."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(20, 6)
            self.mix = nn.Bilinear(6, 4, 3)
            self.norm = nn.LayerNorm(3)

        def forward(self, words: Any, numbers: Any) -> Any:
            mixed = self.mix(self.words(words).mean(1), numbers)
            return {"mixed": mixed, "normal": self.norm(mixed)}

    return Net()


EVERYTHING = ("kernel_size", "input_size", "output_size", "num_params", "params_percent", "mult_adds", "trainable")

CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "lenet": (lenet, {"input_size": (2, 1, 32, 32)}),
    "lenet_all_columns": (lenet, {"input_size": (1, 1, 32, 32), "col_names": EVERYTHING, "col_width": 16}),
    "lenet_without_input": (lenet, {}),
    "blocks": (blocks, {"input_size": (4, 3, 16, 16), "col_names": EVERYTHING}),
    "blocks_depth_1": (
        blocks,
        {"input_size": [(1, 3, 16, 16)], "depth": 1, "col_names": ("num_params", "mult_adds", "params_percent")},
    ),
    "blocks_names": (
        blocks,
        {
            "input_size": (3, 16, 16),
            "batch_dim": 0,
            "row_settings": ("var_names", "ascii_only", "hide_recursive_layers"),
            "depth": 9,
        },
    ),
    "blocks_weights": (blocks, {"input_size": (1, 3, 16, 16), "verbose": 2, "row_settings": ("depth", "var_names")}),
    "blocks_without_input": (blocks, {"depth": 2, "col_names": ("num_params", "trainable", "kernel_size")}),
    "two_inputs": (text_and_numbers, {"input_size": [(2, 7), (2, 4)], "dtypes": ["int64", "float32"]}),
}


def golden(name: str) -> str:
    """What torchinfo printed."""
    return (GOLDEN / f"{name}.txt").read_text()


def _record() -> None:
    import contextlib
    import io

    import torch
    from torchinfo import summary

    for name, (make, options) in CASES.items():
        if "dtypes" in options:
            options["dtypes"] = [getattr(torch, dtype) for dtype in options["dtypes"]]
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            summary(make(torch.nn), **{"verbose": 1, **options})
        # From Python 3.11 on, torchinfo prints the name of its enumeration instead of the letter that it means.
        text = printed.getvalue().replace("Units.MEGABYTES", "M")
        GOLDEN.mkdir(exist_ok=True)
        (GOLDEN / f"{name}.txt").write_text(text)


if __name__ == "__main__":
    _record()
