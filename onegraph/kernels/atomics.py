"""Instructions for code that several threads run at once: atomic memory operations, and the hint of a waiting loop.

Used by the driver of the thread pool (`backends/native/driver.py`); kernels never need them.
"""

from __future__ import annotations

from onegraph.kernels.llvm import Function, Number, Value


def atomic_load(f: Function, type_: str, pointer: Value, ordering: str = "acquire") -> Value:
    """The value at an address; what its writer wrote before a release is visible after an acquire."""
    return f.emit(type_, f"load atomic {type_}, ptr {pointer.text} {ordering}, align 8")


def atomic_store(f: Function, value: Value, pointer: Value, ordering: str = "release") -> None:
    """Put a value at an address."""
    f.line(f"store atomic {value.type} {value.text}, ptr {pointer.text} {ordering}, align 8")


def atomic_add(f: Function, pointer: Value, amount: Number, ordering: str = "seq_cst") -> Value:
    """Add to an i64 in memory; gives what was there before."""
    number = f.as_value(amount)
    return f.emit("i64", f"atomicrmw add ptr {pointer.text}, i64 {number.text} {ordering}, align 8")


def compare_exchange(f: Function, pointer: Value, expected: Value, new: Value) -> tuple[Value, Value]:
    """Put a new value there if the expected one is there now. Gives what was there, and whether it was exchanged."""
    pair = f.emit(
        f"{{ {expected.type}, i1 }}",
        f"cmpxchg ptr {pointer.text}, {expected.type} {expected.text}, {new.type} {new.text} seq_cst seq_cst, align 8",
    )
    old = f.emit(expected.type, f"extractvalue {pair.type} {pair.text}, 0")
    return old, f.emit("i1", f"extractvalue {pair.type} {pair.text}, 1")


def pause(f: Function, triple: str) -> None:
    """Tell the processor that this is a waiting loop."""
    machine = triple.split("-")[0]
    if machine in ("x86_64", "amd64", "i686"):
        f.external("llvm.x86.sse2.pause", "void", [])
    elif machine in ("aarch64", "arm64"):
        f.external("llvm.aarch64.hint", "void", [f.constant("i32", 1)])
