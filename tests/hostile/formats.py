"""Small valid files of each format that is read from strangers, and what reads them. Read next: `mutations.py`, `harness.py`."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import onegraph as og
from onegraph import keras
from onegraph.data import TarImageFolder, load_image, read_csv, read_idx, read_parquet
from onegraph.storage import load_checkpoint, save_checkpoint


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        write: makes a valid file or folder at a path.
        read: reads it.
        files: for a folder, the files in it that are damaged.
    """

    write: Callable[[Path], Any]
    read: Callable[[Path], Any]
    files: tuple[str, ...] = ()


class _Net(og.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = og.nn.Linear(3, 2)

    def forward(self, x: og.Tensor) -> og.Tensor:
        return self.layer(x).relu() + x.sum()


def _state() -> dict[str, Any]:
    return {"w": og.arange(6).reshape(2, 3), "lr": 0.1, "names": ["a", "b"], "half": og.ones(3, dtype=og.bfloat16)}


def _keras_model() -> Any:
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="relu"), keras.layers.Dense(1)])


def _loaded(path: Path) -> Any:
    return og.load_model(path)(og.ones(1, 3)).tolist()


def _old_pytorch(path: Path) -> None:
    import torch

    state = {"w": torch.arange(6).reshape(2, 3), "b": torch.ones(2)}
    torch.save(state, path, _use_new_zipfile_serialization=False)


def _onnx(path: Path) -> None:
    import onnx
    from onnx import helper

    x, y = (helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, ["n", 2]) for n in "xy")
    weight = helper.make_tensor("w", onnx.TensorProto.FLOAT, [2, 2], [1.0, 2.0, 3.0, 4.0])
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Softmax", ["h"], ["y"], axis=-1)]
    path.write_bytes(helper.make_model(helper.make_graph(nodes, "net", [x], [y], [weight])).SerializeToString())


def _idx(path: Path) -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    path.write_bytes(b"\0\0\x08\x03" + np.array(array.shape, ">i4").tobytes() + array.tobytes())


def _image(kind: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        from PIL import Image

        pixels = np.random.default_rng(0).integers(0, 255, (9, 8, 3), np.uint8)
        Image.fromarray(pixels).save(path, kind)

    return write


def _tar(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        for name in ("cat/1.png", "dog/2.png"):
            stream = io.BytesIO()
            from PIL import Image

            Image.new("RGB", (4, 4), (200, 10, 10)).save(stream, "PNG")
            entry = tarfile.TarInfo(name)
            entry.size = stream.tell()
            stream.seek(0)
            archive.addfile(entry, stream)


def _parquet(path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table({"a": [1, 2, 3], "b": [0.5, 1.5, 2.5]}), path)


def _pixels(path: Path) -> Any:
    """An image. Its memory is that of its pixels, which a small file may have many of: the limit to them bounds it."""
    return load_image(path, max_pixels=1_000_000)


FORMATS = {
    "safetensors": Format(lambda p: og.save(_state(), p), og.load),
    "pth": Format(lambda p: og.save(_state(), p.with_suffix(".pth")) or p.with_suffix(".pth").rename(p), og.load),
    "old_pth": Format(_old_pytorch, og.load),
    "checkpoint": Format(
        lambda p: save_checkpoint(p, _state()), load_checkpoint, ("state.json", "tensors.safetensors")
    ),
    "model": Format(
        lambda p: og.save_model(p, _Net(), og.ones(1, 3)),
        _loaded,
        ("graph.txt", "signature.json", "weights.safetensors"),
    ),
    "keras": Format(
        lambda p: _keras_model().save(p.with_suffix(".keras")) or p.with_suffix(".keras").rename(p),
        lambda p: keras.models.load_model(_renamed(p, ".keras")),
    ),
    "h5": Format(
        lambda p: _keras_model().save(p.with_suffix(".h5")) or p.with_suffix(".h5").rename(p),
        lambda p: keras.models.load_model(_renamed(p, ".h5")),
    ),
    "onnx": Format(_onnx, lambda p: og.onnx.load(p)),
    "idx": Format(_idx, read_idx),
    "idx_gz": Format(lambda p: (_idx(p), p.write_bytes(gzip.compress(p.read_bytes()))), read_idx),
    "png": Format(_image("PNG"), _pixels),
    "jpeg": Format(_image("JPEG"), _pixels),
    "gif": Format(_image("GIF"), _pixels),
    "bmp": Format(_image("BMP"), _pixels),
    "tiff": Format(_image("TIFF"), _pixels),
    "webp": Format(_image("WEBP"), _pixels),
    "csv": Format(lambda p: p.write_text("a,b,label\n1,2.5,cat\n3,4.5,dog\n"), read_csv),
    "parquet": Format(_parquet, read_parquet),
    "tar": Format(_tar, lambda p: [image.shape for image, _ in TarImageFolder(p, size=4)]),
}
"""All formats by name."""

NEEDS = {"old_pth": "torch", "onnx": "onnx", "parquet": "pyarrow", "h5": "h5py", "keras": "h5py"}
"""What must be installed for a format."""


def _renamed(path: Path, suffix: str) -> Path:
    """The file under a name with the ending that decides how it is read."""
    other = path.with_suffix(suffix)
    if other != path:
        other.write_bytes(path.read_bytes())
    return other
