"""Define-by-run tensors: laziness, values, in-place writing, aliasing, errors."""

import copy
import pickle

import numpy as np
import pytest

import onegraph as og
from onegraph.backends.contract import Buffer
from onegraph.errors import ArgumentTypeError, DeviceError, DTypeError, GradientError, ShapeError
from onegraph.runtime.plan import plans


def is_computed(tensor):
    return type(tensor.node.value) is Buffer


def test_operations_are_recorded_and_computed_when_looked_at():
    x = og.tensor([1.0, 2.0])
    y = x * 2 + 1
    assert not is_computed(y)
    assert y.tolist() == [3.0, 5.0]
    assert is_computed(y)


def test_eager_computes_at_once():
    with og.eager():
        y = og.tensor([1.0, 2.0]) * 2
        assert is_computed(y)


def test_same_structure_is_compiled_once():
    def loop(n):
        total = 0.0
        for i in range(n):
            total += (og.tensor([float(i), 1.0]) * 3 + 1).sum().item()
        return total

    loop(2)
    misses = plans.misses
    loop(10)
    assert plans.misses == misses


def test_a_changing_number_compiles_at_most_once_more():
    x = og.tensor([1.0, 2.0])

    def value(rate):
        return (x * rate).tolist()

    value(0.1)
    value(0.2)
    misses = plans.misses
    entry_plans = {id(e.plan) for e in plans._entries.values() if hasattr(e, "plan")}
    for rate in (0.3, 0.4, 0.5):
        assert value(rate) == [np.float32(rate), np.float32(rate * 2)]
    assert plans.misses == misses
    assert {id(e.plan) for e in plans._entries.values() if hasattr(e, "plan")} == entry_plans


def test_zero_signs_and_nan_are_told_apart():
    x = og.tensor([1.0])
    assert str((x * 0.0).item()) == "0.0"
    assert str((x * -0.0).item()) == "-0.0"
    assert np.isnan((x * float("nan")).item())
    assert np.isnan((x * float("nan")).item())


def test_changing_shapes_warn_with_advice():
    with (
        og.config.using(shape_change_warning=3),
        pytest.warns(UserWarning, match=r"different input shapes.*pad or bucket"),
    ):
        for n in range(1, 6):
            x = og.ones(n)
            y = x
            for _ in range(9):
                y = (y * 1.5).exp().tanh()
            y.sum().item()


def test_initial_weights_of_many_shapes_do_not_warn():
    with og.config.using(shape_change_warning=3, backend="reference"):
        for n in range(1, 6):
            assert og.nn.Linear(n, n + 1).weight.detach().numpy().shape == (n + 1, n)  # a warning is an error here
        with pytest.warns(UserWarning, match="different input shapes"):
            for n in range(1, 6):
                (og.rand(n) * 2 + og.tensor([0.5] * n)).exp().tanh().sum().item()


def test_a_loop_that_never_looks_is_realized_in_pieces():
    with og.config.using(lazy_limit=100):
        x = og.zeros(3)
        for _ in range(1000):
            x = x + 1
    depth, node = 0, x.node
    while node.inputs:
        depth, node = depth + 1, node.inputs[0]
    assert depth <= 110
    assert x.tolist() == [1000.0] * 3


def test_deep_graphs_need_no_recursion():
    x = og.ones(1, requires_grad=True)
    y = x
    for _ in range(15_000):
        y = y + 0.5
    y.sum().backward()
    assert x.grad.item() == 1.0
    assert y.item() == 7501.0


@pytest.mark.parametrize(
    "data, dtype",
    [
        (1, og.int64),
        (1.5, og.float32),
        (True, og.bool),
        ([1, 2.0], og.float32),
        (np.float64(2), og.float64),
        (np.arange(3, dtype="i2"), og.int16),
    ],
)
def test_dtypes_of_data(data, dtype):
    assert og.tensor(data).dtype is dtype


def test_bfloat16_round_trip():
    x = og.tensor([1.0, 1.00390625, 3.14159], dtype=og.bfloat16)
    assert x.dtype is og.bfloat16
    np.testing.assert_array_equal(x.float().numpy(), np.array([1.0, 1.0, 3.140625], np.float32))


def test_numpy_array_is_read_only_and_from_numpy_shares_memory():
    array = np.arange(3.0)
    x = og.from_numpy(array)
    assert np.shares_memory(x.numpy(), array)
    with pytest.raises(ValueError, match="read-only"):
        x.numpy()[0] = 5


def test_item_and_truth_need_one_element():
    with pytest.raises(ShapeError, match=r"more than one element"):
        og.ones(2).item()
    with pytest.raises(ShapeError, match=r"ambiguous"):
        bool(og.ones(2))
    assert not og.zeros(1)


def test_wrong_shape_fails_at_the_line_that_wrote_it():
    x, w = og.ones(64, 1000), og.ones(100, 1000)
    with pytest.raises(ShapeError) as caught:
        x @ w
    text = str(caught.value)
    assert "matmul: (64, 1000) @ (100, 1000): inner sizes 1000 and 100 differ" in text
    assert "test_tensor.py" in text and "x @ w" in text and ".T" in text


def test_unknown_device_and_foreign_types():
    with pytest.raises(DeviceError, match="cuda"):
        og.ones(2, device="cuda")
    with pytest.raises(DeviceError):
        og.ones(2).cuda()
    with pytest.raises(TypeError):
        og.ones(2) + "text"
    with pytest.raises(ArgumentTypeError):
        og.tensor(["a", "b"])
    with pytest.raises(ShapeError, match="regular"):
        og.tensor([[1, 2], [3]])


