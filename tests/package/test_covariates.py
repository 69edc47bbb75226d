"""Covariates: cells keep what a regression needs, and every part of the package takes them into account."""

import warnings
from functools import cache

import arviz as az
import numpy as np
import pandas as pd
import polars as pl
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
import xarray as xr
from pytensor.graph.traversal import explicit_graph_inputs
from scipy import stats

import mlm_tutorial as mlm

LAYERS, COVARIATES = ["who", "where"], ["x", "level"]
FALSE_ALARM = 1e-4  # of one test function, shared among its comparisons (Bonferroni)


def table_of(n=400, seed=0, offset=0.0, scale=1.0):
    """Return rows with a covariate of each row that differs between contributors, and one that they determine."""
    rng = np.random.default_rng(seed)
    who, where = rng.integers(6, size=n), rng.integers(3, size=n)
    x = offset + scale * (rng.normal(size=n) + 0.5 * who)
    level = np.array([0.0, 1.0, 2.0, 0.0, 1.0, 2.0])[who]
    total = offset + np.array([1.0, -1, 2, 0, -2, 0])[who] + where + 0.7 * (x - offset) / scale + 1.5 * level
    return pd.DataFrame({"who": who, "where": where, "x": x, "level": level, "total": total + 2 * rng.normal(size=n)})


def cells_of(frame, **options):
    return mlm.cell_statistics(frame, layers=LAYERS, covariates=COVARIATES, **options)


def without_some_places():
    """Return the rows of which every fifth lacks a label of `where`."""
    frame = table_of()
    frame["where"] = frame["where"].astype("Int64")
    frame.loc[::5, "where"] = pd.NA
    return frame


@cache
def small():
    frame = table_of()
    cells = cells_of(frame)
    return frame, cells, mlm.sample(mlm.cell_model(cells), seed=1)


# --- sufficient statistics ---


def products_of(frame, offset):
    """Return the products of deviations of covariates and totals in each cell, in the order of the cells."""
    found = []
    for _, group in frame.groupby(LAYERS):
        values = group[["total", *COVARIATES]].to_numpy() - [offset, offset, 0.0]
        values -= values.mean(axis=0)
        found.append(values.T @ values)
    return np.array(found)


@pytest.mark.parametrize(("offset", "scale"), [(0.0, 1.0), (1e9, 1.0), (1e9, 1e-3), (0.0, 1e-6), (0.0, 1e6)])
@pytest.mark.parametrize("kind", ["pandas", "polars", "polars lazy", "duckdb", "merged"])
def test_products_are_those_of_the_rows(kind, offset, scale):
    frame = table_of(1000, offset=offset, scale=scale)
    if kind == "merged":
        # Parts with different contributors, and cells that are in one part only.
        parts = [frame[frame["who"] < 4][:300], frame[frame["who"] < 4][300:], frame[frame["who"] >= 4]]
        first, second, third = (cells_of(part, partial=True) for part in parts)
        cells = first.merge(second.merge(third))
    else:
        table = {"pandas": lambda: frame, "polars": lambda: pl.from_pandas(frame)}.get(kind)
        if kind == "polars lazy":
            table = pl.from_pandas(frame).lazy
        if kind == "duckdb":
            duckdb = pytest.importorskip("duckdb")
            table = lambda: duckdb.from_df(frame)  # noqa: E731
        cells = cells_of(table())
    expected = products_of(frame, offset)
    size = np.sqrt(np.einsum("cii,ckk->cik", expected, expected))
    found = np.zeros_like(expected)
    found[:, 0, 0], found[:, 0, 1:], found[:, 1:, 0] = cells.sum_sq, cells.x_total, cells.x_total
    found[:, 1:, 1:] = cells.x_products
    # Cells to merge have rounded averages, rows do not.
    rounding = 8 * np.finfo(float).eps * offset / min(scale, 1) if kind == "merged" else 0
    np.testing.assert_array_less(np.abs(found - expected), (1e-9 + rounding) * size + 1e-30)
    assert np.all(cells.x_products[:, 1, 1] == 0)  # the labels determine it: no rounding error may vary in a cell
    means = frame.groupby(LAYERS)[COVARIATES].mean().to_numpy()
    np.testing.assert_allclose(cells.x_mean, means, rtol=1e-12, atol=1e-12 * scale)


