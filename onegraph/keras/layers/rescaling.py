"""Numbers scaled and shifted before a network sees them."""

from __future__ import annotations

from typing import Any

from onegraph.ir.dtype import as_dtype
from onegraph.keras.layers.base import Layer


class Rescaling(Layer):
    """x * scale + offset, such as Rescaling(1 / 255) for images of bytes.

    Args:
        scale, offset: numbers, or one for each channel of the last dimension.

    >>> import onegraph as og
    >>> Rescaling(1 / 127.5, -1)(og.tensor([0, 255])).tolist()
    [-1.0, 1.0]
    """

    supports_masking = True

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale, self.offset = scale, offset

    def call(self, inputs: Any) -> Any:
        """Compute the result."""
        from onegraph.frontend.convert import tensor

        values = inputs.to(as_dtype(self.compute_dtype))
        scale, offset = (
            n if isinstance(n, (int, float)) else tensor(n, dtype=self.compute_dtype) for n in (self.scale, self.offset)
        )
        return values * scale + offset
