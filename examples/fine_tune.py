"""Fine-tuning: a LeNet-5 that knows the ten digits learns to tell odd from even ones, from one image of each digit.

Three ways are compared, each on ten choices of the images: from nothing; a new head alone; a new head and everything
below it, the first layers more slowly.

    python examples/fine_tune.py [EPOCHS]      60 by default; about half a minute
"""

import copy
import sys

import numpy as np

import onegraph as og
from onegraph import nn, zoo
from onegraph.data import arrays_from

EPOCHS = int(sys.argv[1]) if len(sys.argv) > 1 else 60
CLASSES = 2  # even, odd
CHOICES = 10 if EPOCHS > 1 else 1


def prepared(images):
    """Images of mean 0, about, as a tensor."""
    return og.tensor((images - 0.3) / 0.35)


def few(images, labels, choice):
    """One image of each digit, and whether it is odd."""
    places = [np.flatnonzero(labels == digit)[choice] for digit in range(10)]
    return prepared(images[places]), og.tensor(labels[places] % 2)


def train(model, images, labels, groups, epochs, batch=25):
    """Train with AdamW; the rate of each group falls along a cosine."""
    optimizer = og.optim.AdamW(groups, lr=3e-3)
    steps = epochs * -(-len(labels) // batch)
    schedule = og.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

    @og.jit
    def step(x, y):
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    model.train()
    for _ in range(epochs):
        order = og.randperm(len(labels))
        for start in range(0, len(labels), batch):
            places = order[start : start + batch]
            step(images[places], labels[places])
            schedule.step()
    return model


def accuracy(model, images, labels):
    """Share of the images that are right."""
    model.eval()
    with og.no_grad():
        return (model(images).argmax(1) == labels).float().mean().item()


def from_nothing():
    """A network that has seen nothing; everything learns."""
    model = zoo.lenet5(num_classes=CLASSES)
    return model, model.parameters()


def new_head():
    """What is known, frozen, below a new head."""
    model = zoo.freeze(zoo.replace_head(copy.deepcopy(known), CLASSES))
    return model, [p for p in model.parameters() if p.requires_grad]


def new_head_slower_below():
    """What is known below a new head; each layer learns half as fast as the one after it."""
    model = zoo.replace_head(copy.deepcopy(known), CLASSES)
    return model, zoo.parameter_groups(model, lr=3e-3, factor=2)


og.manual_seed(0)
data = arrays_from("digits", size=32)
(images, labels), (test_images, test_labels) = data.arrays("train"), data.arrays("test")
test = prepared(test_images)
known = zoo.lenet5()
train(known, prepared(images), og.tensor(labels), known.parameters(), max(1, EPOCHS // 5))
print(
    f"ten digits, {len(labels):,} images: {accuracy(known, test, og.tensor(test_labels)):.1%} of the test images are right"
)
print("odd or even, ten images:")
for way in (from_nothing, new_head, new_head_slower_below):
    found = []
    for choice in range(CHOICES):
        model, learning = way()
        train(model, *few(images, labels, choice), learning, EPOCHS)
        found.append(accuracy(model, test, og.tensor(test_labels % 2)))
    print(f"  {way.__name__.replace('_', ' '):<24}{np.mean(found):6.1%} (from {min(found):.1%} to {max(found):.1%})")
