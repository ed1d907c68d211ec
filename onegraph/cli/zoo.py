"""`onegraph zoo`: what each network costs and what it can, as a table, a chart, or one network in detail.

Read next: `zoo_rows.py` (where the numbers are from), `charts.py`.
"""

from __future__ import annotations

import csv
import dataclasses
import inspect
import io
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from onegraph import zoo
from onegraph.cli.charts import AXES, bubble_chart, competition_chart
from onegraph.cli.info import size_text
from onegraph.cli.networks import find_network
from onegraph.cli.zoo_rows import Row, measured, row_of
from onegraph.errors import ArgumentError
from onegraph.inspection import summary
from onegraph.zoo import Network
from onegraph.zoo.ilsvrc import ENTRIES
from onegraph.zoo.published import published, reported

_ORDERS = {
    "name": lambda row: row.network,
    "params": lambda row: row.params,
    "mult-adds": lambda row: row.mult_adds,
    "latency": lambda row: row.latency or float("inf"),
    "memory": lambda row: row.memory or float("inf"),
    "top1": lambda row: -(row.top1 or 0),
}

_EPILOG = """\b
Examples:
  onegraph zoo --no-measure                     what is counted and published, in moments
  onegraph zoo resnet18 mobilenet_v2 vgg16      three, measured on this machine
  onegraph zoo resnet50                         one in detail: layers, weights, source
  onegraph zoo --plot zoo.svg --no-measure      the bubble chart
  onegraph zoo --ilsvrc --plot ilsvrc.svg       the competition

\b
Latency is the median of warm runs of one image; memory is that of the weights and of the plan that computes one image. A
network is measured once and the result kept, beside compiled kernels; --again measures anew.
"""


@click.command("zoo", epilog=_EPILOG)
@click.argument("networks", nargs=-1, metavar="[NETWORK]...")
@click.option("--family", "families", multiple=True, help="Only networks of this family; may be repeated.")
@click.option("--measure/--no-measure", default=True, show_default=True, help="Latency and memory on this machine.")
@click.option("--again", is_flag=True, help="Measure what was measured before.")
@click.option("--best", is_flag=True, help="Accuracy of the best published weights, not of the first ones.")
@click.option("--sort", type=click.Choice(list(_ORDERS)), help="Order of the table.  [default: by family]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Draw accuracy over cost: .svg, or .png.")
@click.option(
    "--x", "axis", type=click.Choice(list(AXES)), default="mult-adds", show_default=True, help="Of the chart."
)
@click.option("--depth", type=click.IntRange(0), default=3, show_default=True, help="Of the layers of one network.")
@click.option("--ilsvrc", is_flag=True, help="The ImageNet competition 2012 to 2015 instead.")
def command(
    networks: tuple[str, ...], ilsvrc: bool, as_json: bool, as_csv: bool, plot: Path | None, **options: Any
) -> None:
    """Networks that classify images: parameters, multiply-adds, latency, memory, published accuracy.

    Without names all of them; a single one is described in detail.
    """
    if as_json and as_csv:
        raise ArgumentError("--json and --csv: one of them")
    if ilsvrc:
        if networks or options["families"]:
            raise ArgumentError("--ilsvrc shows the competition, and takes no networks")
        _competition(as_json, as_csv, plot)
        return
    found = _chosen(networks, options["families"])
    if plot is not None and plot.suffix.lower() not in (".svg", ".png"):
        raise ArgumentError(f"--plot {plot}: a picture is written as .svg or .png")
    if options["axis"] == "latency" and plot is not None and not options["measure"]:
        raise ArgumentError("--x latency needs measurements, and --no-measure takes none")
    rows = _rows(found, options["measure"], options["again"], options["best"])
    if options["sort"]:
        rows = sorted(rows, key=_ORDERS[options["sort"]])
    if plot is not None:
        bubble_chart(rows, options["axis"]).save(plot)
    if as_json or as_csv:
        _print_data([dataclasses.asdict(row) for row in rows], as_json)
    elif len(networks) == 1 and plot is None:
        _describe(found[0], rows[0], options["depth"])
    elif plot is None:
        click.echo(table(rows))
    if plot is not None:
        click.echo(f"wrote {plot}", err=as_json or as_csv)


def _chosen(names: Sequence[str], families: Sequence[str]) -> list[Network]:
    if names:
        found = [zoo.network(name) for name in dict.fromkeys(name.lower() for name in names)]
        for network in found:
            find_network(network.name)  # says which networks there are, if it does not classify images
    else:
        found = [entry for entry in zoo.NETWORKS.values() if entry.task == "classify"]
    if families:
        known = {entry.family.lower(): entry.family for entry in found}
        unknown = [family for family in families if family.lower() not in known]
        if unknown:
            raise ArgumentError(f"no family {unknown[0]!r}; there are {', '.join(known.values())}")
        found = [entry for entry in found if entry.family.lower() in [family.lower() for family in families]]
    return found


