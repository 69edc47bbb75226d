"""Tables of observations of any kind: what their columns must be, and their rows grouped by contributors.

Any table that narwhals supports will do. Inside this module the column of totals is called ``__x`` and those of labels
``__0``, ``__1`` and so on, because several libraries read a name such as ``a.b``, ``*`` or ``^a$`` as an expression.
"""

import re
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from mlm_tutorial.names import check_layer_names, is_missing

TOTALS = "__x"


def labels_column(j: int) -> str:
    """Return the name of the column with the labels of layer `j`, counted from 0."""
    return f"__{j}"


def open_table(frame: Any, total: str, layers: Sequence[str]) -> tuple[Any, list[str]]:
    """Check the columns of a table and give them the names of this module.

    Parameters
    ----------
    frame : data frame or lazy frame
        One row per observation.
    total, layers : str, list of str
        Names of the columns with the totals, and with the contributors' labels.

    Returns
    -------
    narwhals.DataFrame or narwhals.LazyFrame
        Columns ``__x`` (float) and ``__0``, ``__1`` and so on, still to be computed where the table is lazy.
    list of str
        The layers.

    Raises
    ------
    TypeError, KeyError, ValueError
        For bad tables and columns as in :func:`mlm_tutorial.cell_statistics`.
    """
    data, layers = _opened(frame, layers, total)
    dtype = data.collect_schema()[TOTALS]
    if not dtype.is_numeric():
        raise TypeError(f"column {total!r} must be numeric, got {dtype}; {_conversion(data, total)}")
    return data.with_columns(nw.col(TOTALS).cast(nw.Float64)), layers


def open_labels(frame: Any, layers: Sequence[str]) -> tuple[Any, list[str]]:
    """Check the columns of a table without totals, see :func:`open_table`."""
    return _opened(frame, layers)


def group_rows(data: Any, total: str, layers: list[str], absent: Iterable[str] = ()) -> pd.DataFrame:
    """Group the rows of a table from :func:`open_table` by their labels.

    Parameters
    ----------
    data : narwhals.DataFrame or narwhals.LazyFrame
        Columns ``__x``, ``__0``, ``__1`` and so on.
    total, layers : str, list of str
        Their names in the reader's table, for messages.
    absent : iterable of str
        Layers whose labels may be missing.

    Returns
    -------
    pandas.DataFrame
        One row per group, in any order: labels in ``__0`` and so on, None where one is missing, then ``__n``,
        ``__pivot``, ``__mean`` (of the totals less the pivot) and ``__sum_sq``.

    Raises
    ------
    TypeError, ValueError
        If there are no rows, a total is missing or infinite, a label is missing, or labels cannot be hashed.
    """
    keys = [labels_column(j) for j in range(len(layers))]
    try:
        groups = _group(data, keys)
        required = {key: name for key, name in zip(keys, layers, strict=True) if name not in absent}
        if groups.empty or _has_bad_values(groups, list(required)):
            _check_values(data, total, required, dict(zip(keys, layers, strict=True)))  # names the value and its row
        groups = _with_one_missing_label(groups, keys)
        for key in keys:  # pandas groups by lists of one length, and fails with others
            hash(tuple(groups[key]))
    except (TypeError, NotImplementedError) as error:
        _refuse_unhashable(data, dict(zip(keys, layers, strict=True)), error)
        raise
    return groups


# --- columns ---


def _opened(frame: Any, layers: Sequence[str], *total: str) -> tuple[Any, list[str]]:
    data = _as_narwhals(frame)
    layers = _checked_columns(data, layers, *total)
    names = dict.fromkeys(total, TOTALS) | {name: labels_column(j) for j, name in enumerate(layers)}
    data = _renamed(data, names)
    _refuse_nested(data, layers)
    return data, layers


