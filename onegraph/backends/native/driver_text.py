"""The driver as LLVM IR: run all launches of a plan on several threads.

Every thread walks the list of records. A record's tasks are cut into as many parts as there are threads; a thread takes
chunks from its own part first (the same data comes to the same core again and again), then from the others'. Before a
record with a barrier it waits until the tasks of the group of records before it are done: it waits for work, not for
threads, so a thread that sleeps or was suspended by the system holds nobody up, and may join in at any time.

Nothing is reset between runs: counters carry the number of the run. Read next: `driver.py`, which owns the pool.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from onegraph.kernels.atomics import atomic_add, atomic_load, atomic_store, compare_exchange, pause
from onegraph.kernels.llvm import Function, Module, Number, Value

LINE = 64
"""Bytes of a cache line: what different threads write is kept at least this far apart."""

# A job, in words of eight bytes.
RECORDS, COUNT, SLOTS, COUNTERS, PARTS, DONE, RUN, THREADS, SCRATCH, STRIDE, POINTERS, STATUS, PROFILE = range(13)
REPEAT = 13
CURRENT = 16  # on a line of its own: where thread 0 is (turn times COUNT plus record), for threads that join late
JOB_WORDS = 24
"""RECORDS and COUNT: the records. SLOTS: addresses of values. COUNTERS: a line for each record and part, PARTS of them a
record. DONE: a line for each group. RUN: how often it ran on several threads. THREADS: how many take part.
SCRATCH, STRIDE: memory of the first thread, bytes from one thread to the next, of which the first POINTERS bytes are
for the addresses of a kernel's buffers. STATUS: a line for each thread. PROFILE: PROFILE_WORDS for each record and
thread, or null. REPEAT: how often the records are run in turn, at least once; the number of the run counts turns."""

# A record, in words.
FUNCTION, SLOT_NUMBERS, SLOT_COUNT, TASKS, GRAIN, BARRIER, GROUP, EXPECTED, STEPS = range(9)
RECORD_WORDS = 9
"""SLOT_NUMBERS: i32 each. GRAIN: fewest tasks to take at once. BARRIER: 1 to wait for group GROUP - 1, which has EXPECTED
tasks; plus 2 where the record is a group of its own that one thread does alone, which is then thread 0. STEPS: null, or two words
for each slot, a step in bytes and a mask: in turn t the slot's address is `step * (t & mask)` further."""

PROFILE_WORDS = 4
"""Start and end in nanoseconds, tasks, chunks."""

# The pool, in words; each of these on a line of its own.
LOCK, EPOCH, ACTIVE, SLEEPERS, CURRENT_JOB = 0, 8, 16, 24, 32
STOP, SPIN, WORKERS = 40, 41, 42
MUTEX, CONDITION = 48, 64
POOL_WORDS = 80

_SPINS = 500  # pauses before a waiting thread offers its core to others


