"""Rows of results as Markdown: ratio, target, and whether it was reached.

Read next: `row.py`, for what is in a result.
"""

from __future__ import annotations

from typing import Any

from bench.measure import table
from bench.rows import Row

RATIO_HEADER = ("work", "at least", "ratio", "onegraph", "rival's best", "which", "spread", "of copy", "")
FIGURE_HEADER = ("what", "at most", "measured", "remark", "")
CROWDED = 0.2  # cores that others kept busy, from which on neither a hit nor a miss is to be trusted
COPY_SHARE = 0.8  # of copy bandwidth, that what is limited by memory should reach


def duration(seconds: float) -> str:
    """Three digits with a unit.

    >>> duration(0.00047), duration(0.0056), duration(1.25)
    ('470 us', '5.60 ms', '1.25 s')
    """
    for limit, factor, unit in ((1e-3, 1e6, "us"), (1.0, 1e3, "ms"), (float("inf"), 1.0, "s")):
        if seconds < limit:
            value = seconds * factor
            digits = max(0, 2 - len(str(int(value))) + 1)
            return f"{value:.{digits}f} {unit}"
    raise AssertionError(seconds)


def failed(result: dict[str, Any]) -> bool:
    """Whether a row gave no result because something broke."""
    return "error" in result


def _best(result: dict[str, Any]) -> str | None:
    theirs = result.get("theirs") or {}
    return min(theirs, key=lambda name: theirs[name]["median"]) if theirs else None


def ratio(result: dict[str, Any]) -> float | None:
    """The best rival's time over ours, or None where a side is missing."""
    best = _best(result)
    if best is None or not result.get("ours"):
        return None
    return float(result["theirs"][best]["median"] / result["ours"]["median"])


def copy_share(result: dict[str, Any]) -> float | None:
    """The part of copy bandwidth that onegraph (or, without it, PyTorch) reaches."""
    timing = result.get("ours") or (result.get("theirs") or {}).get(_best(result) or "")
    if not timing or "speeds" not in result:
        return None
    return float(result["traffic"] / timing["median"] / result["speeds"]["copy"])


def verdict(row: Row, result: dict[str, Any]) -> str:
    """ "hit", "miss", or why there is neither."""
    if failed(result):
        return f"failed: {result['error']}"
    if "missing" in result:
        return f"not there: {result['missing']}"
    if result.get("quick"):
        return "tiny sizes"
    reached = ratio(result)
    if row.kind == "figure":
        limit = result.get("limit", row.target)
        good = limit is not None and result["value"] <= limit
    elif reached is None:
        return "one side only"
    elif row.target is None:
        return "-"
    else:
        share = copy_share(result)
        good = reached >= row.target and (share is None or share >= COPY_SHARE)
    word, others = "hit" if good else "miss", result.get("others", 0.0)
    return f"{word}? others kept {others:.1f} cores busy" if others > CROWDED else word


def ratio_cells(row: Row, result: dict[str, Any]) -> tuple[str, ...]:
    """The cells of a contest."""
    best, reached, share = _best(result), ratio(result), copy_share(result)
    ours, theirs = result.get("ours"), result["theirs"][best] if best else None
    spread = " / ".join(f"{t['spread']:.0%}" if t else "-" for t in (ours, theirs))
    return (
        row.title,
        "-" if row.target is None else f"{row.target:g}",
        "-" if reached is None else f"{reached:.2f}",
        duration(ours["median"]) if ours else "-",
        duration(theirs["median"]) if theirs else "-",
        best or "-",
        spread,
        "-" if share is None else f"{share:.0%}",
        verdict(row, result),
    )


def figure_cells(row: Row, result: dict[str, Any]) -> tuple[str, ...]:
    """The cells of a figure."""
    limit = result.get("limit", row.target)
    value = f"{result['value']:.3g} {row.unit}" if "value" in result else "-"
    at_most = "-" if limit is None else f"{limit:.4g} {row.unit}"
    return row.title, at_most, value, result.get("note", ""), verdict(row, result)


def details(row: Row, result: dict[str, Any]) -> str:
    """A paragraph about a row: every variant's median and minimum, what agreed, what PyTorch could not compile."""
    lines = []
    contestants = {**({"onegraph": result["ours"]} if result.get("ours") else {}), **(result.get("theirs") or {})}
    for name, timing in contestants.items():
        text = f"{name} {duration(timing['median'])} (at best {duration(timing['minimum'])}, {timing['turns']} turns)"
        lines.append(text)
    if "speeds" in result:
        speeds = result["speeds"]
        lines.append(f"copy {speeds['copy'] / 1e9:.1f} GB/s, triad {speeds['triad'] / 1e9:.1f} GB/s")
    if "others" in result:
        lines.append(f"others kept {result['others']:.1f} cores busy")
    return f"- {row.name}: " + "; ".join([*lines, *result.get("notes", []), *result.get("compile", [])])


def document(results: list[tuple[Row, dict[str, Any]]]) -> str:
    """Both tables, and below them the details."""
    contests = [(row, result) for row, result in results if row.kind != "figure"]
    rest = [(row, result) for row, result in results if row.kind == "figure"]
    parts = []
    if contests:
        parts.append(table(RATIO_HEADER, [ratio_cells(*pair) for pair in contests]))
        parts.append("\n".join(details(*pair) for pair in contests))
    if rest:
        parts.append(table(FIGURE_HEADER, [figure_cells(*pair) for pair in rest]))
    return "\n\n".join(parts)
