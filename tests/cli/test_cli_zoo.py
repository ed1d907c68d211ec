"""`onegraph zoo` and `onegraph summary`: numbers, formats, charts, one network in detail, and what is refused."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as xml
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import onegraph as og
from onegraph.cli import zoo_rows
from onegraph.cli.charts import bubble_chart, competition_chart
from onegraph.cli.zoo_rows import Row, accuracy
from onegraph.zoo.ilsvrc import ENTRIES

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(autouse=True)
def reference(tmp_path: Path) -> Iterator[None]:
    with og.config.using(backend="reference", cache_folder=str(tmp_path / "cache")):
        yield


def rows(call: Any, *arguments: object) -> dict[str, Any]:
    result = call("zoo", *arguments, "--no-measure", "--json")
    assert result.exit_code == 0, result.output
    return {row["network"]: row for row in json.loads(result.stdout)}


def test_published_multiply_adds(call: Any) -> None:
    found = rows(call, "resnet50", "vgg16", "mobilenet_v2", "densenet121", "alexnet")
    gigas = {name: round(row["mult_adds"] / 1e9, 3) for name, row in found.items()}
    # What torchvision states as GFLOPS of its weights; the first three are also those of papers.
    assert gigas == {
        "resnet50": 4.089, "vgg16": 15.47, "mobilenet_v2": 0.301, "densenet121": 2.834, "alexnet": 0.714
    }  # fmt: skip
    assert found["resnet50"]["params"] == 25_557_032 and found["resnet50"]["latency"] is None
    assert (found["vgg16"]["top1"], found["vgg16"]["source"]) == (71.592, "torchvision IMAGENET1K_V1")


def test_accuracy_says_where_it_is_from() -> None:
    assert accuracy("resnet50")[0] == 76.13 and accuracy("resnet50", best=True)[0] == 80.858
    assert accuracy("resnet20") == (91.25, None, "He et al. 2015, table 6, on CIFAR-10")
    assert accuracy("zfnet") == (61.6, 83.5, "Zeiler and Fergus 2013, table 2")
    assert accuracy("mlp") == (None, None, "")


def test_the_table(call: Any) -> None:
    text = call("zoo", "lenet5", "resnet18", "--no-measure").stdout
    assert text.splitlines() == [
        "network   params  mult-adds  top-1  top-5  source",
        "lenet5    61.7 k      417 k  99.0%      -  LeCun et al. 1998, figure 9, on MNIST",
        "resnet18  11.7 M     1.81 G  69.8%  89.1%  torchvision IMAGENET1K_V1",
    ]
    assert call("zoo", "lenet5", "mlp", "--no-measure", "--sort", "params").stdout.splitlines()[1].startswith("lenet5")


def test_a_family_as_csv(call: Any) -> None:
    result = call("zoo", "--family", "squeezenet", "--no-measure", "--csv")
    found = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["network"] for row in found] == ["squeezenet1_0", "squeezenet1_1"]
    assert found[0]["params"] == "1248424" and found[0]["size"] == "224x224"


def test_measurements_are_kept(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = json.loads(call("zoo", "lenet5", "--json").stdout)[0]
    assert first["latency"] > 0 and first["memory"] > 61_706 * 4 + 32 * 32 * 4
    monkeypatch.setattr(zoo_rows, "measure", lambda found: (123.0, 456))
    assert json.loads(call("zoo", "lenet5", "--json").stdout)[0] == first
    again = json.loads(call("zoo", "lenet5", "--json", "--again").stdout)[0]
    assert (again["latency"], again["memory"]) == (123.0, 456)
    assert "123.00 ms   456 B" in call("zoo", "lenet5", "lenet5", "mlp").stdout
    (zoo_rows._file()).write_text("damaged")
    assert json.loads(call("zoo", "lenet5", "--json").stdout)[0]["latency"] == 123.0


def test_what_is_measured_is_kept_when_stopped(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(found: Any) -> tuple[float, int]:
        if found.name == "mlp":
            raise KeyboardInterrupt
        return 1.0, 2

    monkeypatch.setattr(zoo_rows, "measure", measure)
    stopped = call("zoo", "lenet5", "mlp")
    assert stopped.exit_code == 130 and "interrupted" in stopped.stderr
    assert list(json.loads(zoo_rows._file().read_text()).values()) == [{"latency": 1.0, "memory": 2}]


@pytest.mark.slow
def test_measured_by_the_compiler(call: Any) -> None:
    with og.config.using(backend="native"):
        (found,) = json.loads(call("zoo", "resnet20", "--json").stdout)
    assert 269_722 * 4 < found["memory"] < 10 * 269_722 * 4 and found["latency"] > 0


def test_one_network_in_detail(call: Any) -> None:
    text = call("zoo", "ResNet18", "--no-measure", "--depth", 1).stdout
    assert "He, Zhang, Ren, Sun" in text and "weights IMAGENET1K_V1: top-1 69.758%" in text
    assert "sha256:" in text and "11,689,512 parameters, 1,814,073,344 multiply-adds" in text
    assert "├─Sequential: 1-5" in text and "Total params: 11,689,512" in text


def test_the_bubble_chart_holds_every_network_once(call: Any, tmp_path: Path) -> None:
    names = ["resnet18", "vgg16", "mobilenet_v2", "lenet5", "alexnet"]  # lenet5 was not tested on ImageNet
    result = call("zoo", *names, "--no-measure", "--plot", tmp_path / "zoo.svg")
    assert result.exit_code == 0 and "wrote" in result.stdout
    drawn = xml.parse(tmp_path / "zoo.svg").getroot()
    titles = [title.text or "" for title in drawn.iter(f"{SVG}title")]
    assert sorted(title.split(":")[0] for title in titles) == ["alexnet", "mobilenet_v2", "resnet18", "vgg16"]
    labels = [text.text for text in drawn.iter(f"{SVG}text")]
    assert all(labels.count(name) == 1 for name in ("alexnet", "vgg16")) and "lenet5" not in labels


def test_bubbles_lie_where_their_numbers_are() -> None:
    made = [Row("a", "A", (1, 1), 10**6, 10**8, 60.0), Row("b", "A", (1, 1), 4 * 10**6, 10**9, 80.0)]
    circles = [shape for shape in bubble_chart(made).shapes if shape[0] == "circle" and shape[5]]
    b, a = circles  # the larger one first
    assert b[1] > a[1] and b[2] < a[2] and b[3] == pytest.approx(2 * a[3])


def test_pictures_as_png(call: Any, tmp_path: Path) -> None:
    images = pytest.importorskip("PIL.Image")
    assert call("zoo", "--ilsvrc", "--plot", tmp_path / "a.png").exit_code == 0
    with images.open(tmp_path / "a.png") as picture:
        assert picture.size == (1520, 840) and len(picture.getcolors(1 << 20)) > 20


def test_the_competition(call: Any, tmp_path: Path) -> None:
    lines = call("zoo", "--ilsvrc").stdout.splitlines()
    assert lines[1].split()[:4] == ["2012", "1", "8", "16.4%"] and lines[-1].split()[:4] == [
        "2015",
        "1",
        "152",
        "3.57%",
    ]
    assert len(json.loads(call("zoo", "--ilsvrc", "--json").stdout)) == len(ENTRIES)
    assert "Clarifai" in competition_chart(ENTRIES).svg()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("zoo", "resnet51"), "did you mean resnet5"),
        (("zoo", "gpt"), "does not classify images"),
        (("zoo", "--family", "Xception"), "no family 'Xception'; there are "),
        (("zoo", "--plot", "zoo.jpg"), "written as .svg or .png"),
        (("zoo", "--ilsvrc", "vgg16"), "takes no networks"),
        (("zoo", "--json", "--csv"), "one of them"),
        (("zoo", "--no-measure", "--plot", "a.svg", "--x", "latency"), "--x latency needs measurements"),
        (("zoo", "lenet5", "mlp", "--no-measure", "--plot", "a.svg"), "two networks with an accuracy on ImageNet"),
        (("zoo", "vgg16", "vgg19", "--no-measure", "--plot", "/nowhere/a.svg"), "/nowhere/a.svg"),
        (("summary", "lenet6"), "did you mean lenet5"),
        (("summary", "lenet5", "--input", "1,2"), "joined by x"),
        (("summary", "lenet5", "--input", "1x1x9x9"), "ShapeError"),
        (("summary", "lenet5", "--columns", "size"), "any of input_size"),
    ],
)
def test_what_is_refused(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], part: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call(*arguments)
    assert result.exit_code == 1 and part in result.stderr and "Traceback" not in result.output


def test_summary(call: Any, tmp_path: Path) -> None:
    text = call("summary", "lenet5", "--columns", "output_size, mult_adds", "--rows", "var_names", "--weights").stdout
    assert "├─Conv2d (c1)" in text and "117,600" not in text and "122,304" in text  # with biases, as torchinfo counts
    assert "│    └─weight" in text and "Total params: 61,706" in text
    wide = call("summary", "resnet20", "--input", "2x1x32x32", "--classes", 3, "--depth", 1).stdout
    assert "[2, 3]" in wide
    file = tmp_path / "net.py"
    file.write_text("from onegraph import nn\ndef net(num_classes):\n    return nn.Conv2d(3, num_classes, 1)\n")
    assert "[1, 7, 32, 32]" in call("summary", f"{file}:net", "--classes", 7).stdout
