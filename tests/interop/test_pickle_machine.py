"""Hostile files: nothing in them ever runs, and none takes more memory or time than its size allows."""

from __future__ import annotations

import builtins
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onegraph as og
from onegraph.errors import StorageError, UnsafeFileError
from onegraph.interop.pickle_machine import PickleMachine, Refused, Source
from onegraph.interop.pytorch_names import NAMES

MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2)


def archive(path: Path, described: bytes, **parts: bytes) -> Path:
    """A file as torch.save lays it out."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        file.writestr("archive/data.pkl", described)
        for name, content in parts.items():
            file.writestr(f"archive/data/{name.removeprefix('_')}", content)
        file.writestr("archive/version", b"3\n")
    return path


def legacy(path: Path, described: bytes) -> Path:
    """The same as before PyTorch 1.6."""
    system = pickle.dumps({"protocol_version": 1001, "little_endian": True, "type_sizes": {}}, 2)
    path.write_bytes(MAGIC + system + described + pickle.dumps([], 2))
    return path


def run(described: bytes) -> Any:
    return PickleMachine(Source(described), NAMES, lambda identity: identity).run()


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


MARK = "the file ran code"


def attacks() -> dict[str, bytes]:
    """Pickles that would run something if Python's own reader had them."""
    command = f'echo "{MARK}" > ran'
    code = "__import__('pathlib').Path('ran').write_text('x')"
    found: dict[str, bytes] = {}
    for protocol in (0, 2, 5):
        found |= {
            f"os.system, protocol {protocol}": pickle.dumps(Calls(os.system, command), protocol),
            f"eval, protocol {protocol}": pickle.dumps([1, {"deep": Calls(eval, code)}], protocol),
            f"exec, protocol {protocol}": pickle.dumps(Calls(exec, code), protocol),
            f"open, protocol {protocol}": pickle.dumps(Calls(builtins.open, "ran", "w"), protocol),
            f"getattr, protocol {protocol}": pickle.dumps(Calls(getattr, OrderedDict, "mro"), protocol),
            f"subprocess, protocol {protocol}": pickle.dumps(Calls(subprocess.Popen, ["touch", "ran"]), protocol),
        }
    text = command.encode()
    found |= {
        "text protocol": b"cposix\nsystem\n(V" + text + b"\ntR.",
        "INST": b"(V" + text + b"\niposix\nsystem\n.",
        "OBJ": b"(cposix\nsystem\nV" + text + b"\no.",
        "NEWOBJ": b"\x80\x02cposix\nsystem\n(V" + text + b"\nt\x81.",
        "extension registry": b"\x80\x02\x82\x01.",
        "name behind an allowed one": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2.__globals__\n.",
        "dotted way out": b"\x80\x04\x8c\x0bcollections\x8c\x15OrderedDict.fromkeys.x\x93.",
        "nested pickle": b"\x80\x02ctorch.storage\n_load_from_bytes\n(U\x01xtR.",
        "numpy's own loader": b"\x80\x02cnumpy\nload\n(X\x04\x00\x00\x00evil\x88\x88tR.",
        "torch.load": b"\x80\x02ctorch\nload\n(X\x04\x00\x00\x00eviltR.",
        "import": b"\x80\x02c__builtin__\n__import__\n(X\x02\x00\x00\x00ostR.",
        "a module as name": b"\x80\x02cos\n\n.",
        "state for a function": b"\x80\x02ccollections\nOrderedDict\n}(X\x07\x00\x00\x00__doc__K\x01ub.",
        "call of a text": b"\x80\x02X\x06\x00\x00\x00system(tR.",
        "type of a rebuilt tensor": b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n(ccollections\nOrderedDict\nN)NtR.",
        "arrays of objects": b"\x80\x02cnumpy\ndtype\n(X\x02\x00\x00\x00O8K\x00K\x01tR.",
    }
    return found


