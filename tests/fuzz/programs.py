"""Random small programs on tensors, written as Python text, and the ways to run them.

A program has three parts: `setup` makes the state, `step(x, y, n)` is called several times with changing inputs, and
`between` runs after each step. A line is kept when it runs eagerly, so the generator needs no shape rules of its own.
"""

from __future__ import annotations

import contextlib
import random
import re
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import onegraph as og
from onegraph.errors import OneGraphError

STEPS = 4
SHAPES = [(), (1,), (3,), (4,), (2, 3), (3, 3), (3, 4), (1, 4), (2, 3, 4), (2, 1, 3), (4, 3), (0,), (0, 3)]
UNARY = [
    "tanh()",
    "sin()",
    "neg()",
    "abs()",
    "relu()",
    "sigmoid()",
    "square()",
    "clamp(-1, 1)",
    "cos()",
    "exp().tanh()",
]
BINARY = [
    "{a} + {b}",
    "{a} - {b}",
    "{a} * {b}",
    "T.maximum({a}, {b})",
    "T.where({a} > {b}, {a}, {b})",
    "{a} / ({b}.abs() + 1)",
]
SCALAR = ["{a} * {s}", "{a} + {s}", "{s} - {a}", "{a} / 2", "{a} ** 2", "{a} // 1", "{a} % 3", "{a} > {s}"]
REDUCE = ["sum()", "mean()", "sum(0)", "sum(-1, keepdim=True)", "mean(-1)", "amax(0)", "max(-1).values", "cumsum(0, )",
          "softmax(-1)", "argmax(-1)", "prod(0)", "sort(-1).values", "std()", "logsumexp(-1)", "argsort(-1)"]  # fmt: skip
VIEWS = ["[0]", "[1:]", "[:, 0]", "[..., -1]", "[::2]", "[None]", ".T", ".unsqueeze(0)", ".squeeze()",
         ".transpose(0, -1)", ".expand(2, -1)", ".expand(3, -1, -1)", ".narrow(0, 0, 1)", ".select(-1, 0)",
         ".chunk(2, -1)[0]", ".unbind(0)[-1]", ".movedim(0, -1)", ".view(-1)", ".diagonal()", ".split(2, 0)[0]",
         "[:, 1:]", "[..., None]", ".permute(1, 0)", ".view(-1, 1)", ".unflatten(0, (-1, 1))", ".swapaxes(0, 1)",
         ".detach()", ".data", ".view_as({a})", "[1:, ...]", "[:-1]"]  # fmt: skip
COPIES = [".clone()", ".flip(0)", "[[0, -1]]", "[{a} > 0]", ".roll(1, 0)", ".repeat(2, 1)", ".double()", ".float()",
          ".long()", ".to(T.float64)", ".detach().clone()", ".clone().detach()", "[T.tensor([0, 0])]", ".bool()",
          ".gather(0, {a}.long() * 0)", ".index_select(0, T.tensor([0]))", ".tril()", ".type_as({a})", ".int()"]  # fmt: skip
INPLACE = ["{a}.add_({b})", "{a}.mul_({s})", "{a} += {b}", "{a} *= 0.5", "{a}.copy_({b})", "{a}.zero_()", "{a}.fill_({s})",
           "{a}.clamp_(-1, 1)", "{a}.tanh_()", "{a}[0] = {b}", "{a}[...] = {b}", "{a}[1:] = {s}", "{a}[:, 0] = {b}",
           "{a}[0] += {b}", "{a}.T[0] = {s}", "{a}[{a} > 0] = {s}", "{a}[[0, -1]] = {b}", "{a}.masked_fill_({a} > 0, {s})",
           "{a}.index_add_(0, T.tensor([0, 0]), {b})", "{a}.scatter_(0, {a}.long() * 0, {s})", "{a}.sub_({b}, alpha=0.5)",
           "{a}.view(-1)[0] = {s}", "{a}[::2] *= {s}", "{a}.data.mul_({s})", "{a}.data = {b}.detach()", "{a}.sin_()",
           "{a}.data[0] = {s}", "{a}.detach().add_(1)", "{a}.addcmul_({b}, {b}, value=0.1)", "{a}.lerp_({b}, 0.5)",
           "{a} -= {b}.mean()", "{a}.transpose(0, -1).add_({s})", "{a}.scatter_add_(0, {a}.long() * 0, {a})",
           "{a}.relu_()", "{a}[..., -1] -= {b}", "{a}.expand(2, -1)[0].add_({s})"]  # fmt: skip
