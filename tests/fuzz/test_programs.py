"""The same random program gives the same bits lazily, eagerly and traced, and what PyTorch gives."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from onegraph.errors import TraceError


def _programs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_programs", Path(__file__).with_name("programs.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


programs = _programs()
FAST = range(0, 80)
SLOW = range(80, 1500)


def check_styles(seeds: range) -> None:
    for seed in seeds:
        program = programs.write_program(seed)
        lazy = programs.run(program, "lazy")
        for kind in ("eager", "lazy quiet", "jit"):
            other = programs.run(program, kind)
            if kind == "jit" and isinstance(other[-1], TraceError) and len(other) == 1:
                continue  # the program looks at a value while it is traced
            different = programs.difference(lazy, other)
            assert different is None, f"lazy and {kind} differ: {different}\n{program.text()}"


def check_torch(seeds: range) -> int:
    torch = pytest.importorskip("torch")
    compared = 0
    for seed in seeds:
        program = programs.write_program(seed)
        if not program.torch_can:
            continue
        theirs = programs.run(program, "torch", torch)
        if isinstance(theirs[-1], Exception):
            theirs = theirs[:-1]
        different = programs.difference(programs.run(program, "lazy"), theirs, 1e-3)
        assert different is None, f"lazy and PyTorch differ: {different}\n{program.text()}"
        compared += bool(theirs)
    return compared


def test_all_styles_agree() -> None:
    check_styles(FAST)


def test_torch_agrees() -> None:
    assert check_torch(FAST) > len(FAST) // 3


@pytest.mark.slow
def test_all_styles_agree_on_many_programs() -> None:
    check_styles(SLOW)


@pytest.mark.slow
def test_torch_agrees_on_many_programs() -> None:
    assert check_torch(SLOW) > len(SLOW) // 3


def test_programs_differ_and_do_something() -> None:
    texts = [programs.write_program(seed).text() for seed in FAST]
    assert len(set(texts)) == len(texts)
    everything = "\n".join(texts)
    for part in ("backward", "no_grad", ".data", "cond(", "scan(", "opt.step", "register_hook", "requires_grad_"):
        assert part in everything


def test_a_difference_is_found() -> None:
    program = programs.write_program(0)
    ours, theirs = programs.run(program, "lazy"), programs.run(program, "lazy")
    assert programs.difference(ours, theirs) is None
    name, value, *rest = theirs[-1][-1]
    theirs[-1][-1] = (name, value + 1, *rest)
    assert name in programs.difference(ours, theirs)