def _as_narwhals(frame: Any):
    # Before narwhals sees it: its own error does not say which table, and DuckDB takes the first of two columns.
    # Polars has no two columns of one name, and lists a lazy frame's only at a cost.
    if not hasattr(frame, "collect_schema"):
        names = getattr(frame, "column_names", getattr(frame, "columns", ()))
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise ValueError(f"the frame has more than one column named {twice[0]!r}")
    try:
        with warnings.catch_warnings():
            # narwhals announces a package `narwhals-dask`, which does not exist yet.
            warnings.filterwarnings("ignore", "Dask support is moving", FutureWarning)
            return nw.from_native(frame)
    except TypeError:
        raise TypeError(
            f"expected a data frame (pandas, Polars, PyArrow, DuckDB, Dask or PySpark), got {type(frame).__name__}"
        ) from None


def _checked_columns(data, layers: Sequence[str], *total: str) -> list[str]:
    if isinstance(layers, str) or not isinstance(layers, Iterable):
        raise TypeError(f"layers must be a list of column names, got {layers!r}")
    layers = list(layers)
    if not layers:
        raise ValueError("layers is empty; name at least one column of contributors")
    wanted = [*total, *layers]
    columns = data.collect_schema().names()
    for name in wanted:
        if not isinstance(name, str):
            raise TypeError(f"column names must be strings, got {name!r}{_rename_hint(columns)}")
    for name, count in Counter(wanted).items():
        if count > 1:
            raise ValueError(f"column {name!r} is named {count} times; total and layers must all differ")
    check_layer_names(layers)
    missing = [name for name in wanted if name not in columns]
    if missing:
        hint = f"; {missing[0]!r} is in the index: call reset_index() on the frame first"
        if missing[0] not in _index_names(data):
            hint = _rename_hint(columns)
        listed = ", ".join(map(str, columns))
        raise KeyError(f"no column {missing[0]!r} in the frame; it has {listed}{hint}")
    return layers


def _index_names(data) -> list:
    """Return the names of the levels of the index, where pandas and Dask keep keys of `groupby` and `set_index`."""
    if data.implementation.is_dask():
        return [data.to_native().index.name]
    return list(data.to_native().index.names) if data.implementation.is_pandas_like() else []


def _rename_hint(columns: Sequence) -> str:
    """Return advice on names of columns that are not strings, "" where all are."""
    if all(isinstance(name, str) for name in columns):
        return ""
    if any(isinstance(name, tuple) for name in columns):
        how = "the columns have several levels: frame.columns = ['_'.join(map(str, c)) for c in frame.columns]"
    else:
        how = "name the columns with strings: frame.columns = frame.columns.map(str)"
    return f"; {how}"


def _renamed(data, names: dict[str, str]):
    """Return only these columns of a table, under new names."""
    if all(re.fullmatch(r"\w+( \w+)*", name) for name in names):
        return data.select(*(nw.col(name).alias(new) for name, new in names.items()))
    native = data.to_native()
    if data.implementation.is_duckdb():
        quoted = {name.replace('"', '""'): new for name, new in names.items()}
        return nw.from_native(native.project(", ".join(f'"{name}" AS "{new}"' for name, new in quoted.items())))
    if data.implementation.is_pyspark():
        native = native.toDF(*(names.get(name, f"__other_{i}") for i, name in enumerate(native.columns)))
        return nw.from_native(native).select(*names.values())
    return data.rename(names).select(*names.values())


def _first_value(data, column: str) -> list:
    """Return the first value that is not missing, in a list that is empty where all are."""
    return _collect(data.select(column).drop_nulls().head(1))[column].to_list()


def _conversion(data, total: str) -> str:
    """Return advice on converting totals that are not numeric, based on the first of them."""
    first = _first_value(data, TOTALS)
    value = first[0] if first else None
    column = f"frame[{total!r}]"
    if isinstance(value, Decimal):
        return f"convert it to numbers first, in pandas: {column}.astype(float) (the first value is {value!r})"
    if isinstance(value, str) and "," in value:
        return (
            f"convert it to numbers first (the first value is {value!r}). Commas that separate thousands, in pandas: "
            f"{column}.str.replace(',', '').astype(float), or pandas.read_csv(..., thousands=','). Decimal commas: "
            f"{column}.str.replace(',', '.').astype(float), or pandas.read_csv(..., decimal=',')"
        )
    if isinstance(value, str):
        return f"convert it to numbers first, in pandas: pandas.to_numeric({column}) (the first value is {value!r})"
    if isinstance(value, timedelta):
        return f"convert it to numbers of one unit first, in pandas: {column}.dt.total_seconds()"
    return "convert it to numbers first" + (f" (the first value is {value!r})" if first else "")


