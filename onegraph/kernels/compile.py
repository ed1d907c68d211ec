"""From LLVM IR to machine code: optimize, emit an object file, load it into this process.

Object files are bytes, so they can be kept on disk; `load` maps one into memory and finds its functions.
"""

from __future__ import annotations

import ctypes
import functools
import struct
import threading
from typing import Any

from onegraph.errors import CompileError
from onegraph.kernels.target import Target, host

AS_WRITTEN = "; as written"
"""The first words of a text whose instructions LLVM's passes would not improve: it goes straight to code generation."""

QUICKLY = "; quickly"
"""The first words of a text that is to be compiled in the shortest time: its code runs rarely or on little."""


_INLINING = ("always_inliner", "global_dead_code_eliminate")
_PASSES = (
    "simplify_cfg",
    "instruction_combine",
    "new_gvn",
    "loop_rotate",
    "instruction_combine",
    "simplify_cfg",
)
"""What is left to do for texts that come vectorized and unrolled. LLVM's own list takes three times as long and gains
nothing; without any, the code generator takes longer than these do."""


def _new_machine(target: Target, level: int = 2) -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    description = llvm.Target.from_triple(target.triple)
    return description.create_target_machine(
        cpu=target.cpu, features=target.features, opt=level, reloc="default", codemodel="jitdefault", jit=True
    )


@functools.cache
def machine(target: Target, level: int = 2) -> Any:
    """LLVM's target machine, for code generation with so much effort."""
    return _new_machine(target, level)


def compile_text(text: str, target: Target | None = None, *, optimize: bool = True, assembly: bool = False) -> Any:
    """LLVM IR to an object file (bytes), or to assembly (text)."""
    import llvmlite.binding as llvm

    target = target or host()
    quickly = text.startswith(QUICKLY)
    tm = machine(target, 0 if quickly else 2)
    module = llvm.parse_assembly(text)
    module.triple = target.triple
    module.data_layout = str(tm.target_data)
    if optimize and not quickly:
        passes = llvm.create_new_module_pass_manager()
        for name in _INLINING if text.startswith(AS_WRITTEN) else _INLINING + _PASSES:
            getattr(passes, f"add_{name}_pass")()
        passes.run(module, llvm.create_pass_builder(tm, llvm.create_pipeline_tuning_options(speed_level=2)))
    return tm.emit_assembly(module) if assembly else tm.emit_object(module)


@functools.cache
def _engine() -> Any:
    """The one engine of this process. (An engine takes its target machine over, so it gets one of its own.)"""
    import llvmlite.binding as llvm

    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _new_machine(host()))
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(engine))  # a thread may still run its code while Python ends
    return engine


_lock = threading.Lock()
_SYMBOLS = 2  # the type of an ELF section that is a table of symbols


def undefined_symbols(code: bytes) -> list[str]:
    """Functions that a 64-bit little-endian ELF object file calls and does not have; [] for other formats."""
    if code[:6] != b"\x7fELF\x02\x01":
        return []
    (table,), (size, count) = struct.unpack_from("<Q", code, 40), struct.unpack_from("<HH", code, 58)
    # Of a section: type, offset, size, the section of its names.
    sections = [struct.unpack_from("<4xI16xQQI", code, table + size * i) for i in range(count)]
    found = []
    for kind, offset, length, link in sections:
        if kind == _SYMBOLS:
            for name, section in struct.iter_unpack("<I2xH16x", code[offset : offset + length]):
                if name and section == 0:
                    start = sections[link][1] + name
                    found.append(code[start : code.index(b"\0", start)].decode())
    return found


def load(code: bytes, *names: str) -> list[int]:
    """Map an object file into memory, for good, and give the addresses of its functions. Names must be new ones.

    Raises:
        CompileError: it calls a function that this process does not have. (Calling it would jump to address 0.)
    """
    import llvmlite.binding as llvm

    with _lock:
        engine = _engine()  # LLVM finds the functions of the process only once it has an engine
        missing = [name for name in undefined_symbols(code) if not llvm.address_of_symbol(name)]
        if missing:
            raise CompileError(
                f"machine code of {names[0]} calls {', '.join(missing)}, which this process does not have"
            )
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        engine.finalize_object()
        return [int(engine.get_function_address(name)) for name in names]
