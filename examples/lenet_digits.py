"""LeNet-5 on the handwritten digits that come with the package: layers, an optimizer, a data loader and a plain loop.

python examples/lenet_digits.py [epochs]
"""

import sys

import numpy as np

import onegraph as og
from onegraph.data import digits_split, upscale
from onegraph.zoo import lenet5


def dataset(images, labels):
    """Digits of 8 by 8 pixels from 0 to 16 as 32 by 32 images, about zero."""
    pixels = upscale(images.astype(np.float32) / 16 - 0.5, 32)[:, None]
    return og.utils.data.TensorDataset(og.tensor(pixels), og.tensor(labels))


def train_one_epoch(model, optimizer, loader):
    """Mean loss over one pass through the training images."""
    model.train()
    total = 0.0
    for images, labels in loader:
        loss = og.nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()  # computes the forward pass, the gradients and the update in one plan
        total += loss.item() * len(labels)
    return total / len(loader.dataset)


def accuracy(model, loader):
    """Share of images whose largest logit is the right one."""
    model.eval()
    right = 0
    with og.no_grad():
        for images, labels in loader:
            right += (model(images).argmax(1) == labels).sum().item()
    return right / len(loader.dataset)


def main(epochs=3, seed=0):
    """Train and measure; gives the accuracy on images that were not trained on."""
    og.manual_seed(seed)
    train, test = digits_split(seed=seed)
    train_loader = og.utils.data.DataLoader(dataset(*train), batch_size=64, shuffle=True, drop_last=True)
    test_loader = og.utils.data.DataLoader(dataset(*test), batch_size=len(test[0]))
    model = lenet5()
    optimizer = og.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(epochs):
        loss = train_one_epoch(model, optimizer, train_loader)
        found = accuracy(model, test_loader)
        print(f"epoch {epoch + 1}  loss {loss:.4f}  test accuracy {found:.4f}")
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
