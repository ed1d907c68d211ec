"""Saved models that were damaged, or forged by somebody who knows the format: refused, and the file is named."""

from __future__ import annotations

import json
import os
import signal
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph.errors import GraphError, StorageError
from onegraph.storage.manifest import write_manifest
from onegraph.storage.safetensors import load_file, save_file
from tests.storage.networks import Net


def copy_of(saved: tuple[Path, Net], to: Path) -> Path:
    to.mkdir()
    for file in saved[0].iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    return to


def test_flipped_and_cut_files_are_named(saved: tuple[Path, Net], tmp_path: Path) -> None:
    folder = copy_of(saved, tmp_path / "m")
    for file in sorted(folder.iterdir()):
        content = file.read_bytes()
        for position in np.random.default_rng(0).integers(0, len(content), 40):
            if content[position : position + 1].isspace():
                continue
            file.write_bytes(
                content[:position] + bytes([content[position] ^ 1 << position % 8]) + content[position + 1 :]
            )
            with pytest.raises(StorageError, match=r"graph\.txt|signature\.json|weights\.safetensors"):
                og.load_model(folder)
        for length in (0, 1, len(content) // 2, len(content) - 2):
            file.write_bytes(content[:length])
            with pytest.raises(StorageError, match=file.name):
                og.load_model(folder)
        file.write_bytes(content + b"{}")
        with pytest.raises(StorageError, match=file.name):
            og.load_model(folder)
        file.unlink()
        with pytest.raises(StorageError, match=file.name):
            og.load_model(folder)
        os.mkfifo(file)
        with pytest.raises(StorageError, match=file.name):
            og.load_model(folder)
        file.unlink()
        file.write_bytes(content)
    og.load_model(folder)
    (folder / ".hidden").write_text("tools leave such files")
    og.load_model(folder)
    (folder / "run_me.py").write_text("raise SystemExit")
    with pytest.raises(StorageError, match=r"run_me\.py.*no part"):
        og.load_model(folder)


def tamper(folder: Path, graph: Any = None, weights: Any = None, signature: Any = None) -> None:
    """Change files as an attacker does, who writes checksums that fit."""
    if graph:
        file = folder / "graph.txt"
        changed = graph(file.read_text())
        assert changed != file.read_text()
        file.write_text(changed, encoding="utf-8", errors="surrogateescape")
    if weights:
        arrays, _ = load_file(folder / "weights.safetensors")
        weights(arrays)
        save_file(arrays, folder / "weights.safetensors")
    content = json.loads((folder / "signature.json").read_text())
    if signature:
        signature(content)
    files = ["graph.txt", "weights.safetensors"]
    kept = {k: v for k, v in content.items() if k not in ("files", "sha256")}
    write_manifest(folder / "signature.json", kept, files)


@pytest.mark.parametrize(
    "graph",
    [
        lambda t: "",
        lambda t: "not a graph",
        lambda t: t.replace("f32[batch, 4]", "f32[batch, 5]"),
        lambda t: t.replace("f32[batch, 4]", "f32[9223372036854775807, 4]"),
        lambda t: t.replace("batch", "other"),
        lambda t: t.replace("matmul", "no_such_op"),
        lambda t: t.replace("matmul", "iota"),
        lambda t: t.replace("dims=(1,)", "dims=(99999999999999,)"),
        lambda t: t.replace("dims=(1,)", f"dims={'(' * 5000}"),
        lambda t: t.replace("matmul", "__import__"),
        lambda t: t[: len(t) // 2],
        lambda t: t + t,
        lambda t: "(" * 200_000,
        lambda t: t.replace("\n  return", "\n  %999: i64[huge] = iota(length=dim(huge), dtype=i64)\n  return %999,", 1),
        lambda t: t.replace("batch", "batch*batch*(batch + 1)"),
        lambda t: t + "\udcff",
    ],
)
def test_hostile_graphs_are_refused(saved: tuple[Path, Net], tmp_path: Path, graph: Any) -> None:
    folder = copy_of(saved, tmp_path / "m")
    tamper(folder, graph=graph)
    with pytest.raises((StorageError, GraphError), match=r"graph\.txt") as caught:
        og.load_model(folder)
    assert str(folder) in str(caught.value)


def _set(place: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        *path, last = place.split(".")
        target: Any = content
        for key in path:
            target = target[int(key) if key.isdecimal() else key]
        target[int(last) if last.isdecimal() else last] = value

    return change


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("inputs", []),
        ("inputs", "left"),
        ("inputs", [1]),
        ("inputs.0.name", 3),
        ("inputs.0.name", "right"),
        ("inputs.0.dtype", "float64"),
        ("inputs.0.dtype", "object"),
        ("inputs.0.shape", ["batch", 5]),
        ("inputs.0.shape", [None, 4]),
        ("inputs.0.shape", 3),
        ("inputs.0.more", 3),
        ("outputs", []),
        ("outputs.0.shape", [4]),
        ("extra", []),
        ("name", None),
        ("result", None),
        ("result", {"tensor": "7"}),
        ("result", {"array": "0"}),
        ("result", {"eval": "0"}),
        ("format", "pickle"),
        ("version", 99),
    ],
)
def test_hostile_signatures_are_refused(saved: tuple[Path, Net], tmp_path: Path, place: str, value: Any) -> None:
    folder = copy_of(saved, tmp_path / "m")
    tamper(folder, signature=_set(place, value))
    with pytest.raises(StorageError, match=r"signature\.json"):
        og.load_model(folder)


def test_files_outside_the_folder_are_never_listed(saved: tuple[Path, Net], tmp_path: Path) -> None:
    folder = copy_of(saved, tmp_path / "m")
    (tmp_path / "weights.safetensors").write_bytes((folder / "weights.safetensors").read_bytes())
    content = json.loads((folder / "signature.json").read_text())
    kept = {k: v for k, v in content.items() if k not in ("files", "sha256")}
    write_manifest(folder / "signature.json", kept, ["graph.txt", "../weights.safetensors"])
    with pytest.raises(StorageError, match=r"signature\.json.*must list the files"):
        og.load_model(folder)
    (folder / "signature.json").write_text("[" * 1_000_000)
    with pytest.raises(StorageError, match=r"signature\.json"):
        og.load_model(folder)


def test_weights_that_do_not_fit_the_graph_are_refused(saved: tuple[Path, Net], tmp_path: Path) -> None:
    changes: list[Callable[[dict[str, Any]], Any]] = [
        lambda arrays: arrays.pop("scale"),
        lambda arrays: arrays.update(extra=arrays["scale"]),
        lambda arrays: arrays.update({"../scale": arrays.pop("scale")}),
        lambda arrays: arrays.update(scale=np.ones(5, np.float32)),
        lambda arrays: arrays.update(scale=np.ones(4, np.float64)),
        lambda arrays: arrays.update(scale=np.ones((), np.float32)),
    ]
    for i, change in enumerate(changes):
        folder = copy_of(saved, tmp_path / str(i))
        tamper(folder, weights=change)
        with pytest.raises(StorageError, match=r"weights\.safetensors.*scale|weights\.safetensors.*extra"):
            og.load_model(folder)
    folder = copy_of(saved, tmp_path / "huge")
    header = json.dumps({"scale": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
    (folder / "weights.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    tamper(folder)
    with pytest.raises(StorageError, match=r"weights\.safetensors"):
        og.load_model(folder)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked writers")
def test_a_killed_writer_leaves_the_model_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "model"

    def write(number: int) -> None:
        weight = og.tensor(np.full((100, 100), number, np.float32))
        og.save_model(path, lambda x: x @ weight, og.ones(2, 100), extra={"number": number})

    write(0)
    newest = 0
    chance = np.random.default_rng(7)
    for _ in range(15):
        child = os.fork()
        if child == 0:
            try:
                for number in range(newest + 1, newest + 1000):
                    write(number)
            finally:
                os._exit(1)
        time.sleep(float(chance.uniform(0.002, 0.25)))
        os.kill(child, signal.SIGKILL)
        assert os.WIFSIGNALED(os.waitpid(child, 0)[1]), "the writer died by itself"
        model = og.load_model(path)
        assert model.extra["number"] >= newest
        newest = model.extra["number"]
        (weight,) = model.weights.values()
        assert (weight.numpy() == newest).all(), "files of two versions are mixed"
    assert newest > 0
    write(newest + 1)
    assert os.listdir(tmp_path) == ["model"]
