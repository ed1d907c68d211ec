"""Contractions against PyTorch, shape by shape: `python -m bench.kernels [--search] [--two] [part of a name] ...`.

Rivals take turns; the best time of each counts. On one thread that is the processor's time, so that other programs
disturb little; with `--two` it is the time that passes, and each thread takes half of the tasks.
"""

from __future__ import annotations

import ctypes
import itertools
import math
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from bench.measure import optional_torch
from onegraph.kernels.compile import compile_text, load
from onegraph.kernels.contraction import (
    Axis,
    Contraction,
    better_swapped,
    matmul,
    merge,
    plain_kernel,
    scratch_bytes,
    swap,
    tasks,
)
from onegraph.kernels.target import host
from onegraph.kernels.tiling import Tiling, candidates, tiling

_PROTOTYPE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)
_numbers = itertools.count()
_pool = ThreadPoolExecutor(1)


@dataclass
class Case:
    """A shape: the contraction, sizes of A, B and C, and the same work in PyTorch."""

    name: str
    spec: Contraction
    sizes: tuple[int, int, int]
    rival: Callable[[], Callable[[], object]] | None = None

    @property
    def flops(self) -> int:
        """Additions and multiplications."""
        s = self.spec
        return 2 * s.columns * math.prod(x.size for x in (*s.batch, *s.rows, *s.depth))


def aligned(count: int, dtype: type = np.float32, value: float | None = None) -> np.ndarray:
    """An array on a 64-byte boundary, of random numbers unless told."""
    raw = np.empty(count * np.dtype(dtype).itemsize + 64, np.uint8)
    start = -raw.ctypes.data % 64
    out = raw[start : start + count * np.dtype(dtype).itemsize].view(dtype)
    out[:] = (np.random.default_rng(0).random(count) - 0.5) if value is None else value
    return out


class Kernel:
    """A compiled contraction with operands of its own."""

    def __init__(self, case: Case, how: Tiling) -> None:
        name = f"bench_{next(_numbers)}"
        start = time.thread_time()
        code = compile_text(plain_kernel(case.spec, how, name))
        self.compile_seconds = time.thread_time() - start
        (address,) = load(code, name)
        self.function = _PROTOTYPE(address)
        self.arrays = [aligned(case.sizes[0]), aligned(case.sizes[1]), aligned(case.sizes[2], value=0.0)]
        self.pointers = (ctypes.c_void_p * 3)(*(x.ctypes.data for x in self.arrays))
        room = scratch_bytes(case.spec, how) // 4 + 16
        self.scratch = [aligned(room, value=0.0) for _ in range(2)]
        self.addresses = [x.ctypes.data for x in self.scratch]
        self.count = tasks(case.spec, how)

    def one(self) -> None:
        """All tasks on this thread."""
        self.function(self.pointers, 0, self.count, self.addresses[0], 0)

    def two(self) -> None:
        """Half of the tasks on each of two threads."""
        middle = self.count // 2
        other = _pool.submit(self.function, self.pointers, middle, self.count, self.addresses[1], 0)
        self.function(self.pointers, 0, middle, self.addresses[0], 0)
        other.result()


def best(rivals: dict[str, Callable[[], object]], clock: Callable[[], float], seconds: float = 0.6) -> dict[str, float]:
    """The shortest time of each, taking turns; short ones run several times in a turn."""
    times: dict[str, float] = {}
    repeats: dict[str, int] = {}
    for name, run in rivals.items():
        run()
        start = time.perf_counter()
        run()
        repeats[name] = max(1, int(0.002 / (time.perf_counter() - start)))
        times[name] = math.inf
    start, rounds = time.perf_counter(), 0
    while rounds < 4 or time.perf_counter() - start < seconds:
        rounds += 1
        for name, run in rivals.items():
            begin = clock()
            for _ in range(repeats[name]):
                run()
            times[name] = min(times[name], (clock() - begin) / repeats[name])
    return times


