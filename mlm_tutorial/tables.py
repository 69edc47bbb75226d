"""Tables of observations of any kind: what their columns must be, and their rows grouped by contributors.

Any table that narwhals supports will do. Inside this module the column of totals is called ``__x``, those of labels
``__0``, ``__1`` and so on, and those of covariates ``__z0``, ``__z1``, because several libraries read a name such as
``a.b``, ``*`` or ``^a$`` as an expression.
"""

import itertools
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

#: Rows of a table in memory that are grouped at a time where there are covariates.
PIECE = 1_000_000


def labels_column(j: int) -> str:
    """Return the name of the column with the labels of layer `j`, counted from 0."""
    return f"__{j}"


def covariate_column(k: int) -> str:
    """Return the name of the column with the values of covariate `k`, counted from 0."""
    return f"__z{k}"


def product_column(k: int, m: int) -> str:
    """Return the name of the column with a group's centered products of covariates `k` and `m`, where k <= m."""
    return f"__zz{k}_{m}"


def open_table(
    frame: Any, total: str, layers: Sequence[str], covariates: Sequence[str] = ()
) -> tuple[Any, list[str], list[str]]:
    """Check the columns of a table and give them the names of this module.

    Parameters
    ----------
    frame : data frame or lazy frame
        One row per observation.
    total, layers, covariates : str, list of str, list of str
        Names of the columns with the totals, with the contributors' labels, and with numbers of the rows.

    Returns
    -------
    narwhals.DataFrame or narwhals.LazyFrame
        Columns ``__x`` (float), ``__0``, ``__1`` and so on, and ``__z0``, ``__z1`` and so on (float), still to be
        computed where the table is lazy.
    list of str
        The layers.
    list of str
        The covariates.

    Raises
    ------
    TypeError, KeyError, ValueError
        For bad tables and columns as in :func:`mlm_tutorial.cell_statistics`.
    """
    return _opened(frame, [total], layers, covariates)


def open_labels(frame: Any, layers: Sequence[str], covariates: Sequence[str] = ()) -> tuple[Any, list[str], list[str]]:
    """Check the columns of a table without totals, see :func:`open_table`."""
    return _opened(frame, [], layers, covariates)


def group_rows(
    data: Any, total: str, layers: list[str], absent: Iterable[str] = (), covariates: Sequence[str] = ()
) -> pd.DataFrame:
    """Group the rows of a table from :func:`open_table` by their labels.

    Parameters
    ----------
    data : narwhals.DataFrame or narwhals.LazyFrame
        Columns ``__x``, ``__0``, ``__1`` and so on, and ``__z0``, ``__z1`` and so on.
    total, layers, covariates : str, list of str, sequence of str
        Their names in the reader's table, for messages.
    absent : iterable of str
        Layers whose labels may be missing.

    Returns
    -------
    pandas.DataFrame
        One row per group, in any order: labels in ``__0`` and so on, None where one is missing, then ``__n``,
        ``__pivot``, ``__mean`` (of the totals less the pivot) and ``__sum_sq``. For each covariate k also
        ``__pivot_z<k>``, ``__mean_z<k>``, its sum of products with the totals ``__xz<k>``, and with covariate m >= k
        ``__zz<k>_<m>``; sums are of deviations from the group's means.

    Raises
    ------
    TypeError, ValueError
        If there are no rows, a total or a covariate is missing or infinite, a label is missing, or labels cannot be
        hashed.
    """
    keys = [labels_column(j) for j in range(len(layers))]
    try:
        groups = _group(data, keys, len(covariates))
        required = {key: name for key, name in zip(keys, layers, strict=True) if name not in absent}
        if groups.empty or _has_bad_values(groups, list(required), len(covariates)):
            numbers = {TOTALS: total} | {covariate_column(k): name for k, name in enumerate(covariates)}
            _check_values(data, numbers, required, dict(zip(keys, layers, strict=True)))  # names the value and its row
        groups = _with_one_missing_label(groups, keys)
        for key in keys:  # pandas groups by lists of one length, and fails with others
            hash(tuple(groups[key]))
    except (TypeError, NotImplementedError) as error:
        _refuse_unhashable(data, dict(zip(keys, layers, strict=True)), error)
        raise
    return groups


