"""DCGAN: a network that makes images from noise, and one that tells them from real ones.

Source: Radford, Metz, Chintala, "Unsupervised representation learning with deep convolutional generative adversarial
networks" (2015), section 3, figure 1 and section 4 (first values, slope 0.2). Figure 1 begins with 1024 channels of 4 by 4
pixels and doubles the size four times. Read next: `registry.py`.
"""

from __future__ import annotations

from typing import Any

from onegraph import nn
from onegraph.errors import ArgumentError, ShapeError
from onegraph.frontend.tensor import Tensor
from onegraph.zoo.registry import network


def _steps(size: int) -> int:
    """How often 4 pixels are doubled to give a size."""
    steps = size.bit_length() - 3
    if steps < 1 or 4 << steps != size:
        raise ArgumentError(f"dcgan: the size of images must be 8, 16, 32, 64, ..., got {size}")
    return steps


def _initialize(model: nn.Module) -> None:
    """Weights from a normal distribution with deviation 0.02, those of normalizations around 1 (section 4)."""
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
            nn.init.zeros_(module.bias)


class Generator(nn.Module):
    """Transposed convolutions with batch normalization and ReLU, tanh at the end.

    Takes noise (N, latent), gives images (N, out_channels, size, size) of values from -1 to 1.

    Args:
        latent: numbers in the noise.
        channels: of the first layer; each next one has half as many.
        out_channels: of the images.
        size: of the images: 8, 16, 32, 64, ...
        kernel_size: of the transposed convolutions: 5 in the paper's figure, 4 in many programs.

    Raises:
        ArgumentError: the size is not 4 doubled.
    """

    def __init__(
        self, latent: int = 100, channels: int = 1024, out_channels: int = 3, size: int = 64, kernel_size: int = 5
    ) -> None:
        super().__init__()
        self.latent = latent
        layers: list[nn.Module] = [
            nn.ConvTranspose2d(latent, channels, 4, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        ]
        # (kernel, padding, output padding) such that a stride of 2 doubles the size
        window: dict[str, Any] = {"stride": 2, "padding": (kernel_size - 1) // 2, "output_padding": kernel_size % 2}
        for _ in range(_steps(size) - 1):
            layers += [
                nn.ConvTranspose2d(channels, channels // 2, kernel_size, bias=False, **window),
                nn.BatchNorm2d(channels // 2),
                nn.ReLU(inplace=True),
            ]
            channels //= 2
        layers += [nn.ConvTranspose2d(channels, out_channels, kernel_size, **window), nn.Tanh()]
        self.main = nn.Sequential(*layers)
        _initialize(self)

    def forward(self, noise: Tensor) -> Tensor:
        """Images from noise.

        Raises:
            ShapeError: the noise has another width than the network was made for.
        """
        if noise.ndim != 2 or noise.shape[1] != self.latent:
            raise ShapeError(f"dcgan: the generator takes noise of shape (N, {self.latent}), got {tuple(noise.shape)}")
        return self.main(noise.reshape(noise.shape[0], self.latent, 1, 1))


class Discriminator(nn.Module):
    """Convolutions of stride 2 with batch normalization and leaky ReLU. Takes images, gives one logit each, (N,).

    Args:
        channels: of the last convolution; each one before has half as many.
        in_channels: of the images.
        size: of the images: 8, 16, 32, 64, ...
        kernel_size: of the convolutions: 5 or 4.

    Raises:
        ArgumentError: the size is not 4 doubled.
    """

    def __init__(self, channels: int = 1024, in_channels: int = 3, size: int = 64, kernel_size: int = 5) -> None:
        super().__init__()
        steps = _steps(size)
        layers: list[nn.Module] = []
        inputs = in_channels
        for step in range(steps):
            outputs = channels >> (steps - 1 - step)
            first = step == 0  # section 3: no batch normalization of the images themselves
            layers.append(nn.Conv2d(inputs, outputs, kernel_size, 2, (kernel_size - 1) // 2, bias=first))
            if not first:
                layers.append(nn.BatchNorm2d(outputs))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            inputs = outputs
        layers.append(nn.Conv2d(inputs, 1, 4))
        self.main = nn.Sequential(*layers)
        _initialize(self)

    def forward(self, images: Tensor) -> Tensor:
        """One logit for each image: positive if it seems real."""
        return self.main(images).flatten()


_ABOUT: dict[str, Any] = {
    "input_size": (64, 64),
    "num_classes": 0,
    "family": "DCGAN",
    "source": "Radford et al. 2015",
    "min_size": 64,
}


@network(doc="DCGAN's generator: five transposed convolutions", task="generate", **_ABOUT)
def dcgan_generator(
    latent: int = 100, channels: int = 1024, out_channels: int = 3, size: int = 64, kernel_size: int = 5
) -> Generator:
    """The generator of a DCGAN (Radford et al. 2015, figure 1); see `Generator` for the arguments.

    >>> import onegraph as og
    >>> dcgan_generator(latent=10, channels=16, size=16)(og.randn(2, 10)).shape
    onegraph.Size([2, 3, 16, 16])
    """
    return Generator(latent, channels, out_channels, size, kernel_size)


@network(doc="DCGAN's discriminator: five convolutions", task="discriminate", **_ABOUT)
def dcgan_discriminator(
    channels: int = 1024, in_channels: int = 3, size: int = 64, kernel_size: int = 5
) -> Discriminator:
    """The discriminator of a DCGAN (Radford et al. 2015, section 3); see `Discriminator` for the arguments.

    >>> import onegraph as og
    >>> dcgan_discriminator(channels=16, size=16)(og.randn(2, 3, 16, 16)).shape
    onegraph.Size([2])
    """
    return Discriminator(channels, in_channels, size, kernel_size)
