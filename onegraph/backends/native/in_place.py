"""Which values may be written over: what a kernel reads element by element just where it writes.

Between the values of one run the arena makes use of it. A result takes the place of an input when the caller gives the
input up (`Program.run`), as a training step does with the old value of a parameter. Read next: `layout.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import prod

from onegraph.backends.native.launch import Place
from onegraph.kernels.nest import Nest


def in_place_pairs(
    nest: Nest, places: Sequence[Place | None], operands: Collection[int] = ()
) -> list[tuple[Place, Place]]:
    """Pairs (written, read) of a kernel that may share memory: each step reads the element that it writes, and no other.

    Args:
        nest: an elementwise nest, or the epilogue of a product; where anything is reduced there are no pairs.
        places: of the buffers of the nest.
        operands: buffers that are read in other ways too.
    """
    if nest.inner or len(nest.phases) != 1 or nest.stores or nest.chunk is not None:
        return []
    offsets: dict[int, set[object]] = {}
    for s in nest.statements:
        if s.kind == "load":
            buffer, offset, conditions = s.data
            offsets.setdefault(buffer, set()).add(None if conditions else offset)
        elif s.kind in ("gather", "random"):
            offsets.setdefault(s.data[0], set()).add(None)
    stores = nest.phases[0].stores
    written = [s.buffer for s in stores]
    pairs = []
    for store in stores:
        to = places[store.buffer]
        if to is None or written.count(store.buffer) != 1 or not _is_dense(to):
            continue
        for buffer, found in offsets.items():
            source = places[buffer]
            fits = source is not None and source is not to and _is_dense(source) and source.bytes == to.bytes
            if fits and source is not None and buffer not in operands and found == {store.offset}:
                pairs.append((to, source))
    return pairs


def _is_dense(place: Place) -> bool:
    """Without a halo or padding, which are written apart."""
    return place.kind != "constant" and place.bytes == prod(place.shape) * place.dtype.itemsize
