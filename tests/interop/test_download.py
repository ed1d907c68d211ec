"""Downloads: whole or not at all, resumed, checked, and clear about what to do without a network."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import onegraph as og
from onegraph import config
from onegraph.errors import ArgumentError, DownloadError, StorageError
from onegraph.interop.download import download
from onegraph.storage.safetensors import save_file
from tests.interop.server import Server, serve

CONTENT = np.random.default_rng(0).bytes(1_000_003)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr("onegraph.interop.download.time.sleep", lambda seconds: None)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serve() as running:
        running.files["/weights.bin"] = CONTENT
        yield running


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_arrives_and_is_not_fetched_twice(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = download(server.url + "/weights.bin", tmp_path / "deep" / "folder", sha256=SHA256)
    assert path == tmp_path / "deep" / "folder" / "weights.bin" and path.read_bytes() == CONTENT
    assert "weights.bin: 100%" in capsys.readouterr().err
    assert names(path.parent) == ["weights.bin"]
    again = download(server.url + "/weights.bin", path.parent, sha256=SHA256[:8].upper(), progress=False)
    assert again == path and len(server.requests) == 1
    assert capsys.readouterr().err == ""


def test_the_default_folder_is_a_setting(server: Server, tmp_path: Path) -> None:
    with config.using(download_folder=str(tmp_path / "kept")):
        assert download(server.url + "/weights.bin", progress=False) == tmp_path / "kept" / "weights.bin"


def test_a_broken_connection_is_taken_up_again(server: Server, tmp_path: Path) -> None:
    server.drop_after = [300_000, 400_000]
    path = download(server.url + "/weights.bin", tmp_path, progress=False)
    assert path.read_bytes() == CONTENT
    assert server.requests == [None, "bytes=300000-", "bytes=700000-"]


def test_an_interrupted_download_goes_on_in_the_next_run(server: Server, tmp_path: Path) -> None:
    server.drop_after = [500_000, 0, 0, 0]
    with pytest.raises(DownloadError, match=r"the connection breaks off; 500,000 bytes are kept") as caught:
        download(server.url + "/weights.bin", tmp_path, progress=False)
    assert server.url in str(caught.value) and str(tmp_path / "weights.bin") in str(caught.value)
    assert names(tmp_path) == ["weights.bin.partial", "weights.bin.partial.json"]
    server.requests.clear()
    assert download(server.url + "/weights.bin", tmp_path, progress=False).read_bytes() == CONTENT
    assert server.requests == ["bytes=500000-"] and names(tmp_path) == ["weights.bin"]


def test_pieces_of_two_versions_are_never_joined(server: Server, tmp_path: Path) -> None:
    server.drop_after = [500_000, 0, 0, 0]
    with pytest.raises(DownloadError):
        download(server.url + "/weights.bin", tmp_path, progress=False)
    server.files["/weights.bin"] = newer = CONTENT[::-1]
    server.tag = '"two"'
    assert download(server.url + "/weights.bin", tmp_path, progress=False).read_bytes() == newer


@pytest.mark.parametrize("checked", [True, False])
def test_without_a_mark_only_a_checksum_allows_going_on(server: Server, tmp_path: Path, checked: bool) -> None:
    server.tag = ""
    server.drop_after = [500_000, 0, 0, 0]
    sha256 = SHA256 if checked else None
    with pytest.raises(DownloadError):
        download(server.url + "/weights.bin", tmp_path, sha256, progress=False)
    server.requests.clear()
    assert download(server.url + "/weights.bin", tmp_path, sha256, progress=False).read_bytes() == CONTENT
    assert server.requests[0] == ("bytes=500000-" if checked else None)


def test_a_wrong_start_is_found_by_the_checksum(server: Server, tmp_path: Path) -> None:
    server.drop_after = [500_000, 0, 0, 0]
    with pytest.raises(DownloadError):
        download(server.url + "/weights.bin", tmp_path, SHA256, progress=False)
    (tmp_path / "weights.bin.partial").write_bytes(b"x" * 500_000)
    assert download(server.url + "/weights.bin", tmp_path, SHA256, progress=False).read_bytes() == CONTENT
    assert server.requests[-2:] == ["bytes=500000-", None]


def test_a_partial_file_that_is_too_long_is_thrown_away(server: Server, tmp_path: Path) -> None:
    server.drop_after = [500_000, 0, 0, 0]
    with pytest.raises(DownloadError):
        download(server.url + "/weights.bin", tmp_path, progress=False)
    with open(tmp_path / "weights.bin.partial", "ab") as file:
        file.write(b"x" * 900_000)
    assert download(server.url + "/weights.bin", tmp_path, progress=False).read_bytes() == CONTENT


def test_a_server_that_sends_no_parts(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    server.drop_after = [500_000]
    assert download(server.url + "/weights.bin", tmp_path, progress=False).read_bytes() == CONTENT


def test_a_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.statuses = [503, 500]
    assert download(server.url + "/weights.bin", tmp_path, progress=False).read_bytes() == CONTENT
    server.statuses = [503] * 3
    with pytest.raises(DownloadError, match=r"the server answered 503"):
        download(server.url + "/weights.bin", tmp_path, progress=False, force=True)


def test_a_wrong_checksum_keeps_nothing(server: Server, tmp_path: Path) -> None:
    with pytest.raises(
        DownloadError, match=rf"its sha256 checksum is {SHA256}, not 0123\.\.\. \(1,000,003 bytes came\)"
    ):
        download(server.url + "/weights.bin", tmp_path, sha256="0123", progress=False)
    assert names(tmp_path) == []
    md5 = hashlib.md5(CONTENT).hexdigest()
    assert download(server.url + "/weights.bin", tmp_path, md5=md5, progress=False).exists()


def test_a_kept_file_with_a_wrong_checksum_is_fetched_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"damaged")
    assert download(server.url + "/weights.bin", tmp_path, sha256=SHA256, progress=False).read_bytes() == CONTENT


def test_no_such_file(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"the server answered 404 \(Not Found\)") as caught:
        download(server.url + "/absent.bin", tmp_path, progress=False)
    assert f"put it at '{tmp_path / 'absent.bin'}'" in str(caught.value)
    assert len(server.requests) == 1 and names(tmp_path) == []


def test_no_network(tmp_path: Path, server: Server) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, but nobody listens
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/resnet18-f37072fd.pth"
        with pytest.raises(DownloadError, match=r"no connection .*refused") as caught:
            download(url, tmp_path, progress=False)
    assert url in str(caught.value) and "without a network" in str(caught.value)
    assert str(tmp_path / "resnet18-f37072fd.pth") in str(caught.value)
    assert isinstance(caught.value, StorageError)


def test_a_server_that_says_nothing(tmp_path: Path, server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/weights.bin"
        with pytest.raises(DownloadError, match=r"no answer within 0\.05 seconds"):
            download(url, tmp_path, progress=False, timeout=0.05)


def test_redirects_are_followed(server: Server, tmp_path: Path) -> None:
    server.redirect["/latest.bin"] = "/weights.bin"
    path = download(server.url + "/latest.bin", tmp_path, progress=False)
    assert path.name == "latest.bin" and path.read_bytes() == CONTENT


def test_two_at_once_fetch_it_once(server: Server, tmp_path: Path) -> None:
    errors: list[BaseException] = []

    def fetch() -> None:
        try:
            assert download(server.url + "/weights.bin", tmp_path, progress=False).read_bytes() == CONTENT
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=fetch) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == [] and len(server.requests) == 1 and names(tmp_path) == ["weights.bin"]


def test_a_folder_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot write"):
        download(server.url + "/weights.bin", tmp_path / "file", progress=False)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"url": "weights.bin"}, "is no address"),
        ({"url": "ftp://example.org/weights.bin"}, "is no address"),
        ({"url": "http://example.org/"}, "does not end in the name of a file"),
        ({"url": "http://example.org/a%2F.."}, "does not end in the name of a file"),
        ({"url": "http://example.org/a", "name": "../b"}, "not the plain name of a file"),
        ({"url": "http://example.org/a", "sha256": "xyz"}, "is no sha256 checksum"),
        ({"url": "http://example.org/a", "sha256": "0" * 65}, "is no sha256 checksum"),
        ({"url": "http://example.org/a", "sha256": "00", "md5": "00"}, "not both"),
    ],
)
def test_bad_arguments(tmp_path: Path, arguments: dict, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        download(folder=tmp_path, **arguments)


# ---- torch.hub's names


def test_weights_by_address(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_file({"bias": np.ones(3, np.float32)}, tmp_path / "made")
    content = (tmp_path / "made").read_bytes()
    name = f"net-{hashlib.sha256(content).hexdigest()[:8]}.safetensors"
    server.files["/" + name] = content
    monkeypatch.setattr("onegraph.hub._hub_dir", None)
    with config.using(download_folder=str(tmp_path / "kept")):
        assert og.hub._get_torch_home() == str(tmp_path / "kept")
        state = og.hub.load_state_dict_from_url(f"{server.url}/{name}", progress=False, check_hash=True)
        assert state["bias"].tolist() == [1.0, 1.0, 1.0]
        assert (tmp_path / "kept" / "hub" / "checkpoints" / name).exists()
        og.hub.set_dir(tmp_path / "other")
        assert og.hub.get_dir() == str(tmp_path / "other")
        again = og.utils.model_zoo.load_url(f"{server.url}/{name}", progress=False, file_name="net")
        assert again["bias"].tolist() == [1.0, 1.0, 1.0] and (tmp_path / "other" / "checkpoints" / "net").exists()
    server.files["/net-00000000.pth"] = content
    with pytest.raises(DownloadError, match="checksum"):
        og.hub.load_state_dict_from_url(f"{server.url}/net-00000000.pth", tmp_path, progress=False, check_hash=True)


def test_download_to_a_file_replaces_it(server: Server, tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"old")
    og.hub.download_url_to_file(server.url + "/weights.bin", tmp_path / "mine", SHA256[:8], progress=False)
    assert (tmp_path / "mine").read_bytes() == CONTENT


def test_models_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "layers_of_it.py").write_text("WIDTH = 4\n")
    (tmp_path / "hubconf.py").write_text(
        "dependencies = ['numpy']\nfrom layers_of_it import WIDTH\n"
        "def net(pretrained=False, *, depth=1):\n    'A net.'\n    return (WIDTH, pretrained, depth)\n"
        "def _hidden():\n    pass\n"
    )
    assert og.hub.list(tmp_path) == ["net"] and og.hub.help(tmp_path, "net") == "A net."
    assert og.hub.load(tmp_path, "net", True, source="local", depth=3) == (4, True, 3)
    with pytest.raises(ArgumentError, match="has no function 'nets'; it has net"):
        og.hub.load(tmp_path, "nets", source="local")
    with pytest.raises(og.errors.UnsupportedError, match="run code fetched from the network"):
        og.hub.load("owner/repository", "net")
    with pytest.raises(StorageError, match=r"there is no .*hubconf\.py"):
        og.hub.load(tmp_path / "absent", "net", source="local")
    (tmp_path / "hubconf.py").write_text("dependencies = ['no_such_package_at_all']\n")
    with pytest.raises(ArgumentError, match="needs no_such_package_at_all"):
        og.hub.load(tmp_path, "net", source="local")