CONTROL = ["cond(({a} > 0).sum() > 1, lambda p: p * 2, lambda p: p - {b}, ({a},))",
           "scan(lambda c, r: (c + r, c * r), {b}, {a})[1]", "scan(lambda c, r: (c * 0.5 + r, r), {b}, {a})[0]",
           "cond({a}.sum() > {b}.sum(), lambda p, q: p * q, lambda p, q: p + q, ({a}, {b}))"]  # fmt: skip


@dataclass
class Program:
    """The text of a program; `text()` is what to read when it fails."""

    seed: int
    setup: list[str] = field(default_factory=list)
    step: list[str] = field(default_factory=list)
    between: list[str] = field(default_factory=list)
    inputs: list[tuple[tuple[int, ...], str]] = field(default_factory=list)
    random: bool = False

    def text(self) -> str:
        """The program as Python."""
        step = ["def step(x, y, n):", *[f"    {line}" for line in self.step]]
        between = [
            f"for i in range({STEPS}):",
            "    outputs = step(x, y, n)",
            *[f"    {line}" for line in self.between],
        ]
        return "\n".join([f"# seed {self.seed}, inputs {self.inputs}", *self.setup, *step, *between])

    @property
    def torch_can(self) -> bool:
        """Whether PyTorch can be asked: other random numbers, and it crashes on hooks of views written in place."""
        text = self.text()
        crashes = "register_hook" in text  # in views that were written in place
        # It differentiates at a value that .data has changed since, and a view follows a toggle only sometimes.
        stale = re.search(r"\.data(\.mul_|\[0\] = )|\.detach\(\)\.add_", text) and re.search("backward|grad\\(", text)
        toggled = "requires_grad_" in text and "s1" in text and re.search(r"s1\d = ", text)
        return not (self.random or crashes or stale or toggled)

    def data(self, step: int) -> list[np.ndarray]:
        """The inputs of one step."""
        rng = np.random.default_rng(self.seed * 100 + step)
        return [np.round(rng.standard_normal(shape), 2).astype(dtype) for shape, dtype in self.inputs]