def test_pieces_of_a_long_table_are_merged(monkeypatch):
    frame = table_of(1000, offset=1e9)
    whole = cells_of(frame)
    monkeypatch.setattr("mlm_tutorial.tables.PIECE", 70)
    pieces = cells_of(frame)
    for name in ("codes", "n", "mean", "sum_sq", "x_mean", "x_products", "x_total"):
        np.testing.assert_allclose(getattr(pieces, name), getattr(whole, name), rtol=1e-9, atol=1e-9)


def test_least_squares_of_cells_are_those_of_rows():
    frame = table_of()
    frame["z"] = np.random.default_rng(3).normal(size=len(frame)) + frame["where"]
    cells = mlm.cell_statistics(frame, layers=LAYERS, covariates=["x", "z"])
    dummies = pd.get_dummies(frame[LAYERS].astype("category"), drop_first=True).to_numpy(float)
    design = np.column_stack([np.ones(len(frame)), frame["x"], frame["z"], dummies])
    fit, (rest,), rank, _ = np.linalg.lstsq(design, frame["total"])
    matrix, right = cells.slope_equations()
    np.testing.assert_allclose(np.linalg.solve(matrix, right), fit[1:3], rtol=1e-8)
    assert cells.residual_variance() == pytest.approx(rest / (len(frame) - rank), rel=1e-8)
    cell = frame.groupby(LAYERS).ngroup()
    fitted = pd.Series(design @ fit).groupby(cell).mean()
    np.testing.assert_allclose(cells.additive_means(), fitted, rtol=1e-8)


@pytest.mark.parametrize(
    ("change", "covariates", "error", "message"),
    [
        ({"x": np.nan}, ["x"], ValueError, "'x' has 1 missing or infinite value; the first is in row 7"),
        ({"x": np.inf}, ["x"], ValueError, "'x' has 1 missing or infinite value; the first is in row 7"),
        ({}, ["distance"], KeyError, "no column 'distance'"),
        ({}, ["who"], ValueError, "total, layers and covariates must all differ"),
        ({}, ["x", "x"], ValueError, "named 2 times"),
        ({}, "x", TypeError, "covariates must be a list of column names"),
        ({"x": "7"}, ["x"], TypeError, "'x' must be numeric"),
    ],
)
def test_bad_covariates_are_named(change, covariates, error, message):
    frame = table_of(50)
    for name, value in change.items():
        frame[name] = frame[name].astype(object if isinstance(value, str) else float)
        frame.loc[7, name] = value
    with pytest.raises(error, match=message):
        mlm.cell_statistics(frame, layers=LAYERS, covariates=covariates)


def test_a_covariate_that_never_changes_is_refused_in_the_whole_but_not_in_a_part():
    frame = table_of(50).assign(x=3.0)
    assert cells_of(frame, partial=True).x_products.max() == 0
    with pytest.raises(ValueError, match="covariate 'x' is 3 in every row"):
        cells_of(frame)


def test_cells_with_other_covariates_do_not_merge():
    frame = table_of(50)
    with pytest.raises(ValueError, match="same covariates in the same order"):
        cells_of(frame).merge(mlm.cell_statistics(frame, layers=LAYERS))


# --- what the data identify ---


@pytest.mark.slow
def test_identification_names_covariates_that_follow_from_labels():
    _, cells, _ = small()
    contrasts = {"same level": {("who", 0): 1, ("who", 3): -1}, "other level": {("who", 0): 1, ("who", 1): -1}}
    table = mlm.identification(cells, contrasts=contrasts)
    assert table["means"].to_dict() == {
        "baseline": False, "who": False, "where": True, "covariates": False, "same level": True, "other level": False,
    }  # fmt: skip
    assert "level follows from the labels of who: the split between its slope" in table["because"]["covariates"]
    assert "tied to one another" not in table["because"]["who"]
    alone = mlm.identification(mlm.cell_statistics(table_of(), layers=LAYERS, covariates=["x"]))
    assert alone["means"].all()


