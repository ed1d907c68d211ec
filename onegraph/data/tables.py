"""Tables in CSV and Parquet files: columns with types, and data sets of rows.

CSV is read twice, once for the types and once for the values, so that memory holds arrays only. Parquet needs
pyarrow (`pip install onegraph[tables]`). Read next: `array.py`.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from onegraph.data.dataset import Dataset
from onegraph.errors import ArgumentError, DataError, UnsupportedError

MOST_BYTES: Final = 4 << 30
"""The largest table, in bytes of its columns, that is read by default."""
_MISSING: Final = ("", "NA", "NaN", "nan", "null", "None")
_LONGEST_CELL: Final = 1 << 20

Columns = dict[str, np.ndarray]


def read_csv(
    path: str | os.PathLike[str], delimiter: str | None = None, header: bool | None = None, max_bytes: int = MOST_BYTES
) -> Columns:
    """Columns of a CSV file by name, in the file's order.

    A column is int64 where all its cells are whole numbers, float64 where all are numbers or missing (missing ones
    become NaN), and text otherwise.

    Args:
        delimiter: found from the first line if None.
        header: whether the first line has names; if None, it has unless all its cells are numbers. Without names
            columns are called "0", "1" and so on.
        max_bytes: refuse tables whose columns would take more.

    Raises:
        DataError: missing, empty, not text, or a line with another number of cells; the line is named.

    >>> import tempfile
    >>> file = os.path.join(tempfile.mkdtemp(), "t.csv")
    >>> with open(file, "w") as stream: _ = stream.write("size,kind\\n1.5,cat\\n,dog\\n")
    >>> read_csv(file)
    {'size': array([1.5, nan]), 'kind': array(['cat', 'dog'], dtype='<U3')}
    """
    with _limited_cells():
        first = next(_rows(path, delimiter or _delimiter(path)), None)
        if first is None:
            raise DataError(f"{path}: empty")
        delimiter = delimiter or _delimiter(path)
        named = header if header is not None else not all(_kind(cell) < 2 for cell in first[1])
        names = first[1] if named else [str(place) for place in range(len(first[1]))]
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise DataError(
                f"{path}: columns named twice: {', '.join(map(repr, twice))}", hint="pass header=False for none"
            )
        kinds, widths, count = _survey(path, delimiter, named, len(names))
        if not count:
            raise DataError(f"{path}: names of columns and no rows")
        return _fill(path, delimiter, named, names, kinds, widths, count, max_bytes)


class _limited_cells:
    """The longest cell that the reader takes, for a `with` block: the limit is the csv module's own, global one."""

    def __enter__(self) -> None:
        self._before = csv.field_size_limit(_LONGEST_CELL)

    def __exit__(self, *exception: object) -> None:
        csv.field_size_limit(self._before)