def _matmul(m: int, n: int, k: int, ta: bool = False, tb: bool = False, batch: int = 1) -> Case:
    spec = matmul(m, n, k, transpose_a=ta, transpose_b=tb)
    if batch > 1:
        spec = Contraction(spec.rows, n, spec.depth, (Axis(batch, m * k, k * n, m * n),), b_column=spec.b_column)

    def rival() -> Callable[[], object]:
        import torch

        a = torch.rand((batch, k, m) if ta else (batch, m, k))
        b = torch.rand((batch, n, k) if tb else (batch, k, n))
        a, b = a.transpose(1, 2) if ta else a, b.transpose(1, 2) if tb else b
        if batch == 1:
            a, b = a[0], b[0]
        return lambda: a @ b

    name = f"matmul {'T' if ta else ''}{m}x{k} @ {'T' if tb else ''}{k}x{n}" + (f" x{batch}" if batch > 1 else "")
    sizes = (batch * m * k, batch * k * n, batch * m * n)
    swapped = swap(spec)
    if better_swapped(spec) and swapped is not None:
        return Case(name, swapped, (sizes[1], sizes[0], sizes[2]), rival)
    return Case(name, spec, sizes, rival)


def _forward(n: int, size: int, ic: int, oc: int, kernel: int, stride: int, pad: int | None = None) -> Case:
    pad = kernel // 2 if pad is None else pad
    padded = size + 2 * pad
    out = (padded - kernel) // stride + 1
    rows = (
        Axis(n, padded * padded * ic, 0, out * out * oc),
        Axis(out, stride * padded * ic, 0, out * oc),
        Axis(out, stride * ic, 0, oc),
    )
    width = 0
    panel: int | None = None
    plain = merge(
        Contraction(
            rows,
            oc,
            (Axis(kernel, padded * ic, kernel * ic * oc), Axis(kernel, ic, ic * oc), Axis(ic, 1, oc)),
        )
    )
    width = tiling(plain, host()).columns
    panel = kernel * kernel * ic * width
    depth = (Axis(kernel, padded * ic, kernel * ic * width), Axis(kernel, ic, ic * width), Axis(ic, 1, width))
    spec = merge(Contraction(rows, oc, depth, b_panel=panel, b_width=width, b_padded=True))
    panels = -(-oc // width)

    def rival() -> Callable[[], object]:
        import torch

        x = torch.rand(n, ic, size, size).to(memory_format=torch.channels_last)
        w = torch.rand(oc, ic, kernel, kernel).to(memory_format=torch.channels_last)
        return lambda: torch.nn.functional.conv2d(x, w, stride=stride, padding=pad)

    name = f"conv {kernel}x{kernel}/{stride} {ic}->{oc} at {size} x{n}"
    return Case(name, spec, (n * padded * padded * ic, panels * panel, n * out * out * oc), rival)


def _input_gradient(n: int, size: int, ic: int, oc: int, kernel: int, stride: int) -> Case:
    """Stride 1 only: a convolution of the output's gradient with the flipped weights."""
    case = _forward(n, size, oc, ic, kernel, 1)
    pad = kernel // 2

    def rival() -> Callable[[], object]:
        import torch

        g = torch.rand(n, oc, size, size).to(memory_format=torch.channels_last)
        w = torch.rand(oc, ic, kernel, kernel).to(memory_format=torch.channels_last)
        shape = (n, ic, size, size)
        return lambda: torch.nn.grad.conv2d_input(shape, w, g, padding=pad)

    return Case(f"conv input gradient {kernel}x{kernel} {ic}->{oc} at {size} x{n}", case.spec, case.sizes, rival)


def _weight_gradient(n: int, size: int, ic: int, oc: int, kernel: int, stride: int, pad: int | None = None) -> Case:
    pad = kernel // 2 if pad is None else pad
    padded = size + 2 * pad
    out = (padded - kernel) // stride + 1
    rows = (
        Axis(kernel, padded * ic, c=kernel * ic * oc),
        Axis(kernel, ic, c=ic * oc),
        Axis(ic, 1, c=oc),
    )
    depth = (
        Axis(n, padded * padded * ic, out * out * oc),
        Axis(out, stride * padded * ic, out * oc),
        Axis(out, stride * ic, oc),
    )
    spec = merge(Contraction(rows, oc, depth))

    def rival() -> Callable[[], object]:
        import torch

        x = torch.rand(n, ic, size, size).to(memory_format=torch.channels_last)
        g = torch.rand(n, oc, out, out).to(memory_format=torch.channels_last)
        shape = (oc, ic, kernel, kernel)
        return lambda: torch.nn.grad.conv2d_weight(x, shape, g, stride=stride, padding=pad)

    name = f"conv weight gradient {kernel}x{kernel}/{stride} {ic}->{oc} at {size} x{n}"
    return Case(name, spec, (n * padded * padded * ic, n * out * out * oc, kernel * kernel * ic * oc), rival)


RESNET = [
    (8, 56, 64, 64, 1, 1),
    (8, 56, 64, 64, 3, 1),
    (8, 56, 64, 256, 1, 1),
    (8, 56, 256, 64, 1, 1),
    (8, 56, 128, 128, 3, 2),
    (8, 56, 256, 512, 1, 2),
    (8, 28, 128, 128, 3, 1),
    (8, 28, 128, 512, 1, 1),
    (8, 28, 512, 128, 1, 1),
    (8, 14, 256, 256, 3, 1),
    (8, 14, 256, 1024, 1, 1),
    (8, 14, 1024, 256, 1, 1),
    (8, 7, 512, 512, 3, 1),
    (8, 7, 512, 2048, 1, 1),
    (8, 7, 2048, 512, 1, 1),
]


def cases() -> Iterator[Case]:
    """Every shape."""
    for size in (512, 1024, 2048):
        yield _matmul(size, size, size)
    for m, n, k in ((64, 100, 1000), (64, 1000, 100)):
        yield _matmul(m, n, k)
    yield _matmul(1000, 100, 64, ta=True)
    yield _matmul(100, 1000, 64, ta=True)
    yield _matmul(64, 100, 1000, tb=True)
    yield _matmul(128, 128, 64, batch=64)
    yield _matmul(128, 64, 128, tb=True, batch=64)
    yield _matmul(256, 256, 64, tb=True, batch=72)
    yield _matmul(256, 64, 256, batch=72)
    for m, n, k in ((3072, 1536, 384), (3072, 384, 1536), (3072, 1152, 384)):
        yield _matmul(m, n, k)
        yield _matmul(m, k, n, tb=True)
        yield _matmul(k, n, m, ta=True)
    for m in (1, 4, 8):
        yield _matmul(m, 4096, 4096)
        yield _matmul(m, 4096, 4096, tb=True)
    yield _matmul(4096, 1, 4096)
    yield _forward(8, 224, 3, 64, 7, 2)
    yield _weight_gradient(8, 224, 3, 64, 7, 2)
    for shape in RESNET:
        yield _forward(*shape)
        if shape[5] == 1 and shape[4] > 1:
            yield _input_gradient(*shape)
        yield _weight_gradient(*shape)
    for pad, shape in ((2, (128, 28, 1, 6, 5, 1)), (0, (128, 14, 6, 16, 5, 1))):
        yield _forward(*shape, pad)
        yield _weight_gradient(*shape, pad)
    yield _forward(4, 224, 64, 64, 3, 1)
    yield _weight_gradient(4, 224, 64, 64, 3, 1)


def main(arguments: list[str]) -> None:
    """Print one line a shape."""
    search, two = "--search" in arguments, "--two" in arguments
    words = [a for a in arguments if not a.startswith("--")]
    torch = optional_torch() if "--alone" not in arguments else None
    if torch is not None:
        torch.set_num_threads(2 if two else 1)  # type: ignore[attr-defined]
    for case in cases():
        if words and not any(w in case.name for w in words):
            continue
        hows = candidates(case.spec, host()) if search else [tiling(case.spec, host())]
        for how in hows:
            kernel = Kernel(case, how)
            rivals: dict[str, Callable[[], object]] = {"onegraph": kernel.two if two else kernel.one}
            if torch is not None and case.rival is not None and how is hows[0]:
                rivals["torch"] = case.rival()
            times = best(rivals, time.perf_counter if two else time.thread_time)
            rates = "  ".join(f"{name} {case.flops / t / 1e9:6.1f}" for name, t in times.items())
            ratio = f"  x{times['torch'] / times['onegraph']:.2f}" if "torch" in times else ""
            sizes = f"{how.tile}(axis {how.row_axis})x{how.vectors}x{how.lanes} k{how.depth_axis}:{how.k_block}"
            sizes += (
                f" panels {how.panels} tiles {how.tiles} block {how.block} region {how.region} tasks {kernel.count}"
            )
            sizes += f"{' A' if how.pack_a else ''}{' B' if how.pack_b else ''} {kernel.compile_seconds * 1e3:.0f} ms"
            print(f"{case.name:48} {rates}{ratio}  [{sizes}]", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
