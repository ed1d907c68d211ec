"""PyTorch's switches of products on NVIDIA processors, which are not here: they can be set and read, and change nothing."""

from __future__ import annotations


class _Matmul:
    """Switches of matrix products. Products here are float32 throughout (float16 and bfloat16 by `autocast`)."""

    allow_tf32: bool = False
    allow_fp16_reduced_precision_reduction: bool = False
    allow_bf16_reduced_precision_reduction: bool = False


matmul = _Matmul()


def is_built() -> bool:
    """Whether this build can use CUDA: no.

    >>> import onegraph as og
    >>> og.backends.cuda.matmul.allow_tf32 = True
    >>> og.backends.cuda.is_built()
    False
    """
    return False


def flash_sdp_enabled() -> bool:
    """Whether attention may take a fused kernel of NVIDIA's: there is none."""
    return False


def mem_efficient_sdp_enabled() -> bool:
    """Whether attention may take a kernel that saves memory: there is none."""
    return False


def math_sdp_enabled() -> bool:
    """Whether attention may be written in plain operations: it is, and the compiler fuses them."""
    return True


def enable_flash_sdp(enabled: bool) -> None:
    """Accepted."""


def enable_mem_efficient_sdp(enabled: bool) -> None:
    """Accepted."""


def enable_math_sdp(enabled: bool) -> None:
    """Accepted."""
