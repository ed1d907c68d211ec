"""`tf.train.Saver`: values of variables in safetensors files, written whole or not at all.

`save(session, "dir/model.ckpt", global_step=3)` writes `dir/model.ckpt-3.safetensors` and, in `dir/checkpoint`
(JSON), which checkpoints there are. The prefix `dir/model.ckpt-3` is what `restore` takes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from onegraph.errors import ArgumentError, StateError, StorageError
from onegraph.frontend.static.variable import Variable, global_variables
from onegraph.ir.dtype import bfloat16
from onegraph.ops.shapes import show
from onegraph.storage.atomic import atomic_write
from onegraph.storage.safetensors import StoredArray, load_file, save_file

SUFFIX = ".safetensors"
INDEX = "checkpoint"


class Saver:
    """Saves and restores variables.

    Args:
        var_list: variables, or a dict from names in the file to variables; all global variables where None.
        max_to_keep: how many checkpoints to keep, older ones are deleted; None or 0 keeps all.

    >>> import tempfile
    >>> import onegraph.static as tf
    >>> path = tempfile.mkdtemp() + "/model.ckpt"
    >>> with tf.Graph().as_default(), tf.Session() as sess:
    ...     w = tf.Variable([1.0, 2.0], name="w")
    ...     saver = tf.train.Saver()
    ...     sess.run(w.initializer)
    ...     saved = saver.save(sess, path, global_step=7)
    ...     w.load([0.0, 0.0], sess)
    ...     saver.restore(sess, saved)
    ...     sess.run(w)
    array([1., 2.], dtype=float32)
    >>> saved.rpartition("/")[2]
    'model.ckpt-7'
    """

    def __init__(
        self,
        var_list: Iterable[Variable] | Mapping[str, Variable] | None = None,
        reshape: bool = False,
        sharded: bool = False,
        max_to_keep: int | None = 5,
        name: str | None = None,
        **options: Any,
    ) -> None:
        if var_list is None:
            var_list = global_variables()
        self._variables = dict(var_list) if isinstance(var_list, Mapping) else {v.op.name: v for v in var_list}
        if not self._variables:
            raise ArgumentError("Saver: there are no variables to save", hint="make the Saver after the variables")
        self._reshape = reshape
        self._limit = max_to_keep or 0
        self.last_checkpoints: list[str] = []

    def save(
        self,
        sess: Any,
        save_path: str | os.PathLike[str],
        global_step: Any = None,
        latest_filename: str | None = None,
        **options: Any,
    ) -> str:
        """Write the variables' values in a session.

        Args:
            save_path: the prefix of the file's name; its folder must exist.
            global_step: a number, or a tensor or variable that gives one, to put behind the prefix.

        Returns:
            The prefix with the step.

        Raises:
            UninitializedError: a variable has no value yet.
            StorageError: the file cannot be written.
        """
        prefix = os.fspath(save_path)
        if global_step is not None:
            step = int(sess.run(global_step)) if hasattr(global_step, "_as_graph_element") else int(global_step)
            prefix = f"{prefix}-{step}"
        buffers = {name: sess.value_of(v) for name, v in self._variables.items()}
        arrays = {name: StoredArray(np.asarray(b.array), b.dtype.name) for name, b in buffers.items()}
        save_file(arrays, prefix + SUFFIX, {"format": "onegraph"})
        self._remember(prefix, latest_filename or INDEX)
        return prefix

    def _remember(self, prefix: str, index: str) -> None:
        """Note the checkpoint in the folder's index, then delete those beyond the limit."""
        self.last_checkpoints = [*(p for p in self.last_checkpoints if p != prefix), prefix]
        old: list[str] = []
        if self._limit:
            old, self.last_checkpoints = self.last_checkpoints[: -self._limit], self.last_checkpoints[-self._limit :]
        folder = Path(prefix).parent
        names = [os.path.relpath(p, folder) for p in self.last_checkpoints]
        with atomic_write(folder / index) as file:
            file.write(json.dumps({"latest": names[-1], "all": names}, indent=1).encode())
        for path in old:
            Path(path + SUFFIX).unlink(missing_ok=True)

    def restore(self, sess: Any, save_path: str | os.PathLike[str]) -> None:
        """Give the variables the values of a checkpoint; either all of them or, on an error, none.

        Raises:
            StateError: a variable is missing in the file, or has another shape or dtype there.
            StorageError: the file is missing or damaged.
        """
        path = os.fspath(save_path)
        stored, _ = load_file(path + SUFFIX)
        missing = [name for name in self._variables if name not in stored]
        if missing:
            raise StateError(
                f"{path}: the checkpoint has no value for {', '.join(missing[:5])}{' ...' if len(missing) > 5 else ''}; "
                f"it has {', '.join(list(stored)[:10])}",
                hint="the names of variables come from their scopes: was the graph built in the same way?",
            )
        found = {v: self._fitting(path, name, v, stored[name]) for name, v in self._variables.items()}
        for variable, array in found.items():
            sess.set_value(variable, array)

    def _fitting(self, path: str, name: str, variable: Variable, stored: StoredArray) -> Any:
        if stored.dtype != variable.dtype.name:
            raise StateError(
                f"{path}: {name!r} is {stored.dtype} in the checkpoint, the variable is {variable.dtype.name}"
            )
        data = stored.data
        if self._reshape and data.size == int(np.prod(variable.value_shape)):
            data = data.reshape(variable.value_shape)
        if data.shape != variable.value_shape:
            raise StateError(
                f"{path}: {name!r} has shape {show(data.shape)} in the checkpoint, the variable {show(variable.value_shape)}"
            )
        return (data.astype(np.uint32) << 16).view(np.float32) if variable.dtype is bfloat16 else data


@dataclass(frozen=True)
class CheckpointState:
    """The checkpoints in a folder.

    Attributes:
        model_checkpoint_path: prefix of the newest.
        all_model_checkpoint_paths: prefixes of all that are kept, the newest last.
    """

    model_checkpoint_path: str
    all_model_checkpoint_paths: list[str]


def get_checkpoint_state(
    checkpoint_dir: str | os.PathLike[str], latest_filename: str | None = None
) -> CheckpointState | None:
    """What the index of a folder says, or None where there is no index.

    Raises:
        StorageError: the index is damaged.
    """
    folder = Path(checkpoint_dir)
    index = folder / (latest_filename or INDEX)
    if not index.exists():
        return None
    try:
        content = json.loads(index.read_text())
        return CheckpointState(str(folder / str(content["latest"])), [str(folder / str(p)) for p in content["all"]])
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{index} is no index of checkpoints: {error}") from None


def latest_checkpoint(checkpoint_dir: str | os.PathLike[str], latest_filename: str | None = None) -> str | None:
    """The prefix of the newest checkpoint in a folder, or None."""
    state = get_checkpoint_state(checkpoint_dir, latest_filename)
    return None if state is None else state.model_checkpoint_path


def checkpoint_exists(checkpoint_prefix: str | os.PathLike[str]) -> bool:
    """Whether there is a checkpoint with this prefix."""
    return Path(os.fspath(checkpoint_prefix) + SUFFIX).is_file()
