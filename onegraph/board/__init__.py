"""Logs for TensorBoard: `SummaryWriter` writes event files, without TensorBoard or protobuf.

Read next: `writer.py`.
"""

from onegraph.board.writer import SummaryWriter

__all__ = ["SummaryWriter"]
