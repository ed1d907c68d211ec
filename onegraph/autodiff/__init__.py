"""Differentiation, graph to graph: gradients are more nodes, so gradients of gradients are nothing special."""

from onegraph.autodiff.reverse import gradient, jvp, vjp

__all__ = ["gradient", "jvp", "vjp"]
