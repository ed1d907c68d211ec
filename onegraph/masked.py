"""Reductions with masks under PyTorch's names, generated from the functions in `ops/masked.py`.

>>> import onegraph as og
>>> og.masked.mean(og.tensor([1.0, 2.0, 6.0]), mask=og.tensor([True, True, False]))
tensor(1.5000)
"""

from onegraph.frontend import namespaces as _namespaces

_functions = dict(_namespaces["masked"])
globals().update(_functions)

__all__ = sorted(_functions)
