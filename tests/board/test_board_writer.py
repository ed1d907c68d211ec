"""SummaryWriter: what TensorBoard itself reads back, wrong arguments, threads, forks, full disks, kills."""

from __future__ import annotations

import gc
import inspect
import io
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onegraph.board import SummaryWriter
from onegraph.board.png import encode_png
from onegraph.board.reader import Event, read_events
from onegraph.errors import ArgumentError, ArgumentTypeError, ShapeError, StorageError

REPOSITORY = Path(__file__).parents[2]


class Tensor:
    """Stands for any framework's tensor."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def detach(self) -> Tensor:
        return self

    def numpy(self) -> np.ndarray:
        return np.asarray(self.values)


def accumulate(folder: Path) -> Any:
    module = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    accumulator = module.EventAccumulator(str(folder), size_guidance={"tensors": 0, "images": 0})
    accumulator.Reload()
    return accumulator


def scalars(path: Path) -> list[tuple[int, str, float]]:
    return [(event.step, value.tag, value.content) for event in read_events(path) for value in event.values]


def decode_png(content: bytes) -> np.ndarray:
    image_module = pytest.importorskip("PIL.Image")
    return np.asarray(image_module.open(io.BytesIO(content)))


def logged_image(folder: Path, *arguments: Any, batch: bool = False, **options: Any) -> np.ndarray:
    with SummaryWriter(folder) as writer:
        (writer.add_images if batch else writer.add_image)("picture", *arguments, **options)
    (image,) = accumulate(folder).Images("picture")
    pixels = decode_png(image.encoded_image_string)
    assert (image.height, image.width) == pixels.shape[:2]
    return pixels


def test_tensorboard_reads_scalars(tmp_path: Path) -> None:
    values = [0.5, 2, np.float64(3.25), np.array([4.0]), Tensor(5.0), float("nan"), float("inf"), 1e300, True]
    with SummaryWriter(tmp_path) as writer:
        for step, value in enumerate(values):
            writer.add_scalar("train/loss", value, step, walltime=1000.0 + step)
        writer.add_scalar("exact", 0.1, np.int64(7), double_precision=True)
        writer.add_scalar("negative step", 1.0, -3)
    accumulator = accumulate(tmp_path)
    events = accumulator.Scalars("train/loss")
    expected = [0.5, 2, 3.25, 4, 5, np.nan, np.inf, np.inf, 1]
    np.testing.assert_array_equal([event.value for event in events], expected)
    assert [event.step for event in events] == list(range(9))
    assert [event.wall_time for event in events] == [1000.0 + step for step in range(9)]
    (exact,) = accumulator.Tensors("exact")
    assert (exact.step, exact.tensor_proto.double_val[0]) == (7, 0.1)
    assert accumulator.Scalars("negative step")[0].step == -3
    assert accumulator.file_version == 2.0


def test_tensorboard_reads_histograms(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(40, 25)).astype(np.float32)
    with SummaryWriter(tmp_path) as writer:
        writer.add_histogram("weights", Tensor(values), 1)
        writer.add_histogram("ten", values, 2, bins=10)
        writer.add_histogram("four", values, 3, bins=10, max_bins=4)
        writer.add_histogram("extreme", np.array([-1e300, 0.0, 1e300]), 4)
    accumulator = accumulate(tmp_path)
    wide = values.astype(np.float64)
    (event,) = accumulator.Histograms("weights")
    histogram = event.histogram_value
    assert (histogram.min, histogram.max, histogram.num) == (wide.min(), wide.max(), 1000)
    np.testing.assert_allclose([histogram.sum, histogram.sum_squares], [wide.sum(), (wide**2).sum()], rtol=1e-12)
    assert sum(histogram.bucket) == 1000
    limits, counts = np.array(histogram.bucket_limit), np.array(histogram.bucket)
    assert len(limits) == len(counts)
    for left, right, count in zip(limits[:-1], limits[1:], counts[1:], strict=True):
        assert count == np.sum((wide >= left) & (wide < right))
    ten = accumulator.Histograms("ten")[0].histogram_value
    np.testing.assert_array_equal(ten.bucket[1:], np.histogram(wide, 10)[0])
    np.testing.assert_array_equal(ten.bucket_limit, np.histogram(wide, 10)[1])
    four = accumulator.Histograms("four")[0].histogram_value
    assert len(four.bucket) <= 5
    assert sum(four.bucket) == 1000
    assert sum(accumulator.Histograms("extreme")[0].histogram_value.bucket) == 3


def test_histogram_leaves_out_what_is_not_finite(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        with pytest.warns(RuntimeWarning, match="2 of 3 values are NaN or infinite") as caught:
            writer.add_histogram("some", [1.0, np.nan, -np.inf])
        assert caught[0].filename == __file__
        with pytest.warns(RuntimeWarning, match="1 of 1"):
            writer.add_histogram("none", [np.nan])
        with pytest.raises(ShapeError, match="no values"):
            writer.add_histogram("empty", [])
    (event,) = [event for event in read_events(writer.path) if event.values]
    assert event.values[0].tag == "some"
    assert event.values[0].content["num"] == 1


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (5, 7), (64, 33)])
def test_png_is_lossless(channels: int, size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(channels).integers(0, 256, (*size, channels), np.uint8)
    np.testing.assert_array_equal(decode_png(encode_png(pixels)).reshape(pixels.shape), pixels)


def test_image_formats(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    for number, (values, name) in enumerate(
        [(rgb, "HWC"), (rgb.transpose(2, 0, 1), "CHW"), (Tensor(rgb.transpose(1, 0, 2)), "whc")]
    ):
        pixels = logged_image(tmp_path / str(number), values, dataformats=name)
        np.testing.assert_array_equal(pixels, rgb)
    np.testing.assert_array_equal(logged_image(tmp_path / "gray", rgb[..., 0], dataformats="HW"), rgb[..., 0])
    np.testing.assert_array_equal(logged_image(tmp_path / "default", rgb.transpose(2, 0, 1)), rgb)


def test_float_images_count_from_zero_to_one(tmp_path: Path) -> None:
    values = np.array([[-1.0, 0.0, 0.5], [1.0, 2.0, np.nan]], np.float32)
    pixels = logged_image(tmp_path, values, dataformats="HW")
    np.testing.assert_array_equal(pixels, [[0, 0, 127], [255, 255, 0]])


def test_batches_become_grids(tmp_path: Path) -> None:
    batch = np.random.default_rng(0).integers(1, 256, (10, 3, 4, 5), np.uint8)
    pixels = logged_image(tmp_path / "a", batch, batch=True)
    assert pixels.shape == (8, 40, 3)
    for index in range(10):
        row, column = divmod(index, 8)
        tile = pixels[row * 4 : row * 4 + 4, column * 5 : column * 5 + 5]
        np.testing.assert_array_equal(tile, batch[index].transpose(1, 2, 0))
    assert not pixels[4:, 10:].any()
    channels_last = batch.transpose(0, 2, 3, 1)
    again = logged_image(tmp_path / "b", channels_last, batch=True, dataformats="NHWC")
    np.testing.assert_array_equal(again, pixels)


def test_tensorboard_reads_text_and_groups_of_scalars(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_text("note", "*grüße* →", 4)
        for step in range(3):
            writer.add_scalars("loss/all", {"train": step, "test/a": Tensor(2 * step)}, step)
    (text,) = accumulate(tmp_path).Tensors("note/text_summary")
    assert text.tensor_proto.string_val[0].decode() == "*grüße* →"
    for name, factor in (("train", 1), ("test_a", 2)):
        events = accumulate(tmp_path / f"loss_all_{name}").Scalars("loss/all")
        assert [event.value for event in events] == [0, factor, 2 * factor]


def test_tensorboard_reads_hparams(tmp_path: Path) -> None:
    plugin_data = pytest.importorskip("tensorboard.plugins.hparams.plugin_data_pb2")
    metadata = pytest.importorskip("tensorboard.plugins.hparams.metadata")
    settings = {"lr": np.float32(0.5), "layers": 3, "name": "adam", "nesterov": True, "none": None}
    with SummaryWriter(tmp_path) as writer:
        writer.add_hparams(
            settings, {"accuracy": Tensor(0.75)}, {"name": ["adam", "sgd"]}, run_name="run", global_step=9
        )
    accumulator = accumulate(tmp_path / "run")
    assert [(event.step, event.value) for event in accumulator.Scalars("accuracy")] == [(9, 0.75)]
    contents = accumulator.PluginTagToContent(metadata.PLUGIN_NAME)
    experiment = metadata.parse_experiment_plugin_data(contents[metadata.EXPERIMENT_TAG])
    assert [info.name for info in experiment.hparam_infos] == list(settings)
    assert [value.string_value for value in experiment.hparam_infos[2].domain_discrete.values] == [
        "adam",
        "sgd",
    ]
    assert [info.name.tag for info in experiment.metric_infos] == ["accuracy"]
    start = metadata.parse_session_start_info_plugin_data(contents[metadata.SESSION_START_INFO_TAG])
    found = {name: getattr(value, value.WhichOneof("kind")) for name, value in start.hparams.items()}
    assert found == {"lr": 0.5, "layers": 3.0, "name": "adam", "nesterov": True, "none": 0}
    end = plugin_data.HParamsPluginData.FromString(contents[metadata.SESSION_END_INFO_TAG]).session_end_info
    assert end.status == 1
    assert end.end_time_secs >= start.start_time_secs > 0


def test_purge_step_hides_what_a_crashed_run_logged(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        for step in range(6):
            writer.add_scalar("loss", step, step)
    with SummaryWriter(tmp_path, purge_step=4, filename_suffix=".later") as later:
        later.add_scalar("loss", 40.0, 4)
    assert later.path.name > writer.path.name
    assert later.path.name.endswith(".later")
    assert [event.value for event in accumulate(tmp_path).Scalars("loss")] == [0, 1, 2, 3, 40]
    assert [event.restart for event in read_events(later.path)] == [False, True, False]


def test_signatures_are_pytorchs() -> None:
    pytest.importorskip("torch")
    theirs = pytest.importorskip("torch.utils.tensorboard").SummaryWriter
    names = [
        "add_scalar",
        "add_scalars",
        "add_histogram",
        "add_image",
        "add_images",
        "add_text",
        "add_hparams",
    ]
    for name in ["__init__", *names, "flush", "close", "get_logdir"]:
        ours = inspect.signature(getattr(SummaryWriter, name)).parameters.values()
        expected = inspect.signature(getattr(theirs, name)).parameters.values()
        assert [(p.name, p.default) for p in ours] == [(p.name, p.default) for p in expected], name


def test_default_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with SummaryWriter(comment="_trial") as writer:
        pass
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.endswith("_trial")
    assert writer.get_logdir() == os.path.join("runs", folder.name)


def test_queue_flush_and_close(tmp_path: Path) -> None:
    writer = SummaryWriter(tmp_path, max_queue=2)
    writer.add_scalar("a", 0)
    writer.add_scalar("a", 1)
    assert scalars(writer.path) == []
    writer.add_scalar("a", 2)
    assert [value for _, _, value in scalars(writer.path)] == [0, 1, 2]
    writer.add_scalar("a", 3)
    writer.flush()
    assert len(scalars(writer.path)) == 4
    writer.add_scalar("a", 4)
    writer.close()
    writer.close()
    first = writer.path
    assert len(scalars(first)) == 5
    writer.add_scalar("a", 5)  # goes to a new file
    writer.close()
    assert writer.path != first
    assert scalars(writer.path) == [(0, "a", 5.0)]


def test_waiting_values_are_written_after_a_while(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path, max_queue=1000, flush_secs=0.01) as writer:
        writer.add_scalar("a", 1.0)
        while not scalars(writer.path):
            pass


def test_forgotten_writers_write_when_collected_and_at_exit(tmp_path: Path) -> None:
    writer = SummaryWriter(tmp_path / "collected")
    writer.add_scalar("a", 1.0)
    path = writer.path
    del writer
    gc.collect()
    assert len(scalars(path)) == 1
    program = """
