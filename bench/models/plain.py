"""Networks without branches: LeNet-5 and VGG-16.

Sources: LeCun et al., "Gradient-based learning applied to document recognition" (1998); Simonyan and Zisserman, "Very
deep convolutional networks for large-scale image recognition" (2014), configuration D. Read next: `residual.py`.
"""

from __future__ import annotations

from typing import Any

from bench.models.parts import Framework, scaled


def lenet5(framework: Framework, classes: int = 10) -> Any:
    """LeNet-5 as the demo trains it: tanh and average pooling, images of shape (N, 1, 32, 32)."""
    nn = framework.nn
    return nn.Sequential(
        nn.Conv2d(1, 6, 5),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * 5 * 5, 120),
        nn.Tanh(),
        nn.Linear(120, 84),
        nn.Tanh(),
        nn.Linear(84, classes),
    )


def vgg16(framework: Framework, classes: int = 1000, width: float = 1.0, size: int = 224) -> Any:
    """VGG-16 for images of shape (N, 3, size, size); `size` is a multiple of 32."""
    nn = framework.nn
    layers: list[Any] = []
    inputs = 3
    for channels, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        outputs = scaled(channels, width)
        for _ in range(count):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True)]
            inputs = outputs
        layers.append(nn.MaxPool2d(2))
    hidden = scaled(4096, width)
    layers += [nn.Flatten(), nn.Linear(inputs * (size // 32) ** 2, hidden), nn.ReLU(inplace=True), nn.Dropout(0.5)]
    layers += [nn.Linear(hidden, hidden), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(hidden, classes)]
    return nn.Sequential(*layers)