def _rows(path: str | os.PathLike[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of each line that is not empty."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True)
            for row in reader:
                if row:
                    yield reader.line_num, row
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: no table in text: {error}") from error


def _delimiter(path: str | os.PathLike[str]) -> str:
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            line = file.readline(_LONGEST_CELL)
    except OSError as error:
        raise DataError(
            f"{path}: {'no such file' if error.errno == 2 else f'cannot be read: {error.strerror}'}"
        ) from error
    return max(",;\t|", key=lambda mark: (line.count(mark), mark == ","))


def _kind(cell: str) -> int:
    """0 for a whole number, 1 for another number or nothing, 2 for text."""
    try:
        return 0 if -(1 << 63) <= int(cell) < 1 << 63 else 1
    except ValueError:
        pass
    if cell in _MISSING:
        return 1
    try:
        float(cell)
    except ValueError:
        return 2
    return 1


def _survey(path: Any, delimiter: str, named: bool, columns: int) -> tuple[list[int], list[int], int]:
    """The kind and the longest text of each column, and the number of rows."""
    kinds, widths, count = [0] * columns, [1] * columns, 0
    for number, (line, row) in enumerate(_rows(path, delimiter)):
        if number == 0 and named:
            continue
        if len(row) != columns:
            raise DataError(f"{path}: line {line} has {len(row)} cells, the first line {columns}")
        count += 1
        for place, cell in enumerate(row):
            if kinds[place] < 2:
                kinds[place] = max(kinds[place], _kind(cell))
            if len(cell) > widths[place]:
                widths[place] = len(cell)
    return kinds, widths, count


def _fill(
    path: Any,
    delimiter: str,
    named: bool,
    names: list[str],
    kinds: list[int],
    widths: list[int],
    count: int,
    max_bytes: int,
) -> Columns:
    needed = count * sum(8 if kind < 2 else 4 * width for kind, width in zip(kinds, widths, strict=True))
    if needed > max_bytes:
        raise DataError(f"{path}: {count:,} rows need {needed:,} bytes, more than max_bytes={max_bytes:,}")
    dtypes = [np.dtype(np.int64) if k == 0 else np.dtype(np.float64) if k == 1 else np.dtype(f"U{w}")
              for k, w in zip(kinds, widths, strict=True)]  # fmt: skip
    columns = [np.empty(count, dtype) for dtype in dtypes]
    block: list[list[str]] = []
    start = 0
    rows = _rows(path, delimiter)
    if named:
        next(rows)
    for _, row in rows:
        block.append(row)
        if len(block) == 4096:
            start = _put(columns, kinds, block, start)
    _put(columns, kinds, block, start)
    return dict(zip(names, columns, strict=True))


def _put(columns: list[np.ndarray], kinds: list[int], block: list[list[str]], start: int) -> int:
    """Convert a block of rows column by column; returns where the next one starts."""
    for column, kind, cells in zip(columns, kinds, zip(*block, strict=True), strict=False):
        values: Any = cells
        if kind == 0:
            values = list(map(int, cells))
        elif kind == 1:
            values = [float("nan") if cell in _MISSING else float(cell) for cell in cells]
        column[start : start + len(cells)] = values
    start += len(block)
    block.clear()
    return start


def read_parquet(
    path: str | os.PathLike[str], columns: Sequence[str] | None = None, max_bytes: int = MOST_BYTES
) -> Columns:
    """Columns of a Parquet file by name: numbers as such, missing ones as NaN, text as text.

    Args:
        columns: which to read; all by default.
        max_bytes: refuse files whose columns take more.

    Raises:
        DataError: missing, damaged, too large, or a column of lists or records.
        UnsupportedError: pyarrow is not installed.
    """
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise UnsupportedError(
            "reading Parquet files needs pyarrow, which is not installed", hint="pip install onegraph[tables]"
        ) from error
    try:
        with parquet.ParquetFile(path) as file:
            size = sum(file.metadata.row_group(n).total_byte_size for n in range(file.metadata.num_row_groups))
            if size > max_bytes:
                raise DataError(f"{path}: {size:,} bytes of columns, more than max_bytes={max_bytes:,}")
            unknown = sorted(set(columns or ()) - set(file.schema_arrow.names))
            if unknown:
                raise DataError(
                    f"{path}: no columns {', '.join(unknown)}; there are {', '.join(file.schema_arrow.names)}"
                )
            table = file.read(columns=None if columns is None else list(columns))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except DataError:
        raise
    except Exception as error:  # Arrow's errors are of many types
        raise DataError(f"{path}: no Parquet file that can be read: {error}") from error
    return {name: _plain_column(path, name, table.column(name)) for name in table.column_names}


def _plain_column(path: Any, name: str, column: Any) -> np.ndarray:
    values = np.asarray(column.to_numpy(zero_copy_only=False))
    if values.dtype != object:
        return values
    cells = ["" if value is None else value for value in values]
    if not all(isinstance(cell, str) for cell in cells):
        raise DataError(f"{path}: column {name!r} holds {column.type}; numbers and text can be read")
    return np.array(cells)


def read_table(path: str | os.PathLike[str]) -> Columns:
    """Columns of a CSV or Parquet file, told by its name (`.parquet`, `.pq`)."""
    return read_parquet(path) if os.fspath(path).lower().endswith((".parquet", ".pq")) else read_csv(path)


class TableDataset(Dataset):
    """Rows of a table: a sample is (features, label), or the features alone without a label column.

    Args:
        columns: arrays of one length by name, such as `read_csv` gives, or the path of a CSV or Parquet file.
        label: name of the label column. Text is numbered in sorted order, see `classes`.
        features: names of the columns of features, all other columns of numbers by default.
        dtype: of the features.

    Attributes:
        features: names of the columns of features.
        classes: the texts of the label column, or None where it holds numbers.

    Raises:
        ArgumentError: a name that no column has, or no columns of features.
        DataError: a column of features holds text.

    >>> data = TableDataset({"a": np.array([1, 2]), "b": np.array([0.5, 1.5]), "kind": np.array(["x", "y"])}, label="kind")
    >>> data[1]
    (array([2. , 1.5], dtype=float32), 1)
    >>> data.classes
    ('x', 'y')
    """

    def __init__(
        self,
        columns: Columns | str | os.PathLike[str],
        label: str | None = None,
        features: Sequence[str] | None = None,
        dtype: Any = np.float32,
    ) -> None:
        table = columns if isinstance(columns, dict) else read_table(columns)
        for name in [*(features or ()), *([label] if label is not None else [])]:
            if name not in table:
                raise ArgumentError(f"TableDataset: no column {name!r}; there are {', '.join(table)}")
        numbers = [name for name, column in table.items() if column.dtype.kind in "biuf" and name != label]
        self.features = tuple(features) if features is not None else tuple(numbers)
        texts = [name for name in self.features if table[name].dtype.kind not in "biuf"]
        if texts:
            raise DataError(f"TableDataset: columns of text cannot be features: {', '.join(texts)}")
        if not self.features:
            raise ArgumentError("TableDataset: no columns of numbers for features")
        self.values = np.stack([table[name].astype(dtype) for name in self.features], axis=1)
        self.classes: tuple[str, ...] | None = None
        self.labels: np.ndarray | None = None
        if label is not None:
            self.labels = self._numbered(table[label])

    def _numbered(self, column: np.ndarray) -> np.ndarray:
        if column.dtype.kind == "f":
            return column.astype(np.float32)  # a quantity, not a class
        if column.dtype.kind in "biu":
            return column.astype(np.int64)
        names, places = np.unique(column, return_inverse=True)
        self.classes = tuple(str(name) for name in names)
        return places.astype(np.int64)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: int) -> Any:
        return self.values[index] if self.labels is None else (self.values[index], self.labels[index].item())

    def take_batch(self, indices: Sequence[int]) -> Any:
        places = np.asarray(indices, dtype=np.int64)
        return self.values[places] if self.labels is None else [self.values[places], self.labels[places]]
