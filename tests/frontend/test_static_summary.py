"""`tf.summary`, and what TensorFlow 1 programs say about devices and versions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import onegraph.static as tf
from onegraph.board.reader import read_events
from onegraph.errors import ArgumentTypeError, ShapeError


@pytest.fixture(autouse=True)
def new_graph() -> Iterator[None]:
    with tf.Graph().as_default():
        yield


def test_summaries_are_written_for_tensorboard(tmp_path: Path) -> None:
    x = tf.placeholder(tf.float32, (None,), name="x")
    with tf.name_scope("layer"):
        tf.summary.scalar("mean", tf.reduce_mean(x))
        tf.summary.histogram("x", x)
    aside = tf.summary.scalar("aside", tf.reduce_sum(x), collections=["mine"])
    merged = tf.summary.merge_all()
    assert merged is not None and list(merged) == ["layer/mean", "layer/x"]
    assert tf.summary.merge_all("nothing") is None
    assert list(tf.summary.merge([merged, aside])) == ["layer/mean", "layer/x", "aside"]
    with tf.Session() as sess, tf.summary.FileWriter(tmp_path, sess.graph) as writer:
        writer.add_graph(sess.graph)
        for step in range(3):
            values = sess.run(merged, feed_dict={x: [step, step + 2.0]})
            writer.add_summary(values, global_step=np.int64(step))
        with pytest.raises(ArgumentTypeError, match=r"session\.run\(merged\)"):
            writer.add_summary(merged)
    (file,) = tmp_path.iterdir()
    found = [(event.step, value.tag) for event in read_events(file) for value in event.values]
    assert found == [(step, tag) for step in range(3) for tag in ("layer/mean", "layer/x")]


def test_a_scalar_is_one_number_and_tags_are_unique() -> None:
    with pytest.raises(ShapeError, match=r"'loss' has shape \(2,\)(?s:.*)reduce_mean"):
        tf.summary.scalar("loss", tf.zeros([2]))
    first, second = (tf.summary.scalar("rate", tf.constant(1.0), family="all") for _ in range(2))
    assert [*first, *second] == ["all/rate", "all/rate_1"]


def test_settings_of_devices_and_versions_are_accepted() -> None:
    tf.disable_v2_behavior()
    tf.disable_eager_execution()
    config = tf.ConfigProto(gpu_options=tf.GPUOptions(allow_growth=True), log_device_placement=False)
    assert config.gpu_options.allow_growth
    x = tf.compat.v1.placeholder(tf.float32)
    with tf.Session(config=config) as sess:
        assert sess.run(tf.sub(tf.mul(x, 3.0), tf.neg(x)), {x: 2.0}) == 8


def test_the_state_of_a_folder_lists_its_checkpoints(tmp_path: Path) -> None:
    assert tf.train.get_checkpoint_state(tmp_path) is None
    tf.Variable(1.0)
    saver = tf.train.Saver(max_to_keep=2)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        for step in range(3):
            saver.save(sess, tmp_path / "model", global_step=step)
    state = tf.train.get_checkpoint_state(tmp_path)
    assert state is not None and state.model_checkpoint_path == str(tmp_path / "model-2")
    assert state.all_model_checkpoint_paths == [str(tmp_path / f"model-{i}") for i in (1, 2)]
