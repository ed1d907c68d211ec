"""Helpers for parameters: clipping gradients, and all parameters as one vector."""

from onegraph.nn.utils import rnn
from onegraph.nn.utils.clip_grad import clip_grad_norm_, clip_grad_value_, get_total_norm
from onegraph.nn.utils.vector import parameters_to_vector, vector_to_parameters

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "get_total_norm",
    "parameters_to_vector",
    "rnn",
    "vector_to_parameters",
]