# --- columns ---


def _opened(
    frame: Any, totals: list[str], layers: Sequence[str], covariates: Sequence[str]
) -> tuple[Any, list[str], list[str]]:
    data = _as_narwhals(frame)
    layers, covariates = _checked_columns(data, totals, layers, covariates)
    numbers = dict.fromkeys(totals, TOTALS) | {name: covariate_column(k) for k, name in enumerate(covariates)}
    data = _renamed(data, numbers | {name: labels_column(j) for j, name in enumerate(layers)})
    _refuse_nested(data, layers)
    schema = data.collect_schema()
    for name, column in numbers.items():
        if not schema[column].is_numeric():
            advice = _conversion(data, name, column)
            raise TypeError(f"column {name!r} must be numeric, got {schema[column]}; {advice}")
    numeric = [nw.col(column).cast(nw.Float64) for column in numbers.values()]
    return data.with_columns(*numeric) if numeric else data, layers, covariates


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


def _checked_columns(
    data, totals: list[str], layers: Sequence[str], covariates: Sequence[str]
) -> tuple[list[str], list[str]]:
    for what, given in (("layers", layers), ("covariates", covariates)):
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise TypeError(f"{what} must be a list of column names, got {given!r}")
    layers, covariates = list(layers), list(covariates)
    if not layers:
        raise ValueError("layers is empty; name at least one column of contributors")
    wanted = [*totals, *layers, *covariates]
    columns = data.collect_schema().names()
    for name in wanted:
        if not isinstance(name, str):
            raise TypeError(f"column names must be strings, got {name!r}{_rename_hint(columns)}")
    for name, count in Counter(wanted).items():
        if count > 1:
            what = "total, layers and covariates" if covariates else "total and layers"
            raise ValueError(f"column {name!r} is named {count} times; {what} must all differ")
    check_layer_names(layers, covariates)
    missing = [name for name in wanted if name not in columns]
    if missing:
        hint = f"; {missing[0]!r} is in the index: call reset_index() on the frame first"
        if missing[0] not in _index_names(data):
            hint = _rename_hint(columns)
        listed = ", ".join(map(str, columns))
        raise KeyError(f"no column {missing[0]!r} in the frame; it has {listed}{hint}")
    return layers, covariates


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


def _conversion(data, name: str, place: str) -> str:
    """Return advice on converting a column that is not numeric, based on its first value; `place` is its name here."""
    first = _first_value(data, place)
    value = first[0] if first else None
    column = f"frame[{name!r}]"
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