def test_identification_is_that_of_dense_linear_algebra():
    """Random designs: a component's means or slopes are fixed where no null vector of the rows' design moves them."""
    rng = np.random.default_rng(5)
    for _ in range(30):
        n = int(rng.integers(6, 14))
        frame = pd.DataFrame({name: rng.integers(3, size=n) for name in LAYERS} | {"total": rng.normal(size=n)})
        frame["x"] = rng.integers(3, size=n) if rng.random() < 0.5 else frame["who"] * 2.0 + frame["where"]
        if min(frame[[*LAYERS, "x"]].nunique()) < 2:
            continue
        cells = mlm.cell_statistics(frame, layers=LAYERS, covariates=["x"])
        blocks = [np.ones((n, 1)), *(pd.get_dummies(frame[name]).to_numpy(float) for name in LAYERS)]
        rule = np.zeros((2, sum(block.shape[1] for block in blocks) + 1))
        ends = np.cumsum([block.shape[1] for block in blocks])
        for j in range(2):
            rule[j, ends[j] : ends[j + 1]] = 1
        design = np.vstack([np.column_stack([*blocks, frame["x"] - frame["x"].mean()]), rule])
        _, size, vectors = np.linalg.svd(design)
        null = vectors[np.sum(size > 1e-9) :]
        owner = np.repeat(["baseline", *LAYERS, "covariates"], [*(block.shape[1] for block in blocks), 1])
        found = mlm.identification(cells)["means"]
        for name in found.index:
            assert found[name] == (np.abs(null[:, owner == name]).max(initial=0) < 1e-6), frame


@pytest.mark.slow(10)
def test_an_unpooled_model_with_a_covariate_of_contributors_warns():
    _, cells, _ = small()
    with pytest.warns(mlm.UnidentifiedWarning, match="level follows from the labels of who"):
        mlm.cell_model(cells, mlm.Priors.from_cells(cells, pooled=False))


# --- the model ---


def model_of(kind, pooled, frame, absent=()):
    cells = cells_of(frame, allow_absent=absent)
    # Not all scales are known, and not all are to be found.
    priors = mlm.Priors.from_cells(cells, pooled=pooled, known_sigma={"where": 0.5})
    if kind in ("identified", "log"):
        return mlm.cell_model(cells, priors, kind)
    options = {"allow_absent": absent, "covariates": COVARIATES}
    return mlm.observation_model(frame, layers=LAYERS, parametrization=kind, priors=priors, **options)


@pytest.mark.filterwarnings("ignore::mlm_tutorial.UnidentifiedWarning")
@pytest.mark.parametrize("absent", [[], ["where"]])
@pytest.mark.parametrize("pooled", [True, False])
@pytest.mark.parametrize("kind", ["identified", "log", "marginal", "noncentered", "centered"])
def test_every_model_has_the_density_of_normal_rows(kind, pooled, absent):
    """The log likelihood and that of the rows, written out, differ by one number, whatever the parameters are."""
    frame = without_some_places() if absent else table_of()
    model = model_of(kind, pooled, frame, absent)
    names = ["mu_baseline", "mu_who", "mu_where", "sigma_baseline", "sigma_who", "slope"]
    latent = ["y_who", "y_where"] if kind in ("noncentered", "centered") else []
    values = model.replace_rvs_by_values([model[name] for name in names + latent])
    outputs = [*values, model.logp(model.observed_RVs)]
    function = model.compile_fn(outputs, mode="FAST_COMPILE", on_unused_input="ignore")
    start, rng, differences = model.initial_point(), np.random.default_rng(2), []
    needed = {variable.name for variable in explicit_graph_inputs(outputs)}
    x = frame[COVARIATES].to_numpy()
    there, place = frame["where"].notna().to_numpy(), frame["where"].fillna(0).to_numpy(int)
    for _ in range(5):
        point = {name: value + 0.3 * rng.normal(size=np.shape(value)) for name, value in start.items()}
        *found, logp = function({name: value for name, value in point.items() if name in needed})
        mu, who, where, sigma, sigma_who, slope, *contributions = found
        mean, sd = mu + (x - x.mean(axis=0)) @ slope, sigma
        if latent:
            mean = mean + sum(contributions)
        else:
            mean = mean + who[frame["who"]] + np.where(there, where[place], 0)
            sd = np.sqrt(sigma**2 + sigma_who[frame["who"]] ** 2 + 0.25 * there)
        differences.append(logp - stats.norm.logpdf(frame["total"], mean, sd).sum())
    assert np.ptp(differences) < 1e-6