import sys
from onegraph.board import SummaryWriter
writer = SummaryWriter(sys.argv[1])
writer.add_scalar("a", 1)
"""
    run_program(program, tmp_path / "exit")
    (path,) = (tmp_path / "exit").iterdir()
    assert len(scalars(path)) == 1


def run_program(program: str, folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    subprocess.run([sys.executable, "-c", program, str(folder)], env=environment, check=True, timeout=60)


def test_forked_children_write_their_own_file(tmp_path: Path) -> None:
    program = """
import os, sys
from onegraph.board import SummaryWriter
writer = SummaryWriter(sys.argv[1])
writer.add_scalar("parent", 1)
child = os.fork()
writer.add_scalar("child" if child == 0 else "parent", 2)
if child:
    os.waitpid(child, 0)
"""
    run_program(program, tmp_path)
    found = sorted(scalars(path) for path in tmp_path.iterdir())
    assert found == [[(0, "child", 2.0)], [(0, "parent", 1.0), (0, "parent", 2.0)]]


def test_threads_share_a_writer(tmp_path: Path) -> None:
    def log(name: str) -> None:
        for step in range(100):
            writer.add_scalar(name, step, step)
            writer.add_scalars("group", {name: step}, step)

    with SummaryWriter(tmp_path, max_queue=3) as writer:
        threads = [threading.Thread(target=log, args=(f"t{number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = scalars(writer.path)
    for number in range(4):
        assert [step for step, tag, _ in found if tag == f"t{number}"] == list(range(100))
        (path,) = (tmp_path / f"group_t{number}").iterdir()
        assert len(scalars(path)) == 100


def test_a_failed_write_leaves_a_readable_file_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write

    def fill_the_disk(descriptor: int, data: memoryview) -> int:
        if len(data) <= 20:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[:20])

    writer = SummaryWriter(tmp_path, max_queue=0)
    writer.add_scalar("a", 1.0)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fill_the_disk)
        with pytest.raises(StorageError, match="the disk is full"):
            writer.add_scalar("a", 2.0)
    assert scalars(writer.path) == [(0, "a", 1.0)]
    writer.add_scalar("a", 3.0)
    writer.close()
    assert [value for _, _, value in scalars(writer.path)] == [1.0, 2.0, 3.0]


def test_killed_programs_leave_a_readable_prefix(tmp_path: Path) -> None:
    program = """