def _group(data, keys: list[str], n_covariates: int = 0) -> pd.DataFrame:
    """Return a row per cell in one pass: labels, ``__n``, counts, pivots, means, and centered sums of products.

    Means are those of x minus a pivot: an offset of 1e9 would otherwise cost nine digits.
    """
    if data.implementation.is_dask():
        return _group_partitions(data.to_native(), keys, n_covariates)
    if n_covariates and data.implementation.is_polars():
        data = data.lazy()  # its sums are then computed in batches, all cores at once
    if n_covariates and isinstance(data, nw.DataFrame) and len(data) > PIECE:
        # The columns of sums would take several times the memory of the table.
        pieces = [_group(data[i : i + PIECE], keys, n_covariates) for i in range(0, len(data), PIECE)]
        return _merge_groups(pd.concat(pieces, ignore_index=True), keys)
    numbers = [TOTALS, *(covariate_column(k) for k in range(n_covariates))]
    pairs = list(itertools.combinations(range(len(numbers)), 2))
    pivots, units = _pivots_and_units(data, numbers)
    # The grouped variance is each backend's own, and none of those left computes it as sum(x^2) - n mean^2. Products
    # come from it, too: the variance of a sum of two, less the variances of both, is twice their covariance.
    centered = [nw.col(name) - pivot for name, pivot in zip(numbers, pivots, strict=True)]
    if n_covariates:  # all units are 1 without them, and a division is a pass over all rows
        centered = [value / unit for value, unit in zip(centered, units, strict=True)]
    sums = [f"__sum{i}_{k}" for i, k in pairs]
    data = data.select(
        *keys,
        *(value.alias(name) for name, value in zip(numbers, centered, strict=True)),
        *((centered[i] + centered[k]).alias(name) for name, (i, k) in zip(sums, pairs, strict=True)),
    )
    grouped = _collect(
        data.group_by(*keys).agg(
            nw.len().alias("__n"),
            *(nw.col(name).count().alias(f"__count{i}") for i, name in enumerate(numbers)),
            *(nw.col(name).mean().alias(f"__mean{i}") for i, name in enumerate(numbers)),
            *(nw.col(name).var(ddof=0).alias(f"__var{name}") for name in (*numbers, *sums)),
        )
    )
    table = {name: pd.Series(grouped[name].to_list(), dtype=object) for name in keys}
    n = grouped["__n"].to_numpy().astype(np.int64)
    counts = [grouped[f"__count{i}"].to_numpy().astype(np.int64) for i in range(len(numbers))]
    # A cell with one row has no spread; rounding must not leave one, nor a negative one.
    variance = {
        name: np.where(n > 1, np.maximum(np.nan_to_num(grouped[f"__var{name}"].to_numpy().astype(float)), 0), 0.0)
        for name in (*numbers, *sums)
    }
    means = [grouped[f"__mean{i}"].to_numpy().astype(float) for i in range(len(numbers))]
    products = {(i, i): variance[name] for i, name in enumerate(numbers)}
    for name, (i, k) in zip(sums, pairs, strict=True):
        covariance = (variance[name] - products[i, i] - products[k, k]) / 2
        # Where one of the two does not vary, rounding must not leave a product.
        largest = np.sqrt(products[i, i] * products[k, k])
        products[i, k] = np.clip(covariance, -largest, largest)
    table |= {"__n": n, "__count": np.minimum.reduce(counts)}
    for i, (pivot, unit, mean) in enumerate(zip(pivots, units, means, strict=True)):
        table |= {_pivot(i): np.full(len(n), pivot), _mean(i): mean * unit}
    return pd.DataFrame(table | {_product(*ik): n * units[ik[0]] * units[ik[1]] * x for ik, x in products.items()})


def _pivots_and_units(data, numbers: list[str]) -> tuple[list[float], list[float]]:
    """Return the medians of a few rows, and powers of two near their spreads.

    Of a few rows, because the mean of all would take another pass. In units of like size a sum of two columns keeps the
    digits of both; multiplication by a power of two rounds nothing.
    """
    pivots, units = [], []
    for name in numbers:
        few = data.select(name).filter(nw.col(name).is_finite()).head(1_000)
        found = _collect(few.select(nw.col(name).median().alias("middle"), nw.col(name).std().alias("sd")))
        pivots.append(float(found["middle"].to_list()[0] or 0.0))
        sd = float(found["sd"].to_list()[0] or 0.0)
        units.append(float(2.0 ** np.round(np.log2(sd))) if len(numbers) > 1 and 0 < sd < np.inf else 1.0)
    return pivots, units


def _pivot(i: int) -> str:
    """Return the column of a number's pivots in a table of groups; 0 is the total, then come the covariates."""
    return f"__pivot_z{i - 1}" if i else "__pivot"


def _mean(i: int) -> str:
    return f"__mean_z{i - 1}" if i else "__mean"


def _product(i: int, k: int) -> str:
    if i:
        return product_column(i - 1, k - 1)
    return f"__xz{k - 1}" if k else "__sum_sq"


def _collect(data) -> nw.DataFrame:
    """Compute a lazy frame; Polars in batches, so that the rows need not fit into memory."""
    data = data.lazy()
    return data.collect(engine="streaming") if data.implementation.is_polars() else data.collect()


def _group_partitions(frame, keys: list[str], n_covariates: int) -> pd.DataFrame:
    """Group a Dask frame: each partition where it is, then the cells of several partitions, as in a tree.

    Dask's own grouped variance is sum(x^2) - n mean^2.
    """
    return frame.reduction(
        _group_partition,
        aggregate=_merge_groups,
        combine=_merge_groups,
        chunk_kwargs={"keys": keys, "n_covariates": n_covariates},
        aggregate_kwargs={"keys": keys},
        combine_kwargs={"keys": keys},
        meta=_group_partition(frame._meta, keys, n_covariates),
        split_every=8,
    ).compute()