def _refuse_nested(data, layers: list[str]) -> None:
    """Raise TypeError if a column holds lists or structs by its type."""
    schema = data.collect_schema()
    for j, name in enumerate(layers):
        dtype = schema[labels_column(j)]
        if dtype.is_nested():
            first = _first_value(data, labels_column(j))
            kind = "structs" if isinstance(dtype, nw.Struct) else "lists"
            where = f"the first is {first[0]!r}" if first else "all are missing"
            raise TypeError(_unhashable_message(name, f"{kind} ({where})"))


def _refuse_unhashable(data, layers: dict[str, str], error: Exception) -> None:
    """Raise TypeError if a column holds labels that cannot be hashed, or that its backend cannot group by."""
    for key, name in layers.items():
        for i, label in enumerate(_collect(data.select(key))[key].to_list()):
            try:
                hash(label)
            except TypeError:
                where = f"a {type(label).__name__} in row {i} (counted from 0): {label!r}"
                raise TypeError(_unhashable_message(name, where)) from None
    if isinstance(error, NotImplementedError):
        names = ", ".join(map(repr, layers.values()))
        raise TypeError(f"the frame cannot be grouped by {names}: {error}. Convert the labels to text first") from error


def _unhashable_message(layer: str, what: str) -> str:
    return (
        f"column {layer!r} holds {what}. A label must be a single value that can be hashed: convert it to text, in "
        f"pandas frame[{layer!r}].map(str), or make its parts columns of their own"
    )


# --- rows ---


