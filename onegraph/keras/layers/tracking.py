"""Lists and dicts of layers as attributes: a layer that is appended to one is found as if it were an attribute itself.

Read next: `weights.py`, which turns plain lists and dicts that are set as attributes into these.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from onegraph.nn.module import Module


class _Tracked:
    """What lists and dicts share: after each change the owner's table of modules is written anew."""

    _root: Any = None  # the outermost container; a container inside another has its root's owner
    _owner: Any = None
    _attribute = ""

    def _entries(self) -> list[tuple[Any, Any]]:
        raise NotImplementedError

    def _replace(self, key: Any, value: Any) -> None:
        raise NotImplementedError

    def _adopt(self, root: Any) -> None:
        """Make containers inside follow the same root."""
        self.__dict__["_root"] = root
        for key, value in self._entries():
            inside = _wrapped(value)
            if inside is not value:
                self._replace(key, inside)
            if isinstance(inside, _Tracked):
                inside._adopt(root)

    def _refresh(self) -> None:
        root = self._root
        if root is None or root._owner is None:
            return
        root._adopt(root)
        owner, attribute = root._owner, root._attribute
        for name in owner._tracked_names.pop(attribute, ()):
            owner._modules.pop(name, None)
        names = owner._tracked_names.setdefault(attribute, [])
        for path, module in root._modules_inside():
            name = f"{attribute}_{path}"
            owner._modules[name] = module
            names.append(name)
            if module._scope is None:
                module.__dict__["_scope"] = name

    def _modules_inside(self) -> Iterator[tuple[str, Module]]:
        for key, value in self._entries():
            if isinstance(value, Module):
                yield str(key).replace(".", "_"), value
            elif isinstance(value, _Tracked):
                for path, module in value._modules_inside():
                    yield f"{key}_{path}", module


class TrackedList(_Tracked, list):  # type: ignore[type-arg]
    """A list whose layers its owner knows."""

    def _entries(self) -> list[tuple[Any, Any]]:
        return list(enumerate(self))

    def _replace(self, key: Any, value: Any) -> None:
        list.__setitem__(self, key, value)

    def __reduce__(self) -> Any:
        return (list, (list(self),))


class TrackedDict(_Tracked, dict):  # type: ignore[type-arg]
    """A dict whose layers its owner knows."""

    def _entries(self) -> list[tuple[Any, Any]]:
        return list(self.items())

    def _replace(self, key: Any, value: Any) -> None:
        dict.__setitem__(self, key, value)

    def __reduce__(self) -> Any:
        return (dict, (dict(self),))


def _changing(name: str, base: type) -> Any:
    original = getattr(base, name)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(self, *args, **kwargs)
        self._refresh()
        return self if name == "__iadd__" else result

    method.__name__ = name
    method.__doc__ = original.__doc__
    return method


_LIST = "append extend insert pop remove clear reverse sort __setitem__ __delitem__ __iadd__"
_DICT = "update pop popitem clear setdefault __setitem__ __delitem__"
for _name in _LIST.split():
    setattr(TrackedList, _name, _changing(_name, list))
for _name in _DICT.split():
    setattr(TrackedDict, _name, _changing(_name, dict))


def _wrapped(value: Any) -> Any:
    if type(value) is list:
        return TrackedList(value)
    return TrackedDict(value) if type(value) is dict else value


def may_hold_layers(value: Any) -> bool:
    """Whether a list or dict holds layers, alone or among others, or is empty and may be given some.

    >>> may_hold_layers([]), may_hold_layers([1, 2]), may_hold_layers({"a": []})
    (True, False, True)
    """
    if type(value) not in (list, dict):
        return False
    entries = list(value.values()) if isinstance(value, dict) else value
    return not entries or any(isinstance(v, Module) or may_hold_layers(v) for v in entries)


def track(value: Any, owner: Any, attribute: str) -> Any:
    """A list or dict as one that its owner's table of modules follows."""
    made = _wrapped(value)
    made.__dict__.update(_root=made, _owner=owner, _attribute=attribute)
    made._refresh()
    return made
