"""The older `weight_norm` and `spectral_norm`, which compute a weight before each call. Newer: `parametrizations.py`."""

from __future__ import annotations

from typing import Any

from onegraph.errors import ArgumentError
from onegraph.frontend.state import no_grad
from onegraph.frontend.tensor import Tensor
from onegraph.nn.module import Module
from onegraph.nn.parameter import Parameter
from onegraph.nn.utils.parametrizations import TRANSPOSED, _randn, norm_except, normalized, weight_of


def _parameter(module: Module, name: str) -> Parameter:
    weight_of(module, name)
    found = module._parameters.get(name)
    if found is None:
        raise ArgumentError(f"{type(module).__name__}.{name} is no parameter")
    return found  # type: ignore[no-any-return]


def _hook_of(module: Module, kind: type, name: str) -> int:
    for number, hook in module._forward_pre_hooks.items():
        if isinstance(hook, kind) and hook.name == name:  # type: ignore[attr-defined]
            return number
    raise ArgumentError(f"{kind.__name__}: {type(module).__name__} has none on {name!r}")


def _check_new(module: Module, kind: type, name: str) -> None:
    if any(isinstance(h, kind) and h.name == name for h in module._forward_pre_hooks.values()):  # type: ignore[attr-defined]
        raise ArgumentError(f"{kind.__name__}: {type(module).__name__} has one on {name!r} already")


class WeightNorm:
    """A hook that computes g v / |v|."""

    def __init__(self, name: str, dim: int | None) -> None:
        self.name, self.dim = name, -1 if dim is None else dim

    def compute_weight(self, module: Module) -> Tensor:
        """The weight."""
        g, v = getattr(module, f"{self.name}_g"), getattr(module, f"{self.name}_v")
        return v * (g / norm_except(v, self.dim))  # type: ignore[no-any-return]

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module))


def weight_norm(module: Module, name: str = "weight", dim: int = 0) -> Module:
    """Learn length `name_g` and direction `name_v` of a weight apart; `parametrizations.weight_norm` is newer.

    Source: Salimans and Kingma, "Weight normalization", 2016.

    >>> import onegraph as og
    >>> list(og.nn.utils.weight_norm(og.nn.Linear(20, 40)).state_dict())
    ['bias', 'weight_g', 'weight_v']
    """
    _check_new(module, WeightNorm, name)
    weight, hook = _parameter(module, name), WeightNorm(name, dim)
    del module._parameters[name]
    with no_grad():
        length = norm_except(weight, hook.dim).detach()
    module.register_parameter(f"{name}_g", Parameter(length))
    module.register_parameter(f"{name}_v", Parameter(weight.detach()))
    setattr(module, name, hook.compute_weight(module))
    module.register_forward_pre_hook(hook)
    return module


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Make a weight a usual parameter again."""
    number = _hook_of(module, WeightNorm, name)
    hook: Any = module._forward_pre_hooks.pop(number)
    with no_grad():
        weight = hook.compute_weight(module).detach()
    delattr(module, name)
    del module._parameters[f"{name}_g"], module._parameters[f"{name}_v"]
    setattr(module, name, Parameter(weight))
    return module


class SpectralNorm:
    """A hook that divides a weight by its largest singular value."""

    _version = 1

    def __init__(self, name: str = "weight", n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        if n_power_iterations <= 0:
            raise ArgumentError(f"spectral_norm: n_power_iterations must be positive, got {n_power_iterations}")
        self.name, self.dim, self.n_power_iterations, self.eps = name, dim, n_power_iterations, eps

    def matrix(self, weight: Tensor) -> Tensor:
        """The weight as a matrix, with one dimension first."""
        order = [self.dim, *[d for d in range(weight.ndim) if d != self.dim]]
        return weight.permute(*order).reshape(weight.shape[self.dim], -1)

    def compute_weight(self, module: Module, do_power_iteration: bool) -> Tensor:
        """The weight, after some power iterations."""
        weight = getattr(module, f"{self.name}_orig")
        u, v = getattr(module, f"{self.name}_u"), getattr(module, f"{self.name}_v")
        matrix = self.matrix(weight)
        if do_power_iteration:
            with no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(normalized(matrix.detach().T @ u, self.eps))
                    u.copy_(normalized(matrix.detach() @ v, self.eps))
        return weight / u.clone().dot(matrix @ v.clone())  # type: ignore[no-any-return]

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module, module.training))


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Divide a weight by its largest singular value before each call; `parametrizations.spectral_norm` is newer.

    Source: Miyato et al., "Spectral normalization for generative adversarial networks", 2018.

    >>> import onegraph as og
    >>> list(og.nn.utils.spectral_norm(og.nn.Linear(20, 40)).state_dict())
    ['bias', 'weight_orig', 'weight_u', 'weight_v']
    """
    if dim is None:
        dim = 1 if isinstance(module, TRANSPOSED) else 0
    _check_new(module, SpectralNorm, name)
    weight, hook = _parameter(module, name), SpectralNorm(name, n_power_iterations, dim, eps)
    rows, columns = hook.matrix(weight.detach()).shape
    del module._parameters[name]
    module.register_parameter(f"{name}_orig", weight)
    setattr(module, name, weight.detach())
    for buffer, size in (("u", rows), ("v", columns)):
        module.register_buffer(f"{name}_{buffer}", normalized(_randn(size, weight), eps))
    module.register_forward_pre_hook(hook)
    return module


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Make a weight a usual parameter again, with the value that it has."""
    number = _hook_of(module, SpectralNorm, name)
    hook: Any = module._forward_pre_hooks.pop(number)
    with no_grad():
        weight = hook.compute_weight(module, False).detach()
    delattr(module, name)
    del module._buffers[f"{name}_u"], module._buffers[f"{name}_v"], module._parameters[f"{name}_orig"]
    module.register_parameter(name, Parameter(weight))
    return module