def _with_one_missing_label(grouped: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return the groups with None for every missing label; backends keep null, NaN and NaT apart."""
    missing = [key for key in keys if grouped[key].isna().any()]
    if not missing:
        return grouped
    for key in missing:
        grouped[key] = pd.Series([None if is_missing(label) else label for label in grouped[key]], dtype=object)
    return _merge_groups(grouped, keys)


def _group(data, keys: list[str]) -> pd.DataFrame:
    """Return a row per cell in one pass: labels, ``__n``, ``__count`` of totals, ``__pivot``, ``__mean``, ``__sum_sq``.

    Means are those of x minus a pivot: an offset of 1e9 would otherwise cost nine digits.
    """
    if data.implementation.is_dask():
        return _group_partitions(data.to_native(), keys)
    # The median of a few rows, because the mean of all would take another pass. Only this number is collected.
    middle = data.select(TOTALS).filter(nw.col(TOTALS).is_finite()).head(1_000).select(nw.col(TOTALS).median())
    pivot = _collect(middle)[TOTALS].to_list()[0] or 0.0
    # The grouped variance is each backend's own, and none of those left computes it as sum(x^2) - n mean^2.
    grouped = _collect(
        data.with_columns(nw.col(TOTALS) - pivot)
        .group_by(*keys)
        .agg(
            nw.len().alias("__n"),
            nw.col(TOTALS).count().alias("__count"),
            nw.col(TOTALS).mean().alias("__mean"),
            nw.col(TOTALS).var(ddof=0).alias("__var"),
        )
    )
    table = {name: pd.Series(grouped[name].to_list(), dtype=object) for name in keys}
    table |= {name: grouped[name].to_numpy().astype(np.int64) for name in ("__n", "__count")}
    n, variance = table["__n"], np.nan_to_num(grouped["__var"].to_numpy().astype(float))
    # A cell with one row has no spread; rounding must not leave one, nor a negative one.
    sum_sq = np.where(n > 1, np.maximum(variance, 0) * n, 0.0)
    mean = grouped["__mean"].to_numpy().astype(float)
    return pd.DataFrame(table | {"__pivot": float(pivot), "__mean": mean, "__sum_sq": sum_sq})


def _collect(data) -> nw.DataFrame:
    """Compute a lazy frame; Polars in batches, so that the rows need not fit into memory."""
    data = data.lazy()
    return data.collect(engine="streaming") if data.implementation.is_polars() else data.collect()


def _group_partitions(frame, keys: list[str]) -> pd.DataFrame:
    """Group a Dask frame: each partition where it is, then the cells of several partitions, as in a tree.

    Dask's own grouped variance is sum(x^2) - n mean^2.
    """
    return frame.reduction(
        _group_partition,
        aggregate=_merge_groups,
        combine=_merge_groups,
        chunk_kwargs={"keys": keys},
        aggregate_kwargs={"keys": keys},
        combine_kwargs={"keys": keys},
        meta=_group_partition(frame._meta, keys),
        split_every=8,
    ).compute()


def _group_partition(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    return _group(nw.from_native(frame), keys)


def _merge_groups(groups: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Merge cells with the same labels (Chan, Golub and LeVeque 1979); each part comes with its own pivot."""
    if groups.empty:
        return groups
    # The difference of two pivots is exact or nearly so; adding a pivot to a mean would round the mean.
    pivot = groups["__pivot"].iloc[0]
    groups["__mean"] += groups["__pivot"] - pivot
    key = groups.groupby(keys, sort=False, dropna=False).ngroup().to_numpy()
    first = np.unique(key, return_index=True)[1]
    n, mean = groups["__n"].to_numpy(), groups["__mean"].to_numpy()

    def add(values):
        return np.bincount(key, weights=values)

    merged = groups.iloc[first].reset_index(drop=True)
    merged["__n"], merged["__count"] = add(n).astype(np.int64), add(groups["__count"]).astype(np.int64)
    merged["__pivot"], merged["__mean"] = pivot, add(n * mean) / add(n)
    between = n * (mean - merged["__mean"].to_numpy()[key]) ** 2
    merged["__sum_sq"] = add(groups["__sum_sq"] + between)
    return merged


def _has_bad_values(grouped: pd.DataFrame, keys: list[str]) -> bool:
    """Return whether a label or a total is missing, or a total is infinite."""
    labels = any(grouped[name].isna().any() for name in keys)
    return labels or (grouped["__n"] != grouped["__count"]).any() or not np.isfinite(grouped["__mean"]).all()


def _check_values(data, total: str, required: dict[str, str], layers: dict[str, str]) -> None:
    """Raise ValueError if there are no rows, or missing or infinite values, and say where."""
    schema = data.collect_schema()
    bad = {TOTALS: nw.col(TOTALS).is_null() | ~nw.col(TOTALS).is_finite()}
    for key in required:
        bad[key] = nw.col(key).is_null()
        if schema[key].is_float():
            bad[key] = bad[key] | nw.col(key).is_nan().fill_null(True)
    # Sums of flags rather than counts: one pass over the rows, the same on every backend.
    flags = data.with_columns(*(flag.cast(nw.Int64).alias(f"__bad{key}") for key, flag in bad.items()))
    sums = (nw.col(f"__bad{key}").sum() for key in bad)
    summary = flags.select(nw.len().alias("__n"), *sums).lazy().collect()
    if summary["__n"].to_list()[0] == 0:
        raise ValueError("the frame is empty; expected two observations at least")
    for key, flag in bad.items():
        count = summary[f"__bad{key}"].to_list()[0]
        if count:
            what = "missing or infinite totals" if key == TOTALS else "missing labels"
            name = total if key == TOTALS else layers[key]
            raise ValueError(f"column {name!r} has {count} {what}; the first is {_first_bad_row(data, flag, layers)}")
    raise ValueError("a label or a total is missing, or a total is infinite")  # that the flags above do not detect


def _first_bad_row(data, flag, layers: dict[str, str]) -> str:
    if isinstance(data, nw.DataFrame):
        position = data.with_columns(flag.alias("__bad"))["__bad"].to_list().index(True)
        return f"in row {position} (counted from 0)"
    row = data.filter(flag).head(1).collect().rows(named=True)[0]
    labels = {name: row[key] for key, name in layers.items()}
    return f"in the row with total {row[TOTALS]} and labels {labels}"
