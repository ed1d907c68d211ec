"""Every name of PyTorch's that well-known programs use: it is here, takes the same arguments, and gives the same answers.

`names.tsv` is the list; `expressions*.py` say how each name is used; `recorded.json` holds PyTorch's answers, written by
`record.py` and checked against PyTorch where it is installed.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

import onegraph as og
import onegraph.optim
import onegraph.utils
import onegraph.vision
from onegraph import nn
from tests.surface.names import FOLDER, answer, checks, read_names, resolve, same

NAMES = read_names()
HERE = [n for n in NAMES if not n.missing]
CHECKS = checks()
RECORDED = json.loads((FOLDER / "recorded.json").read_text())
ROOTS = {"torch": og, "torchvision": onegraph.vision}
REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "torch-names.md"


@pytest.fixture(autouse=True)
def reference() -> Any:
    with og.config.using(backend="reference"):
        yield


def owners() -> list[Any]:
    """What `<obj>` may stand for."""
    model = nn.Linear(2, 2)
    optimizer = onegraph.optim.SGD(model.parameters(), lr=0.1)
    return [og.ones(2, 2), model, optimizer, onegraph.optim.lr_scheduler.StepLR(optimizer, 1)]


def missing_now() -> list[str]:
    """The names that cannot be found."""
    objects, absent = owners(), []
    for name in NAMES:
        if name.symbol.startswith("<obj>."):
            if not any(hasattr(o, name.symbol[6:]) for o in objects):
                absent.append(name.symbol)
            continue
        try:
            resolve(name.symbol, ROOTS)
        except (AttributeError, ImportError):
            absent.append(name.symbol)
    return absent


def test_names_resolve_but_for_those_that_are_listed() -> None:
    here = {n.symbol for n in HERE}
    assert sorted(missing_now()) == sorted(n.symbol for n in NAMES if n.symbol not in here)
    assert len(NAMES) == 380


def test_every_name_has_a_check_and_an_answer() -> None:
    wanted = {n.symbol for n in NAMES if not n.missing}
    assert wanted == set(CHECKS)
    assert wanted == set(RECORDED)


@pytest.mark.filterwarnings("ignore")  # PyTorch's own warnings are not what is compared
@pytest.mark.parametrize("symbol", [n.symbol for n in HERE])
def test_answers_are_those_of_torch(symbol: str) -> None:
    mine = json.loads(json.dumps(answer(CHECKS[symbol], og, onegraph.vision)))
    assert same(mine, RECORDED[symbol]), f"{CHECKS[symbol]}\n  here:    {mine}\n  PyTorch: {RECORDED[symbol]}"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_recorded_answers_are_still_those_of_torch() -> None:
    torch = pytest.importorskip("torch")
    for symbol in (n.symbol for n in HERE if not n.symbol.startswith("torchvision.")):
        theirs = json.loads(json.dumps(answer(CHECKS[symbol], torch)))
        assert same(theirs, RECORDED[symbol]), symbol


def test_a_wrong_answer_is_noticed() -> None:
    right = RECORDED["torch.abs"]
    wrong = json.loads(json.dumps(answer("t.neg(x)", og)))
    assert not same(wrong, right)
    assert not same(json.loads(json.dumps(answer("t.abs(x).double()", og))), right)


def arguments(function: Any) -> list[tuple[str, Any, Any]] | None:
    """Name, kind and default of each argument; None where Python does not know."""
    target = function.__init__ if inspect.isclass(function) else function
    try:
        parameters = list(inspect.signature(target).parameters.values())
    except (TypeError, ValueError):
        return None
    return [(p.name, p.kind, p.default) for p in parameters if p.name != "self"]


# Arguments of PyTorch's pickles, which are not used here; the other two have defaults that mean the same.
LEFT_OUT = {
    "_disable_byteorder_record",
    "_use_new_zipfile_serialization",
    "mmap",
    "pickle_module",
    "pickle_protocol",
    "weights_only",
}
# Settings of PyTorch's own exporters; `external_data` is on there, and here only where it has to be.
LEFT_OUT_OF_ONNX = {
    "artifacts_dir",
    "autograd_inlining",
    "custom_opsets",
    "custom_translation_table",
    "dump_exported_program",
    "export_modules_as_functions",
    "external_data",
    "operator_export_type",
    "optimize",
    "profile",
    "report",
    "verify",
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("symbol", [n.symbol for n in HERE if n.symbol.startswith("torch.")])
def test_arguments_are_those_of_torch(symbol: str) -> None:
    torch = pytest.importorskip("torch")
    mine, theirs = resolve(symbol, ROOTS), resolve(symbol, {"torch": torch})
    if not callable(theirs) or (inspect.isclass(theirs) and theirs.__init__ is object.__init__):
        assert callable(mine) == callable(theirs)
        return
    ours, expected = arguments(mine), arguments(theirs)
    if (
        expected is None
        or ours is None
        or [a[1] for a in expected] == [inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD]
    ):
        return
    left_out = LEFT_OUT | LEFT_OUT_OF_ONNX if symbol == "torch.onnx.export" else LEFT_OUT
    positional = [a for a in expected if a[1] is inspect.Parameter.POSITIONAL_OR_KEYWORD and a[0] not in left_out]
    order = [a[0] for a in ours if a[1] is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    assert order[: len(positional)] == [a[0] for a in positional], symbol
    defaults = {a[0]: a[2] for a in ours}
    for name, kind, default in expected:
        if kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD) or name in left_out:
            continue
        assert name in defaults, f"{symbol}: {name} is missing"
        if isinstance(default, (bool, int, float, str, tuple)) and default is not inspect.Parameter.empty:
            assert defaults[name] == default, f"{symbol}: {name}={defaults[name]!r}, in PyTorch {default!r}"


@pytest.mark.parametrize(
    "name", [n for n in HERE if n.keywords and not n.symbol.startswith("<obj>.")], ids=lambda n: n.symbol
)
def test_keyword_arguments_that_programs_pass_are_taken(name: Any) -> None:
    given = arguments(resolve(name.symbol, ROOTS))
    if given is None or any(a[1] is inspect.Parameter.VAR_KEYWORD for a in given):
        return
    known = {a[0] for a in given} | {"device", "dtype", "out", "requires_grad"}  # those every generated function takes
    assert set(name.keywords) <= known


def test_the_reference_counts_what_is_here() -> None:
    text = REFERENCE.read_text()
    assert f"Of the {len(NAMES)} names, {sum(not n.missing for n in NAMES)} are here" in text
    for name in NAMES:
        if name.missing:
            assert name.symbol.replace("<obj>.", "Tensor.") in text, name.symbol
