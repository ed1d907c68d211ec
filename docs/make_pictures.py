"""Draw the pictures of `accuracy-efficiency.md` and `howto/look-inside.md` into `docs/images/`.

    python docs/make_pictures.py look      a LeNet-5 trained on the digits; about a minute
    python docs/make_pictures.py charts    bubbles and bars; seconds

Read next: `onegraph/inspection/README.md`, `onegraph/cli/charts.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import onegraph as og
from onegraph import zoo
from onegraph.cli.charts import bubble_chart, competition_chart
from onegraph.cli.zoo_rows import row_of
from onegraph.data import arrays_from
from onegraph.inspection import Picture
from onegraph.inspection import picture as pictures
from onegraph.zoo.ilsvrc import ENTRIES

IMAGES = Path(__file__).parent / "images"
EPOCHS = 12


def trained_lenet() -> tuple[og.nn.Module, np.ndarray, np.ndarray]:
    """A LeNet-5 with ReLU that knows the digits, the test images as it takes them, and their labels."""
    og.manual_seed(0)
    data = arrays_from("digits", size=32)
    model = og.nn.Sequential(
        og.nn.Conv2d(1, 6, 5), og.nn.ReLU(), og.nn.MaxPool2d(2), og.nn.Conv2d(6, 16, 5), og.nn.ReLU(),
        og.nn.MaxPool2d(2), og.nn.Flatten(), og.nn.Linear(400, 84), og.nn.ReLU(), og.nn.Linear(84, 10),
    )  # fmt: skip
    images, labels = data.arrays("train")
    optimizer = og.optim.Adam(model.parameters(), lr=2e-3)

    @og.jit
    def step(x: og.Tensor, y: og.Tensor) -> og.Tensor:
        loss = og.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    for _ in range(EPOCHS):
        order = np.random.default_rng(_).permutation(len(labels))[: len(labels) // 32 * 32]
        for places in order.reshape(-1, 32):
            step(og.tensor((images[places] - 0.3) / 0.35), og.tensor(labels[places]))
    test, answers = data.arrays("test")
    return model.eval(), (test - 0.3) / 0.35, answers


def look() -> None:
    """One test image through the network, by every function that makes a picture."""
    model, images, labels = trained_lenet()
    with og.no_grad():
        right = (model(og.tensor(images)).argmax(1).numpy() == labels).mean()
    print(f"{right:.1%} of the test images are right")
    image = images[int(np.flatnonzero(labels == 3)[0])]
    shown = Picture(pictures.to_pixels(pictures.stretched(image)), image, "a 3")
    inspection = og.inspection
    row = [
        shown,
        inspection.saliency(model, image),
        inspection.smooth_grad(model, image, samples=50),
        inspection.guided_backpropagation(model, image),
        inspection.integrated_gradients(model, image),
        inspection.grad_cam(model, image, layer="3"),
        inspection.occlusion(model, image, patch=6, stride=2),
        inspection.class_image(model, 3, (1, 32, 32), steps=150, lr=0.5),
    ]
    tiles = [picture.enlarged(4).pixels for picture in row]
    Picture(pictures.tiled(tiles, columns=4, gap=6), np.zeros(1)).save(IMAGES / "look-one-image.png")
    found = inspection.feature_maps(model, image)
    found["0"].save(IMAGES / "look-maps-1.png")
    found["3"].save(IMAGES / "look-maps-2.png")
    inspection.filters(model).enlarged(2).save(IMAGES / "look-filters.png")
    inspection.deconvolution(model, image, "3").enlarged(3).save(IMAGES / "look-deconvolution.png")


def charts() -> None:
    """What `onegraph zoo --plot` draws."""
    rows = [row_of(entry) for entry in zoo.NETWORKS.values() if entry.task == "classify"]
    bubble_chart(rows).save(IMAGES / "accuracy-efficiency.svg")
    competition_chart(ENTRIES).save(IMAGES / "ilsvrc.svg")


if __name__ == "__main__":
    {"look": look, "charts": charts}[sys.argv[1] if len(sys.argv) > 1 else "look"]()
