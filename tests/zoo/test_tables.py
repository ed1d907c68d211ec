"""Tables of layers: what they show, and that the reference's page is what the networks are."""

from __future__ import annotations

from pathlib import Path

import pytest

from onegraph import zoo
from onegraph.zoo import tables

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "zoo-layers.md"
HOW = "write it again with onegraph.zoo.tables.page()"


def test_rows_show_sizes_strides_and_groups() -> None:
    rows = {row.layer: row for row in zoo.layer_rows("alexnet_original")}
    assert rows["features.0"].kind == "Conv2d 96, 11x11, stride 4" and rows["features.0"].output == (1, 96, 55, 55)
    assert rows["features.4"].kind == "Conv2d 256, 5x5, 2 groups"
    assert rows["classifier.6"][1:] == ("Linear 1000", (1, 1000), 4_097_000, 1)


def test_layers_alike_are_one_line() -> None:
    rows = zoo.layer_rows("resnet20")
    assert [(r.layer, r.times) for r in rows[2:4]] == [("layer1.0 .. layer1.2", 3), ("layer2.0", 1)]
    assert sum(r.parameters for r in rows) == 269_722


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("zfnet", [110, 55, 55, 26, 13, 13, 13, 13, 13, 6, 6]),  # Zeiler and Fergus 2013, figure 3
        ("alexnet_original", [55, 55, 27, 27, 27, 13, 13, 13, 13, 6, 6]),  # Krizhevsky et al. 2012, figure 2
        (
            "googlenet",
            [112, 56, 56, 56, 28, 28, 28, 14, 14, 14, 14, 14, 14, 7, 7, 7, 1],
        ),  # Szegedy et al. 2014, table 1
    ],
)
def test_sizes_are_those_of_the_papers(name: str, sizes: list[int]) -> None:
    assert [row.output[-1] for row in zoo.layer_rows(name) if len(row.output) == 4] == sizes


@pytest.mark.parametrize("name", ["lenet5", "vgg16", "squeezenet1_1", "gpt"])
def test_the_page_shows_the_table(name: str) -> None:
    assert zoo.layer_table(name) in PAGE.read_text(), HOW


@pytest.mark.slow
def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == tables.page(), HOW
