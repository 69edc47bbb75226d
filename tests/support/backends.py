"""The kinds of table that cells are made from, each built from the same columns."""

from contextlib import contextmanager

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa


def pandas_categorical(columns):
    frame = pd.DataFrame(columns)
    labels = frame.select_dtypes(exclude="float").columns.difference(["total"])
    return frame.astype(dict.fromkeys(labels, "category"))


def polars_categorical(columns):
    return pl.DataFrame(columns).with_columns(pl.col(pl.String).cast(pl.Categorical))


def pyarrow_dictionary(columns):
    table = pa.table(columns)
    names = [field.name for field in table.schema if pa.types.is_string(field.type)]
    return pa.table({name: table[name].dictionary_encode() if name in names else table[name] for name in columns})


EAGER = {
    "pandas": pd.DataFrame,
    "pandas_categorical": pandas_categorical,
    "polars": pl.DataFrame,
    "polars_categorical": polars_categorical,
    "pyarrow": pa.table,
    "pyarrow_dictionary": pyarrow_dictionary,
}
LAZY = {
    "polars_lazy": lambda columns: pl.LazyFrame(columns),
    "duckdb": lambda columns: duckdb.from_arrow(pa.table(columns)),
}
BACKENDS = EAGER | LAZY


@contextmanager
def spark_session(name, **settings):
    """Start Spark with two processes on this machine; settings by name, with underscores in place of dots."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").appName(name)
    settings = {"ui_enabled": "false", "driver_bindAddress": "127.0.0.1", "driver_host": "127.0.0.1"} | settings
    for setting, value in settings.items():
        builder = builder.config("spark." + setting.replace("_", "."), value)
    session = builder.getOrCreate()
    try:
        yield session
    finally:
        session.stop()
