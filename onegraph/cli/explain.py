"""`onegraph explain TARGET`: every stage from the recorded graph to machine code, times by kernel, an HTML report.

Read next: `onegraph/frontend/explain.py`, `onegraph/passes/pipeline.py`, `onegraph/runtime/report.py`.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import click

import onegraph as og
from onegraph.cli.networks import find_network, function_of, listing, run_file, split_name, users_errors
from onegraph.errors import ArgumentError
from onegraph.frontend.explain import Explanation, explain_graph
from onegraph.ir.dim import Dim
from onegraph.ir.dtype import DType
from onegraph.nn import Module
from onegraph.nn.functional import cross_entropy
from onegraph.passes.specialize import specialize
from onegraph.storage.model import load_model

_EPILOG = """\b
Examples:
  onegraph explain lenet5 --train --batch 128 --profile
  onegraph explain step.py:step --input 64x1000 --input 64x10 --stage kernels
  onegraph explain lenet5 --report plan.html

\b
Networks:
"""


@click.command("explain", epilog=_EPILOG + listing())
@click.argument("target", metavar="TARGET")
@click.option("--input", "inputs", multiple=True, metavar="SHAPE[:DTYPE]", help="An argument, as 64x1000 or 64:int64.")
@click.option("--batch", type=click.IntRange(1), default=1, show_default=True, help="Images in the batch.")
@click.option("--train", "training", is_flag=True, help="Explain a whole training step instead of the forward pass.")
@click.option("--classes", type=click.IntRange(1), default=10, show_default=True, help="Outputs of the network.")
@click.option("--channels", type=click.IntRange(1), default=1, show_default=True, help="Channels of its images.")
@click.option("--stage", "stages", multiple=True, help="Show only stages whose name contains this; may be repeated.")
@click.option("--list", "only_names", is_flag=True, help="List the names of the stages.")
@click.option("--llvm", metavar="KERNEL", help="Show the LLVM IR of a kernel (its number, or a part of its name).")
@click.option("--assembly", metavar="KERNEL", help="Show the machine code of a kernel.")
@click.option("--profile", is_flag=True, help="Run it on made-up values; show the time of each kernel.")
@click.option("--repeats", type=click.IntRange(1), default=10, show_default=True, help="Runs to take medians of.")
@click.option("--trace", type=click.Path(dir_okay=False), help="Save the runs as a Chrome trace (also with --profile).")
@click.option("--report", type=click.Path(dir_okay=False), help="Save everything as one HTML page.")
def command(
    target: str,
    inputs: tuple[str, ...],
    batch: int,
    training: bool,
    classes: int,
    channels: int,
    stages: tuple[str, ...],
    only_names: bool,
    llvm: str | None,
    assembly: str | None,
    profile: bool,
    repeats: int,
    trace: str | None,
    report: str | None,
) -> None:
    """Show how a network of the zoo, FILE.py:FUNCTION, or the folder of a saved model is compiled.

    A function of a file gives a network, or is explained itself: with an --input for each of its tensors.
    """
    if Path(target).is_dir():
        if training:
            raise ArgumentError(
                "a saved model holds the forward pass only", hint="give the name of a network to --train"
            )
        explanation = _explain_saved(Path(target), batch)
    else:
        explanation = _explain_code(target, [_tensor(i) for i in inputs], batch, training, classes, channels)
    quiet = False
    if profile or trace:
        measured = explanation.profile(repeats)
        click.echo(measured.table())
        if trace:
            measured.recorder.save_chrome_trace(trace)
            click.echo(f"wrote {trace} (open it in chrome://tracing or ui.perfetto.dev)")
        quiet = True
    if report:
        explanation.report(report)
        click.echo(f"wrote {report}")
        quiet = True
    for kernel, show in ((llvm, explanation.llvm), (assembly, explanation.assembly)):
        if kernel is not None:
            click.echo(show(int(kernel) if kernel.isdecimal() else kernel))
            quiet = True
    if stages or only_names or not quiet:
        _show(explanation, stages, only_names)


def _show(explanation: Explanation, stages: tuple[str, ...], only_names: bool) -> None:
    chosen = [(name, text) for name, text in explanation.stages if not stages or any(s in name for s in stages)]
    if not chosen:
        names = "; ".join(name for name, _ in explanation.stages)
        raise ArgumentError(f"no stage is called {' or '.join(stages)}; there are: {names}")
    for name, text in chosen:
        click.echo(name if only_names else f"== {name}\n{text}\n")


def _tensor(text: str) -> Any:
    """Zeros of a shape that is written as 64x1000 (float32) or 64:int64; `:int64` is a tensor without dimensions."""
    sizes, _, name = text.partition(":")
    dtype = getattr(og, name or "float32", None)
    if not isinstance(dtype, DType):
        raise ArgumentError(f"--input {text}: there is no dtype {name!r}", hint="write for example 64x10:int64")
    parts = sizes.split("x") if sizes else []
    if not all(part.isdecimal() for part in parts):
        raise ArgumentError(f"--input {text}: sizes are whole numbers joined by x", hint="write for example 64x1000")
    return og.zeros(*map(int, parts), dtype=dtype)


def _explain_saved(path: Path, batch: int) -> Explanation:
    graph = load_model(path).graph
    sizes = {str(s): batch for node in graph.inputs for s in node.shape if isinstance(s, Dim)}
    return explain_graph(specialize(graph, sizes) if sizes else graph, "saved", path.name)


def _explain_code(
    target: str, inputs: list[Any], batch: int, training: bool, classes: int, channels: int
) -> Explanation:
    path, name = split_name(target)
    if path:
        function = function_of(run_file(Path(path)), path, name)
        if _computes(function, inputs):
            with users_errors(path):
                return og.explain(function, *inputs)
    found = find_network(target)
    model = found.make(num_classes=classes, in_channels=channels)
    inputs = inputs or [og.zeros(batch, channels, *found.input_size)]
    if not training:
        return og.explain(model.eval(), *inputs)
    optimizer = og.optim.SGD(model.parameters(), lr=0.1)

    def step(labels: Any, *images: Any) -> Any:
        optimizer.zero_grad()
        loss = cross_entropy(model(*images), labels)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return og.explain(step, og.zeros(inputs[0].shape[0], dtype=og.int64), *inputs)


def _computes(function: Any, inputs: list[Any]) -> bool:
    """Whether a function is to be explained itself, rather than called for the network that it makes."""
    if inspect.isclass(function) and issubclass(function, Module):
        return False
    if inputs or isinstance(function, Module):
        return True
    required = [
        p.name
        for p in inspect.signature(function).parameters.values()
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    if set(required) - {"num_classes", "in_channels"}:
        raise ArgumentError(
            f"{getattr(function, '__name__', 'the function')} takes {', '.join(required)}",
            hint="say their shapes, one --input for each: --input 64x1000 --input 64:int64",
        )
    return False
