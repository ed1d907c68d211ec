"""A residual network on a folder of photographs: transforms, worker processes, a schedule, evaluation, a saved model.

python examples/image_classifier.py FOLDER [epochs]      # FOLDER holds train/CLASS/*.jpg and test/CLASS/*.jpg

Without a folder it draws one: disks, squares and crosses in noise.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

import onegraph as og
from onegraph.vision import datasets, transforms
from onegraph.zoo import resnet20

MEAN, DEVIATION = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)


def draw_shapes(folder, count=150, seed=0):
    """A small folder of pictures, in case that there is no other."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:32, :32]
    for part, number in (("train", count), ("test", count // 2)):
        for name in ("cross", "disk", "square"):
            (folder / part / name).mkdir(parents=True)
            for i in range(number):
                y, x = rng.integers(10, 22, 2)
                across, down = abs(columns - x), abs(rows - y)
                shape = {"cross": np.minimum(across, down) < 2, "disk": across**2 + down**2 < 64}.get(
                    name, np.maximum(across, down) < 7
                )
                picture = rng.integers(0, 120, (32, 32, 3)) + 120 * shape[..., None]
                Image.fromarray(picture.astype(np.uint8)).save(folder / part / name / f"{i}.jpg")


def loaders(folder, batch_size, workers):
    """Batches of changed training images, and of test images as they are."""
    scaled = [transforms.ToTensor(), transforms.Normalize(MEAN, DEVIATION)]
    changed = transforms.Compose([transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), *scaled])
    train = datasets.ImageFolder(folder / "train", transform=changed)
    test = datasets.ImageFolder(folder / "test", transform=transforms.Compose(scaled))
    loader = og.utils.data.DataLoader
    return (
        loader(train, batch_size, shuffle=True, num_workers=workers, drop_last=True),
        loader(test, batch_size, num_workers=workers),
        train.classes,
    )


def main(folder, epochs=5, batch_size=32, workers=1):
    """Train and measure; gives the accuracy on the test images."""
    og.manual_seed(0)
    train, test, classes = loaders(folder, batch_size, workers)
    model = resnet20(num_classes=len(classes))
    optimizer = og.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    scheduler = og.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.05, total_steps=epochs * len(train))
    for epoch in range(epochs):
        model.train()
        for images, labels in train:
            loss = og.nn.functional.cross_entropy(model(images), labels, label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
        model.eval()
        with og.no_grad():
            right = sum((model(images).argmax(1) == labels).sum().item() for images, labels in test)
        print(f"epoch {epoch + 1}  loss {loss.item():.3f}  test accuracy {right / len(test.dataset):.3f}")
    og.save_model("classifier", model, og.zeros(1, 3, 32, 32), extra={"classes": classes})
    return right / len(test.dataset)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        draw_shapes(Path("shapes"))
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "shapes"), int(sys.argv[2]) if len(sys.argv) > 2 else 5)