ATTACKS = attacks()


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    for place in (legacy, archive):
        path = place(tmp_path / "weights.pth", ATTACKS[name])
        with pytest.raises(StorageError, match=r"weights\.pth") as caught:
            og.load(path, weights_only=False)  # which changes nothing
        assert not (tmp_path / "ran").exists()
        if "system" in name:
            assert isinstance(caught.value, UnsafeFileError)
            assert "'posix.system'" in str(caught.value) and "nothing was run" in str(caught.value)


@pytest.mark.skipif(sys.platform == "win32", reason="the commands are those of a Unix shell")
def test_the_attacks_are_real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("os.system, protocol 2", "eval, protocol 0", "exec, protocol 5", "text protocol", "INST"):
        (tmp_path / "ran").unlink(missing_ok=True)
        pickle.loads(ATTACKS[name])
        assert (tmp_path / "ran").exists(), name


def test_a_persistent_id_must_be_a_storage(tmp_path: Path) -> None:
    for described in (
        b"\x80\x02X\x0b\x00\x00\x00os.systemooQ.",
        b"Pos.system\n.",
        pickle.dumps(("storage", "torch.FloatStorage", "0", "cpu", 4), 2)[:-1] + b"Q.",
    ):
        with pytest.raises(StorageError, match=r"storage"):
            og.load(archive(tmp_path / "a.pth", described, _0=bytes(16)))


def test_whole_models_are_named(tmp_path: Path) -> None:
    for name in ("torchvision.models.resnet\nResNet", "__main__\nNet", "torch.nn.modules.linear\nLinear"):
        path = archive(tmp_path / "model.pt", b"\x80\x02c" + name.encode() + b"\n)\x81}b.")
        with pytest.raises(
            UnsafeFileError, match=r"a whole model with its code, not weights.*state_dict\(\)|'"
        ) as caught:
            og.load(path)
        assert name.replace("\n", ".") in str(caught.value) and "state_dict" in str(caught.value)


# ---- size and shape of what a file unfolds to


def nested(depth: int, opening: bytes = b"]", closing: bytes = b"a") -> bytes:
    return b"\x80\x02" + opening * depth + closing * (depth - 1) + b"."


def doubling(count: int) -> bytes:
    """Tuples of the one before twice: 2**count values when written out."""
    return b"\x80\x02)q\x00" + b"0h\x00h\x00\x86q\x00" * count + b"."