def _rows(found: Sequence[Network], measure: bool, again: bool, best: bool) -> list[Row]:
    """Rows, measured one by one; what is measured is kept even if the command is stopped."""
    rows = []
    for number, network in enumerate(found, 1):
        row = row_of(network, best)
        if measure:
            if sys.stderr.isatty():
                click.echo(f"\r\x1b[K[{number}/{len(found)}] {network.name}", nl=False, err=True)
            row = measured(row, network, again)
        rows.append(row)
    if measure and sys.stderr.isatty():
        click.echo("\r\x1b[K", nl=False, err=True)
    return rows


# ---- printing


def table(rows: Sequence[Row]) -> str:
    """Rows as lines of text."""
    shown_measured = any(row.latency is not None for row in rows)
    heads = [
        "network",
        "params",
        "mult-adds",
        *(["latency", "memory"] if shown_measured else []),
        "top-1",
        "top-5",
        "source",
    ]
    cells = []
    for row in rows:
        line = [row.network, _count(row.params), _count(row.mult_adds)]
        if shown_measured:
            line += ["-", "-"] if row.latency is None else [f"{row.latency:.2f} ms", size_text(row.memory)]
        line += ["-" if value is None else f"{value:.1f}%" for value in (row.top1, row.top5)]
        cells.append([*line, row.source or "-"])
    return _aligned([heads, *cells])


def _count(value: float) -> str:
    """A number in thousands, millions or billions, with three digits.

    >>> _count(61_706), _count(25_557_032), _count(4_089_184_256)
    ('61.7 k', '25.6 M', '4.09 G')
    """
    unit, size = ("G", 1e9) if value >= 1e9 else ("M", 1e6) if value >= 1e6 else ("k", 1e3)
    scaled = value / size
    return f"{scaled:.{0 if scaled >= 100 else 1 if scaled >= 10 else 2}f} {unit}"


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    """Columns side by side: the first and the last to the left, the others to the right."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    text = []
    for line in lines:
        first, *middle, last = line
        parts = [f"{first:<{widths[0]}}", *(f"{c:>{w}}" for c, w in zip(middle, widths[1:-1], strict=True)), last]
        text.append("  ".join(parts).rstrip())
    return "\n".join(text)


def _print_data(values: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(values, indent=1))
        return
    file = io.StringIO()
    writer = csv.DictWriter(file, list(values[0]), lineterminator="\n")
    writer.writeheader()
    for value in values:
        size = value.get("size")
        writer.writerow({**value, "size": "x".join(map(str, size))} if size else value)
    click.echo(file.getvalue(), nl=False)


def _describe(found: Network, row: Row, depth: int) -> None:
    """One network: what it is, its cost, its weights, and its layers."""
    height, width = found.input_size
    click.echo(f"{found.name}: {found.doc}")
    citation = _citation(found)
    if citation:
        click.echo(f"source: {citation}")
    click.echo(
        f"images of {height}x{width}, {found.in_channels} channel{'s' * (found.in_channels != 1)}; {found.num_classes:,} classes"
    )
    click.echo(f"{row.params:,} parameters, {row.mult_adds:,} multiply-adds for one image")
    if row.latency is not None:
        click.echo(f"on this machine {row.latency:.2f} ms for one image, in {size_text(row.memory)}")
    for entry in published(found.name):
        click.echo(
            f"weights {entry.name}: top-1 {entry.top1}%, top-5 {entry.top5}% ({entry.source}); {entry.url}, {entry.checksum}"
        )
    for error in reported(found.name):
        click.echo(
            f"paper: {error.measure.replace('_', ' ')} {error.value}% on {error.dataset}, {error.how} ({error.source})"
        )
    click.echo()
    summary(
        found.make(),
        (1, found.in_channels, height, width),
        depth=depth,
        verbose=1,
        col_names=("output_size", "num_params", "mult_adds"),
        col_width=22,
    )


def _citation(found: Network) -> str:
    """The paper in full, as the file of the network names it; or else in short."""
    text = inspect.getdoc(sys.modules.get(getattr(found.make, "__module__", ""))) or ""
    match = re.search(r"Sources?: (.*?)\s*(?:Read next|\n\n|$)", text, re.DOTALL)
    return " ".join(match[1].split()) if match else found.source


def _competition(as_json: bool, as_csv: bool, plot: Path | None) -> None:
    if plot is not None:
        competition_chart(ENTRIES).save(plot)
        click.echo(f"wrote {plot}", err=as_json or as_csv)
    if as_json or as_csv:
        _print_data([dataclasses.asdict(entry) for entry in ENTRIES], as_json)
    elif plot is None:
        lines = [["year", "place", "layers", "top-5 error", "entry"]]
        lines += [
            [str(e.year), str(e.place), str(e.layers), f"{e.top5_error:g}%", f"{e.team} ({e.source})"] for e in ENTRIES
        ]
        click.echo(_aligned(lines))