def test_the_transform_is_a_change_of_coordinates():
    """Forward undoes backward, and the log determinant is that of the Jacobian, to a constant."""
    model = model_of("identified", True, table_of())
    transform, inputs = model.rvs_to_transforms[model["mlm_mu"]], model["mlm_mu"].owner.inputs
    tau, value = model["mlm_tau"], pt.vector("value")
    there = transform.backward(value, *inputs)
    outputs = [there, transform.forward(there, *inputs), transform.log_jac_det(value, *inputs)]
    function = pytensor.function([value, tau], outputs, mode="FAST_COMPILE")
    rng, constants = np.random.default_rng(3), []
    for _ in range(4):
        x, scales = rng.normal(size=1 + 6 + 3 + 2), rng.uniform(0.2, 4, size=2)
        _, back, log_det = function(x, scales)
        np.testing.assert_allclose(back, x, atol=1e-8)
        steps = [function(x + 1e-4 * e, scales)[0] - function(x - 1e-4 * e, scales)[0] for e in np.eye(len(x))]
        constants.append(np.linalg.slogdet(np.array(steps) / 2e-4)[1] - log_det)
    assert np.ptp(constants) < 1e-6


def test_draws_of_a_cell_have_the_moments_of_its_rows():
    """Means and covariances of (average, sum of squares, products) by simulation of rows; 20,000 draws of each."""
    rng, n, size = np.random.default_rng(4), 5, 20_000
    x = np.column_stack([rng.normal(size=n), np.zeros(n), rng.normal(size=n)])
    x = x - x.mean(axis=0)
    slope, sigma, mu = np.array([0.5, 7.0, -1.0]), 1.3, 2.0
    rows = mu + x @ slope + sigma * rng.normal(size=(size, n))
    deviation = rows - rows.mean(axis=1, keepdims=True)
    expected = np.column_stack([rows.mean(axis=1), (deviation**2).sum(axis=1), deviation @ x])
    value, vector = np.linalg.eigh(x.T @ x)
    root = vector * np.sqrt(np.where(value > 1e-9, value, 0))
    found = pm.draw(mlm.RegressionCells.dist(mu, sigma, n, slope, root), size, random_seed=5, mode="FAST_COMPILE")
    np.testing.assert_allclose(found[:, 3], 0, atol=1e-9)
    keep = [0, 1, 2, 4]
    found, expected = found[:, keep], expected[:, keep]
    p = [stats.ks_2samp(a, b).pvalue for a, b in zip(found.T, expected.T, strict=True)]
    # Also sums and differences, which see covariances.
    scale = expected.std(axis=0)
    for i in range(4):
        for k in range(i):
            for sign in (1, -1):
                a, b = ((y[:, i] / scale[i] + sign * y[:, k] / scale[k]) for y in (found, expected))
                p.append(stats.ks_2samp(a, b).pvalue)
    assert min(p) > FALSE_ALARM / len(p)


@pytest.mark.slow
def test_the_fit_finds_the_slopes_and_says_what_it_cannot_tell():
    frame, cells, fit = small()
    mlm.check_convergence(fit)
    slope = fit["posterior"]["slope"]
    assert slope.dims == ("chain", "draw", "covariate")
    mean, sd = slope.mean(("chain", "draw")), slope.std(("chain", "draw"))
    assert abs(float(mean.sel(covariate="x")) - 0.7) < 4 * float(sd.sel(covariate="x")) < 0.5
    # That of `level` rests on six contributors.
    assert float(sd.sel(covariate="level")) > 5 * float(sd.sel(covariate="x"))


@pytest.mark.slow
def test_floor_and_uranium_effects_of_radon_are_those_of_reml():
    """Gelman and Hill 2006, section 12.6: the floor -0.67, uranium 0.72, with standard errors 0.07 and 0.09."""
    mixedlm = pytest.importorskip("statsmodels.formula.api").mixedlm
    radon = mlm.load_radon()
    frame = radon.assign(floor=radon["floor"].astype(float))
    cells = mlm.cell_statistics(frame, "log_radon", ["county"], covariates=["floor", "log_uranium"])
    priors = mlm.Priors.from_cells(cells, known_sigma={"county": 0})
    fit = mlm.sample(mlm.cell_model(cells, priors), seed=1)
    mlm.check_convergence(fit)
    slope = fit["posterior"]["slope"]
    mean = slope.mean(("chain", "draw")).values
    np.testing.assert_allclose(mean, [-0.67, 0.72], atol=0.03)
    np.testing.assert_allclose(slope.std(("chain", "draw")).values, [0.07, 0.09], atol=0.015)
    reml = mixedlm("log_radon ~ floor + log_uranium", radon, groups="county").fit(reml=True, method="powell")
    assert reml.converged
    np.testing.assert_allclose(mean, reml.fe_params[list(cells.covariates)], atol=0.01)
    np.testing.assert_allclose(slope.std(("chain", "draw")).values, reml.bse_fe[list(cells.covariates)], rtol=0.1)


