"""`onegraph explain NETWORK_or_MODEL`: every stage from the recorded graph to the steps that run.

Read next: `onegraph/frontend/explain.py`, `onegraph/passes/pipeline.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import onegraph as og
from onegraph.cli.networks import find_network, listing
from onegraph.errors import ArgumentError
from onegraph.frontend.explain import explain_graph
from onegraph.ir.dim import Dim
from onegraph.nn.functional import cross_entropy
from onegraph.passes.specialize import specialize
from onegraph.storage.model import load_model


@click.command("explain", epilog="\b\nNetworks:\n" + listing())
@click.argument("target", metavar="NETWORK_OR_MODEL")
@click.option("--batch", type=click.IntRange(1), default=1, show_default=True, help="Images in the batch.")
@click.option("--train", "training", is_flag=True, help="Explain a whole training step instead of the forward pass.")
@click.option("--classes", type=click.IntRange(1), default=10, show_default=True, help="Outputs of the network.")
@click.option("--channels", type=click.IntRange(1), default=1, show_default=True, help="Channels of its images.")
@click.option("--stage", "stages", multiple=True, help="Show only stages whose name contains this; may be repeated.")
@click.option("--list", "only_names", is_flag=True, help="List the names of the stages.")
def command(
    target: str, batch: int, training: bool, classes: int, channels: int, stages: tuple[str, ...], only_names: bool
) -> None:
    """Show every stage of compiling a network of the zoo, FILE.py:FUNCTION, or the folder of a saved model."""
    if Path(target).is_dir():
        if training:
            raise ArgumentError(
                "a saved model holds the forward pass only", hint="give the name of a network to --train"
            )
        explanation = _explain_saved(Path(target), batch)
    else:
        explanation = _explain_network(target, batch, training, classes, channels)
    chosen = [(name, text) for name, text in explanation if not stages or any(s in name for s in stages)]
    if not chosen:
        names = "; ".join(name for name, _ in explanation)
        raise ArgumentError(f"no stage is called {' or '.join(stages)}; there are: {names}")
    for name, text in chosen:
        click.echo(name if only_names else f"== {name}\n{text}\n")


def _explain_saved(path: Path, batch: int) -> list[tuple[str, str]]:
    graph = load_model(path).graph
    sizes = {str(s): batch for node in graph.inputs for s in node.shape if isinstance(s, Dim)}
    return explain_graph(specialize(graph, sizes) if sizes else graph, "saved").stages


def _explain_network(target: str, batch: int, training: bool, classes: int, channels: int) -> list[tuple[str, str]]:
    found = find_network(target)
    model = found.make(num_classes=classes, in_channels=channels)
    images = og.zeros(batch, channels, *found.input_size)
    if not training:
        return og.explain(model.eval(), images).stages
    optimizer = og.optim.SGD(model.parameters(), lr=0.1)

    def step(images: Any, labels: Any) -> Any:
        optimizer.zero_grad()
        loss = cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return og.explain(step, images, og.zeros(batch, dtype=og.int64)).stages
