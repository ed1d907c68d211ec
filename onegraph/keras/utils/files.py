"""`get_file`: files from the network, kept in a folder, with their checksums. The work is done by `interop/download.py`."""

from __future__ import annotations

import os
import tarfile
import zipfile
from pathlib import Path
from typing import Any

from onegraph.config import settings
from onegraph.errors import ArgumentError, DataError
from onegraph.interop.download import download, file_name


def get_file(
    fname: str | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str = "auto",
    cache_dir: Any = None,
    force_download: bool = False,
) -> str:
    """A file from the network, fetched once.

    Args:
        fname: its name in the folder; the last part of the address if None.
        origin: the address: https:, http: or file:.
        untar, extract: unpack the archive (tar, tar.gz, tar.bz2, zip) into a folder next to it.
        md5_hash, file_hash: its checksum; SHA-256, or MD5 if it has 32 digits.
        cache_subdir: a folder below `cache_dir`.
        hash_algorithm, archive_format: accepted; both are found out.
        cache_dir: the folder; `config.settings.download_folder` if None.
        force_download: fetch it again.

    Returns:
        The file's path; the folder's, of an archive that is unpacked.

    Raises:
        DownloadError: no network, no such file, or a wrong checksum; it says where to put the file by hand.
    """
    if origin is None:
        raise ArgumentError("get_file: give an origin, the address of the file")
    checksum = file_hash or md5_hash
    options: dict[str, Any] = {} if checksum is None else {"md5" if len(checksum) == 32 else "sha256": checksum}
    folder = Path(cache_dir or settings.download_folder) / cache_subdir
    wanted = os.fspath(fname) if fname is not None else file_name(origin)
    unpack = extract or untar
    name = f"{wanted}.tar.gz" if untar and not wanted.endswith((".tar.gz", ".tgz", ".tar", ".zip")) else wanted
    path = download(origin, folder, name=name, force=force_download, **options)
    return os.fspath(_unpacked(path, folder, wanted) if unpack else path)


def _unpacked(path: Path, folder: Path, wanted: str) -> Path:
    """Unpack an archive into a folder of its own; members that would lie outside are refused."""
    stem = wanted
    for ending in (".tar.gz", ".tar.bz2", ".tgz", ".tar", ".zip"):
        stem = stem.removesuffix(ending)
    target = folder / (stem if stem != path.name else f"{stem}_extracted")
    done = target / ".unpacked"
    if done.exists() and done.stat().st_mtime >= path.stat().st_mtime:
        return target
    target.mkdir(parents=True, exist_ok=True)
    if tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            archive.extractall(target, filter="data")
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                if not (target / member).resolve().is_relative_to(target.resolve()):
                    raise DataError(f"{path}: the member {member!r} would lie outside of the folder")
            archive.extractall(target)
    else:
        raise DataError(f"{path}: neither a tar nor a zip archive")
    done.write_text("")
    return target
