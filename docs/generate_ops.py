"""Writes `docs/reference/ops.md` from the records of the ops; `docs/conf.py` calls it when the documentation is built.

By hand: `python docs/generate_ops.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parent / "reference" / "ops.md"


def generate(page: Path = PAGE) -> Path:
    """Write the page; a page that is up to date is not touched."""
    import onegraph.ops  # noqa: F401  (fills the tables)
    from onegraph.ops.table import reference_page

    text = reference_page()
    if not page.exists() or page.read_text(encoding="utf-8") != text:
        page.write_text(text, encoding="utf-8")
    return page


if __name__ == "__main__":
    sys.path.insert(0, str(PAGE.parents[2]))
    print(generate())
