"""Checksums, framing, the wire format, and the reader's answer to damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onegraph.board import SummaryWriter, proto
from onegraph.board.reader import read_events, read_records
from onegraph.board.records import crc32c, frame, masked_crc32c
from onegraph.errors import StorageError


def crc32c_bit_by_bit(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "expected"),  # RFC 3720, appendix B.4
    [
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"", 0),
    ],
)
def test_checksums_of_the_standard(data: bytes, expected: int) -> None:
    assert crc32c(data) == expected


@pytest.mark.parametrize("size", [1, 255, 256, 257, 511, 512, 1000, 5000])
def test_checksums_around_block_sizes(size: int) -> None:
    data = np.random.default_rng(size).integers(0, 256, size, np.uint8).tobytes()
    assert crc32c(data) == crc32c_bit_by_bit(data) == crc32c(bytearray(data)) == crc32c(memoryview(data))


def test_checksum_of_much_data_equals_tensorboards() -> None:
    theirs = pytest.importorskip("tensorboard.compat.tensorflow_stub.pywrap_tensorflow")
    data = np.random.default_rng(0).integers(0, 256, 300_001, np.uint8).tobytes()
    assert crc32c(data) == theirs.crc32c(data)
    assert masked_crc32c(data) == theirs.masked_crc32c(data)


@given(st.integers(-(2**63), 2**64 - 1))
def test_varints_round_trip(value: int) -> None:
    ((number, decoded),) = proto.fields(proto.integer(7, value))
    assert (number, decoded) == (7, value % 2**64)


@given(st.binary(max_size=60))
def test_taking_garbage_apart_ends_or_raises_value_error(data: bytes) -> None:
    try:
        for number, value in proto.fields(data):
            assert number >= 0
            assert isinstance(value, int) or len(value) <= len(data)
    except ValueError as error:
        assert str(error)


@given(st.binary(max_size=60))
def test_events_from_garbage_are_typed_errors(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "garbage"
    path.write_bytes(frame(data))
    try:
        list(read_events(path))
    except StorageError as error:
        assert "record 0 is not an event" in error.message


def test_a_cut_off_tail_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "events"
    records = [b"", b"one", b"two" * 100]
    whole = b"".join(frame(record) for record in records)
    ends = [sum(len(frame(record)) for record in records[:count]) for count in range(4)]
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        assert list(read_records(path)) == records[: sum(end <= length for end in ends) - 1]


def test_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "events"
    whole = frame(b"one") + frame(b"two")
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0x10
        path.write_bytes(damaged)
        with pytest.raises(StorageError, match="does not fit its checksum") as caught:
            list(read_records(path))
        assert str(path) in caught.value.message


def test_huge_length_with_fitting_checksum_reads_nothing(tmp_path: Path) -> None:
    path = tmp_path / "events"
    length = (2**60).to_bytes(8, "little")
    path.write_bytes(frame(b"one") + length + masked_crc32c(length).to_bytes(4, "little"))
    assert list(read_records(path)) == [b"one"]


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such file"):
        list(read_records(tmp_path / "absent"))


def test_reader_reads_what_pytorch_writes(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    board = pytest.importorskip("torch.utils.tensorboard")
    for writer, name in ((board.SummaryWriter(tmp_path / "a"), "a"), (SummaryWriter(tmp_path / "b"), "b")):
        writer.add_scalar("loss", 0.25, 3)
        writer.add_scalar("exact", 0.1, 4, new_style=True, double_precision=True)
        writer.add_text("note", "hello", 5)
        writer.add_histogram("weights", np.array([0.0, 1.0, 2.0]), 6)
        writer.close()
        (path,) = (tmp_path / name).iterdir()
        values = [(event.step, value) for event in read_events(path) for value in event.values]
        assert [(step, value.tag, value.kind) for step, value in values] == [
            (3, "loss", "scalar"),
            (4, "exact", "scalar"),
            (5, "note/text_summary", "text"),
            (6, "weights", "histogram"),
        ]
        assert [value.content for _, value in values[:3]] == [0.25, 0.1, "hello"]
        histogram = values[3][1].content
        assert (histogram["min"], histogram["max"], histogram["num"], histogram["sum"]) == (0, 2, 3, 3)
        assert sum(histogram["bucket"]) == 3