def test_in_place_methods_change_the_tensor():
    x = og.tensor([1.0, 2.0, 3.0])
    same = x
    x += 1
    x.mul_(2)
    x[0] = 100
    x[1:] -= 1
    assert same is x
    assert x.tolist() == [100.0, 5.0, 7.0]


def test_in_place_keeps_dtype_and_shape():
    x = og.tensor([1, 2])
    with pytest.raises(DTypeError, match="float32 result cannot be written into a int64"):
        x += 0.5
    y = og.ones(3)
    with pytest.raises(ShapeError):
        y += og.ones(2, 3)


def test_writing_to_a_view_is_seen_in_its_base_and_other_views():
    x = og.zeros(3, 4)
    row, flat, turned = x[1], x.view(-1), x.t()
    row.fill_(5)
    assert x.tolist() == [[0] * 4, [5] * 4, [0] * 4]
    assert flat.sum().item() == 20
    turned[0, 2] = 7
    assert x[2, 0].item() == 7 and flat[8].item() == 7
    x.zero_()
    assert row.tolist() == [0] * 4


def test_views_match_pytorch_under_random_writes():
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(0)
    moves = [
        lambda t: t[1:], lambda t: t[:, ::2], lambda t: t.transpose(0, 1), lambda t: t[..., -1:], lambda t: t.unsqueeze(0), lambda t: t[0],
    ]  # fmt: skip
    for _ in range(30):
        ours, theirs = og.zeros(4, 6), torch.zeros(4, 6)
        views = [(ours, theirs)]
        for _ in range(6):
            a, b = views[random.integers(len(views))]
            move = moves[random.integers(len(moves))]
            if b.ndim >= 2 or move is moves[0]:
                a, b = move(a), move(b)
            if b.numel():
                views.append((a, b))
                value = float(random.integers(100))
                write = "fill_" if random.random() < 0.5 else "add_"
                getattr(a, write)(value)
                getattr(b, write)(value)
            for x, y in views:
                assert x.tolist() == y.tolist()


def test_detach_and_data_share_storage():
    w = og.ones(2, requires_grad=True)
    w.data.mul_(3)
    w.detach()[0] = 7
    assert w.tolist() == [7.0, 3.0]
    assert w.requires_grad and w.is_leaf
    w.sum().backward()
    assert w.grad.tolist() == [1.0, 1.0]


def test_expanded_tensors_cannot_be_written():
    with pytest.raises(GradientError, match="expanded"):
        og.zeros(1, 3).expand(2, 3).add_(1)


def test_copies():
    x = og.tensor([1.0, 2.0], requires_grad=True)
    y = copy.deepcopy(x)
    with og.no_grad():
        y.add_(1)
    assert x.tolist() == [1.0, 2.0] and y.tolist() == [2.0, 3.0] and y.requires_grad
    z = pickle.loads(pickle.dumps(x))
    assert z.tolist() == x.tolist() and z.requires_grad
    c = x.detach().clone()
    c.zero_()
    assert x.tolist() == [1.0, 2.0]


def test_iteration_length_and_membership():
    x = og.tensor([[1, 2], [3, 4]])
    assert len(x) == 2 and [row.tolist() for row in x] == [[1, 2], [3, 4]]
    assert 4 in x and 9 not in x
    with pytest.raises(TypeError):
        len(og.tensor(1))


def test_random_numbers_follow_the_seed():
    og.manual_seed(3)
    a = og.randn(4).tolist()
    b = og.randn(4).tolist()
    og.manual_seed(3)
    assert og.randn(4).tolist() == a and og.randn(4).tolist() == b and a != b
    state = og.get_rng_state()
    c = og.rand(2).tolist()
    og.set_rng_state(state)
    assert og.rand(2).tolist() == c


def test_integer_division_by_zero_is_an_error():
    with pytest.raises(ZeroDivisionError, match="division by zero"):
        (og.tensor([1, 2]) // og.tensor([1, 0])).tolist()


def test_dlpack_both_ways():
    x = og.tensor([1.0, 2.0])
    np.testing.assert_array_equal(np.from_dlpack(x), [1.0, 2.0])
    assert og.from_dlpack(np.arange(3.0)).tolist() == [0.0, 1.0, 2.0]


def test_what_a_loop_uses_again_is_computed_only_a_few_times():
    raw = og.tensor([1.0, 2.0, 3.0])
    prepared = ((raw - 2.0) / 3.0).exp()
    results = [(prepared * i).sum().item() for i in range(6)]
    assert results[2] == pytest.approx(2 * results[1])
    assert is_computed(prepared)


def test_writing_through_masks():
    x = og.tensor([1.0, -2.0, 3.0, -4.0])
    x[x < 0] = 0
    assert x.tolist() == [1.0, 0.0, 3.0, 0.0]
    x[x > 0] = og.tensor([10.0, 30.0])
    assert x.tolist() == [10.0, 0.0, 30.0, 0.0]
    assert x[x > 0].tolist() == [10.0, 30.0]


def test_masks_without_dimensions():
    x = og.tensor([[1.0, 2.0]])
    for value, count in ((True, 1), (False, 0)):
        mask = og.tensor(value)
        assert tuple(x[mask].shape) == (count, 1, 2)
        assert tuple(og.tensor(3.0)[mask].shape) == (count,)
        y = og.zeros(())
        y[mask] = 5.0
        y[mask] = og.tensor([4.0] * count)
        assert y.item() == (4.0 if value else 0.0)
