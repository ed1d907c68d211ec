"""`onegraph summary NETWORK`: the layers of a network as a table. Read next: `onegraph/inspection/summary.py`."""

from __future__ import annotations

import click

from onegraph.cli.networks import find_network, listing, users_errors
from onegraph.errors import ArgumentError
from onegraph.inspection import summary
from onegraph.inspection.statistics import COLUMNS, ROW_SETTINGS


@click.command("summary", epilog="\b\nNetworks:\n" + listing() + "\n  FILE.py:FUNCTION  your own")
@click.argument("network")
@click.option(
    "--input", "size", metavar="SHAPE", help="Shape of the input with the batch, as 1x3x224x224.  [default: one image]"
)
@click.option("--classes", type=click.IntRange(1), help="Outputs of the network.  [default: its own]")
@click.option("--depth", type=click.IntRange(0), default=3, show_default=True, help="Layers inside each other.")
@click.option("--columns", default="output_size,num_params", show_default=True, help=f"Of {', '.join(COLUMNS)}.")
@click.option("--width", type=click.IntRange(1), default=25, show_default=True, help="Of a column.")
@click.option("--rows", default="depth", show_default=True, help=f"Of {', '.join(ROW_SETTINGS)}.")
@click.option("--weights", "shown_weights", is_flag=True, help="Show each layer's weights.")
def command(
    network: str,
    size: str | None,
    classes: int | None,
    depth: int,
    columns: str,
    width: int,
    rows: str,
    shown_weights: bool,
) -> None:
    """Print the layers of NETWORK with shapes and numbers of parameters. Nothing is computed."""
    found = find_network(network)
    shape = (1, found.in_channels, *found.input_size) if size is None else _shape(size)
    channels = shape[1] if len(shape) == 4 else found.in_channels
    model = found.make(num_classes=classes or found.num_classes, in_channels=channels)
    with users_errors(network.rpartition(":")[0]):
        summary(
            model, shape, depth=depth, col_names=_words(columns), col_width=width, row_settings=_words(rows),
            verbose=2 if shown_weights else 1,
        )  # fmt: skip


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _shape(text: str) -> tuple[int, ...]:
    parts = text.split("x")
    if not all(part.isdecimal() for part in parts):
        raise ArgumentError(
            f"--input {text}: sizes are whole numbers joined by x", hint="write for example 1x3x224x224"
        )
    return tuple(map(int, parts))
