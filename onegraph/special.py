"""Special functions under PyTorch's names, generated from the functions in `ops/` (`special.py`, `mathematics.py`, ...)."""

from onegraph.frontend import namespaces as _namespaces

_OTHER_NAMES = {
    "exp2": "exp2",
    "expit": "sigmoid",
    "expm1": "expm1",
    "erf": "erf",
    "log1p": "log1p",
    "logit": "logit",
    "logsumexp": "logsumexp",
    "round": "round",
    "sinc": "sinc",
    "xlogy": "xlogy",
}  # functions that have their place at the top level
_functions = {name: _namespaces[""][other] for name, other in _OTHER_NAMES.items()} | _namespaces["special"]
globals().update(_functions)

__all__ = sorted(_functions)
