"""`python -m tests.oracle` measures all operators, writes the table (`agreement.tsv`) and the page in the docs.

python -m tests.oracle                     the whole table, in a few minutes
python -m tests.oracle add sort            these operators: what differs is printed, their rows are written
python -m tests.oracle --columns errors    only these columns
python -m tests.oracle --page              the page alone, from the table; needs no PyTorch
"""

from __future__ import annotations

import argparse
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from tests.oracle.agreement import COLUMNS, PATH, Row, is_clean, read, totals, write
from tests.oracle.page import write_page


def main(arguments: list[str] | None = None) -> None:
    """Measure, and write the table and the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="operators, as in the table")
    parser.add_argument("--columns", default=",".join(COLUMNS), help="comma-separated columns of the table")
    parser.add_argument("--page", action="store_true", help="only write the page")
    parser.add_argument("--show", action="store_true", help="print what differs, write nothing")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument(
        "--backend", default="reference", help="what computes: reference, or native, which compiles each sample"
    )
    options = parser.parse_args(arguments)
    if not options.page:
        table = _measure(set(options.names), tuple(options.columns.split(",")), options)
        if options.show:
            return
        write(table)
        for column, (agreed, total) in totals(table).items():
            print(f"{column}: {agreed} of {total}")
        print(f"{sum(map(is_clean, table.values()))} operators agree on all samples in float32, gradients included")
    write_page(read())


def _measure(names: set[str], columns: tuple[str, ...], options: argparse.Namespace) -> dict[str, Row | None]:
    from tests.oracle.opinfo import measure_row, operators

    table = read() if PATH.exists() else {}
    wanted = [n for n in operators() if not names or n in names or n.partition("/")[0] in names]
    arguments = [(name, columns, options.backend) for name in wanted]
    if options.jobs > 1:
        with ProcessPoolExecutor(options.jobs, multiprocessing.get_context("spawn")) as pool:
            found = list(pool.map(measure_row, arguments, chunksize=8))
    else:
        found = [measure_row(a) for a in arguments]
    for name, counts in zip(wanted, found, strict=True):
        if counts is None:
            table[name] = None
            continue
        kept = {c: cell for c, cell in (table.get(name) or {}).items() if not _measured(c, columns)}
        table[name] = kept | {column: (agreed, total) for column, (agreed, total, _) in counts.items()}
        for column, (agreed, total, first) in counts.items():
            if first and (names or options.show):
                print(f"{name} {column} {agreed}/{total}: {first}", flush=True)
    return table


def _measured(column: str, columns: tuple[str, ...]) -> bool:
    return column in columns or (column == "gradient" and "float32" in columns)


if __name__ == "__main__":
    main()
