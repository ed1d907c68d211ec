"""The ImageNet competition from 2012 to 2015: who won the classification task, with how many layers and what error.

Errors are top-5, on the test images, of the whole entry (several networks, many crops), without other training images.
Read next: `published.py`, with accuracies of single networks.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """An entry of the competition.

    Attributes:
        year, place: when, and the place in the classification task.
        team: who.
        network: the network here that is the entry's, or the one closest to it.
        layers: with weights, one after another.
        top5_error: in percent.
        source: where the number is from.
    """

    year: int
    place: int
    team: str
    network: str
    layers: int
    top5_error: float
    source: str


ENTRIES: tuple[Entry, ...] = (
    Entry(2012, 1, "SuperVision (AlexNet)", "alexnet", 8, 16.4, "Szegedy et al. 2015, table 2"),
    Entry(2013, 1, "Clarifai (after ZFNet)", "zfnet", 8, 11.7, "Szegedy et al. 2015, table 2"),
    Entry(2014, 1, "GoogLeNet", "googlenet", 22, 6.67, "Szegedy et al. 2015, table 2"),
    Entry(2014, 2, "VGG", "vgg19", 19, 7.32, "Szegedy et al. 2015, table 2"),
    Entry(2015, 1, "MSRA (ResNet)", "resnet152", 152, 3.57, "He et al. 2016, table 5"),
)
"""Winners, and VGG, which came second and is used more than the winner of its year."""

HUMAN_TOP5_ERROR = 5.1
"""Of one trained person on 1,500 of the test images (Russakovsky et al., "ImageNet large scale visual recognition
challenge", 2015, section 6.4)."""
