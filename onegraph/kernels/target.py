"""What is known of the processor: vector width, registers, instructions, cache sizes.

Read next: `compile.py`, which turns LLVM IR into machine code for a target.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from onegraph.config import available_cores as available_cores
from onegraph.config import settings
from onegraph.errors import ArgumentError


@dataclass(frozen=True)
class Target:
    """A processor as the code generators see it.

    Attributes:
        triple, cpu, features: as LLVM names them.
        vector_bits: of the widest registers that are worth using.
        vector_registers: how many of them there are.
        has_fma: whether a multiply-add is one instruction.
        has_bf16: whether two bfloat16 products are added to float32 in one instruction (`vdpbf16ps`).
        l1_bytes, l2_bytes: sizes of the data caches of one core.
    """

    triple: str
    cpu: str
    features: str
    vector_bits: int
    vector_registers: int
    has_fma: bool
    has_bf16: bool
    l1_bytes: int
    l2_bytes: int

    def lanes(self, bits: int = 32) -> int:
        """Elements of that many bits in one register.

        >>> plain_target().lanes(32), plain_target().lanes(64)
        (4, 2)
        """
        return max(1, self.vector_bits // bits)


def plain_target() -> Target:
    """What every 64-bit x86 processor has: SSE2."""
    return Target("x86_64-unknown-linux-gnu", "x86-64", "", 128, 16, False, False, 32768, 262144)


def describe(triple: str, cpu: str, features: dict[str, bool]) -> Target:
    """A target from LLVM's names of a processor's features."""
    machine = triple.split("-")[0]
    text = ",".join(("+" if on else "-") + name for name, on in sorted(features.items()))
    fma, bf16 = features.get("fma", False), features.get("avx512bf16", False)
    if machine in ("x86_64", "amd64", "i686"):
        wide = features.get("avx512f", False) and features.get("avx512vl", False) and features.get("avx512bw", False)
        bits = 512 if wide else 256 if features.get("avx2", False) else 128
        registers = 32 if wide else 16
    else:  # AArch64 and others: 128 bits, 32 registers, with a multiply-add
        bits, registers, fma, bf16 = 128, 32, machine in ("aarch64", "arm64"), False
    l1, l2 = _cache_sizes()
    return Target(triple, cpu, text, bits, registers, fma, bf16, l1, l2)


def _cache_sizes() -> tuple[int, int]:
    """L1 and L2 data cache sizes of the first core, from the system, or cautious guesses."""
    found = {}
    for index in range(5):
        folder = f"/sys/devices/system/cpu/cpu0/cache/index{index}"
        try:
            with open(f"{folder}/level") as level, open(f"{folder}/type") as kind, open(f"{folder}/size") as size:
                text = size.read().strip()
                scale = {"K": 1024, "M": 1024 * 1024}.get(text[-1], 1)
                if kind.read().strip() != "Instruction":
                    found[int(level.read())] = int(text.rstrip("KMB")) * scale
        except (OSError, ValueError):
            break
    return found.get(1, 32768), found.get(2, 262144)


def host() -> Target:
    """The processor that this runs on, or as much of it as the setting `target` allows.

    Raises:
        ArgumentError: the setting is not a name of instructions of this processor.
    """
    return _named(settings.target)


@functools.cache
def _named(name: str) -> Target:
    import llvmlite.binding as llvm

    triple = str(llvm.get_default_triple())
    if name:
        found = {"sse2": ("x86-64", 128, False), "avx2": ("x86-64-v3", 256, True)}.get(name)
        if found is None or triple.split("-")[0] not in ("x86_64", "amd64"):
            known = "sse2 and avx2 on x86-64 processors, and the empty text"
            raise ArgumentError(f"setting target: {name!r} is not known on {triple}; there are {known}")
        cpu, bits, fma = found
        l1, l2 = _cache_sizes()
        return Target(triple, cpu, "", bits, 16, fma, False, l1, l2)
    features = {str(k): bool(v) for k, v in llvm.get_host_cpu_features().items()}
    return describe(str(llvm.get_default_triple()), str(llvm.get_host_cpu_name()), features)
