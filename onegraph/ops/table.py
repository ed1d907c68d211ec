"""The tables of all ops and of all functions on them, as Markdown for the reference pages.

Read next: `record.py` and `public.py`, from which the tables are made; `docs/generate_ops.py`, which writes the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from onegraph.ops.public import PUBLIC, Public
from onegraph.ops.record import OPS, Kind, Op

TITLES = {"": "onegraph"}


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _gradient(op: Op) -> str:
    """Which inputs have a gradient."""
    if op.gradient is None:
        return "no"
    if callable(op.gradient):
        return "yes"
    have = [str(i) for i, rule in enumerate(op.gradient) if rule is not None]
    return "yes" if len(have) == len(op.gradient) else f"input {', '.join(have)}"


def op_table() -> str:
    """The primitives by kind: name, what it does, dtypes of the first input, gradient, reference.

    >>> print(op_table().splitlines()[0])
    ## Primitives
    >>> "| `exp` | e to the power of x | float | yes | yes |" in op_table()
    True
    """
    parts = [
        "## Primitives",
        f"There are {len(OPS)}. Every other function is composed of them, and inlined when it is called.",
    ]
    for kind in Kind:
        ops = sorted((op for op in OPS.values() if op.kind is kind), key=lambda op: op.name)
        if ops:
            rows = [
                (f"`{op.name}`", _sentence(op.doc), ", ".join(op.dtypes), _gradient(op), _yes(callable(op.reference)))
                for op in ops
            ]
            parts.append(f"### {kind.value.capitalize()}")
            parts.append(_table(("op", "what it does", "dtypes", "gradient", "reference"), rows))
    return "\n\n".join(parts) + "\n"


def _sentence(text: str) -> str:
    return text.removesuffix(".")


def _summary(entry: Public) -> str:
    """The first paragraph of the docstring, on one line."""
    paragraph = (entry.function.__doc__ or "").strip().split("\n\n")[0]
    return _sentence(" ".join(paragraph.split()))


def function_table() -> str:
    """The functions that front ends offer, by namespace: names, method, in-place form, what it does.

    >>> print(function_table().splitlines()[0])
    ## Functions
    """
    parts = ["## Functions", "Each takes PyTorch's arguments, with PyTorch's defaults."]
    for namespace in sorted({entry.namespace for entry in PUBLIC}):
        entries = sorted((e for e in PUBLIC if e.namespace == namespace), key=lambda e: e.names[0])
        rows = [
            (", ".join(f"`{n}`" for n in e.names), _summary(e), _yes(e.method), _yes(e.inplace), _yes(e.view))
            for e in entries
        ]
        parts.append(f"### {TITLES.get(namespace, f'onegraph.{namespace}')}")
        parts.append(_table(("name", "what it does", "method", "in place", "view"), rows))
    return "\n\n".join(parts) + "\n"


def reference_page() -> str:
    """The whole page `docs/reference/ops.md`."""
    lead = "# Ops\n\nMade from the records in `onegraph/ops` when the documentation is built.\n\n"
    return lead + op_table() + "\n" + function_table()