class Writer:
    """The functions of the driver, for one target."""

    def __init__(self, triple: str, prefix: str) -> None:
        self.module = Module()
        self.triple = triple
        self.prefix = prefix

    def text(self) -> str:
        """All of it."""
        self._walk()
        self._alone()
        self._run()
        self._reserve()
        self._worker()
        return str(self.module)

    # ------------------------------------------------------------------------------------------------- pieces

    def word(self, f: Function, base: Value, index: Number, type_: str = "i64") -> Value:
        """Read a word of a structure."""
        return f.load(type_, f.element(base, "i64", index))

    def loop(self, f: Function, body: Callable[[str], None]) -> None:
        """Repeat until the body branches to the label it is given."""
        head, after = f.new_block(), f.new_block()
        f.branch(head)
        f.start(head)
        body(after)
        f.branch(head)
        f.start(after)

    def leave_if(self, f: Function, condition: Value, label: str) -> None:
        """Branch out of a loop."""
        on = f.new_block()
        f.branch_if(condition, label, on)
        f.start(on)

    def wait(self, f: Function, pointer: Value, how: str, number: Value, ordering: str = "acquire") -> None:
        """Wait until the word there compares so with the number."""
        spins = f.stack("i64")
        f.store(f.constant("i64", 0), spins)

        def body(after: str) -> None:
            self.leave_if(f, f.compare(how, atomic_load(f, "i64", pointer, ordering), number), after)
            count = f.load("i64", spins)
            f.store(f.add(count, 1), spins)
            f.if_(
                f.compare("ult", count, _SPINS),
                lambda: pause(f, self.triple),
                lambda: void(f.external("sched_yield", "i32", [])),
            )

        self.loop(f, body)

    def clock(self, f: Function) -> Value:
        """Nanoseconds."""
        moment = f.stack("i64", 2)
        f.external("clock_gettime", "i32", [f.constant("i32", time.CLOCK_MONOTONIC), moment])
        seconds = f.mul(f.load("i64", moment), 1_000_000_000)
        return f.add(seconds, f.load("i64", f.element(moment, "i64", 1)))

    def pointers(self, f: Function, job: Value, record: Value, scratch: Value, turn: Value) -> None:
        """Put the addresses of a record's buffers where its kernel reads them."""
        slots, numbers = self.word(f, job, SLOTS, "ptr"), self.word(f, record, SLOT_NUMBERS, "ptr")

        def copy(i: Value, _: list[Value]) -> None:
            number = f.convert("zext", f.load("i32", f.element(numbers, "i32", i)), "i64")
            f.store(f.load("ptr", f.element(slots, "ptr", number)), f.element(scratch, "ptr", i))

        f.loop(0, self.word(f, record, SLOT_COUNT), 1, copy)

        def move(i: Value, _: list[Value]) -> None:
            pair, place = f.element(steps, "i64", f.mul(i, 2)), f.element(scratch, "ptr", i)
            distance = f.mul(self.word(f, pair, 0), f.integer("and", self.word(f, pair, 1), turn))
            f.store(f.element(f.load("ptr", place), "i8", distance), place)

        steps = self.word(f, record, STEPS, "ptr")
        with f.only_if(f.compare("ne", self.word(f, record, STEPS), 0)):
            f.loop(0, self.word(f, record, SLOT_COUNT), 1, move)

    def turns(self, f: Function, job: Value, k: Value) -> tuple[Value, Value]:
        """Turn and record of step k of a job."""
        count = self.word(f, job, COUNT)
        turn = f.divide(k, count)
        return turn, f.sub(k, f.mul(turn, count))

    def start_clock(self, f: Function, place: Value) -> None:
        """Note a start, put back by the time of earlier turns: the end shows the time of all of them."""
        before = f.sub(f.load("i64", f.element(place, "i64", 1)), f.load("i64", place))
        f.store(f.sub(self.clock(f), before), place)

    def call_kernel(
        self, f: Function, job: Value, index: Value, record: Value, thread: Value, span: tuple[Value, Value]
    ) -> None:
        """Do tasks of a record; a first error is marked with the record's number."""
        scratch = self.scratch(f, job, thread)
        own = f.element(scratch, "i8", self.word(f, job, POINTERS))
        status = self.status(f, job, thread)
        f.call_pointer(self.word(f, record, FUNCTION, "ptr"), "void", [scratch, span[0], span[1], own, status])
        with f.only_if(f.compare("ne", self.word(f, status, 0), 0)):
            place = f.element(status, "i64", 3)
            with f.only_if(f.compare("eq", f.load("i64", place), 0)):
                f.store(f.add(index, 1), place)

    def scratch(self, f: Function, job: Value, thread: Value) -> Value:
        """Memory of a thread."""
        offset = f.mul(thread, self.word(f, job, STRIDE))
        return f.element(self.word(f, job, SCRATCH, "ptr"), "i8", offset)

    def status(self, f: Function, job: Value, thread: Value) -> Value:
        """Status of a thread."""
        return f.element(self.word(f, job, STATUS, "ptr"), "i8", f.mul(thread, LINE))

    def profile(self, f: Function, job: Value, index: Value, thread: Value) -> Value:
        """Where a thread's times in a record go."""
        threads = self.word(f, job, THREADS)
        at = f.mul(f.add(f.mul(index, threads), thread), PROFILE_WORDS)
        return f.element(self.word(f, job, PROFILE, "ptr"), "i64", at)

    def profiled(self, f: Function, job: Value) -> Value:
        """Whether times are wanted."""
        return f.compare("ne", self.word(f, job, PROFILE), 0)

    # ---------------------------------------------------------------------------------------------- one thread

    def _alone(self) -> None:
        """All records in order on the calling thread."""
        f = self.module.function(f"{self.prefix}_alone", [("ptr", "job")])
        job = f.arguments[0]
        records = self.word(f, job, RECORDS, "ptr")
        zero = f.constant("i64", 0)

        def body(k: Value, _: list[Value]) -> None:
            turn, i = self.turns(f, job, k)
            record = f.element(records, "i64", f.mul(i, RECORD_WORDS))
            self.pointers(f, job, record, self.scratch(f, job, zero), turn)
            tasks = self.word(f, record, TASKS)
            profiled = self.profiled(f, job)
            with f.only_if(profiled):
                place = self.profile(f, job, i, zero)
                self.start_clock(f, place)
                for word, more in ((2, tasks), (3, f.constant("i64", 1))):
                    at = f.element(place, "i64", word)
                    f.store(f.add(f.load("i64", at), more), at)
            self.call_kernel(f, job, i, record, zero, (zero, tasks))
            with f.only_if(profiled):
                f.store(self.clock(f), f.element(self.profile(f, job, i, zero), "i64", 1))

        f.loop(0, f.mul(self.word(f, job, COUNT), self.word(f, job, REPEAT)), 1, body)
        f.ret()

    # ------------------------------------------------------------------------------------------ several threads

    def _take(self, f: Function, counter: Value, run: Value, limits: tuple[Value, Value], grain: Value) -> list[Value]:
        """Take the next tasks of a part: (first, last), equal when none are left.

        The counter holds the run's number above the next task; one of an earlier run stands for the part's start. One of
        a later run tells a thread that was asleep that nothing is left.
        """
        begin, end = limits
        first, last = f.stack("i64"), f.stack("i64")

        def attempt(after: str) -> None:
            old = atomic_load(f, "i64", counter, "monotonic")
            fresh = f.compare("eq", f.integer("lshr", old, 32), run)
            start = f.select(fresh, f.integer("and", old, 0xFFFFFFFF), begin)
            ahead = f.integer("and", f.sub(f.integer("lshr", old, 32), f.add(run, 1)), 0xFFFFFFFF)
            later = f.compare("ult", ahead, 1 << 31)
            left = f.select(later, f.constant("i64", 0), f.maximum(f.sub(end, start), 0))
            amount = f.minimum(f.maximum(f.integer("lshr", left, 2), grain), left)
            stop = f.add(start, amount)
            f.store(start, first)
            f.store(stop, last)
            self.leave_if(f, f.compare("eq", amount, 0), after)
            new = f.integer("or", f.integer("shl", run, 32), stop)
            _, exchanged = compare_exchange(f, counter, old, new)
            self.leave_if(f, exchanged, after)

        self.loop(f, attempt)
        return [f.load("i64", first), f.load("i64", last)]

    def _record(
        self, f: Function, job: Value, place: tuple[Value, Value], record: Value, thread: Value, local: Value
    ) -> None:
        """Do tasks of one record until none are left; `local` counts them."""
        turn, i = place
        tasks, grain = self.word(f, record, TASKS), self.word(f, record, GRAIN)
        run = f.integer("and", f.add(self.word(f, job, RUN), turn), 0xFFFFFFFF)
        threads = self.word(f, job, THREADS)
        parts = f.maximum(f.minimum(threads, f.divide(f.add(tasks, f.sub(grain, 1)), grain)), 1)
        lines = f.mul(i, self.word(f, job, PARTS))
        counters = self.word(f, job, COUNTERS, "ptr")
        own_part = f.modulo(thread, parts)
        began = f.stack("i64")
        f.store(f.constant("i64", 0), began)

        def part(k: Value, _: list[Value]) -> None:
            p = f.modulo(f.add(own_part, k), parts)
            up = f.sub(parts, 1)
            begin = f.divide(f.add(f.mul(tasks, p), up), parts)
            end = f.divide(f.add(f.mul(tasks, f.add(p, 1)), up), parts)
            counter = f.element(counters, "i8", f.mul(f.add(lines, p), LINE))

            def chunk(after: str) -> None:
                first, last = self._take(f, counter, run, (begin, end), grain)
                self.leave_if(f, f.compare("eq", first, last), after)
                with f.only_if(f.compare("eq", f.load("i64", began), 0)):
                    self.pointers(f, job, record, self.scratch(f, job, thread), turn)
                    f.store(f.constant("i64", 1), began)
                    with f.only_if(self.profiled(f, job)):
                        self.start_clock(f, self.profile(f, job, i, thread))
                self.call_kernel(f, job, i, record, thread, (first, last))
                amount = f.sub(last, first)
                f.store(f.add(f.load("i64", local), amount), local)
                with f.only_if(self.profiled(f, job)):
                    place = self.profile(f, job, i, thread)
                    f.store(self.clock(f), f.element(place, "i64", 1))
                    for word, more in ((2, amount), (3, f.constant("i64", 1))):
                        at = f.element(place, "i64", word)
                        f.store(f.add(f.load("i64", at), more), at)

            self.loop(f, chunk)

        f.loop(0, parts, 1, part)

    def _walk(self) -> None:
        """All records, together with the other threads."""
        f = self.module.function(f"{self.prefix}_walk", [("ptr", "job"), ("i64", "thread")])
        job, thread = f.arguments
        records, done = self.word(f, job, RECORDS, "ptr"), self.word(f, job, DONE, "ptr")
        local, group = f.stack("i64"), f.stack("i64")
        f.store(f.constant("i64", 0), local)
        f.store(f.constant("i64", 0), group)

        def flush() -> None:
            count = f.load("i64", local)
            with f.only_if(f.compare("ne", count, 0)):
                atomic_add(f, f.element(done, "i8", f.mul(f.load("i64", group), LINE)), count)
                f.store(f.constant("i64", 0), local)

        last = self.word(f, job, COUNT)
        mark = f.element(
            records, "i64", f.mul(last, RECORD_WORDS)
        )  # stands after the records, with the last group's tasks

        def await_group(record: Value, turn: Value) -> None:
            before = f.sub(self.word(f, record, GROUP), 1)
            expected = f.mul(self.word(f, record, EXPECTED), f.add(self.word(f, job, RUN), turn))
            self.wait(f, f.element(done, "i8", f.mul(before, LINE)), "sge", expected)

        def body(k: Value, _: list[Value]) -> None:
            turn, i = self.turns(f, job, k)
            record = f.element(records, "i64", f.mul(i, RECORD_WORDS))
            apart = f.integer("and", f.integer("lshr", self.word(f, record, BARRIER), 1), f.minimum(thread, 1))
            f.if_(f.compare("ne", apart, 0), flush, lambda: enter(k, turn, i, record))

        def arrived(k: Value) -> None:
            """Threads that join late start where everything before is done, and wait for that themselves."""
            with f.only_if(f.compare("eq", thread, 0)):
                atomic_store(f, k, f.element(job, "i64", CURRENT), "monotonic")

        def enter(k: Value, turn: Value, i: Value, record: Value) -> None:
            again = f.integer("and", f.compare("eq", i, 0), f.compare("sgt", turn, 0))
            with f.only_if(again):  # everything of the turn before
                flush()
                await_group(mark, f.sub(turn, 1))
                arrived(k)
            with f.only_if(f.compare("ne", f.integer("and", self.word(f, record, BARRIER), 1), 0)):
                flush()
                await_group(record, turn)
                arrived(k)
            f.store(self.word(f, record, GROUP), group)
            self._record(f, job, (turn, i), record, thread, local)

        start = atomic_load(f, "i64", f.element(job, "i64", CURRENT), "monotonic")
        turns = self.word(f, job, REPEAT)
        f.loop(start, f.mul(last, turns), 1, body)
        flush()
        with f.only_if(f.compare("eq", thread, 0)):
            await_group(mark, f.sub(turns, 1))
        f.ret()

    def _run(self) -> None:
        """Run a job on so many threads, or on one if the pool is taken. Gives the number of threads with an error."""
        f = self.module.function(f"{self.prefix}_run", [("ptr", "job"), ("ptr", "pool"), ("i64", "threads")], "i64")
        job, pool, wanted = f.arguments
        lock = f.element(pool, "i64", LOCK)

        def clear(t: Value, _: list[Value]) -> None:
            place = self.status(f, job, t)
            for word in range(4):
                f.store(f.constant("i64", 0), f.element(place, "i64", word))

        f.loop(0, wanted, 1, clear)
        taken = f.stack("i64")
        f.store(f.constant("i64", 0), taken)
        with f.only_if(f.compare("sgt", wanted, 1)):
            _, got = compare_exchange(f, lock, f.constant("i64", 0), f.constant("i64", 1))
            f.store(f.convert("zext", got, "i64"), taken)

        def together() -> None:
            threads = f.minimum(wanted, f.add(self.word(f, pool, WORKERS), 1))
            f.store(threads, f.element(job, "i64", THREADS))
            f.store(f.add(self.word(f, job, RUN), 1), f.element(job, "i64", RUN))
            atomic_store(f, f.constant("i64", 0), f.element(job, "i64", CURRENT), "monotonic")
            current = f.element(pool, "i64", CURRENT_JOB)
            atomic_store(f, f.convert("ptrtoint", job, "i64"), current, "seq_cst")
            atomic_add(f, f.element(pool, "i64", EPOCH), 1)
            asleep = atomic_load(f, "i64", f.element(pool, "i64", SLEEPERS), "seq_cst")
            with f.only_if(f.compare("ne", asleep, 0)):
                f.external("pthread_mutex_lock", "i32", [f.element(pool, "i64", MUTEX)])
                f.external("pthread_cond_broadcast", "i32", [f.element(pool, "i64", CONDITION)])
                f.external("pthread_mutex_unlock", "i32", [f.element(pool, "i64", MUTEX)])
            f.call(f"{self.prefix}_walk", "void", [job, f.constant("i64", 0)])
            # From here on no thread takes the job up; those that have it leave soon.
            atomic_store(f, f.constant("i64", 0), current, "seq_cst")
            self.wait(f, f.element(pool, "i64", ACTIVE), "eq", f.constant("i64", 0), "seq_cst")
            more = f.sub(self.word(f, job, REPEAT), 1)
            f.store(f.add(self.word(f, job, RUN), more), f.element(job, "i64", RUN))
            atomic_store(f, f.constant("i64", 0), lock)

        def alone() -> None:
            f.store(f.constant("i64", 1), f.element(job, "i64", THREADS))
            f.call(f"{self.prefix}_alone", "void", [job])

        f.if_(f.compare("ne", f.load("i64", taken), 0), together, alone)

        def failed(t: Value, carried: list[Value]) -> list[Value]:
            bad = f.compare("ne", self.word(f, self.status(f, job, t), 0), 0)
            return [f.add(carried[0], f.convert("zext", bad, "i64"))]

        (count,) = f.loop(0, wanted, 1, failed, [f.constant("i64", 0)])
        f.ret(count)

    def _reserve(self) -> None:
        """Take the pool, for good; gives 0 when somebody uses it."""
        f = self.module.function(f"{self.prefix}_reserve", [("ptr", "pool")], "i64")
        place = f.element(f.arguments[0], "i64", LOCK)
        _, got = compare_exchange(f, place, f.constant("i64", 0), f.constant("i64", 1))
        f.ret(f.convert("zext", got, "i64"))

    # ------------------------------------------------------------------------------------------------- workers

    def _worker(self) -> None:
        """What a thread of the pool does: (pool, own number) -> when the pool stops."""
        f = self.module.function(f"{self.prefix}_worker", [("ptr", "argument")], "ptr")
        argument = f.arguments[0]
        pool, number = self.word(f, argument, 0, "ptr"), self.word(f, argument, 1)
        epoch, stop = f.element(pool, "i64", EPOCH), f.element(pool, "i64", STOP)
        active, current = f.element(pool, "i64", ACTIVE), f.element(pool, "i64", CURRENT_JOB)
        seen = f.stack("i64")
        f.store(f.constant("i64", 0), seen)

        def once(after: str) -> None:
            self._await(f, pool, f.load("i64", seen))
            self.leave_if(f, f.compare("ne", atomic_load(f, "i64", stop), 0), after)
            f.store(atomic_load(f, "i64", epoch), seen)
            # Counted first, looked second: whoever takes the job away either is seen, or sees this thread.
            atomic_add(f, active, 1)
            address = atomic_load(f, "i64", current, "seq_cst")
            with f.only_if(f.compare("ne", address, 0)):
                job = f.convert("inttoptr", address, "ptr")
                with f.only_if(f.compare("slt", number, self.word(f, job, THREADS))):
                    f.call(f"{self.prefix}_walk", "void", [job, number])
            atomic_add(f, active, -1)

        self.loop(f, once)
        f.ret(Value("ptr", "null"))

    def _await(self, f: Function, pool: Value, seen: Value) -> None:
        """Wait until the epoch is another than the one seen, or the pool stops: awake at first, then asleep."""
        epoch, stop = f.element(pool, "i64", EPOCH), f.element(pool, "i64", STOP)

        def called(ordering: str) -> Value:
            new = f.compare("ne", atomic_load(f, "i64", epoch, ordering), seen)
            return f.integer("or", new, f.compare("ne", atomic_load(f, "i64", stop, ordering), 0))

        until = f.add(self.clock(f), self.word(f, pool, SPIN))
        ready = f.new_block()

        def spin(after: str) -> None:
            def look(_: Value, __: list[Value]) -> None:
                pause(f, self.triple)
                self.leave_if(f, called("acquire"), ready)

            f.loop(0, 32, 1, look)
            self.leave_if(f, f.compare("sgt", self.clock(f), until), after)

        self.loop(f, spin)
        mutex, condition = f.element(pool, "i64", MUTEX), f.element(pool, "i64", CONDITION)
        sleepers = f.element(pool, "i64", SLEEPERS)
        f.external("pthread_mutex_lock", "i32", [mutex])
        atomic_add(f, sleepers, 1)

        def sleep(after: str) -> None:
            self.leave_if(f, called("seq_cst"), after)
            f.external("pthread_cond_wait", "i32", [condition, mutex])

        self.loop(f, sleep)
        atomic_add(f, sleepers, -1)
        f.external("pthread_mutex_unlock", "i32", [mutex])
        f.branch(ready)
        f.start(ready)


def void(_: Value) -> None:
    """Drop a result."""


def driver_text(triple: str, prefix: str) -> str:
    """LLVM IR of the driver; its functions are called `<prefix>_run` and `<prefix>_worker`.

    >>> "define i64 @d_run(ptr %job, ptr %pool, i64 %threads)" in driver_text("x86_64-unknown-linux-gnu", "d")
    True
    """
    return Writer(triple, prefix).text()