@pytest.mark.slow
@pytest.mark.rare
def test_half_a_year_of_flights_with_distance_hour_and_days_converges_at_the_defaults():
    flights = mlm.load_flights().join(mlm.load_distances() / 1000, on=["origin", "dest"])
    flights = flights[flights["month"] <= 6].copy()
    flights["date"] = 100 * flights["month"] + flights["day"]
    layers, covariates = ["carrier", "origin", "date"], ["distance", "hour"]
    cells = mlm.cell_statistics(flights, "minutes_lost", layers, covariates=covariates)
    assert mlm.identification(cells)["means"].all()
    fit = mlm.sample(mlm.cell_model(cells), seed=2014)
    mlm.check_convergence(fit)
    # One slope through all rows is twice as steep: carriers that fly far make up time on near flights, too.
    slope = fit["posterior"]["slope"].mean(("chain", "draw"))
    through_all = np.polyfit(flights["distance"], flights["minutes_lost"], 1)[0]
    assert through_all + 0.8 < float(slope.sel(covariate="distance")) < -1
    assert abs(float(slope.sel(covariate="hour"))) < 0.2


# --- what is made of a fit ---


@pytest.mark.slow
def test_parts_and_predictions_agree_with_their_formulas(tmp_path):
    frame, cells, fit = small()
    mlm.save_posterior(fit, tmp_path / "posterior.nc")
    fit = az.from_netcdf(tmp_path / "posterior.nc")
    draws = fit["posterior"].to_dataset().stack(s=("chain", "draw"))
    x = frame[COVARIATES].to_numpy()
    part = (x - x.mean(axis=0)) @ draws["slope"].transpose("covariate", "s").values
    mean = draws["mu_baseline"].values + part
    variance = draws["sigma_baseline"].values ** 2 + np.zeros_like(part)
    for name in LAYERS:
        mean += draws[f"mu_{name}"].transpose(name, "s").values[frame[name]]
        variance += draws[f"sigma_{name}"].transpose(name, "s").values[frame[name]] ** 2
    parts = mlm.decompose(fit, frame, layers=LAYERS, draws=20, rng=1)
    assert list(parts["component"].values) == ["baseline", *LAYERS, "covariates"]
    np.testing.assert_allclose(parts["mean"].sum("component"), frame["total"], rtol=1e-9)
    np.testing.assert_allclose(parts["draws"].sum("component"), np.tile(frame["total"], (20, 1)), rtol=1e-9)
    np.testing.assert_allclose(parts["mean"].sel(component="covariates"), part.mean(axis=1), atol=1e-9)
    np.testing.assert_allclose(parts["sd"].sel(component="covariates"), part.std(axis=1), atol=1e-9)
    weight = draws["sigma_where"].transpose("where", "s").values[frame["where"]] ** 2 / variance
    where = draws["mu_where"].transpose("where", "s").values[frame["where"]]
    where = (where + weight * (frame["total"].to_numpy()[:, None] - mean)).mean(axis=1)
    np.testing.assert_allclose(parts["mean"].sel(component="where"), where, atol=1e-9)
    found = mlm.predict(fit, frame, LAYERS)
    np.testing.assert_allclose(found["mean"], mean.mean(axis=1))
    np.testing.assert_allclose(found["sd"], np.sqrt(variance.mean(axis=1) + mean.var(axis=1)))
    density = np.log(stats.norm.pdf(frame["total"].to_numpy()[:, None], mean, np.sqrt(variance)).mean(axis=1))
    np.testing.assert_allclose(mlm.log_predictive_density(fit, frame, layers=LAYERS), density, atol=1e-9)
    with warnings.catch_warnings():
        # Here what `level` adds and the means of `who` cancel one another.
        warnings.simplefilter("ignore", mlm.VarianceMismatchWarning)
        shares = mlm.variance_shares(fit, cells).set_index(["component", "source"])["mean"]
    assert shares.sum() == pytest.approx(1)
    total = (mean.var(axis=0) + variance.mean(axis=0)).mean()
    assert shares["covariates", "means"] == pytest.approx(part.var(axis=0).mean() / total, rel=0.1)
    check = mlm.predictive_check(fit, frame, layers=LAYERS, rng=1)
    assert not check["alarm"].any()
    assert 0.5 < check.loc["averages of cells", "data"] < 2  # 25 without the covariates' part


