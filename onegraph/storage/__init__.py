"""Saved models, checkpoints and bytes on disk. Read next: `README.md`, `model.py`, `checkpoint.py`."""

from onegraph.storage.checkpoint import Checkpoints, load, load_checkpoint, save, save_checkpoint
from onegraph.storage.model import load_model, save_model
from onegraph.storage.safetensors import load_file, save_file
from onegraph.storage.serving import LoadedModel, Signature, ValueInfo

__all__ = [
    "Checkpoints",
    "LoadedModel",
    "Signature",
    "ValueInfo",
    "load",
    "load_checkpoint",
    "load_file",
    "load_model",
    "save",
    "save_checkpoint",
    "save_file",
    "save_model",
]
