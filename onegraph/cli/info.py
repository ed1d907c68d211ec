"""`onegraph info`: this machine and installation, for people and (with --json) for programs and bug reports.

Read next: `machine.py`, which finds it out.
"""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import click

import onegraph as og
from onegraph.cli import machine

_LIBRARIES = ("numpy", "llvmlite", "pillow", "tensorboard")


def collect() -> dict[str, Any]:
    """Everything that `onegraph info` says, as numbers, strings, lists and dicts."""
    processor, triple = machine.code_generator_target()
    return {
        "onegraph": og.__version__,
        "backend": og.config.settings.backend,
        "python": {"version": platform.python_version(), "implementation": platform.python_implementation()},
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": {
            "name": machine.processor_name(),
            "llvm_name": processor,
            "target": triple,
            "vector_instructions": machine.vector_instructions(),
            "cores": machine.cores(),
            "caches": machine.caches(),
        },
        "memory": machine.memory(),
        "gpus": [{"works": g.works, "name": g.text, "memory": g.memory, "used": False} for g in machine.gpus()],
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def size_text(count: int | None) -> str:
    """A number of bytes for people.

    >>> size_text(48 * 1024), size_text(2 << 20), size_text(None)
    ('48 KiB', '2 MiB', 'unknown')
    """
    if count is None:
        return "unknown"
    value, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{value:.0f} {unit}" if value == round(value) or value >= 100 else f"{value:.1f} {unit}"


def rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    """What `collect` found, as pairs of a name and a text."""
    processor, memory = found["processor"], found["memory"]
    count = processor["cores"]
    cores = f"{count['allowed']} usable of {count['present']}"
    if count["quota"] is not None:
        cores += f"; the container allows {count['quota']:g} cores' worth of time"
    available = f"{size_text(memory['available'])} available of {size_text(memory['total'])}"
    if memory["limit"] is not None:
        available += f"; the container allows {size_text(memory['limit'])}"
    libraries = [f"{name} {number or '(not installed)'}" for name, number in found["libraries"].items()]
    result = [
        ("onegraph", f"{found['onegraph']}, backend {found['backend']}"),
        ("Python", f"{found['python']['version']} ({found['python']['implementation']})"),
        ("libraries", ", ".join(libraries)),
        ("system", found["system"]),
        ("processor", processor["name"]),
        ("LLVM target", f"{processor['llvm_name']}, {processor['target']}"),
        ("cores", cores),
        ("vectors", " ".join(processor["vector_instructions"]) or "unknown"),
        ("caches", ", ".join(f"{name} {size_text(size)}" for name, size in processor["caches"].items()) or "unknown"),
        ("memory", available),
    ]
    for gpu in found["gpus"]:
        text = f"{gpu['name']}, {size_text(gpu['memory'])}; the driver works" if gpu["works"] else gpu["name"]
        result.append(("GPU", f"{text}. This version does not compute on GPUs."))
    return result


@click.command("info")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """Describe this machine and installation."""
    found = collect()
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    table = rows(found)
    width = max(len(name) for name, _ in table)
    for name, text in table:
        click.echo(f"{name:<{width}}  {text}")