@pytest.mark.slow
def test_rows_and_cells_without_the_covariates_are_refused():
    frame, _, fit = small()
    with pytest.raises(KeyError, match="no column 'x'"):
        mlm.predict(fit, frame[LAYERS], LAYERS)
    with pytest.raises(ValueError, match="the posterior has the covariates"):
        mlm.variance_shares(fit, mlm.cell_statistics(frame, layers=LAYERS))
    with pytest.raises(ValueError, match="lacks 'mlm_covariate_mean'"):
        mlm.predict(xr.DataTree.from_dict({"posterior": fit["posterior"].to_dataset()}), frame, LAYERS)


TRUTH = mlm.LayeredSum.from_coefficients(
    [{0: (10, 2)}, {"red": (1, 1), "blue": (-1, 2)}, {10: (1, 1), 2: (0, 0.5), 7: (-1, 1)}], names=["paint", "size"]
)


def test_simulated_covariates_add_their_slopes():
    plain, frame = TRUTH.simulate(50, rng=1), TRUTH.simulate(50, rng=1, slopes={"heat": 0.5, "age": -2})
    assert plain[["paint", "size"]].equals(frame[["paint", "size"]])
    np.testing.assert_allclose(frame["total"], plain["total"] + 0.5 * frame["heat"] - 2 * frame["age"])
    for bad, error in (({"paint": 1}, ValueError), ({"heat": np.nan}, TypeError), ([1], TypeError)):
        with pytest.raises(error):
            TRUTH.simulate(50, slopes=bad)


@pytest.mark.slow
def test_the_truth_is_recovered():
    slopes = {"heat": 0.5, "age": -2}
    frame = TRUTH.simulate(3000, rng=2, slopes=slopes)
    frame["heat"], frame["total"] = frame["heat"] + 5, frame["total"] + 0.5 * 5  # the baseline's mean is not at heat 0
    cells = mlm.cell_statistics(frame, layers=["paint", "size"], covariates=list(slopes))
    fit = mlm.sample(mlm.cell_model(cells), seed=1)
    table = mlm.recovery(fit, TRUTH, 0.999, slopes=slopes)
    found = table[table.index.str.startswith(("mu", "slope"))]
    assert {"slope[heat]", "slope[age]", "mu_baseline", "mu_size[10]"} <= set(found.index)
    assert found["covered"].all()
    with pytest.raises(ValueError, match="slopes name"):
        mlm.recovery(fit, TRUTH)


@pytest.mark.slow
@pytest.mark.rare
def test_ranks_of_the_truth_are_uniform():
    """100 truths from the prior of a pooled model with a covariate that follows from labels, and one that does not."""
    frame = table_of(120, seed=6)
    cells = cells_of(frame)
    priors = mlm.Priors.from_cells(cells, known_sigma={"where": 0.5})
    ranks = mlm.calibrate(cells, 100, seed=7, priors=priors, draws=300, tune=250, chains=1)
    table = az.dataset_to_dataframe(ranks, sample_dims=["simulation"])
    assert {"slope[x]", "slope[level]", "log_likelihood"} <= set(table.columns)
    uniform = (table + np.random.default_rng(8).random(table.shape)) / 101
    p = [stats.kstest(column, "uniform").pvalue for column in uniform.to_numpy().T]
    assert min(p) > FALSE_ALARM / len(p)
    assert ranks.attrs["failed"] <= 10


def test_counts_take_no_covariates():
    with pytest.raises(TypeError):
        mlm.count_totals(table_of(50), layers=LAYERS, covariates=["x"])