@pytest.mark.parametrize(
    ("described", "words"),
    [
        (nested(3000), "nested"),
        (b"\x80\x02)" + b"\x85" * 3000 + b".", "nested"),
        (doubling(1000), "nested"),
        (doubling(200)[:-1] + b"K\x01\x86.", "nested"),
        (b"\x80\x02}" + doubling(60)[2:-1] + b"K\x01s.", "as a key"),
        (b"\x80\x02]q\x00h\x00a.", "contains itself"),
        (b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.", "contains itself"),
        (b"\x80\x02]q\x00(h\x00ta.", "contains itself"),
        (b"\x80\x02" + b"]0" * 6000 + b"N.", "instructions"),
        (b"\x80\x02" + b"(" * 9000 + b"N.", "does not end with one value"),
        (b"\x80\x02X\xff\xff\xff\x7fabc.", "damaged"),
        (b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7fabc.", "damaged"),
        (b"\x80\x02\x8b\xff\xff\xff\x7fabc.", "damaged"),
        (b"\x80\x02\x8b\x00\x08\x00\x00" + b"\x7f" * 2048 + b".", "integer of"),
        (b"L" + b"9" * 9000 + b"L\n.", "damaged"),
        (b"\x80\x02j\xff\xff\xff\x7f.", "damaged"),
        (b"\x80\x02N", "damaged"),
        (b"\x80\x02.", "does not end with one value"),
        (b"\x80\x020.", "damaged"),
        (b"\x80\x02NNs.", "damaged|sets items"),
        (b"\x80\x02(NNNu.", "damaged|sets items"),
        (b"\x80\x02Na.", "damaged|appends"),
        (b"\x80\x02K\x01K\x02a.", "appends to a int"),
        (b"\x80\x02}]K\x01s.", "as a key"),
        (b"\x80\x02\x85.", "takes more values"),
        (b"", "damaged"),
    ],
)
def test_explosive_and_damaged_pickles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, described: bytes, words: str
) -> None:
    monkeypatch.setattr("onegraph.interop.pickle_machine.MAX_INSTRUCTIONS", 10_000)
    with pytest.raises(StorageError, match=words):
        og.load(archive(tmp_path / "a.pth", described))


@pytest.mark.slow
@pytest.mark.parametrize("described", [nested(500_000), b"\x80\x02)" + b"\x85" * 500_000 + b"."])
def test_very_deep_pickles(tmp_path: Path, described: bytes) -> None:
    with pytest.raises(StorageError, match="nested"):
        og.load(archive(tmp_path / "a.pth", described))


def test_copying_again_and_again_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onegraph.interop.pickle_machine.MAX_INSTRUCTIONS", 20_000)
    items = b"\x80\x02](" + b"K\x01" * 5_000 + b"eq\x00"
    call = b"0c__builtin__\nset\nh\x00\x85R"
    run(items + call * 3 + b".")
    with pytest.raises(Refused, match="again and again"):
        run(items + call * 1000 + b".")


def test_many_memo_entries_are_plain_entries() -> None:
    assert run(b"\x80\x02N" + b"".join(b"r" + struct.pack("<I", 4_000_000_000 + i) for i in range(1000)) + b".") is None


def tensor(offset: int, size: Any, stride: Any, count: int = 4, kind: str = "FloatStorage", key: str = "0") -> bytes:
    """The description of one tensor."""

    def part(value: Any) -> bytes:
        return pickle.dumps(value, 2)[2:-1]

    return (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(("
        + part("storage")
        + b"ctorch\n"
        + kind.encode()
        + b"\n"
        + b"".join(map(part, (key, "cpu", count)))
        + b"tQ"
        + b"".join(map(part, (offset, size, stride, False)))
        + b"ccollections\nOrderedDict\n)RtR."
    )


def test_a_tensor_lies_inside_of_its_storage(tmp_path: Path) -> None:
    numbers = np.arange(4, dtype=np.float32).tobytes()
    found = og.load(archive(tmp_path / "a.pth", tensor(1, (2,), (2,)), _0=numbers))
    assert found.tolist() == [1.0, 3.0]
    for described, words in (
        (tensor(0, (5,), (1,)), "does not fit in the 4 elements"),
        (tensor(4, (1,), (1,)), "does not fit in the 4 elements"),
        (tensor(0, (2, 2), (1, 3)), "does not fit in the 4 elements"),
        (tensor(-1, (1,), (1,)), "0 or more"),
        (tensor(0, (2,), (-1,)), "0 or more"),
        (tensor(0, (-2,), (1,)), "0 or more"),
        (tensor(0, (2, 2), (1,)), "with strides"),
        (tensor(0, (2**40, 2**40), (0, 0)), "shape"),
        (tensor(0, (1,) * 70, (1,) * 70), "short list"),
        (tensor(0, (True,), (1,)), "0 or more"),
        (tensor(0, (2.0,), (1,)), "0 or more"),
        (tensor(0, (4,), (1,), count=5), "16 bytes, too few for 5"),
        (tensor(0, (4,), (1,), kind="DoubleStorage"), "16 bytes, too few for 4"),
        (tensor(0, (4,), (1,), key="7"), "numbers of storage '7' are missing"),
        (tensor(0, (4,), (1,), key="../../../etc/passwd"), "are missing"),
        (tensor(0, (4,), (1,), count=2**61), "too few"),
        (tensor(0, (4,), (1,), count=-1), "described wrongly"),
        (tensor(0, (2,), (1,), kind="ComplexFloatStorage", count=2), "does not have"),
        (tensor(0, (16,), (1,), kind="BoolStorage", count=16), "bytes other than 0 and 1"),
    ):
        for mmap in (False, True):
            with pytest.raises(StorageError, match=words):
                og.load(archive(tmp_path / "a.pth", described, _0=numbers), mmap=mmap)


@pytest.mark.parametrize("order", ["little", "big"])
def test_numbers_of_a_machine_with_another_byte_order(tmp_path: Path, order: str) -> None:
    numbers = np.arange(4).astype(">f4" if order == "big" else "<f4").tobytes()
    path = archive(tmp_path / "a.pth", tensor(1, (2,), (2,)), _0=numbers)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("archive/byteorder", order)
    assert og.load(path).tolist() == og.load(path, mmap=True).tolist() == [1.0, 3.0]


def test_a_small_file_stays_small(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="far more memory than the file"):
        og.load(archive(tmp_path / "a.pth", tensor(0, (2**30,), (0,)), _0=bytes(16)))
    assert og.load(archive(tmp_path / "a.pth", tensor(0, (1000,), (0,)), _0=bytes(16))).shape == (1000,)


# ---- archives


def test_archives_that_are_not_what_they_say(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", bytes(1_000_000))
    with pytest.raises(StorageError, match=r"is compressed, which torch\.save never does"):
        og.load(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/notes.txt", b"x")
    with pytest.raises(StorageError, match=r"has no data\.pkl"):
        og.load(path)
    with zipfile.ZipFile(path, "w") as file:
        for name in ("data.pkl", "constants.pkl", "code/__torch__.py"):
            file.writestr(f"net/{name}", pickle.dumps(None, 2))
    with pytest.raises(StorageError, match="TorchScript"):
        og.load(path)
    path.write_bytes(pickle.dumps({"a": 1}, 2))
    with pytest.raises(StorageError, match=r"not one of torch\.save"):
        og.load(path)


def test_entries_that_share_bytes_are_refused(tmp_path: Path) -> None:
    """A directory that names the same bytes many times would unfold a small file."""
    path = archive(tmp_path / "a.pth", pickle.dumps(None, 2), _0=bytes(1000))
    content = bytearray(path.read_bytes())
    first = content.rindex(b"PK\5\6")
    (start,) = struct.unpack_from("<L", content, first + 16)
    second = content.index(b"PK\1\2", start + 4)
    content[second + 42 : second + 46] = content[start + 42 : start + 46]  # where the other one lies
    path.write_bytes(content)
    with pytest.raises(StorageError, match=r"overlaps|does not fit the directory"):
        og.load(path)


@pytest.mark.parametrize("form", ["archive", "legacy"])
def test_flipped_bits_and_cuts_are_errors_or_harmless(tmp_path: Path, form: str) -> None:
    path = tmp_path / "a.pth"
    if form == "archive":
        archive(path, tensor(0, (2, 2), (2, 1)), _0=np.arange(4, dtype=np.float32).tobytes())
    else:
        system = pickle.dumps({"protocol_version": 1001, "little_endian": True}, 2)
        numbers = (4).to_bytes(8, "little") + np.arange(4, dtype=np.float32).tobytes()
        path.write_bytes(MAGIC + system + tensor(0, (2, 2), (2, 1)) + pickle.dumps(["0"], 2) + numbers)
    content = path.read_bytes()
    assert og.load(path).tolist() == [[0, 1], [2, 3]]
    different = 0
    for position in range(0, len(content), 3):
        for changed in (
            content[:position] + bytes([content[position] ^ 1 << position % 8]) + content[position + 1 :],
            content[:position],
        ):
            path.write_bytes(changed)
            try:
                value = og.load(path)
            except StorageError as error:
                assert "a.pth" in str(error)
            else:
                different += not (isinstance(value, og.Tensor) and value.tolist() == [[0, 1], [2, 3]])
    assert different == 0 if form == "archive" else different < 100  # the older format has no checksums