def _group_partition(frame: pd.DataFrame, keys: list[str], n_covariates: int) -> pd.DataFrame:
    return _group(nw.from_native(frame), keys, n_covariates)


def _merge_groups(groups: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Merge cells with the same labels (Chan, Golub and LeVeque 1979); each part comes with its own pivot."""
    if groups.empty:
        return groups
    key = groups.groupby(keys, sort=False, dropna=False).ngroup().to_numpy()
    first = np.unique(key, return_index=True)[1]
    n = groups["__n"].to_numpy()

    def add(values):
        return np.bincount(key, weights=values)

    merged = groups.iloc[first].reset_index(drop=True)
    merged["__n"], merged["__count"] = add(n).astype(np.int64), add(groups["__count"]).astype(np.int64)
    deviations = []
    for i in range(sum(name.startswith("__pivot") for name in groups)):
        # The difference of two pivots is exact or nearly so; adding a pivot to a mean would round the mean.
        pivot = groups[_pivot(i)].iloc[0]
        mean = (groups[_mean(i)] + (groups[_pivot(i)] - pivot)).to_numpy()
        merged[_pivot(i)], merged[_mean(i)] = pivot, add(n * mean) / add(n)
        deviations.append(mean - merged[_mean(i)].to_numpy()[key])
    for i, k in itertools.combinations_with_replacement(range(len(deviations)), 2):
        merged[_product(i, k)] = add(groups[_product(i, k)] + n * deviations[i] * deviations[k])
    return merged


def _has_bad_values(grouped: pd.DataFrame, keys: list[str], n_covariates: int) -> bool:
    """Return whether a label or a number is missing, or a number is infinite."""
    labels = any(grouped[name].isna().any() for name in keys)
    finite = all(np.isfinite(grouped[_mean(i)]).all() for i in range(1 + n_covariates))
    return labels or (grouped["__n"] != grouped["__count"]).any() or not finite


def _check_values(data, numbers: dict[str, str], required: dict[str, str], layers: dict[str, str]) -> None:
    """Raise ValueError if there are no rows, or missing or infinite values, and say where."""
    schema = data.collect_schema()
    bad = {column: nw.col(column).is_null() | ~nw.col(column).is_finite() for column in numbers}
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
    counts = {key: summary[f"__bad{key}"].to_list()[0] for key in bad}
    found = [key for key, count in counts.items() if count]
    if not found:
        raise ValueError("a label or a number is missing, or a number is infinite")  # that the flags do not detect
    first, *others = found
    columns = numbers | layers
    what = "missing or infinite values" if first in numbers else "missing labels"
    what = "missing or infinite totals" if first == TOTALS else what
    text = bad_values(columns[first], counts[first], what, _first_bad_row(data, bad[first], layers))
    if others:
        text += f". Also incomplete: {', '.join(f'{columns[key]!r} ({counts[key]})' for key in others)}"
    raise ValueError(text if set(found) <= set(numbers) else f"{text}. {_WHAT_TO_DO}")


def bad_values(column: str | None, count: int, what: str, where: str) -> str:
    """Return how many values of a column are of no use, as "missing labels", and where the first is."""
    return f"column {column!r} has {count} {what if count > 1 else what.removesuffix('s')}; the first is {where}"


#: What to do about missing labels, for which there are two reasons that a table does not tell apart.
_WHAT_TO_DO = (
    "If a label was not written down, leave its row out. If the layer took no part in that total, name it in "
    "allow_absent; never otherwise, since such rows tell the layers apart"
)


def _first_bad_row(data, flag, layers: dict[str, str]) -> str:
    if isinstance(data, nw.DataFrame):
        position = data.with_columns(flag.alias("__bad"))["__bad"].to_list().index(True)
        return f"in row {position} (counted from 0)"
    row = data.filter(flag).head(1).collect().rows(named=True)[0]
    labels = {name: row[key] for key, name in layers.items()}
    return f"in the row with total {row[TOTALS]} and labels {labels}"
