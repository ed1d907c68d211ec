"""Matrix products and convolutions as contractions of the micro-kernel, with what follows them as epilogue.

`Contractions.prepare` decides, before fusion, which values must be in memory for each product and how they lie there:
operands that are views are read in place; weights are packed in panels; what a convolution reads is channels-last with
a halo of zeros. `Product.emit` writes the kernels after fusion. Read next: `convolutions.py`, `kernels/contraction.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import TYPE_CHECKING, Any

from onegraph.backends.native.arrangement import Arrangement
from onegraph.backends.native.in_place import in_place_pairs
from onegraph.backends.native.launch import Launch, Place
from onegraph.backends.native.reading import fresh_variables, is_movement, movement_reads
from onegraph.backends.native.writer import Writer
from onegraph.ir.dtype import bfloat16, float32, float64
from onegraph.ir.node import Node
from onegraph.ir.traverse import topological
from onegraph.kernels import contraction as kernel_code
from onegraph.kernels.compile import AS_WRITTEN
from onegraph.kernels.contraction import Axis, Contraction
from onegraph.kernels.half import round_bfloat16
from onegraph.kernels.kernel import Kernel, remembered
from onegraph.kernels.llvm import Function, Module, Value, lanes_of
from onegraph.kernels.nest import Nest, Phase, Store, merges
from onegraph.kernels.nest_code import ENTRY_ARGUMENTS, NestCode
from onegraph.kernels.scalar import Scalar
from onegraph.kernels.target import Target
from onegraph.kernels.tiling import tiling
from onegraph.kernels.tune import best_tiling
from onegraph.ops.index import Index, Position, Var, linear, shape_of
from onegraph.ops.leaf import constant
from onegraph.ops.record import OPS

if TYPE_CHECKING:
    from onegraph.backends.native.fusion import Group
    from onegraph.backends.native.lowering import Lowering
    from onegraph.backends.native.prepare import Prepared

_ELEMENTS = {float32: "float", float64: "double", bfloat16: "bfloat16"}
"""The numbers of which there are products, as `kernels/contraction_spec.py` names them."""
LONG_EPILOGUE = 24
"""Statements of an epilogue from which on it is written once in a loop, not once for each row."""


@dataclass
class Operand:
    """A value in memory, and the position in it of the element that the loop variables say."""

    node: Node
    position: Position


@dataclass
class Product:
    """One contraction: its loops, and where its operands are.

    Attributes:
        a, b: the operands; positions are in terms of the variables below.
        batch, rows, column, depth: the loops. The column is one variable.
        result: for each dimension of the node its index in terms of batch, rows and column.
        width: columns of a packed panel of b; 0 if b is not packed.
    """

    a: Operand
    b: Operand
    batch: list[Var]
    rows: list[Var]
    column: Var
    depth: list[Var]
    result: Position
    width: int = 0
    panel_stride: int = 0


@dataclass
class Contractions:
    """Finds the products of a graph and prepares their operands."""

    prepared: Prepared
    target: Target
    arrangement: Arrangement
    images: dict[Node, Node] = field(default_factory=dict)
    constants: frozenset[Node] = frozenset()
    """Inputs that are the same in every turn of a loop: it pays to pack what is made of them."""

    def prepare(self) -> None:
        """All products: their operands become nodes that are kept in memory."""
        from onegraph.backends.native.convolutions import prepare_convolution
        from onegraph.backends.native.depthwise import prepare_narrow

        for node in self.prepared.graph.nodes():
            if node.dtype not in _ELEMENTS:
                continue
            if node.op == "matmul":
                self.matmul(node)
            elif node.op.startswith("conv") and not prepare_narrow(self, node):
                prepare_convolution(self, node)

    def add(self, node: Node, products: Sequence[Product]) -> None:
        """A node is computed by these products, side by side."""
        operands = dict.fromkeys(o.node for p in products for o in (p.a, p.b))
        self.prepared.whole[node] = tuple(operands)
        self.prepared.fusible.add(node)
        self.prepared.special[node] = lambda lowering, group, stored: emit_products(
            lowering, group, stored, node, products
        )

    def matmul(self, node: Node) -> None:
        """Operands that are views of values in memory are read where they are."""
        a, b = node.inputs
        *batch, m, n = fresh_variables(shape_of(node))
        k = Var("k", shape_of(a)[-1])
        lead = [Index.of(v) for v in batch]

        def at(x: Node, *last: Var) -> Position:
            own = shape_of(x)[:-2]
            first = lead[len(lead) - len(own) :]
            return (*[i if s != 1 else Index.of(0) for i, s in zip(first, own, strict=True)], *map(Index.of, last))

        left, right = self.operand(a, at(a, m, k)), self.operand(b, at(b, k, n))
        result = (*lead, Index.of(m), Index.of(n))
        swapped = n.size < 8 <= m.size or (n.size < 16 and m.size >= 4 * n.size)
        if swapped:
            left, right, m, n = right, left, n, m
        product = Product(left, right, list(batch), [m], n, [k], result)
        if (
            self.constants
            and node.dtype is not bfloat16
            and not batch
            and not swapped
            and n.size >= 16
            and self.is_constant(b)
        ):
            self.pack_matrix(product, b)
        self.add(node, [product])

    def is_constant(self, node: Node) -> bool:
        """Whether a value is the same in every turn of a loop."""
        return all(n in self.constants or n.op in ("constant", "iota") for n in topological([node]) if not n.inputs)

    def pack_matrix(self, product: Product, matrix: Node) -> None:
        """Put the columns of B, a matrix, in panels."""
        depth, columns = shape_of(matrix)
        rows = (Axis(product.rows[0].size, depth),)
        spec = Contraction(
            rows, columns, (Axis(depth, 1, columns),), dtype="float" if matrix.dtype is float32 else "double"
        )
        whole = OPS["reshape"](matrix, shape=(1, depth, columns))
        zero = Index.of(0)
        product.b = Operand(whole, (zero, zero, Index.of(product.depth[0]), Index.of(product.column)))
        self.panels(product, whole, spec)

    def operand(self, node: Node, position: Position) -> Operand:
        """The value in memory that an operand is a view of, if its elements are evenly spaced in it; else itself."""
        if node.op == "iota" or (node.op == "constant" and node.attributes["value"].array.size == 1):
            return Operand(OPS["detach"](node), position)
        best = Operand(node, position)
        base, at = node, position
        while is_movement(base):
            reads = movement_reads(base, at)
            if len(reads) != 1 or reads[0].conditions:
                break
            base, at = base.inputs[reads[0].input], reads[0].position
            if base.op == "iota" or (base.op == "constant" and base.attributes["value"].array.size == 1):
                break
            plain = tuple(range(len(at)))
            if all(_affine(p) for p in at):
                best = Operand(base, at)
            elif (
                self.arrangement.order.get(base, plain) == plain
                and base not in self.arrangement.halo
                and _affine(linear(at, shape_of(base)))
            ):  # evenly spaced as long as the value is in row-major order
                self.arrangement.order[base] = plain
                best = Operand(base, at)
        return best

    def panels(self, product: Product, matrix: Node, spec: Contraction) -> None:
        """Pack B: `matrix` has (batch, depth..., columns); the node that is packed becomes the operand."""
        width = tiling(spec, self.target).columns
        columns = product.column.size
        shape = shape_of(matrix)
        panels = -(-columns // width)
        if panels * width != columns:
            padding = ((0, 0, 0),) * (len(shape) - 1) + ((0, panels * width - columns, 0),)
            matrix = OPS["pad"](matrix, constant(0, matrix.dtype), padding=padding)
        cut = OPS["reshape"](matrix, shape=(*shape[:-1], panels, width))
        rank = len(shape)
        packed = OPS["permute"](cut, dims=(0, rank - 1, *range(1, rank - 1), rank))
        self.prepared.packed.add(packed)
        self.arrangement.order[packed] = tuple(range(rank + 1))
        product.b = Operand(packed, product.b.position)
        product.width = width
        product.panel_stride = prod(shape[1:-1]) * width


def _affine(index: Index) -> bool:
    return all(isinstance(atom, Var) for atom in index.terms)


# ------------------------------------------------------------------------------------------------- emission


def emit_products(lowering: Lowering, group: Group, stored: set[Node], node: Node, products: Sequence[Product]) -> None:
    """Kernels for a node and the elementwise work that follows it: one for each product."""
    if prod(shape_of(node)) == 0:
        return
    for product in products:
        if any(v.size == 0 for v in (*product.batch, *product.rows, product.column)):
            continue
        emit_product(lowering, group, stored, node, product)


def emit_product(lowering: Lowering, group: Group, stored: set[Node], node: Node, product: Product) -> None:
    """One kernel."""
    loops = [*product.batch, *product.rows, product.column]
    writer, given = write_epilogue(lowering, group, stored, node, (product.a, product.b), loops, product.result)
    nest = writer.nest
    a, b = (offset_of(lowering, o) for o in (product.a, product.b))
    buffer_a, buffer_b = writer.buffer(product.a.node), writer.buffer(product.b.node)
    batch, rows, depth = _axes(nest, product, a, b)
    spec = _contraction(node, product, batch, rows, depth, a, b)
    kernel = contraction_kernel(nest, spec, given, product, node, lowering.target, (buffer_a, buffer_b))
    add_launch(lowering, group, writer, kernel, {buffer_a, buffer_b})


def write_epilogue(
    lowering: Lowering,
    group: Group,
    stored: set[Node],
    node: Node,
    operands: Sequence[Operand],
    loops: Sequence[Var],
    result: Position,
) -> tuple[Writer, int]:
    """What is computed of each sum and stored: a nest of these loops, and the number of its statement that is the sum.

    Args:
        operands: what the sums are made of.
        loops: of the kernel; the last one runs along vectors.
        result: for each dimension of the node its index in terms of the loops.
    """
    nest = Nest()
    inside = group.members
    writer = Writer(nest, lambda n: None if n in inside else lowering.storage_of(n), lowering.place_of)
    for operand in operands:
        writer.buffer(operand.node)
    nest.outer = list(loops)
    nest.vector = loops[-1]
    given = nest.given(node.dtype, group.domain)
    writer.registers[node] = given
    nest.phases.append(Phase())
    for member, position in group.members.items():
        if member is not node:
            writer.registers[member] = writer.define(member, position)
        if member in stored:
            storage = lowering.storage_of(member)
            assert storage is not None
            store = Store(writer.buffer(member), storage.at(position), writer.registers[member])
            nest.phases[0].stores.append(store)
    nest.substitute({v: i for v, i in zip(group.domain, result, strict=True) if v not in nest.outer})
    return writer, given


def add_launch(lowering: Lowering, group: Group, writer: Writer, kernel: Kernel, operands: Collection[int]) -> None:
    """A launch of a kernel whose epilogue is the nest of a writer."""
    nest = writer.nest
    written = {s.buffer for s in nest.all_stores()}
    places = [p for p in writer.places if p is not None]
    writes = [p for i, p in enumerate(places) if i in written]
    reads = [p for i, p in enumerate(places) if i not in written]
    pairs = in_place_pairs(nest, writer.places, operands)
    lowering.launches.append(Launch(reads, writes, places, kernel, nodes=tuple(group.members), in_place=pairs))


def offset_of(lowering: Lowering, operand: Operand) -> Index:
    """Where the element is that the loop variables say."""
    storage = lowering.storage_of(operand.node)
    assert storage is not None
    return storage.at(operand.position)


def _stride(index: Index, variable: Var) -> int:
    stride = index.stride(variable)
    assert stride is not None
    return stride


def _axes(nest: Nest, product: Product, a: Index, b: Index) -> tuple[list[Axis], list[Axis], list[Axis]]:
    """The axes of a product; neighbouring rows are merged where operands and epilogue allow it."""
    rows = [v for v in product.rows if v.size != 1]
    position = len(rows) - 2
    offsets = nest.offsets()
    while position >= 0:
        x, y = rows[position], rows[position + 1]
        if merges(a, x, y) and all(merges(o, x, y) for o in offsets):
            merged = Var(y.name, x.size * y.size)
            flat = Index.of(merged)
            mapping = {x: flat // y.size, y: flat % y.size}
            nest.substitute(mapping)
            a = a.substitute(mapping)
            rows[position : position + 2] = [merged]
            offsets = nest.offsets()
        position -= 1
    batch = [v for v in product.batch if v.size != 1]
    nest.outer = [*batch, *rows, product.column]
    return (
        [Axis(v.size, _stride(a, v), _stride(b, v)) for v in batch],
        [Axis(v.size, _stride(a, v)) for v in rows] or [Axis(1)],
        [Axis(v.size, _stride(a, v), _stride(b, v)) for v in product.depth],
    )


def _contraction(
    node: Node, product: Product, batch: list[Axis], rows: list[Axis], depth: list[Axis], a: Index, b: Index
) -> Contraction:
    spec = Contraction(
        tuple(rows),
        product.column.size,
        tuple(depth),
        tuple(batch),
        a.constant,
        b.constant,
        # Zeros need no tiles.
        dtype=_ELEMENTS[node.dtype if node.dtype is not bfloat16 or all(axis.size for axis in depth) else float32],
        b_column=_stride(b, product.column),
    )
    if product.width:
        return replace(spec, b_column=1, b_panel=product.panel_stride, b_width=product.width, b_padded=True)
    return spec


def epilogue_code(
    nest: Nest,
    f: Function,
    target: Target,
    pointers: Sequence[Value],
    status: Value,
    given: int,
    node: Node,
    once: bool = False,
) -> Callable[[Iterable[tuple[Var, Value]], Value, Value, Value | None], None]:
    """Writes the epilogue for one vector of sums: the other loops with their values, the first column, sums, mask.

    With `once`, what depends on the column alone is computed where a column is first given and used for the same column
    again: the caller gives another (object) where that place may not have been passed.
    """
    writers: dict[int, NestCode] = {}
    needed = [n for n in nest.needed([s.value for s in nest.phases[0].stores]) if n != given]
    column_loop = nest.vector
    assert column_loop is not None
    alone: list[int] = []
    for n in needed if once else ():
        s = nest.statements[n]
        if s.kind == "load" and s.variables == {column_loop} and given not in nest.needed([n]):
            alone += [m for m in nest.needed([n]) if m not in alone]
    rest = [n for n in needed if n not in alone]
    computed: dict[tuple[int, int], tuple[Value, Value | None, dict[tuple[int, int], Any]]] = {}

    def follow(at: Iterable[tuple[Var, Value]], column: Value, sums: Value, mask: Value | None) -> None:
        lanes = lanes_of(sums.type)
        code = writers.get(lanes)
        if code is None:
            code = writers[lanes] = NestCode(nest, f, target, pointers, status, lanes)
        code.values.update(at)
        code.values[column_loop] = column
        code.copies = [mask]
        depth = len(code.scopes)
        if alone:
            key = (id(column), id(mask))
            if key not in computed:
                code.scopes.append({})
                code.compute(alone)
                computed[key] = (column, mask, code.scopes.pop())
            code.scopes.append(computed[key][2])
        code.scopes.append({})
        finished = sums if code.is_vector(given) else f.extract(sums, 0)
        if node.dtype is bfloat16:
            finished = round_bfloat16(f, finished)
        code.give(given, Scalar(finished, node.dtype))
        code.compute(rest)
        for store in nest.phases[0].stores:
            code.store(store)
        del code.scopes[depth:]

    return follow


def contraction_kernel(
    nest: Nest,
    spec: Contraction,
    given: int,
    product: Product,
    node: Node,
    target: Target,
    operands: tuple[int, int],
) -> Kernel:
    """The code of a contraction with the stores of a nest as its epilogue."""
    kinds = tuple([v in product.batch for v in nest.outer])
    key = ("contraction", nest.key(), spec, given, kinds, node.dtype, target, operands, best_tiling(spec, target))
    return remembered(key, node.op, lambda: _write_contraction(nest, spec, given, product, node, target, operands))


def _write_contraction(
    nest: Nest,
    spec: Contraction,
    given: int,
    product: Product,
    node: Node,
    target: Target,
    operands: tuple[int, int],
) -> Kernel:
    made = best_tiling(spec, target)
    module = Module()
    f = module.function("KERNEL", ENTRY_ARGUMENTS)
    buffers, first, last, scratch, status = f.arguments
    pointers = [f.load("ptr", f.element(buffers, "ptr", i)) for i in range(len(nest.buffers))]
    variables = list(nest.outer)
    batch = [v for v in variables if v in product.batch]
    rows = [v for v in variables if v not in batch and v is not product.column]
    needed = nest.needed([s.value for s in nest.phases[0].stores])
    rolled = len(needed) > LONG_EPILOGUE
    follow = epilogue_code(nest, f, target, pointers, status, given, node, once=made.lanes > 1)

    def epilogue(
        _: Function, batch_at: list[Value], rows_at: list[Value], column: Value, sums: Value, mask: Value | None
    ) -> None:
        follow(zip([*batch, *rows], [*batch_at, *rows_at], strict=False), column, sums, mask)

    kernel_code.emit(
        f, spec, made, pointers[operands[0]], pointers[operands[1]], epilogue, first, last, scratch, rolled=rolled
    )
    f.ret()
    work = prod(a.size for a in (*spec.batch, *spec.rows, *spec.depth)) * spec.columns
    moved = sum(node.dtype.itemsize * prod(v.size for v in s.variables) for s in nest.statements if s.kind == "load")
    moved += node.dtype.itemsize * prod(a.size for a in spec.rows) * spec.columns
    tasks = kernel_code.tasks(spec, made)
    used = kernel_code.scratch_bytes(spec, made, rolled=rolled)
    text = str(module)
    if "define private" not in text:  # nothing to inline: the block is written as it shall be
        text = f"{AS_WRITTEN}\n{text}"
    return Kernel(node.op, text, tasks, used, 2 * work, moved, f"{_describe(spec)}\n{nest}")


def _describe(spec: Contraction) -> str:
    rows, depth = "x".join(str(a.size) for a in spec.rows), "x".join(str(a.size) for a in spec.depth)
    batch = "".join(f"{a.size} times " for a in spec.batch)
    return f"{batch}{rows} rows, {spec.columns} columns, depth {depth}" + (", packed" if spec.b_panel else "")


__all__ = ["Callable", "Contractions", "Operand", "Place", "Product"]
