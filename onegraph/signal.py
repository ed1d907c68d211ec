"""`signal.windows` under PyTorch's names, generated from the functions in `ops/signal_windows.py`.

>>> import onegraph as og
>>> og.signal.windows.hann(5)
tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])
"""

from types import SimpleNamespace as _SimpleNamespace

from onegraph.frontend import namespaces as _namespaces

windows = _SimpleNamespace(**_namespaces["signal.windows"])

__all__ = ["windows"]