class Writer:
    """Writes one program; lines that fail when they are tried are left out."""

    def __init__(self, seed: int) -> None:
        self.choose = random.Random(seed)
        self.program = Program(seed)
        self.program.inputs = [(self.choose.choice(SHAPES[1:-2]), self.dtype()) for _ in range(2)] + [((), "float32")]
        self.env = environment(og, look=True)
        self.names: list[str] = []
        self.count = 0

    def dtype(self) -> str:
        return self.choose.choice(["float64", "float64", "float32"])

    def try_line(self, lines: list[str], line: str, name: str | None = None, indent: str = "") -> bool:
        """Keep a line if it runs."""
        try:
            with og.eager(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                exec(line, self.env)
                if name is not None:
                    assert self.env[name].numel() < 200
        except (OneGraphError, TypeError, AssertionError, AttributeError, ValueError, IndexError):
            return False
        lines.extend(f"{indent}{part}" for part in line.split("\n"))
        if name is not None and name not in self.names:
            self.names.append(name)
        return True

    def fill(self, template: str) -> str:
        a = self.choose.choice(self.names)
        b = self.choose.choice(self.names)
        return template.format(a=a, b=b, s=self.choose.choice(["0.5", "2", "-1.5", "n"]))

    def write(self) -> Program:
        program, choose = self.program, self.choose
        for i in range(choose.randint(2, 4)):
            shape, dtype = choose.choice(SHAPES), self.dtype()
            grad = choose.random() < 0.6
            data = np.round(np.random.default_rng(program.seed * 10 + i).standard_normal(shape), 2).tolist()
            more = ", requires_grad=True" if grad else ""
            self.try_line(program.setup, f"s{i} = T.tensor({data}, dtype=T.{dtype}{more})", f"s{i}")
        if choose.random() < 0.5:
            self.new(program.setup, "s", choose.choice([VIEWS, VIEWS, UNARY]))
        leaves = [n for n in self.names if self.env[n].is_leaf and self.env[n].requires_grad]
        if leaves and choose.random() < 0.5:
            kind = choose.choice(
                ["SGD({p}, lr=0.1)", "SGD({p}, lr=0.1, momentum=0.9)", "Adam({p}, lr=0.1)", "AdamW({p}, lr=0.05)"]
            )
            self.try_line(program.setup, "opt = T.optim." + kind.format(p=f"[{', '.join(leaves)}]"))
        state = list(self.names)
        for name, array in zip("xyn", program.data(0), strict=True):
            self.env[name] = og.tensor(array)
        self.names += ["x", "y"]
        for _ in range(choose.randint(2, 14)):
            self.statement(program.step)
        results = [n for n in self.names if n not in state and n not in "xy"][-3:]
        program.step.append(f"return [{', '.join(f'{r}.detach().clone()' for r in results)}]")
        self.names = state
        for _ in range(choose.randint(0, 3)):
            self.outside(program.between)
        return program

    def new(self, lines: list[str], prefix: str, templates: list[str]) -> bool:
        self.count += 1
        name = f"{prefix}{10 + self.count}"
        template = self.choose.choice(templates)
        if templates is UNARY or templates is REDUCE:
            template = "{a}." + template
        elif templates is VIEWS or templates is COPIES:
            template = "{a}" + template
        return self.try_line(lines, f"{name} = {self.fill(template)}", name)

    def statement(self, lines: list[str]) -> None:
        roll = self.choose.random()
        for _ in range(8):
            if roll < 0.24:
                done = self.new(lines, "v", VIEWS)
            elif roll < 0.52:
                done = self.new(lines, "v", self.choose.choice([UNARY, BINARY, BINARY, SCALAR, REDUCE, COPIES]))
            elif roll < 0.72:
                done = self.inplace(lines)
            elif roll < 0.86:
                done = self.backward(lines)
            elif roll < 0.90:
                done = self.new(lines, "v", CONTROL)
            elif roll < 0.93:
                done = self.try_line(lines, self.fill("{a}.register_hook(lambda g: g * 2)"))
            elif roll < 0.95:
                done = self.draw(lines)
            else:
                done = self.try_line(lines, self.fill("look({a})"))
            if done:
                return

    def draw(self, lines: list[str]) -> bool:
        self.program.random = True
        return self.new(
            lines, "v", ["T.randn(3)", "T.rand({a}.shape)", "T.nn.functional.dropout({a}, 0.5)", "{a} + T.randn(1)"]
        )

    def inplace(self, lines: list[str]) -> bool:
        line = self.fill(self.choose.choice(INPLACE))
        if line.startswith("v") and ".data = " in line:
            return False  # PyTorch keeps the history of a result whose storage is another's
        if self.choose.random() < 0.5:
            line = f"with T.no_grad():\n    {line}"
        return self.try_line(lines, line)

    def backward(self, lines: list[str]) -> bool:
        kind = self.choose.random()
        if "opt" in self.env and kind < 0.4:
            zero = self.choose.choice(
                ["opt.zero_grad()\n", "opt.zero_grad()\n", "opt.zero_grad(set_to_none=False)\n", ""]
            )
            return self.try_line(lines, self.fill(zero + "({a} * {a}).sum().backward()\nopt.step()"))
        if kind < 0.6:
            return self.new(lines, "v", ["T.autograd.grad(({a} * {a}).sum(), {b}, retain_graph=True)[0]"])
        leaf = self.fill("{a}")
        more = self.choose.choice(
            [
                "",
                "",
                "",
                f"\nif {leaf}.grad is not None: {leaf}.grad.zero_()",
                f"\n{leaf}.grad = None",
                f"\n{leaf}.grad *= 0.5",
                f"\nwith T.no_grad(): {leaf}.sub_({leaf}.grad, alpha=0.1)",
            ]
        )
        retain = self.choose.choice(["", "retain_graph=True"])
        return self.try_line(lines, self.fill("({a} * {b}).sum().backward(" + retain + ")") + more)

    def outside(self, lines: list[str]) -> None:
        """A line between the steps: looking, writing, toggling, deleting."""
        templates = ["look({a})", "look({a}.grad)", "{a}.requires_grad_(i % 2 == 0)", "{a}.requires_grad_(True)",
                     "{a}.grad = None", "{a}.data = {a}.data * 0.5", "with T.no_grad(): {a}.add_(i)", "{a}.data.mul_(0.5)",
                     "e = {a}.detach().sum()\ndel e", "{a}.data[0] = i", "print_({a})",
                     "n = n + 0.5", "x = outputs[-1]"]  # fmt: skip
        if "opt" in self.env:
            templates += ["opt.param_groups[0]['lr'] = 0.01 * (i + 1)", "opt.zero_grad()"]
        if any(re.match(r"s1\d", name) for name in self.names):  # what happens to its views is not promised
            templates = [template for template in templates if ".data = " not in template]
        self.env.update(i=0, outputs=[og.ones(3)])
        self.try_line(lines, self.fill(self.choose.choice(templates)))


def environment(T: Any, look: bool) -> dict[str, Any]:
    """The names that programs use."""

    def see(tensor: Any) -> None:
        if look and tensor is not None:
            tensor.tolist()

    def show(tensor: Any) -> None:
        if look:
            repr(tensor)

    if T is og:
        return {"T": og, "look": see, "print_": show, "cond": og.cond, "scan": og.scan, "n": og.tensor(0.5)}
    return {
        "T": T,
        "look": see,
        "print_": show,
        "cond": _torch_cond,
        "scan": lambda *a: _torch_scan(T, *a),
        "n": T.tensor(0.5),
    }


def _torch_cond(pred: Any, true: Any, false: Any, operands: Any) -> Any:
    return (true if pred else false)(*operands)


def _torch_scan(T: Any, function: Any, carry: Any, rows: Any) -> Any:
    outputs = []
    for row in rows:
        carry, y = function(carry, row)
        outputs.append(y)
    return carry, T.stack(outputs)


def run(program: Program, kind: str, T: Any = og) -> list[Any]:
    """What a program shows after each step: `lazy`, `eager`, `jit`, `jit quiet` (nothing is looked at) or `torch`."""
    env = environment(T, look=True)
    seen: list[Any] = []
    with og.eager() if kind == "eager" else contextlib.nullcontext(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        T.manual_seed(program.seed)
        exec("\n".join(program.setup), env)
        state = [name for name in env if name[0] == "s" and name[1:].isdigit()]
        exec("\n".join(["def step(x, y, n):", *[f"    {line}" for line in program.step]]), env)
        function = env["step"]
        if kind == "jit":
            env["look"] = lambda t: None
            function = og.jit(function)
        if kind == "lazy quiet":
            env["look"] = env["print_"] = lambda t: None
        for i in range(STEPS):
            x, y, n = [T.tensor(a) for a in program.data(i)]
            env.update(x=x, y=y, n=n, i=i)
            try:
                env["outputs"] = outputs = function(x, y, n)
                exec("\n".join(program.between), env)
                kept = [*outputs, x, y, *[env[name] for name in state]]
                names = [f"output {k}" for k in range(len(outputs))] + ["x", "y", *state]
                looked = kind != "lazy quiet" or i == STEPS - 1
                seen.append([(n, *snapshot(t)) for n, t in zip(names, kept, strict=True)] if looked else [])
            except Exception as error:
                seen.append(error)
                return seen
    return seen


def snapshot(tensor: Any) -> tuple[Any, ...]:
    """Value, dtype, whether it requires gradients, and the gradient."""
    value = np.array(tensor.detach().numpy())
    grad = tensor.grad if tensor.is_leaf else None
    return (
        value,
        str(tensor.dtype).rpartition(".")[2],
        tensor.requires_grad,
        None if grad is None else np.array(grad.detach().numpy()),
    )


def difference(ours: list[Any], theirs: list[Any], rtol: float = 0.0) -> str | None:
    """What differs first, or None. Exact when rtol is 0."""
    for step, (a, b) in enumerate(zip(ours, theirs, strict=False)):
        if isinstance(a, Exception) or isinstance(b, Exception):
            if type(a) is not type(b):
                return f"step {step}: {a if isinstance(a, Exception) else 'fine'!r} and {b if isinstance(b, Exception) else 'fine'!r}"
            return None
        for first, second in zip(a, b, strict=True) if a and b else ():
            name, *one = first
            two = second[1:]
            if one[1:3] != list(two[1:3]):
                return f"step {step}, {name}: {one[1:3]} and {two[1:3]}"
            for what, p, q in (("value", one[0], two[0]), ("grad", one[3], two[3])):
                if not _equal(p, q, rtol):
                    return f"step {step}, {what} of {name}:\n{p}\nand\n{q}"
    return None


def _equal(p: Any, q: Any, rtol: float) -> bool:
    if p is None or q is None:
        return p is q or ((q is None or p is None) and (p if q is None else q).size == 0)
    if p.shape != q.shape or p.dtype != q.dtype:
        return False
    if rtol == 0:
        return np.array_equal(p, q, equal_nan=p.dtype.kind == "f")
    finite = np.abs(q[np.isfinite(q)]) if q.dtype.kind == "f" else np.zeros(0)
    scale = float(finite.max()) if finite.size else 1.0
    return scale > 1e6 or np.allclose(p, q, rtol=rtol, atol=rtol * max(scale, 1.0), equal_nan=True)


def write_program(seed: int) -> Program:
    """The program of a seed."""
    return Writer(seed).write()
