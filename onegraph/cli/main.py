"""The command `onegraph` and what all its subcommands share: one way to report errors.

Each subcommand is one file (`train.py`, `evaluate.py`, ...) and is imported when it is called, so that
`onegraph --help` answers at once. Read next: `train.py`.
"""

from __future__ import annotations

import importlib
import os
import sys
import sysconfig
import traceback
from typing import Any

import click

import onegraph
from onegraph.errors import OneGraphError, describe_location

# name -> (module, or module:function where a file has several; one line for the list of commands)
COMMANDS = {
    "train": ("onegraph.cli.train", "Train a network on images."),
    "evaluate": ("onegraph.cli.evaluate", "Measure a saved model on test images."),
    "predict": ("onegraph.cli.predict", "Classify image files."),
    "explain": ("onegraph.cli.explain", "Show how a network is compiled, stage by stage."),
    "zoo": ("onegraph.cli.zoo", "Compare the networks that there are, or describe one."),
    "summary": ("onegraph.cli.summary", "Show the layers of a network."),
    "export-onnx": ("onegraph.cli.onnx:export_command", "Write a model as an ONNX file."),
    "import-onnx": ("onegraph.cli.onnx:import_command", "Save what an ONNX file holds as a model."),
    "info": ("onegraph.cli.info", "Describe this machine and installation."),
}
INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 and the number of the signal, as shells count."""


class CommandGroup(click.Group):
    """Finds subcommands in `COMMANDS`, and turns errors that a user can cause into one message without a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the file of a subcommand."""
        if cmd_name not in COMMANDS:
            return None
        module, _, function = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), function or "command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_line) for name, (_, help_line) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run a subcommand; a known error becomes a message on stderr and exit code 1."""
        try:
            return super().invoke(ctx)
        except OneGraphError as error:
            if ctx.params.get("debug"):
                traceback.print_exc()
            else:
                click.echo(describe(error), err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:  # `onegraph explain ... | head`
            sys.stderr.close()
            ctx.exit(0)
        except OSError as error:  # a full disk behind stdout, too many open files
            if ctx.params.get("debug"):
                raise
            click.echo(f"{type(error).__name__}: {error}", err=True)
            ctx.exit(1)


def describe(error: OneGraphError) -> str:
    """The error for the terminal: its kind, what happened, the user's line if it is in their file, and what to do."""
    lines = [f"{type(error).__name__}: {error.message}"]
    if error.layer:
        lines.append(f"  in layer {error.layer}")
    if error.location is not None and not _is_installed(error.location[0]):
        lines.append(f"  at {describe_location(error.location)}")
    return "\n".join([*lines, f"  {error.hint}"] if error.hint else lines)


def _is_installed(filename: str) -> bool:
    """Whether a file belongs to this program, to a library or to Python rather than to the user."""
    paths = sysconfig.get_paths()
    folders = [
        os.path.dirname(os.path.abspath(__file__)),
        *(paths[n] for n in ("stdlib", "purelib", "platlib", "scripts")),
    ]
    return any(os.path.abspath(filename).startswith(folder + os.sep) for folder in folders)


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the Python traceback of an error.")
@click.version_option(onegraph.__version__, prog_name="onegraph")
def main(debug: bool) -> None:
    """Train, measure and use neural networks.

    \b
    onegraph train lenet5 --out runs/first     the digits that come with the package
    onegraph predict runs/first/model IMAGE
    onegraph COMMAND --help                    all options
    """


if __name__ == "__main__":
    main(prog_name="onegraph")
