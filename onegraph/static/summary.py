"""`tf.summary`: curves and histograms for TensorBoard.

A summary is a dict from a tag to the tensor that it shows, so `session.run(merged)` gives a dict of values, which
`FileWriter.add_summary` writes. Read next: `onegraph/board/writer.py`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from onegraph.board import SummaryWriter
from onegraph.errors import ArgumentTypeError, ShapeError
from onegraph.frontend.static.functions import identity
from onegraph.frontend.static.graph import GraphKeys, add_to_collections, get_collection
from onegraph.frontend.static.tensor import Tensor

__all__ = ["FileWriter", "histogram", "merge", "merge_all", "scalar"]

Summary = dict[str, Tensor]


def scalar(name: str, tensor: Any, collections: Sequence[str] | None = None, family: str | None = None) -> Summary:
    """A curve of one number.

    Args:
        name: the tag; the running name scope is put in front, and a number behind if it is taken.
        tensor: the number, of shape ().
        collections: where `merge_all` finds it; `GraphKeys.SUMMARIES` by default.
        family: put in front of the tag, to group curves.

    Raises:
        ShapeError: `tensor` is not a single number.

    >>> import onegraph.static as tf
    >>> with tf.Graph().as_default(), tf.Session() as sess:
    ...     sess.run(tf.summary.scalar("loss", tf.constant(0.5)))
    {'loss': np.float32(0.5)}
    """
    summary = histogram(name, tensor, collections, family)
    for tag, shown in summary.items():
        if shown.shape.ndims != 0:
            raise ShapeError(
                f"summary.scalar: {tag!r} has shape {tuple(shown.shape.as_list())}, and a scalar has none",
                hint="reduce it first, e.g. with tf.reduce_mean, or use tf.summary.histogram",
            )
    return summary


def histogram(name: str, values: Any, collections: Sequence[str] | None = None, family: str | None = None) -> Summary:
    """How the values of a tensor are distributed. Arguments as for `scalar`, `values` of any shape."""
    shown = identity(values, name=f"{family}/{name}" if family else name)
    summary = {_tag(shown, name): shown}
    add_to_collections([GraphKeys.SUMMARIES] if collections is None else collections, summary)
    return summary


def _tag(shown: Tensor, name: str) -> str:
    """The name in its scope. Other operations may have that name, so summaries count among themselves only."""
    scope = shown.op.name.rpartition("/")[0]
    wanted = tag = f"{scope}/{name.rpartition('/')[2]}".lstrip("/")
    taken = shown.graph.get_collection_ref("summary tags")
    number = 0
    while tag in taken:
        number += 1
        tag = f"{wanted}_{number}"
    taken.append(tag)
    return tag


def merge(inputs: Sequence[Summary], collections: Sequence[str] | None = None, name: str | None = None) -> Summary:
    """Several summaries as one, to be fetched together."""
    merged = {tag: tensor for summary in inputs for tag, tensor in summary.items()}
    add_to_collections(collections or [], merged)
    return merged


def merge_all(key: str = GraphKeys.SUMMARIES, scope: str | None = None, name: str | None = None) -> Summary | None:
    """All summaries of the default graph as one, or None if there are none."""
    found = get_collection(key)
    return merge(found) if found else None


class FileWriter:
    """Writes summaries into a folder that TensorBoard reads.

    Args:
        logdir: the folder.
        graph, max_queue, flush_secs, filename_suffix: accepted as in TensorFlow; the graph itself is not drawn.

    Example: `writer = tf.summary.FileWriter("logs"); writer.add_summary(sess.run(merged), step); writer.close()`.
    """

    def __init__(
        self,
        logdir: str | os.PathLike[str],
        graph: Any = None,
        max_queue: int = 10,
        flush_secs: float = 120,
        graph_def: Any = None,
        filename_suffix: str | None = None,
    ) -> None:
        self._writer = SummaryWriter(
            logdir, max_queue=max_queue, flush_secs=flush_secs, filename_suffix=filename_suffix or ""
        )

    def add_summary(self, summary: Mapping[str, Any], global_step: Any = None) -> None:
        """Write the values that a run of a summary gave: numbers as curves, arrays as histograms.

        Raises:
            ArgumentTypeError: the summary was not run.
        """
        if not isinstance(summary, Mapping) or any(isinstance(v, Tensor) for v in summary.values()):
            raise ArgumentTypeError(
                "add_summary takes the values of a summary, not the summary itself",
                hint="writer.add_summary(session.run(merged), step)",
            )
        step = None if global_step is None else int(global_step)
        for tag, value in summary.items():
            if np.ndim(value) == 0:
                self._writer.add_scalar(tag, float(value), step)
            else:
                self._writer.add_histogram(tag, np.asarray(value), step)

    def add_graph(self, graph: Any = None, global_step: Any = None, graph_def: Any = None) -> None:
        """Accepted; `onegraph explain` and `Graph` texts show graphs better."""

    def flush(self) -> None:
        """Write what waits to disk."""
        self._writer.flush()

    def close(self) -> None:
        """Write what waits, and close the file."""
        self._writer.close()

    def __enter__(self) -> FileWriter:
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()
