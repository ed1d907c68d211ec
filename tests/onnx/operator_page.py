"""Writes `docs/reference/onnx-operators.md`: which operators are imported, which are not, which tests of ONNX fail.

By hand: `python -m tests.onnx.operator_page`. Read next: `test_operator_page.py`, `suite.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.onnx import suite

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "onnx-operators.md"


def newest_schemas() -> dict[tuple[str, str], Any]:
    """Each operator that the onnx package knows, in its newest version, by (domain, name)."""
    from onnx import defs

    return {(s.domain, s.name): s for s in defs.get_all_schemas()}


def how(domain: str, name: str, schema: Any) -> str:
    """Say "own" for a function of ours, "body" for the function that ONNX writes it with, or nothing."""
    import onegraph.onnx.operators  # noqa: F401  (fills the table)
    from onegraph.onnx.registry import find

    if find(domain, name, schema.since_version) is not None:
        return "own"
    return "body" if schema.has_function or schema.has_context_dependent_function else ""


def text() -> str:
    """The page."""
    schemas = newest_schemas()
    lines = ["# Operators of ONNX that are imported", "", "Written by `python -m tests.onnx.operator_page`.", ""]
    for domain in sorted({d for d, _ in schemas}):
        found: dict[str, list[str]] = {"own": [], "body": [], "": []}
        for (place, name), schema in sorted(schemas.items()):
            if place == domain:
                found[how(domain, name, schema)].append(f"`{name}`")
        lines += [f"## {domain or 'ai.onnx'}", ""]
        for kind, label in (
            ("own", "Written here"),
            ("body", "Interpreted from the function that ONNX defines it by"),
            ("", "Not there: a model with it is refused when it is loaded"),
        ):
            if found[kind]:
                lines += [f"{label} ({len(found[kind])}):", "", ", ".join(found[kind]), ""]
    lines += [
        "## ONNX's backend test suite",
        "",
        "`make onnx` runs all of it, unmodified. These tests fail; a test that is not listed and fails, or is listed and passes,",
        "is an error.",
        "",
        "| Test | Why |",
        "|---|---|",
        *(f"| `{name}` | {reason} |" for name, reason in suite.expected().items()),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
    print(PAGE)
