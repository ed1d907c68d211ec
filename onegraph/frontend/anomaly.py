"""`og.autograd.detect_anomaly`: stop at the first NaN and name the operation, the line and the layer that made it.

Read next: `onegraph/runtime/not_finite.py`, which finds it.
"""

from __future__ import annotations

from types import TracebackType

from onegraph.config import settings


def _kind(check_nan: bool, check_infinity: bool) -> str:
    return "inf" if check_infinity else "nan" if check_nan else ""


class set_detect_anomaly:
    """Switch the check for NaN on or off, at once, or for a block of code when used as a context.

    While it is on, the results of everything that is computed are looked at: values, gradients, updated parameters,
    in define-by-run, `og.jit`, static graphs and loaded models. When one has a NaN, what led to it is computed again op by op,
    and the error names the first operation that made a NaN of numbers, with what it read. What was to be updated stays as it was.
    PyTorch looks at gradients alone. Looking takes about the time of reading the results once.

    Args:
        mode: on or off.
        check_nan: False leaves the check off, as there is nothing else that this mode does here.
        check_infinity: take infinities for errors, too; those of masks and padding are not.

    Raises:
        NotFiniteError: raised by what looks at a value, `optimizer.step()`, or a traced function.

    >>> import onegraph as og
    >>> x = og.tensor([1.0, -1.0], requires_grad=True)
    >>> with og.autograd.set_detect_anomaly(True):
    ...     x.sqrt().sum().backward()
    ...     x.grad.tolist()
    Traceback (most recent call last):
    onegraph.errors.NotFiniteError: sqrt: its result of shape (2,) has 1 NaN of 2 values, ...
    """

    def __init__(self, mode: bool, check_nan: bool = True, check_infinity: bool = False) -> None:
        self._before = settings.check_finite
        settings.check_finite = _kind(check_nan, check_infinity) if mode else ""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        settings.check_finite = self._before


class detect_anomaly(set_detect_anomaly):
    """Stop at the first NaN that is computed inside of this context; see `set_detect_anomaly`.

    Args:
        check_nan, check_infinity: as in `set_detect_anomaly`.

    >>> import onegraph as og
    >>> with og.autograd.detect_anomaly():
    ...     og.autograd.is_anomaly_enabled()
    True
    """

    def __init__(self, check_nan: bool = True, check_infinity: bool = False) -> None:
        self._wanted = _kind(check_nan, check_infinity)

    def __enter__(self) -> None:
        self._before = settings.check_finite
        settings.check_finite = self._wanted


def is_anomaly_enabled() -> bool:
    """Whether results are checked for NaN."""
    return bool(settings.check_finite)


def is_anomaly_check_nan_enabled() -> bool:
    """Whether results are checked for NaN; the same as `is_anomaly_enabled` here."""
    return bool(settings.check_finite)
