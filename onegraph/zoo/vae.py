"""A variational autoencoder: images to a few numbers that are nearly normal, and back.

Source: Kingma and Welling, "Auto-encoding variational Bayes" (2013): sections 2.3 and 3, appendix B for the divergence,
appendix C for the networks, each with one hidden layer of 500 and tanh. Read next: `dcgan.py`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from onegraph import exp, nn, randn, randn_like, sigmoid
from onegraph.errors import ShapeError
from onegraph.frontend.tensor import Tensor
from onegraph.zoo.registry import network


class VAEOutput(NamedTuple):
    """What the autoencoder gives: logits of the pixels, and the mean and log variance of each image's code."""

    logits: Tensor
    mean: Tensor
    log_variance: Tensor


class VAE(nn.Module):
    """An autoencoder with dense layers. Takes images (N, in_channels, height, width) of values from 0 to 1.

    Args:
        latent: numbers in a code.
        hidden: width of the hidden layers.
        size: (height, width) of the images.
        in_channels: 1 for gray images, 3 for colour.
    """

    def __init__(
        self, latent: int = 20, hidden: int = 500, size: tuple[int, int] = (28, 28), in_channels: int = 1
    ) -> None:
        super().__init__()
        self.latent, self.shape = latent, (in_channels, *size)
        pixels = math.prod(self.shape)
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(pixels, hidden), nn.Tanh())
        self.mean = nn.Linear(hidden, latent)
        self.log_variance = nn.Linear(hidden, latent)
        self.decoder = nn.Sequential(
            nn.Linear(latent, hidden), nn.Tanh(), nn.Linear(hidden, pixels), nn.Unflatten(1, self.shape)
        )

    def forward(self, x: Tensor) -> VAEOutput:
        """Encode, draw a code (in evaluation: take its mean), decode.

        Raises:
            ShapeError: the images have another shape than the network was made for.
        """
        if tuple(x.shape[1:]) != self.shape:
            raise ShapeError(
                f"VAE: made for images of shape (N, {', '.join(map(str, self.shape))}), got {tuple(x.shape)}"
            )
        hidden = self.encoder(x)
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        code = mean + exp(0.5 * log_variance) * randn_like(mean) if self.training else mean
        return VAEOutput(self.decoder(code), mean, log_variance)

    def loss(self, x: Tensor, output: VAEOutput) -> Tensor:
        """The negative lower bound of the log likelihood (equation 10), averaged over the images.

        Args:
            x: the images, of values from 0 to 1.
            output: what `forward` gave for them.
        """
        reconstruction = nn.functional.binary_cross_entropy_with_logits(output.logits, x, reduction="sum")
        mean, log_variance = output.mean, output.log_variance
        divergence = -0.5 * (1 + log_variance - mean * mean - exp(log_variance)).sum()
        return (reconstruction + divergence) / x.shape[0]

    def sample(self, count: int) -> Tensor:
        """New images from codes drawn at random: (count, in_channels, height, width), values from 0 to 1."""
        return sigmoid(self.decoder(randn(count, self.latent)))


@network(
    doc="variational autoencoder with dense layers",
    input_size=(28, 28),
    in_channels=1,
    num_classes=0,
    task="reconstruct",
    family="VAE",
    source="Kingma and Welling 2013",
    min_size=28,
)
def vae(latent: int = 20, hidden: int = 500, size: tuple[int, int] = (28, 28), in_channels: int = 1) -> VAE:
    """A variational autoencoder (Kingma and Welling 2013, appendix C); see `VAE` for the arguments.

    >>> import onegraph as og
    >>> model = vae(latent=2, hidden=16, size=(8, 8))
    >>> images = og.rand(4, 1, 8, 8)
    >>> bool(model.loss(images, model(images)) > 0), model.sample(3).shape
    (True, onegraph.Size([3, 1, 8, 8]))
    """
    return VAE(latent, hidden, size, in_channels)
