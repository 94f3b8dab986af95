#!/usr/bin/env python3
"""Makes the small Parquet files beside this script, as other programs write them, with pyarrow.

The tests compare what they read with the formulas below, so a change here is a change there.

Usage: .cache/venv/bin/python tests/table/make_files.py
"""

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).parent


def all_types() -> pa.Table:
    """100 rows of every type that arrays hold, none of them null, and three that they do not hold."""
    n = 100
    i = np.arange(n)
    columns = {
        "flag": pa.array(i % 3 == 0),
        "i8": pa.array((i - 50).astype(np.int8)),
        "i16": pa.array((i * 300 - 15000).astype(np.int16)),
        "i32": pa.array((i * 40_000_000 - 2_000_000_000).astype(np.int32)),
        "i64": pa.array(i.astype(np.int64) * 10**16 - 5 * 10**17),
        "u8": pa.array((i * 2 + 50).astype(np.uint8)),
        "u16": pa.array((i * 600).astype(np.uint16)),
        "u32": pa.array((i * 42_000_000).astype(np.uint32)),
        "u64": pa.array(i.astype(np.uint64) * np.uint64(18 * 10**16)),
        "f32": pa.array((i / 8).astype(np.float32)),
        "f64": pa.array(np.where(i == 7, np.nan, i / 3)),
        "text": pa.array([["pear", "apple", "", "fig"][k % 4] for k in i]),
        "day": pa.array([dt.date(1969, 12, 20) + dt.timedelta(days=int(k)) for k in i]),
        "ms": pa.array(i.astype(np.int64) * 1000 - 5, pa.timestamp("ms")),
        "us": pa.array(i.astype(np.int64) * 1000 - 5, pa.timestamp("us", tz="UTC")),
        "ns": pa.array(i.astype(np.int64) * 1000 - 5, pa.timestamp("ns")),
        "time_ms": pa.array(i.astype(np.int32) * 500, pa.time32("ms")),
        "time_us": pa.array(i.astype(np.int64) * 500, pa.time64("us")),
        "list": pa.array([[int(k)] for k in i]),
        "struct": pa.array([{"inside": int(k)} for k in i]),
        "decimal": pa.array(range(n), pa.decimal128(20, 0)),
    }
    return pa.table(columns)


def with_nulls() -> pa.Table:
    """1,000 rows in four groups: `x` is null where i % 10 == 3, `y` in row 777 alone, `t` where i % 7 == 0;
    `full` could be null and never is, and `sure` cannot be."""
    n = 1000
    x = pa.array([None if i % 10 == 3 else float(i) for i in range(n)])
    y = pa.array([None if i == 777 else i for i in range(n)], pa.int64())
    t = pa.array([None if i % 7 == 0 else f"t{i % 5}" for i in range(n)])
    full = pa.array(range(n), pa.int32())
    sure = pa.array(range(n), pa.int16())
    schema = pa.schema(
        [
            ("x", pa.float64()),
            ("y", pa.int64()),
            ("t", pa.string()),
            ("full", pa.int32()),
            pa.field("sure", pa.int16(), nullable=False),
        ]
    )
    return pa.table([x, y, t, full, sure], schema=schema)


def main() -> None:
    table = all_types()
    pq.write_table(table, HERE / "types_v1.parquet", version="1.0", compression="snappy",
                   use_dictionary=False, coerce_timestamps="ms", allow_truncated_timestamps=True)
    pq.write_table(table, HERE / "types_v2.parquet", row_group_size=30, data_page_version="2.0",
                   compression="zstd", data_page_size=64)
    pq.write_table(table.select(["ns"]), HERE / "int96.parquet", use_deprecated_int96_timestamps=True)
    pq.write_table(with_nulls(), HERE / "nulls.parquet", row_group_size=250, data_page_size=256,
                   write_batch_size=64)
    pq.write_table(with_nulls().slice(0, 0), HERE / "no_rows.parquet")
    # Many pages in one group, some without a dictionary, and no statistics.
    many = pa.table({"x": np.arange(20_000, dtype=np.int64), "s": [f"s{i % 3000:04}" for i in range(20_000)]})
    pq.write_table(many, HERE / "pages.parquet", data_page_size=1024, write_batch_size=128,
                   dictionary_pagesize_limit=4096, write_statistics=False, compression="gzip")


if __name__ == "__main__":
    main()
