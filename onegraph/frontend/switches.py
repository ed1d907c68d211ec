"""Settings that programs for PyTorch make at their start, and questions about them; most say what is the case here anyway.

Results have the same bits in every run, products are float32, and there is one device. `set_default_dtype` and
`set_num_threads` are elsewhere (`types.py`), since they do something.
"""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentError, ArgumentTypeError, OutOfMemoryError
from onegraph.frontend.device import Device
from onegraph.frontend.legacy import TensorType
from onegraph.frontend.random import default_generator
from onegraph.frontend.state import mode
from onegraph.frontend.tensor import Tensor
from onegraph.frontend.types import MemoryFormat
from onegraph.ir.dtype import as_dtype, set_default_dtype

_precision = "highest"


def set_float32_matmul_precision(precision: str) -> None:
    """How exactly float32 products may be computed: 'highest', 'high' or 'medium'. They are exact in any case."""
    global _precision
    if precision not in ("highest", "high", "medium"):
        raise ArgumentError(f"set_float32_matmul_precision: expected highest, high or medium, got {precision!r}")
    _precision = precision


def get_float32_matmul_precision() -> str:
    """What was set; at first 'highest'."""
    return _precision


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Ask for the same bits in every run. They are, whatever is asked for."""
    if not isinstance(mode, bool):
        raise ArgumentTypeError(f"use_deterministic_algorithms: expected a bool, got {mode!r}")


def are_deterministic_algorithms_enabled() -> bool:
    """Whether every run gives the same bits: yes.

    >>> import onegraph as og
    >>> og.are_deterministic_algorithms_enabled()
    True
    """
    return True


def set_deterministic_debug_mode(debug_mode: Any) -> None:
    """Accepted."""


def get_deterministic_debug_mode() -> int:
    """2: every run gives the same bits."""
    return 2


def set_default_device(device: Any) -> None:
    """Where new tensors are: 'cpu'.

    Raises:
        DeviceError: another device.
    """
    Device(device or "cpu")


def get_default_device() -> Device:
    """Where new tensors are."""
    return Device("cpu")


def set_default_tensor_type(t: Any) -> None:
    """Set the default floating dtype by the name of an old tensor type, e.g. `og.DoubleTensor`."""
    if not isinstance(t, (TensorType, str)):
        raise ArgumentTypeError(f"set_default_tensor_type: expected a type such as og.DoubleTensor, got {t!r}")
    names = {"FloatTensor": "float32", "DoubleTensor": "float64", "HalfTensor": "float16", "BFloat16Tensor": "bfloat16"}
    name = t.__name__ if isinstance(t, TensorType) else t.rpartition(".")[2]
    if name not in names:
        raise ArgumentError(f"set_default_tensor_type: {name} is not floating", hint="og.FloatTensor, og.DoubleTensor")
    set_default_dtype(as_dtype(names[name]))


def set_flush_denormal(mode: bool) -> bool:
    """Ask for very small numbers to become 0. They stay; False says so."""
    return False


def get_num_interop_threads() -> int:
    """Threads that run operations side by side: 1, since each operation uses all."""
    return 1


def set_num_interop_threads(number: int) -> None:
    """Accepted."""


def set_warn_always(b: bool) -> None:
    """Accepted: Python's `warnings` decides."""


def is_warn_always_enabled() -> bool:
    """Whether warnings are repeated here: Python's `warnings` decides."""
    return False


def is_inference_mode_enabled() -> bool:
    """Whether gradients are off."""
    return not mode.gradients


def is_inference(input: Tensor) -> bool:
    """Whether a tensor may never record gradients: none is of that kind."""
    return False


def is_signed(input: Tensor) -> bool:
    """Whether the dtype of a tensor has negative numbers."""
    return input.dtype.is_signed


def is_storage(obj: Any) -> bool:
    """Whether an object is a storage: there are none."""
    return False


def get_device(input: Tensor) -> int:
    """The number of a tensor's device; -1 for the processor."""
    return -1


def clear_autocast_cache() -> None:
    """Forget casts of parameters: there is no cache, equal casts are one node."""


def is_autocast_cache_enabled() -> bool:
    """Whether casts of the same tensor are shared: yes."""
    return True


def detach(input: Tensor) -> Tensor:
    """The same value, through which no gradient flows."""
    return input.detach()


def detach_(input: Tensor) -> Tensor:
    """Forget how a tensor was computed."""
    return input.detach_()


# Functions of the top level that write into their argument; methods have the same names without the argument.
_IN_PLACE = (
    "abs_", "acos_", "acosh_", "arccos_", "arccosh_", "arcsin_", "arcsinh_", "arctan_", "arctanh_", "asin_",
    "asinh_", "atan_", "atanh_", "ceil_", "celu_", "clamp_", "clamp_max_", "clamp_min_", "clip_", "cos_", "cosh_",
    "deg2rad_", "erf_", "erfc_", "exp2_", "exp_", "expm1_", "fill_", "fix_", "floor_", "frac_", "ldexp_", "log10_",
    "log1p_", "log2_", "log_", "logit_", "nan_to_num_", "neg_", "negative_", "rad2deg_", "reciprocal_", "relu_",
    "resize_as_", "round_", "rsqrt_", "selu_", "sigmoid_", "sin_", "sinc_", "sinh_", "sqrt_", "square_", "tan_",
    "tanh_", "threshold_", "trunc_", "xlogy_", "zero_", "index_put_",
)  # fmt: skip


def _in_place(name: str) -> Any:
    def function(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        found: Tensor = getattr(input, name)(*args, **kwargs)
        return found

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"As `{name[:-1]}`, written into the tensor."
    return function


def functions() -> dict[str, Any]:
    """The names of the top level; asked for once Tensor has its methods."""
    own = (
        set_float32_matmul_precision, get_float32_matmul_precision, use_deterministic_algorithms,
        are_deterministic_algorithms_enabled, set_deterministic_debug_mode, get_deterministic_debug_mode, set_default_device,
        get_default_device, set_default_tensor_type, set_flush_denormal, get_num_interop_threads, set_num_interop_threads,
        set_warn_always, is_warn_always_enabled, is_inference_mode_enabled, is_inference, is_signed, is_storage, get_device,
        clear_autocast_cache, is_autocast_cache_enabled, detach, detach_,
    )  # fmt: skip
    return {
        **{f.__name__: f for f in own},
        **{name: _in_place(name) for name in _IN_PLACE if hasattr(Tensor, name)},
        "OutOfMemoryError": OutOfMemoryError,
        "default_generator": default_generator,
        "layout": MemoryFormat,
        "memory_format": MemoryFormat,
    }


def _no(self: Tensor) -> bool:
    return False


METHODS: dict[str, Any] = {
    **{f"is_{kind}": property(_no) for kind in ("ipu", "maia", "mkldnn", "mtia", "nested", "vulkan", "xla", "xpu")},
    "is_distributed": _no,
    "is_set_to": lambda self, tensor: self is tensor,
    "dim_order": lambda self: tuple(range(self.ndim)),
    "output_nr": property(lambda self: 0),
    "record_stream": lambda self, stream: None,
    "resize_as": lambda self, other: self.reshape(tuple(other.shape)),
}
"""Answers that are the same for every tensor."""
