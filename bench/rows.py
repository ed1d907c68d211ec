"""The rows of the table: what is measured, and what it must reach.

To add one, add it here. Read next: `row.py`, which measures one row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench import figures, inference, operators, training
from bench.contest import Contest


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        name: what to type.
        title: what is done.
        kind: "ratio" (a contest with PyTorch), "runtimes" (with ONNX Runtime and OpenVINO) or "figure".
        target: the ratio to reach, or for a figure the limit not to exceed (None: PyTorch's own number).
        make: for "ratio", the contest in full size or (True) tiny; for "figure", what measures it.
        unit: of a figure.
        model, number: for "runtimes" and "figure", the model and its batch.
    """

    name: str
    title: str
    kind: str
    target: float | None
    make: Callable[..., Any] | None = None
    unit: str = ""
    model: str = ""
    number: int = 0


def _train(name: str, title: str, target: float, model: str, number: int) -> Row:
    def make(quick: bool) -> Contest:
        return training.training(model, number, quick)

    return Row(name, f"{title}, batch {number}, training step", "ratio", target, make)


def _infer(title: str, target: float, model: str, number: int) -> Row:
    def make(quick: bool) -> Contest:
        return inference.inference(model, number, quick)

    return Row(f"{model}-inference-{number}", f"{title} inference, batch {number}", "ratio", target, make)


def _operator(name: str, title: str, target: float) -> Row:
    return Row(name, title, "ratio", target, lambda quick: operators.operators(name, quick))


def _runtimes(number: int) -> Row:
    title = f"ResNet-50 inference, batch {number}, against ONNX Runtime and OpenVINO"
    return Row(f"resnet50-runtimes-{number}", title, "runtimes", 1.05, model="resnet50", number=number)


def _figure(name: str, title: str, limit: float | None, unit: str, make: Callable[..., Any], model: str = "") -> Row:
    return Row(name, title, "figure", limit, make, unit, model)


_TWO_LAYER = "two-layer network 64x1000x100, SGD step"

ROWS: dict[str, Row] = {
    row.name: row
    for row in (
        Row("two-layer", f"{_TWO_LAYER}, jit", "ratio", 3.5, lambda quick: training.two_layer(quick)),
        Row("two-layer-loop", f"{_TWO_LAYER}, loop", "ratio", 1.5, lambda quick: training.two_layer(quick, jit=False)),
        _train("lenet5", "LeNet-5", 4.0, "lenet5", 128),
        Row(
            "lenet5-loop",
            "LeNet-5, batch 128, training step, loop",
            "ratio",
            None,
            lambda quick: training.training("lenet5", 128, quick, jit=False),
        ),
        _train("resnet18", "ResNet-18 for 32x32 images", 1.6, "resnet18", 64),
        _train("resnet50", "ResNet-50, 224x224", 1.6, "resnet50", 8),
        _infer("ResNet-50", 1.5, "resnet50", 1),
        _infer("ResNet-50", 1.5, "resnet50", 8),
        _runtimes(1),
        _runtimes(8),
        _infer("VGG-16", 1.3, "vgg16", 4),
        _train("densenet121", "DenseNet-121, 224x224", 1.3, "densenet121", 8),
        _train("inception", "Inception-v3's branches, 299x299", 1.3, "inception", 8),
        _infer("MobileNetV2", 1.7, "mobilenet", 1),
        _train("gpt", "character GPT (6 layers, width 384, context 256)", 1.3, "gpt", 12),
        _train("lstm", "LSTM (hidden 256, 100 steps)", 1.5, "lstm", 32),
        _operator("matmul512", "matmul 512x512x512", 1.5),
        _operator("matmul1024", "matmul 1024x1024x1024", 1.5),
        _operator("matmul2048", "matmul 2048x2048x2048", 1.5),
        _operator("matmul-thin", "matmul 64x1000x100", 1.5),
        _operator("matmul-batched", "matmul 64 x 128x128x64", 1.5),
        _operator("softmax", "softmax 4096x1024", 1.2),
        _operator("softmax-attention", "softmax 12x6x256x256", 1.2),
        _operator("layer-norm", "layer norm 8192x768", 1.2),
        _operator("batch-norm", "batch norm in training, 8x256x56x56", 1.2),
        _operator("gelu", "GELU of 16M elements", 1.2),
        _operator("cross-entropy", "cross entropy 512x32768, with gradient", 1.2),
        Row("adam", "Adam on 25.6M parameters", "ratio", 1.2, operators.adam),
        Row(
            "resnet50-half",
            "ResNet-50, 224x224, batch 8, training step, bfloat16 autocast",
            "ratio",
            1.2,
            lambda quick: training.half_training("resnet50", 8, quick),
        ),
        _figure(
            "compile-cold",
            "ResNet-50 training, compile with an empty cache",
            8.0,
            "s",
            figures.cold_compile,
            "resnet50",
        ),
        _figure(
            "compile-warm", "ResNet-50 training, compile with a full cache", 1.0, "s", figures.warm_compile, "resnet50"
        ),
        _figure(
            "compile-two-layer",
            "two-layer network, compile with an empty cache",
            0.4,
            "s",
            figures.cold_compile,
            "two-layer",
        ),
        _figure("import", "import onegraph", 0.2, "s", figures.import_time),
        _figure("peak-memory", "ResNet-50 training, peak memory", None, "MB", figures.peak_memory, "resnet50"),
        _figure("growth", "memory growth over 10,000 steps", 1.0, "MB", figures.growth),
        _figure("python", "Python in a cached step under jit", 60.0, "us", figures.python_time),
    )
}
"""Every row, by name, in the order of the table."""