import itertools, sys
import numpy as np
from onegraph.board import SummaryWriter
writer = SummaryWriter(sys.argv[1], max_queue=1)
for step in itertools.count():
    writer.add_histogram("h", np.arange(1000.0), step)
    if step == 20:
        print("started", flush=True)
"""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    for number in range(3):
        folder = tmp_path / str(number)
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(folder)], env=environment, stdout=subprocess.PIPE
        )
        with process:
            assert process.stdout is not None
            process.stdout.readline()
            process.send_signal(signal.SIGKILL)
        (path,) = folder.iterdir()
        steps = [event.step for event in read_events(path) if event.values]
        assert len(steps) >= 20
        assert steps == list(range(len(steps)))


def test_wrong_arguments(tmp_path: Path) -> None:
    with SummaryWriter(tmp_path) as writer:
        with pytest.raises(ShapeError, match=r"add_scalar\('loss'\): expected one number, got shape \(2,\)"):
            writer.add_scalar("loss", [1.0, 2.0])
        with pytest.raises(ArgumentTypeError, match=r"got str of dtype <U3"):
            writer.add_scalar("loss", "abc")
        with pytest.raises(ArgumentTypeError, match="complex"):
            writer.add_scalar("loss", 1j)
        with pytest.raises(ArgumentTypeError, match="expected a tensor"):
            writer.add_histogram("h", [[1.0], [1.0, 2.0]])
        with pytest.raises(ArgumentTypeError, match="tag must be a string"):
            writer.add_scalar(3, 1.0)  # type: ignore[arg-type]
        with pytest.raises(ShapeError, match=r"shape \(5, 7\) does not fit dataformats CHW"):
            writer.add_image("i", np.zeros((5, 7)))
        with pytest.raises(ShapeError, match=r"has 5 channels, not 1 to 4"):
            writer.add_image("i", np.zeros((5, 7, 3)))
        with pytest.raises(ShapeError, match="no size may be 0"):
            writer.add_image("i", np.zeros((3, 0, 3)))
        for formats in ("CHX", "CH", "HHW"):
            with pytest.raises(ArgumentError, match="unknown dataformats"):
                writer.add_image("i", np.zeros((3, 3, 3)), dataformats=formats)
        with pytest.raises(ArgumentTypeError, match="expected a string"):
            writer.add_text("t", 3)  # type: ignore[arg-type]
        with pytest.raises(ArgumentTypeError, match="expected a dict"):
            writer.add_scalars("m", [1.0])  # type: ignore[arg-type]
        with pytest.raises(ArgumentTypeError, match=r"add_hparams\('layers'\)"):
            writer.add_hparams({"layers": object()}, {})
        with pytest.raises(ArgumentError, match="not in hparam_dict"):
            writer.add_hparams({}, {}, {"lr": [1]})
        with pytest.raises(ArgumentError, match="max_bins is 0"):
            writer.add_histogram("h", [1.0], max_bins=0)
    events: list[Event] = list(read_events(writer.path))
    assert len(events) == 1
    with pytest.raises(ArgumentError, match="max_queue=-1"):
        SummaryWriter(tmp_path, max_queue=-1)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="file"):
        SummaryWriter(tmp_path / "file")
