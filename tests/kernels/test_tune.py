"""The measured search picks a tiling, remembers it, and changes no result."""

import numpy as np
import pytest

import onegraph as og
from onegraph import config
from onegraph.kernels import tune
from onegraph.kernels.contraction_spec import matmul
from onegraph.kernels.target import host
from onegraph.kernels.tiling import candidates


@pytest.fixture
def folder(tmp_path):
    tmp_path.chmod(0o700)
    before = dict(tune._chosen)
    tune._chosen.clear()
    with config.using(cache_folder=str(tmp_path), cache=True):
        yield tmp_path
    tune._chosen.clear()
    tune._chosen.update(before)


def test_the_winner_is_remembered(folder):
    spec = matmul(96, 80, 64)
    with config.using(tune=True):
        found = tune.best_tiling(spec, host())
    assert found in candidates(spec, host(), tune.CANDIDATES)
    tune._chosen.clear()
    assert tune._remembered(spec, host()) == found == tune.best_tiling(spec, host())


def test_what_another_version_wrote_is_ignored(folder):
    spec = matmul(40, 48, 56)
    from onegraph.kernels.cache import disk_cache

    disk_cache().put(tune._name(spec, host()), b'{"lanes": 3, "wings": 2}')
    assert tune._remembered(spec, host()) is None
    assert tune.best_tiling(spec, host()).lanes > 0


def test_results_stay_the_same(folder):
    rng = np.random.default_rng(0)
    a, b = (og.tensor(rng.standard_normal(s).astype(np.float32)) for s in ((70, 90), (90, 50)))
    with config.using(backend="native"):
        plain = (a @ b).numpy()
        tune._chosen.clear()
        with config.using(tune=True):
            tuned = (a @ b + 0.0).numpy()
    np.testing.assert_array_equal(plain, tuned)
