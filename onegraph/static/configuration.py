"""What TensorFlow 1 programs say about devices and versions, accepted so that they run unchanged; none of it has an effect."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


class GPUOptions(SimpleNamespace):
    """Accepted: `allow_growth`, `per_process_gpu_memory_fraction` and so on."""


class ConfigProto(SimpleNamespace):
    """Accepted by `Session(config=...)`: device placement, numbers of threads and so on.

    >>> import onegraph.static as tf
    >>> config = tf.ConfigProto(allow_soft_placement=True)
    >>> config.gpu_options.allow_growth = True
    >>> with tf.Session(config=config) as sess:
    ...     sess.run(tf.constant(2) + 1)
    np.int32(3)
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"gpu_options": GPUOptions(), **options})


def disable_v2_behavior() -> None:
    """Accepted: there is only the behaviour of version 1 here."""


def disable_eager_execution() -> None:
    """Accepted: functions of `onegraph.static` always build a graph."""
