"""The LSTM language model, the variational autoencoder and DCGAN."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import onegraph as og
from onegraph import zoo
from onegraph.errors import ArgumentError, ShapeError
from onegraph.zoo.vae import VAEOutput


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    og.manual_seed(0)
    with og.config.using(backend="reference"):  # nothing here depends on how it is compiled
        yield


def test_the_state_of_a_language_model_goes_on() -> None:
    model = zoo.lstm(vocabulary=7, width=8, dropout=0.5, uniform=0.5).eval()
    tokens = og.tensor([[1, 2, 3, 4, 5, 6]])
    with og.no_grad():
        whole, _ = model(tokens)
        first, state = model(tokens[:, :2])
        second, _ = model(tokens[:, 2:], state)
        np.testing.assert_allclose(og.cat([first, second], 1).numpy(), whole.numpy(), atol=1e-6)
        assert abs(whole.numpy()[:, 2:] - model(tokens[:, 2:])[0].numpy()).max() > 1e-4


def test_a_language_model_writes_what_it_expects() -> None:
    model = zoo.lstm(vocabulary=7, width=8, uniform=0.5, tied=True).train()
    assert model.decoder.weight is model.encoder.weight
    written = model.generate(og.tensor([[1, 2]]), 4, temperature=0).numpy()
    assert model.training and written.shape == (1, 6)
    with og.no_grad():
        expected = model.eval()(og.tensor(written))[0].numpy().argmax(-1)
    np.testing.assert_array_equal(written[:, 2:], expected[:, 1:-1])
    with pytest.raises(ArgumentError, match=r"\(1, 0\)"):
        model.generate(og.zeros(1, 0, dtype=og.int64), 1)


def test_the_autoencoders_loss_is_the_bound() -> None:
    model = zoo.vae(latent=3, hidden=5, size=(2, 2))
    x, rng = og.tensor([[[[0.0, 1.0], [1.0, 0.0]]]]), np.random.default_rng(0)
    logits, mean, log_variance = (rng.standard_normal(s).astype(np.float32) for s in ((1, 1, 2, 2), (1, 3), (1, 3)))
    p = 1 / (1 + np.exp(-logits))
    likelihood = np.log(np.where(x.numpy() > 0, p, 1 - p)).sum()
    divergence = 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance).sum()  # Kingma and Welling 2013, appendix B
    loss = model.loss(x, VAEOutput(og.tensor(logits), og.tensor(mean), og.tensor(log_variance)))
    assert loss.item() == pytest.approx(divergence - likelihood, rel=1e-5)


def test_codes_are_random_in_training_only() -> None:
    model = zoo.vae(latent=3, hidden=5, size=(4, 4))
    x = og.rand(2, 1, 4, 4)
    with og.no_grad():
        a, b = (model.train()(x).logits.numpy() for _ in range(2))
        c, d = (model.eval()(x).logits.numpy() for _ in range(2))
    assert (a != b).any() and (c == d).all()
    sample = model.sample(3).detach().numpy()
    assert sample.shape == (3, 1, 4, 4) and sample.min() > 0 and sample.max() < 1
    with pytest.raises(ShapeError, match="made for images"):
        model(og.zeros(2, 1, 5, 4))


@pytest.mark.parametrize("kernel", [4, 5])
def test_gan_sizes(kernel: int) -> None:
    generator = zoo.dcgan_generator(latent=6, channels=16, size=32, kernel_size=kernel)
    images = generator(og.randn(2, 6))
    assert tuple(images.shape) == (2, 3, 32, 32) and abs(images.detach().numpy()).max() <= 1
    assert tuple(zoo.dcgan_discriminator(channels=16, size=32, kernel_size=kernel)(images).shape) == (2,)


def test_gans_refuse_what_does_not_fit() -> None:
    for size in (4, 48):
        with pytest.raises(ArgumentError, match="8, 16, 32"):
            zoo.dcgan_generator(size=size)
    with pytest.raises(ShapeError, match=r"\(N, 6\)"):
        zoo.dcgan_generator(latent=6, channels=16, size=8)(og.zeros(2, 5))
