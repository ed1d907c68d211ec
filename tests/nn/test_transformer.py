"""MultiheadAttention and the Transformer's layers against PyTorch: values, gradients, state, with the same weights.

Read next: `onegraph/nn/attention.py`, `onegraph/nn/transformer.py`, `onegraph/ops/multi_head.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph import nn

torch = pytest.importorskip("torch")
T, S, N, E, HEADS = 5, 7, 3, 8, 2


@pytest.fixture(autouse=True)
def _reference() -> Iterator[None]:
    """Shapes differ in every test here: without machine code they take a fraction of the time."""
    with og.config.using(backend="reference"):
        yield


def pair(name: str, rng: np.random.Generator, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
    """The module here and in PyTorch, with the same random weights."""
    theirs, ours = getattr(torch.nn, name)(*args, **kwargs), getattr(nn, name)(*args, **kwargs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert repr(ours) == repr(theirs)
    with torch.no_grad():
        for p in theirs.parameters():
            p.copy_(torch.from_numpy(rng.normal(0, 0.5, tuple(p.shape)).astype(np.float32)))
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    theirs.load_state_dict({k: torch.from_numpy(v.numpy().copy()) for k, v in ours.state_dict().items()})
    return ours, theirs


def both(value: Any) -> tuple[Any, Any]:
    """The same here and in PyTorch; floating arrays are leaves."""
    if not isinstance(value, np.ndarray):
        return value, value
    a, b = og.tensor(value), torch.from_numpy(value.copy())
    if value.dtype == np.float32 and np.isfinite(value).all():
        a.requires_grad_(True)
        b.requires_grad_(True)
    return a, b


def check(modules: tuple[Any, Any], rng: np.random.Generator, *args: Any, **kwargs: Any) -> None:
    """Results and gradients of a call."""
    made, named = [both(a) for a in args], {k: both(v) for k, v in kwargs.items()}
    results = [module(*[a[i] for a in made], **{k: v[i] for k, v in named.items()}) for i, module in enumerate(modules)]
    ours, theirs = ([x for x in (r if isinstance(r, tuple) else (r,)) if x is not None] for r in results)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=2e-5, atol=1e-5)
    seeds = [rng.normal(size=tuple(b.shape)).astype(np.float32) for b in theirs]
    sum((a * og.tensor(s)).sum() for a, s in zip(ours, seeds, strict=True)).backward()
    sum((b * torch.from_numpy(s)).sum() for b, s in zip(theirs, seeds, strict=True)).backward()
    for a, b in [*made, *named.values()]:
        if isinstance(b, torch.Tensor) and b.requires_grad:
            np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-4, atol=5e-5)
    for (name, p), q in zip(modules[0].named_parameters(), modules[1].parameters(), strict=True):
        assert (p.grad is None) == (q.grad is None), name
        if q.grad is not None:
            np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-3, atol=2e-4, err_msg=name)


def array(rng: np.random.Generator, *shape: int) -> Any:
    return rng.normal(size=shape).astype(np.float32)


MODULES: list[dict[str, Any]] = [
    {},
    {"bias": False, "batch_first": True},
    {"add_bias_kv": True, "add_zero_attn": True},
    {"kdim": 6, "vdim": 4, "batch_first": True},
    {"kdim": 6, "add_zero_attn": True},
]
CALLS = [
    "plain",
    "no weights",
    "each head",
    "float mask",
    "bool mask per head",
    "padding",
    "both masks",
    "float padding",
]


@pytest.mark.parametrize("options", MODULES, ids=str)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("batched", [True, False])
def test_attention_agrees_with_torch(
    options: dict[str, Any], call: str, batched: bool, rng: np.random.Generator
) -> None:
    modules = pair("MultiheadAttention", rng, E, HEADS, **options)
    widths = (E, options.get("kdim", E), options.get("vdim", E))
    first = options.get("batch_first", False)
    shapes = [((N, n) if first else (n, N)) if batched else (n,) for n in (T, S, S)]
    inputs = [array(rng, *shape, width) for shape, width in zip(shapes, widths, strict=True)]
    batch = N if batched else 1
    mask = rng.random((batch * HEADS, T, S)) < 0.4
    mask[..., 0] = False  # something stays visible: PyTorch gives NaN otherwise
    padding = (np.arange(S)[None, :] >= np.array([7, 4, 1])[:batch, None])[slice(None) if batched else 0]
    if not batched:
        padding = np.arange(S) >= 5
    keywords: dict[str, Any] = {
        "plain": {},
        "no weights": {"need_weights": False},
        "each head": {"average_attn_weights": False},
        "float mask": {"attn_mask": array(rng, T, S)},
        "bool mask per head": {"attn_mask": mask},
        "padding": {"key_padding_mask": padding, "need_weights": False},
        "both masks": {"key_padding_mask": padding, "attn_mask": mask},
        "float padding": {"key_padding_mask": array(rng, *padding.shape), "attn_mask": array(rng, T, S)},
    }[call]
    check(modules, rng, *inputs, **keywords)


@pytest.mark.parametrize("need_weights", [True, False])
def test_self_attention_and_shared_memory(need_weights: bool, rng: np.random.Generator) -> None:
    """The same tensor several times: projections are joined, gradients are sums."""
    modules = pair("MultiheadAttention", rng, E, HEADS, dropout=0.0)
    x, y, causal = array(rng, T, N, E), array(rng, S, N, E), np.triu(np.ones((T, T), bool), 1)

    class SelfThenMemory:
        def __init__(self, module: Any) -> None:
            self.module = module

        def __call__(self, x: Any, y: Any, mask: Any) -> Any:
            a, w = self.module(x, x, x, attn_mask=mask, is_causal=True, need_weights=need_weights)
            b, _ = self.module(a, y, y)
            return (b, w)

        def named_parameters(self) -> Any:
            return self.module.named_parameters()

        def parameters(self) -> Any:
            return self.module.parameters()

    check((SelfThenMemory(modules[0]), SelfThenMemory(modules[1])), rng, x, y, causal)


LAYERS: list[dict[str, Any]] = [
    {},
    {"norm_first": True, "batch_first": True},
    {"activation": "gelu", "bias": False},
]


@pytest.mark.parametrize("options", LAYERS, ids=str)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_transformer_layers_agree_with_torch(options: dict[str, Any], masked: bool, rng: np.random.Generator) -> None:
    first = options.get("batch_first", False)
    x, memory = (array(rng, *((N, n) if first else (n, N)), E) for n in (T, S))
    causal, padding = np.triu(np.ones((T, T), bool), 1), np.arange(T)[None, :] >= np.array([5, 4, 2])[:, None]
    encoder = pair("TransformerEncoderLayer", rng, E, HEADS, 12, 0.0, **options)
    check(encoder, rng, x, **({"src_mask": causal, "src_key_padding_mask": padding} if masked else {}))
    decoder = pair("TransformerDecoderLayer", rng, E, HEADS, 12, 0.0, **options)
    check(decoder, rng, x, memory, **({"tgt_mask": causal, "tgt_is_causal": True} if masked else {}))


@pytest.mark.parametrize("options", LAYERS, ids=str)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_transformer_agrees_with_torch(options: dict[str, Any], rng: np.random.Generator) -> None:
    modules = pair("Transformer", rng, E, HEADS, 2, 2, 12, 0.0, **options)
    first = options.get("batch_first", False)
    src, tgt = (array(rng, *((N, n) if first else (n, N)), E) for n in (S, T))
    mask = nn.Transformer.generate_square_subsequent_mask(T)
    np.testing.assert_array_equal(mask.numpy(), torch.nn.Transformer.generate_square_subsequent_mask(T).numpy())
    padding = np.arange(S)[None, :] >= np.array([7, 4, 2])[:, None]
    keywords = {"src_key_padding_mask": padding, "memory_key_padding_mask": padding}
    check(modules, rng, src, tgt, tgt_mask=mask.numpy(), tgt_is_causal=True, **keywords)


def test_layers_of_an_encoder_are_copies(rng: np.random.Generator) -> None:
    layer = nn.TransformerEncoderLayer(E, HEADS, 12)
    encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(E))
    parts = list(encoder.layers)
    assert all(p is not layer and p.linear1.weight is not layer.linear1.weight for p in parts)
    np.testing.assert_array_equal(parts[0].linear1.weight.detach().numpy(), parts[1].linear1.weight.detach().numpy())
    assert list(encoder.state_dict()) == list(
        torch.nn.TransformerEncoder(
            torch.nn.TransformerEncoderLayer(E, HEADS, 12), 2, torch.nn.LayerNorm(E), enable_nested_tensor=False
        ).state_dict()
    )


def test_merged_masks_agree_with_torch(rng: np.random.Generator) -> None:
    ours, theirs = pair("MultiheadAttention", rng, E, HEADS, batch_first=True)
    mask, padding, query = rng.random((T, T)) < 0.5, rng.random((N, T)) < 0.5, array(rng, N, T, E)
    for a, p in ((None, None), (mask, None), (None, padding), (mask, padding)):
        found = ours.merge_masks(*[None if v is None else og.tensor(v) for v in (a, p)], og.tensor(query))
        wanted = theirs.merge_masks(*[None if v is None else torch.tensor(v) for v in (a, p)], torch.tensor(query))
        assert found[1] == wanted[1]
        if wanted[0] is not None:
            np.testing.assert_array_equal(found[0].numpy(), wanted[0].numpy())
