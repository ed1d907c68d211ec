"""Plans use one BLAS thread, so that the number of cores changes no bit, and leave the user's setting alone."""

import threading

import numpy as np
import pytest

import onegraph as og
from onegraph.backends.blas import find_openblas, one_thread


@pytest.fixture
def openblas():
    found = find_openblas()
    if found is None:
        pytest.skip("NumPy is not built on OpenBLAS")
    before = found[0]()
    yield found
    found[1](before)


def test_the_setting_is_one_inside_and_restored_outside(openblas):
    read, write = openblas
    write(2)
    with one_thread:
        assert read() == 1
        with one_thread:
            assert read() == 1
        assert read() == 1
    assert read() == 2


def test_overlapping_threads_keep_it_at_one(openblas):
    read, write = openblas
    write(2)
    inside, leave, seen = threading.Event(), threading.Event(), []

    def other():
        with one_thread:
            inside.set()
            leave.wait(10)
            seen.append(read())

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(10)
    with one_thread:
        pass
    leave.set()
    thread.join(10)
    assert seen == [1] and read() == 2


def test_the_users_number_of_threads_changes_no_bit(openblas):
    _, write = openblas
    random = np.random.default_rng(0)
    a, b = (og.tensor(random.standard_normal((700, 700)).astype(np.float32)) for _ in range(2))
    results = []
    for threads in (1, 2):
        write(threads)
        results.append((a @ b).numpy().copy())
    np.testing.assert_array_equal(*results)
