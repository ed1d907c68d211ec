"""The front ends: define-by-run tensors (`tensor.py`), traced functions (`function.py`), define-and-run (`static/`)."""

from __future__ import annotations

from typing import Any

from onegraph.config import settings, using
from onegraph.frontend import (
    anomaly,
    autograd,
    convert,
    copying,
    dynamic,
    functional_autograd,
    generate,
    legacy,
    operators,
    protocols,
    random,
    random_counts,
    sparse,
    switches,
    torchscript,
    types,
)
from onegraph.frontend.autocast import autocast, get_autocast_dtype, is_autocast_available, is_autocast_enabled
from onegraph.frontend.control import cond, scan, while_loop
from onegraph.frontend.convert import as_tensor, evaluate, from_numpy_array, frombuffer, tensor
from onegraph.frontend.dlpack import from_dlpack
from onegraph.frontend.explain import explain
from onegraph.frontend.function import Function, jit
from onegraph.frontend.printing import set_printoptions
from onegraph.frontend.random import Generator
from onegraph.frontend.state import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from onegraph.frontend.tensor import Device, Size, Tensor
from onegraph.frontend.transforms import grad, value_and_grad
from onegraph.ir import dtype as _dtypes
from onegraph.ir.dtype import get_default_dtype, set_default_dtype

namespaces: dict[str, dict[str, Any]] = {"": {}}
"""Generated functions by namespace: "" is `onegraph`, others are e.g. "nn.functional"."""

generate.install(namespaces)
operators.install()
autograd.install()
dynamic.install(namespaces)
torchscript.install()
for _name in ("mm", "matmul"):
    namespaces[""][_name] = sparse.dispatching(namespaces[""][_name])
for _name in ("Variable", "functional", "gradcheck"):
    setattr(autograd, _name, getattr(functional_autograd, _name))
for _name in ("detect_anomaly", "set_detect_anomaly", "is_anomaly_enabled", "is_anomaly_check_nan_enabled"):
    setattr(autograd, _name, getattr(anomaly, _name))
autograd.set_grad_enabled, autograd.inference_mode = set_grad_enabled, inference_mode  # type: ignore[attr-defined]
for _name, _method in {
    **convert.METHODS,
    **protocols.METHODS,
    **random.METHODS,
    **types.METHODS,
    **legacy.METHODS,
    **copying.METHODS,
    **sparse.METHODS,
    **switches.METHODS,
}.items():
    setattr(Tensor, _name, _method)


def eager(enabled: bool = True) -> Any:
    """Compute every operation at once within this context, for debugging: values are there when you look in a debugger.

    >>> import onegraph as og
    >>> with og.eager():
    ...     x = og.ones(2) + 1
    """
    return using(eager=enabled)


_dtype_names = {"bool": _dtypes.bool_, "uint8": _dtypes.uint8, "int8": _dtypes.int8, "int16": _dtypes.int16, "short": _dtypes.int16,
                "int32": _dtypes.int32, "int": _dtypes.int32, "int64": _dtypes.int64, "long": _dtypes.int64,
                "float16": _dtypes.float16, "half": _dtypes.float16, "bfloat16": _dtypes.bfloat16, "float32": _dtypes.float32,
                "float": _dtypes.float32, "float64": _dtypes.float64, "double": _dtypes.float64}  # fmt: skip
_named = {
    "Device": Device,
    "cond": cond,
    "device": Device,
    "Function": Function,
    "Generator": Generator,
    "Size": Size,
    "Tensor": Tensor,
    "as_tensor": as_tensor,
    "asarray": as_tensor,
    "autocast": autocast,
    "autograd": autograd,
    "dtype": _dtypes.DType,
    "eager": eager,
    "enable_grad": enable_grad,
    "eval": evaluate,
    "explain": explain,
    "from_dlpack": from_dlpack,
    "from_numpy": from_numpy_array,
    "frombuffer": frombuffer,
    "get_autocast_dtype": get_autocast_dtype,
    "get_default_dtype": get_default_dtype,
    "grad": grad,
    "inference_mode": inference_mode,
    "is_autocast_available": is_autocast_available,
    "is_autocast_enabled": is_autocast_enabled,
    "is_grad_enabled": is_grad_enabled,
    "is_tensor": lambda obj: isinstance(obj, Tensor),
    "jit": jit,
    "no_grad": no_grad,
    "scan": scan,
    "set_printoptions": set_printoptions,
    "set_default_dtype": set_default_dtype,
    "set_grad_enabled": set_grad_enabled,
    "settings": settings,
    "tensor": tensor,
    "value_and_grad": value_and_grad,
    "while_loop": while_loop,
    "inf": float("inf"),
    "nan": float("nan"),
    "pi": 3.141592653589793,
    "e": 2.718281828459045,
    "newaxis": None,
}
EXPORTS: dict[str, Any] = {
    **namespaces[""],
    **random.FUNCTIONS,
    **types.FUNCTIONS,
    **legacy.FUNCTIONS,
    **sparse.FUNCTIONS,
    **random_counts.FUNCTIONS,
    **switches.functions(),
    **_dtype_names,
    **_named,
}
"""The names of the top-level package."""
