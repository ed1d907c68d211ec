"""Plans: a graph compiled by the pipeline and a backend, ready to run, remembered by structure.

Read next: `realize.py`, which finds the plan for what a define-by-run program asks to see.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import onegraph.backends.reference  # noqa: F401  registers the backend
from onegraph.backends.contract import Backend, Buffer, Executable, get_backend
from onegraph.config import settings
from onegraph.ir.graph import Graph
from onegraph.passes.pipeline import optimize
from onegraph.runtime.not_finite import require_finite


def current_backend() -> Backend:
    """The backend that the settings choose."""
    return get_backend(settings.backend)


class Plan:
    """A compiled graph.

    Attributes:
        recorded: the graph before the passes.
        graph: what was compiled, after the passes.
        runs: how often it ran.
    """

    def __init__(self, graph: Graph, backend: Backend, replaced: Sequence[tuple[int, int]] = ()) -> None:
        self.recorded = graph
        self.graph = optimize(graph)
        self.executable: Executable = backend.compile(self.graph, replaced)
        self.backend = backend
        self.runs = 0

    def run(
        self, inputs: Sequence[Buffer], given_up: Sequence[int] = (), recorded: Callable[[], Graph] | None = None
    ) -> list[Buffer]:
        """Compute the outputs from the inputs, both in the order of the graph; see `Executable.run`.

        Args:
            inputs, given_up: as there.
            recorded: makes the graph with the lines of this call, where the lines of another one were compiled.

        Raises:
            NotFiniteError: if `settings.check_finite` says so.
        """
        self.runs += 1
        if not settings.check_finite:
            return self.executable.run(inputs, given_up)
        outputs = self.executable.run(inputs)  # nothing is given up: it is needed again when something is wrong
        require_finite(recorded or self.recorded, inputs, outputs, self.runs)
        return outputs


class PlanCache:
    """Plans by key, the least recently used going first; safe to use from several threads."""

    def __init__(self) -> None:
        self._entries: OrderedDict[Any, Any] = OrderedDict()
        self._last: tuple[Any, Any] = (None, None)  # a loop asks for the same again: no need to hash a long key
        self._lock = threading.Lock()
        self.hits = 0
        self.misses = 0

    def get(self, key: Any) -> Any:
        """The entry of a key, or None."""
        known, entry = self._last
        if known == key:
            self.hits += 1
            return entry
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                self.misses += 1
            else:
                self.hits += 1
                self._entries.move_to_end(key)
                self._last = key, entry
            return entry

    def put(self, key: Any, entry: Any) -> None:
        """Remember an entry."""
        with self._lock:
            self._entries[key] = entry
            self._last = None, None
            while len(self._entries) > settings.plan_cache_size:
                self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._last = None, None
            self.hits = self.misses = 0

    def __len__(self) -> int:
        return len(self._entries)


plans = PlanCache()


def plan_for(graph: Graph, replaced: tuple[tuple[int, int], ...] = ()) -> Plan:
    """The plan of a graph, compiled when no graph of the same structure was compiled before; see `Backend.compile`."""
    backend = current_backend()
    key = (backend.name, graph, replaced)
    plan: Plan | None = plans.get(key)
    if plan is None:
        plan = Plan(graph, backend, replaced)
        plans.put(key, plan)
    return plan
