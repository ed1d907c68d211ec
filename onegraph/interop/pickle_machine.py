"""A machine that reads pickles without running them: it builds plain data, and what a caller allows by name.

Python's own `pickle` imports whatever a file names and calls it. Here a name is looked up in a table, and nothing is ever
imported; what is not in the table ends the reading. The bytes are split into instructions by `pickletools`, which runs
nothing either. Format: the comments of Python's `pickletools` module.

What a hostile file can take is bounded: each instruction makes at most one small object, there are at most two million of
them, strings are never longer than the file, and keys are plain, so that hashing one is quick.
Read next: `pytorch_names.py` (the table), `pytorch_reader.py` (files).
"""

from __future__ import annotations

import pickletools
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from onegraph.errors import StorageError, UnsafeFileError
from onegraph.ir.dtype import DType

MAX_INSTRUCTIONS: Final = 2_000_000
MAX_INTEGER_BITS: Final = 8192
_DICTIONARIES: Final = (dict, OrderedDict, Counter)
_PLAIN: Final = (str, int, float, bool, bytes, type(None), DType)


class Refused(Exception):
    """A reason not to read on; the caller knows the file's name and makes a StorageError of it."""

    def __init__(self, reason: str, hint: str | None = None, unsafe: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.unsafe = unsafe

    def error(self, path: str) -> StorageError:
        kind = UnsafeFileError if self.unsafe else StorageError
        return kind(f"cannot read {path!r}: {self.reason}", hint=self.hint)


@dataclass(frozen=True)
class Allowed:
    """A name that a file may call: what it stands for is made by our own function.

    Attributes:
        name: the name as it stands in files.
        make: called with the file's arguments.
    """

    name: str
    make: Callable[..., Any]


class Pending:
    """Something that a later BUILD instruction completes; `build(state)` takes the state."""

    def build(self, state: Any) -> None:
        raise Refused(f"it gives state to a {type(self).__name__}")


class Source:
    """Bytes that instructions are read from; asking for more than there is gives what there is.

    Args:
        content: bytes, or something like them (a memory map).
        position: where to start.
    """

    def __init__(self, content: Any, position: int = 0) -> None:
        self.content = content
        self.position = position
        self.end = len(content)

    def read(self, count: int) -> bytes:
        start = self.position
        self.position = min(self.end, start + max(0, count))
        return bytes(self.content[start : self.position])

    def readline(self) -> bytes:
        limit = min(self.end, self.position + 10_000)  # names and numbers in text; nothing longer stands on a line
        found = self.content.find(b"\n", self.position, limit)
        return self.read((limit if found < 0 else found + 1) - self.position)

    def tell(self) -> int:
        return self.position


class PickleMachine:
    """Reads one pickle.

    Args:
        source: where its bytes are; afterwards it stands behind the last one.
        names: what the file may name: constants, and `Allowed` for what it may call.
        persistent: makes a value of a persistent id (for PyTorch, a storage).
        explain: gives a hint for a name that is not allowed.
    """

    def __init__(
        self,
        source: Source,
        names: Mapping[str, Any],
        persistent: Callable[[Any], Any] | None = None,
        explain: Callable[[str], str | None] = lambda name: None,
    ) -> None:
        self._source = source
        self._names = names
        self._persistent = persistent
        self._explain = explain
        self._stack: list[Any] = []
        self._marks: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._copied = 0  # items given to functions, which may copy them

    def run(self) -> Any:
        """The value of the pickle.

        Raises:
            Refused: it is damaged, names something that is not allowed, or is too large.
        """
        try:
            for count, (instruction, argument, _) in enumerate(pickletools.genops(self._source)):  # type: ignore[arg-type]
                if count > MAX_INSTRUCTIONS:
                    raise Refused(f"it has more than {MAX_INSTRUCTIONS:,} instructions")
                handler = _HANDLERS.get(instruction.name)
                if handler is None:
                    raise Refused(f"it has the instruction {instruction.name}, which files of weights do without")
                handler(self, argument)
            if len(self._stack) != 1 or self._marks:
                raise Refused("its pickle does not end with one value")
            return self._stack[0]
        except Refused:
            raise
        except (ValueError, IndexError, KeyError, TypeError, OverflowError, AttributeError) as error:
            raise Refused(f"its pickle is damaged ({error!s:.200})", "the file is damaged") from error

    # ---- instructions

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _integer(self, value: int) -> None:
        if value.bit_length() > MAX_INTEGER_BITS:
            raise Refused(f"it has an integer of {value.bit_length():,} bits")
        self._stack.append(value)

    def _mark(self, _: Any) -> None:
        self._marks.append(self._stack)
        self._stack = []

    def _to_mark(self) -> list[Any]:
        items = self._stack
        self._stack = self._marks.pop()
        return items

    def _tuple(self, count: int | None) -> None:
        if count is None:
            items = self._to_mark()
        else:
            if len(self._stack) < count:
                raise Refused("its pickle takes more values than there are")
            at = len(self._stack) - count
            items = self._stack[at:]
            del self._stack[at:]
        self._stack.append(tuple(items))

    def _append(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) is not list:
            raise Refused(f"it appends to a {type(target).__name__}")
        target.extend(items)

    def _set_items(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if type(target) not in _DICTIONARIES or len(items) % 2:
            raise Refused(f"it sets items of a {type(target).__name__}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[plain_key(key)] = value

    def _set_item(self, _: Any) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._set_items([key, value])

    def _dict(self, _: Any) -> None:
        items = self._to_mark()
        self._stack.append({})
        self._set_items(items)

    def _add_items(self, _: Any) -> None:
        items = self._to_mark()
        if type(self._stack[-1]) is not set:
            raise Refused(f"it adds items to a {type(self._stack[-1]).__name__}")
        self._stack[-1].update(map(plain_key, items))

    def _put(self, index: int | None) -> None:
        self._memo[len(self._memo) if index is None else index] = self._stack[-1]

    def _get(self, index: int) -> None:
        self._stack.append(self._memo[index])

    def _pop(self, _: Any) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._to_mark()

    # ---- names and calls

    def _global(self, text: str) -> None:
        module, _, name = text.partition(" ")
        self._name(f"{module}.{name}")

    def _stack_global(self, _: Any) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        if type(name) is not str or type(module) is not str:
            raise Refused("it makes a name of something that is no text")
        self._name(f"{module}.{name}")

    def _name(self, name: str) -> None:
        if name not in self._names:
            raise Refused(
                f"it wants to use {name[:200]!r}, which is no part of weights; nothing was run",
                self._explain(name),
                unsafe=True,
            )
        self._stack.append(self._names[name])

    def _call(self, _: Any) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if not isinstance(function, Allowed) or type(arguments) is not tuple:
            raise Refused(f"it calls a {type(function).__name__}; nothing was run", unsafe=True)
        self._copied += sum(len(a) for a in arguments if isinstance(a, (list, tuple, dict, set, str, bytes)))
        if self._copied > MAX_INSTRUCTIONS + 4 * self._source.end:
            raise Refused("it copies the same values again and again")
        try:
            self._stack.append(function.make(*arguments))
        except Refused:
            raise
        except (ValueError, TypeError, IndexError, OverflowError, LookupError) as error:
            raise Refused(f"{function.name} is given arguments that do not fit ({error!s:.200})") from error

    def _call_with_names(self, _: Any) -> None:
        if self._stack.pop() != {}:
            raise Refused("it makes an object with arguments by name")
        self._call(None)

    def _build(self, _: Any) -> None:
        state = self._stack.pop()
        target = self._stack[-1]
        if isinstance(target, Pending):
            target.build(state)
        elif type(target) is OrderedDict:
            # A state_dict carries the versions of its modules as an attribute.
            if type(state) is dict and type(state.get("_metadata")) in _DICTIONARIES:
                target._metadata = state["_metadata"]  # type: ignore[attr-defined]
        else:
            raise Refused(f"it gives state to a {type(target).__name__}; nothing was run", unsafe=True)

    def _persistent_id(self, value: Any) -> None:
        if self._persistent is None:
            raise Refused("it refers to something outside of it")
        self._stack.append(self._persistent(value))


def plain_key(value: Any) -> Any:
    """The value, if it may be a key: text, a number, bytes, None, a dtype, or a short flat tuple of those."""
    items = value if type(value) is tuple and len(value) <= 16 else (value,)
    if all(type(item) in _PLAIN and not (type(item) is int and item.bit_length() > 64) for item in items):
        return value
    raise Refused(f"it has a {type(value).__name__} as a key that is none")


def _constant(value: Any) -> Callable[[PickleMachine, Any], None]:
    return lambda machine, _: machine._push(value)


def _nothing(machine: PickleMachine, _: Any) -> None:
    """PROTO and FRAME describe the bytes; STOP ends the loop."""


def _old_text(machine: PickleMachine, value: str) -> None:
    """A byte string of Python 2: text where it is UTF-8, which all names are."""
    try:
        machine._push(value.encode("latin-1").decode("utf-8"))
    except UnicodeError:
        machine._push(value)


def _long_text(machine: PickleMachine, value: Any) -> None:
    machine._integer(value)


_HANDLERS: Final[dict[str, Callable[[PickleMachine, Any], None]]] = {
    "PROTO": _nothing,
    "FRAME": _nothing,
    "STOP": _nothing,
    "NONE": _constant(None),
    "NEWTRUE": _constant(True),
    "NEWFALSE": _constant(False),
    "EMPTY_TUPLE": _constant(()),
    "EMPTY_LIST": lambda machine, _: machine._push([]),
    "EMPTY_DICT": lambda machine, _: machine._push({}),
    "EMPTY_SET": lambda machine, _: machine._push(set()),
    **dict.fromkeys(("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"), _long_text),
    **dict.fromkeys(
        ("FLOAT", "BINFLOAT", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINBYTES", "BINBYTES"),
        PickleMachine._push,
    ),
    "BINBYTES8": PickleMachine._push,
    "BYTEARRAY8": PickleMachine._push,
    **dict.fromkeys(("STRING", "BINSTRING", "SHORT_BINSTRING"), _old_text),
    "MARK": PickleMachine._mark,
    "TUPLE": lambda machine, _: machine._tuple(None),
    "TUPLE1": lambda machine, _: machine._tuple(1),
    "TUPLE2": lambda machine, _: machine._tuple(2),
    "TUPLE3": lambda machine, _: machine._tuple(3),
    "LIST": lambda machine, _: machine._push(machine._to_mark()),
    "APPEND": lambda machine, _: machine._append([machine._stack.pop()]),
    "APPENDS": lambda machine, _: machine._append(machine._to_mark()),
    "DICT": PickleMachine._dict,
    "SETITEM": PickleMachine._set_item,
    "SETITEMS": lambda machine, _: machine._set_items(machine._to_mark()),
    "ADDITEMS": PickleMachine._add_items,
    "FROZENSET": lambda machine, _: machine._push(frozenset(map(plain_key, machine._to_mark()))),
    "PUT": PickleMachine._put,
    "BINPUT": PickleMachine._put,
    "LONG_BINPUT": PickleMachine._put,
    "MEMOIZE": lambda machine, _: machine._put(None),
    "GET": PickleMachine._get,
    "BINGET": PickleMachine._get,
    "LONG_BINGET": PickleMachine._get,
    "POP": PickleMachine._pop,
    "POP_MARK": lambda machine, _: machine._to_mark().clear(),
    "DUP": lambda machine, _: machine._push(machine._stack[-1]),
    "GLOBAL": PickleMachine._global,
    "STACK_GLOBAL": PickleMachine._stack_global,
    "REDUCE": PickleMachine._call,
    "NEWOBJ": PickleMachine._call,
    "NEWOBJ_EX": PickleMachine._call_with_names,
    "BUILD": PickleMachine._build,
    "PERSID": PickleMachine._persistent_id,
    "BINPERSID": lambda machine, _: machine._persistent_id(machine._stack.pop()),
}
