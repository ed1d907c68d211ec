"""Arrays in `.npy` files, mapped into memory, and in `.npz` archives. Pickled objects in them are refused.

Read next: `array.py`, which makes data sets of them.
"""

from __future__ import annotations

import os
import zipfile
from typing import Any, Final

import numpy as np

from onegraph.errors import DataError

MOST_BYTES: Final = 8 << 30
"""The largest content of an `.npz` that is read by default."""
# Names that are in use for the four arrays of a data set; the first of each that is there counts.
_KEYS: Final = {
    ("train", "images"): ("x_train", "train_images", "train_x", "X_train", "train_data", "images_train"),
    ("train", "labels"): ("y_train", "train_labels", "train_y", "Y_train", "train_targets", "labels_train"),
    ("test", "images"): (
        "x_test",
        "test_images",
        "test_x",
        "X_test",
        "test_data",
        "images_test",
        "x_val",
        "val_images",
    ),
    ("test", "labels"): (
        "y_test",
        "test_labels",
        "test_y",
        "Y_test",
        "test_targets",
        "labels_test",
        "y_val",
        "val_labels",
    ),
    ("all", "images"): ("x", "images", "X", "data", "arr_0"),
    ("all", "labels"): ("y", "labels", "Y", "targets", "target", "arr_1"),
}


def open_npy(path: str | os.PathLike[str]) -> np.ndarray:
    """An array in an `.npy` file, mapped read-only: only the parts that are used are read.

    Raises:
        DataError: missing, damaged, shorter than its header says, or with pickled objects.

    >>> import tempfile
    >>> file = os.path.join(tempfile.mkdtemp(), "x.npy")
    >>> np.save(file, np.arange(3))
    >>> open_npy(file)[1]
    np.int64(1)
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise DataError(f"{path}: no array that can be read: {error}", hint=_hint(error)) from error


def load_npz(path: str | os.PathLike[str], max_bytes: int = MOST_BYTES) -> dict[str, np.ndarray]:
    """All arrays of an `.npz` archive by name.

    Args:
        max_bytes: refuse archives whose content is larger.

    Raises:
        DataError: missing, damaged, too large, or with pickled objects.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > max_bytes:
            raise DataError(f"{path}: {size:,} bytes of content, more than max_bytes={max_bytes:,}")
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except DataError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy's parser fail in many ways on damaged files
        raise DataError(f"{path}: no archive of arrays that can be read: {error}", hint=_hint(error)) from error


def _hint(error: BaseException) -> str | None:
    return (
        "save arrays of numbers: arrays of objects would run code when read" if "allow_pickle" in str(error) else None
    )


def is_npy_folder(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder holds training or all images as `.npy`."""
    names = {name[:-4] for name in os.listdir(folder) if name.endswith(".npy")}
    return any(key in names for part in ("train", "all") for key in _KEYS[part, "images"])


def load_npy_folder(folder: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """All arrays of a folder by name, mapped."""
    return {
        name[:-4]: open_npy(os.path.join(folder, name)) for name in sorted(os.listdir(folder)) if name.endswith(".npy")
    }


def split_arrays(path: Any, arrays: dict[str, np.ndarray]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """{"train": (images, labels), "test": ...} or {"all": ...}, found by the names of the arrays.

    Raises:
        DataError: no names that are known, one half of a pair, or pairs of unequal length.
    """
    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for part in ("train", "test", "all"):
        keys = {kind: next((key for key in _KEYS[part, kind] if key in arrays), None) for kind in ("images", "labels")}
        if part == "all" and found:
            break
        if keys["images"] is None:
            continue
        if keys["labels"] is None:
            raise DataError(f"{path}: {keys['images']} without labels ({', '.join(_KEYS[part, 'labels'])})")
        found[part] = arrays[keys["images"]], arrays[keys["labels"]]
        images, labels = found[part]
        if images.ndim < 3 or labels.size != len(images):
            raise DataError(
                f"{path}: {keys['images']} has shape {images.shape}, {keys['labels']} {labels.shape}: images (N, H, W), "
                "(N, H, W, C) or (N, C, H, W) and N labels are needed"
            )
    if set(found) not in ({"train", "test"}, {"all"}, {"train"}):
        names = ", ".join(arrays) or "nothing"
        raise DataError(
            f"{path}: holds {names}", hint="name the arrays x_train, y_train, x_test, y_test, or images and labels"
        )
    return found if "all" in found or "test" in found else {"all": found["train"]}


def channels_first(path: Any, images: np.ndarray) -> np.ndarray:
    """Images (N, H, W), (N, H, W, C) or (N, C, H, W) as (N, C, H, W), without copying.

    Raises:
        DataError: another shape, or a dtype that holds no pixels.
    """
    if images.dtype.kind not in "uf" and images.dtype.kind != "i":
        raise DataError(f"{path}: images of {images.dtype}; uint8 or floats are needed")
    if images.ndim == 3:
        return images[:, None]
    if images.ndim == 4 and images.shape[3] in (1, 3):
        return images.transpose(0, 3, 1, 2)
    if images.ndim == 4 and images.shape[1] in (1, 3):
        return images
    raise DataError(f"{path}: images of shape {images.shape}: (N, H, W), (N, H, W, C) or (N, C, H, W), C of 1 or 3")
