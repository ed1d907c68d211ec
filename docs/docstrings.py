"""Docstrings are written as plainly as Markdown; Sphinx reads reStructuredText. This stands in between.

`conf.py` calls `to_rst` for each docstring, before Sphinx's own steps.
"""

from __future__ import annotations

import re

_CODE = re.compile(r"(``.+?``|`[^`\n]+?`)", re.DOTALL)
_SPECIAL = re.compile(r"[*|]|(?<=\w)_(?!\w)")


def _prose(text: str) -> str:
    r"""Code in backticks becomes literal, and characters that would mark something are escaped.

    >>> _prose("`Dim`s, |x| and *args; a_")
    '``Dim``\\ s, \\|x\\| and \\*args; a\\_'
    """
    parts = _CODE.split(text)
    for i, part in enumerate(parts):
        if i % 2 == 0:
            part = _SPECIAL.sub(lambda m: "\\" + m.group(), part)
            parts[i] = "\\ " + part if i and part[:1].isalnum() else part
        elif not part.startswith("``"):
            parts[i] = f"`{part}`"
    return "".join(parts)


def to_rst(lines: list[str]) -> list[str]:
    """The docstring's lines for Sphinx; examples and literal blocks stay as they are.

    >>> to_rst(["|x|:", "", ">>> a * b", "c * d", "", "x * y"])
    ['\\\\|x\\\\|:', '', '>>> a * b', 'c * d', '', 'x \\\\* y']
    """
    result: list[str] = []
    paragraph: list[str] = []
    literal: int | None = None  # the indent below which a literal block ends
    example = False

    def finish() -> None:
        if paragraph:
            result.extend(_prose("\n".join(paragraph)).split("\n"))
            paragraph.clear()

    for line in lines:
        text = line.strip()
        indent = len(line) - len(line.lstrip())
        if not text:
            finish()
            example = False
            result.append(line)
            continue
        if literal is not None and indent <= literal:
            literal = None
        example = example or text.startswith(">>>")
        if example or literal is not None:
            finish()
            result.append(line)
        else:
            paragraph.append(line)
            if text.endswith("::"):
                literal = indent
    finish()
    return result
