"""All models of a sum are equivalent: same density, same priors, same names."""

import dataclasses
import warnings
from functools import cache
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pymc as pm
import pytest
from scipy import stats
from scipy.special import gamma

import mlm_tutorial as mlm
from mlm_tutorial.known import known_vector
from tests.support.problems import (
    AS_IT_STANDS,
    LAYERS,
    PRIORS,
    SMALL_TRUTH,
    function,
    named_parameters,
    small_cells,
    small_frame,
    small_posterior,
    starting_point,
    unconstrained_point,
)

FALSE_ALARM = 1e-6  # of one test function, shared among its comparisons (Bonferroni)


class Density:
    """Log density of a model with and without its Jacobian, and its named parameters, at an unconstrained point."""

    def __init__(self, model, layers):
        self.model, self.layers = model, layers
        kinds = ("mu", "sigma", "tau", "floor", "spread")
        self.names = [f"{kind}_{name}" for name in ("baseline", *layers) for kind in kinds]
        self.names = [name for name in (*self.names, "mlm_mu") if name in model.named_vars]
        outputs = [model.logp(jacobian=True), model.logp(jacobian=False)]
        self.function = function(
            model.value_vars, outputs + model.replace_rvs_by_values([model[name] for name in self.names])
        )

    def __call__(self, point):
        log_density, without_jacobian, *values = self.function(**point)
        parameters = dict(zip(self.names, values, strict=True))
        return SimpleNamespace(
            log_density=float(log_density),
            without_jacobian=float(without_jacobian),
            plain=float(without_jacobian) + self._to_plain(parameters),
            parameters=parameters,
        )

    def _to_plain(self, p):
        """Return the term that turns the density of vectors in identified coordinates into that of plain variables.

        Vectors keep the average of each layer's means, Normal(0, tau / sqrt(m)), which is in no likelihood: averages
        of independent normals are independent of the differences to them. Pooled vectors hold variances where plain
        models have standard deviations; the density of a variance is that of its root, divided by twice the root.
        """
        if "mlm_mu" not in p:
            return 0.0
        model, result = self.model, 0.0
        end = 1 + len(model.cells.absent)
        for name in self.layers:
            m = len(model.cells.labels[name])
            scale = p[f"tau_{name}"] if model.priors.pooled else model.priors.mu_sd_of(name)
            result -= stats.norm.logpdf(p["mlm_mu"][end : (end := end + m)].mean(), 0, scale / np.sqrt(m))
            if f"floor_{name}" in p:
                result += np.log(2 * p[f"floor_{name}"])
        if model.priors.pooled and "baseline" not in model.priors.known_sigma:
            result += np.log(2 * p["sigma_baseline"])
        return result


def plain_point(model):
    """Return a function from named parameters, of any form of a model, to a point of its plain form."""
    names = [variable.name for variable in model.free_RVs]
    forward = log_coordinates(model, names)

    def values(p):
        found = dict(p)
        for name in model.cells.layers:
            mu, sigma = p[f"mu_{name}"], p[f"sigma_{name}"]
            given = model.priors.known_sigma.get(name, {})
            known = given if isinstance(given, dict) else dict.fromkeys(model.cells.labels[name], given)
            free = [k for k, label in enumerate(model.cells.labels[name]) if label not in known]
            found |= {f"mlm_average_{name}": mu.mean(), f"mlm_deviation_{name}": mu - mu.mean()}
            found[f"mlm_sigma_{name}"] = sigma[free]
            if f"floor_{name}" in p:
                found[f"excess_{name}"] = sigma[free] ** 2 - p[f"floor_{name}"] ** 2
        return forward({name: found[name] for name in names})

    return values


def log_coordinates(model, names):
    """Return a function from named parameters to a point of a model whose free variables are the named ones."""
    inputs = [model[name].type() for name in names]
    transforms = [model.rvs_to_transforms[model[name]] for name in names]
    values = [
        x if f is None else f.forward(x, *model[n].owner.inputs)
        for n, x, f in zip(names, inputs, transforms, strict=True)
    ]
    forward = function(inputs, values)
    keys = [model.rvs_to_values[model[name]].name for name in names]
    return lambda parameters: dict(zip(keys, forward(*(parameters[name] for name in names)), strict=True))


def flat(point):
    return np.concatenate([np.ravel(value) for value in point.values()])


def unflat(vector, like):
    ends = np.cumsum([np.size(value) for value in like.values()])[:-1]
    return {
        key: part.reshape(np.shape(value))
        for (key, value), part in zip(like.items(), np.split(vector, ends), strict=True)
    }


@cache
def three_layers():
    """Return cells of three layers, some contributors rare, some cells with one row or none."""
    truth = mlm.draw_layered_sum([1, 2, 4, 3], rng=11)
    return mlm.cell_statistics(
        truth.simulate(150, rng=12, probabilities={"layer_2": [0.5, 0.4, 0.07, 0.03]}), layers=truth.names
    )


@cache
def nested_layers():
    """Return cells of two regions with seven cities in them, of the pairs of city and product, and of products."""
    rng = np.random.default_rng(14)
    city, product = rng.integers(7, size=90), rng.integers(3, size=90)
    frame = pd.DataFrame({"region": np.array([0, 0, 0, 1, 1, 1, 1])[city], "city": city, "product": product})
    frame["both"] = frame["city"] * 10 + frame["product"]
    frame["total"] = rng.normal(0, 2, 7)[city] + rng.normal(0, 1, 3)[product] + rng.normal(size=90)
    return mlm.cell_statistics(frame, layers=["region", "city", "product", "both"])


@cache
def absent_layers():
    """Return cells of which some lack one layer, some the other, and some both."""
    frame = SMALL_TRUTH.simulate(200, rng=13, absent={"paint": 0.2, "size": 0.3})
    return mlm.cell_statistics(frame, layers=LAYERS, allow_absent=LAYERS)


CELLS = {"small": small_cells, "three": three_layers, "nested": nested_layers, "absent": absent_layers}
KNOWN = {
    "nothing": {},
    "a layer": {"paint": 0},
    "all layers": {"paint": 0, "size": 0.3},
    "baseline": {"baseline": 1.5},
    "some labels": {"size": {2: 0.4, 7: 0.0}, "paint": {"red": 1.0}},
    "baseline and a layer": {"baseline": 0.5, "size": 0.1},
    "everything": {"baseline": 2.0, "paint": 1.0, "size": 0.0},
}
PROBLEMS = [(cells, "nothing") for cells in ("three", "nested")]
PROBLEMS += [("small", known) for known in KNOWN] + [("absent", known) for known in ("nothing", "a layer", "baseline")]


@pytest.fixture(scope="module", params=[(*x, p) for x in PROBLEMS for p in (True, False)], ids=lambda x: f"{x}")
def problem(request):
    """Return cells with a model in each coordinate system and their densities."""
    name, known, pooled = request.param
    cells = CELLS[name]()
    scales = {"mu_sd": {"paint": 2.0, "size": 3.0}, "sigma_scale": {"baseline": 2.5, "paint": 1.5, "size": 1.0}}
    priors = mlm.Priors(baseline_mu=8.0, baseline_mu_sd=6.0, pooled=pooled, known_sigma=KNOWN[known], **scales)
    if cells.layers != tuple(LAYERS):
        priors = mlm.Priors.from_cells(cells, pooled=pooled)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mlm.UnidentifiedWarning)  # caused by the nested layers that are tested here
        models = {name: mlm.cell_model(cells, priors, coordinates=name) for name in ("identified", "log")}
    return SimpleNamespace(
        cells=cells,
        priors=priors,
        models=models,
        density={name: Density(model, cells.layers) for name, model in models.items()},
        to_plain=plain_point(models["log"]),
    )


@pytest.mark.slow(1.5)
def test_both_coordinate_systems_have_the_same_density(problem):
    rng, differences, densities = np.random.default_rng(22), [], []
    for scale in (0.1, 0.5, 1, 2) * 5:
        here = problem.density["identified"](unconstrained_point(problem.models["identified"], rng, scale))
        there = problem.density["log"](problem.to_plain(here.parameters))
        for name, value in there.parameters.items():
            np.testing.assert_allclose(here.parameters[name], value, rtol=1e-8, atol=1e-8)
        differences.append(here.plain - there.without_jacobian)
        densities.append(there.without_jacobian)
    assert np.ptp(densities) > 10
    assert np.ptp(differences) < 1e-6


def test_the_jacobian_matches_finite_differences(problem):
    """log |d (free variables) / d (coordinates)|, all variables at once, since each one's scale depends on others."""
    model = problem.models["identified"]
    free = function(model.value_vars, model.replace_rvs_by_values(model.free_RVs))
    rng, differences = np.random.default_rng(2), []
    for scale in (0.2, 1.0, 2.0) * 2:
        point = unconstrained_point(model, rng, scale)
        point = {value.name: point[value.name] for value in model.value_vars}
        vector, step = flat(point), 1e-5

        def values(x, like=point):
            return np.concatenate([np.ravel(v) for v in free(**unflat(x, like))])

        jacobian = [(values(vector + step * e) - values(vector - step * e)) / (2 * step) for e in np.eye(len(vector))]
        here = problem.density["identified"](point)
        differences.append(here.log_density - here.without_jacobian - np.linalg.slogdet(np.array(jacobian))[1])
    assert np.ptp(differences) < 1e-5


def test_coordinates_have_an_inverse(problem):
    model, rng = problem.models["identified"], np.random.default_rng(3)
    for variable in model.free_RVs:
        transform, value = model.rvs_to_transforms[variable], model.rvs_to_values[variable]
        inputs = variable.owner.inputs
        back = model.replace_rvs_by_values([transform.forward(transform.backward(value, *inputs), *inputs)])
        undo = function(list(model.value_vars), back)
        for _ in range(5):
            point = unconstrained_point(model, rng, 1.5)
            np.testing.assert_allclose(undo(**point)[0], point[value.name], rtol=1e-7, atol=1e-7)


def test_the_plain_model_is_that_of_the_formulas(problem):
    """Prior and likelihood written out with SciPy, up to the constants of the zero-sum normals."""
    rng, cells, priors = np.random.default_rng(23), problem.cells, problem.priors
    differences, known = [], known_vector(cells, priors.known_sigma)
    parts = np.split(known, np.cumsum([1, *(len(cells.labels[name]) for name in cells.layers)]))
    for _ in range(20):
        p = problem.density["log"](unconstrained_point(problem.models["log"], rng, 0.7))
        value, p = p.without_jacobian, p.parameters
        expected = stats.norm.logpdf(p["mu_baseline"], priors.baseline_mu, priors.baseline_mu_sd)
        if np.isnan(known[0]):
            expected += stats.weibull_min.logpdf(p["sigma_baseline"], 2, scale=priors.sigma_scale_of("baseline"))
        mean, variance = p["mu_baseline"], p["sigma_baseline"] ** 2
        for j, name in enumerate(cells.layers):
            mu, sigma, has = p[f"mu_{name}"], p[f"sigma_{name}"], cells.codes[:, j] >= 0
            np.testing.assert_allclose(sigma[~np.isnan(parts[1 + j])], parts[1 + j][~np.isnan(parts[1 + j])])
            free, scale = sigma[np.isnan(parts[1 + j])], priors.mu_sd_of(name)
            if priors.pooled:
                scale = p[f"tau_{name}"]
                expected += stats.halfnorm.logpdf(scale, scale=priors.mu_sd_of(name))
            deviation = mu - mu.mean()
            expected -= np.sum(deviation**2) / (2 * scale**2) + (len(mu) - 1) * np.log(scale)
            if name in cells.absent:
                expected += stats.norm.logpdf(mu.mean(), 0, priors.mu_sd_of(name))
            if priors.pooled and len(free):
                floor, spread = p[f"floor_{name}"], p[f"spread_{name}"]
                half = priors.sigma_scale_of(name) / np.sqrt(2)
                expected += stats.weibull_min.logpdf([floor, spread], 2, scale=half).sum()
                expected += np.sum(stats.expon.logpdf(free**2 - floor**2, scale=spread**2))
            elif len(free):
                expected += stats.weibull_min.logpdf(free, 2, scale=priors.sigma_scale_of(name)).sum()
            mean = mean + np.where(has, mu[cells.codes[:, j]], 0)
            variance = variance + np.where(has, sigma[cells.codes[:, j]] ** 2, 0)
        expected += np.sum(
            -cells.n / 2 * np.log(2 * np.pi * variance)
            - (cells.sum_sq + cells.n * (cells.mean - mean) ** 2) / (2 * variance)
        )
        differences.append(value - expected)
    assert np.ptp(differences) < 1e-7


# --- Models of every observation ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def observed():
    """Return forty rows, and the model of each parametrization."""
    frame = small_frame().head(40)
    models = {
        name: mlm.observation_model(frame, layers=LAYERS, parametrization=name, priors=PRIORS)
        for name in ("marginal", "noncentered", "centered")
    }
    cells = mlm.cell_statistics(frame, layers=LAYERS)
    codes = np.column_stack([[cells.labels[x].index(label) for label in frame[x]] for x in LAYERS])
    return SimpleNamespace(
        x=frame["total"].to_numpy(),
        codes=codes,
        cells=cells,
        models=models,
        density={name: Density(model, LAYERS) for name, model in models.items()},
    )


def latent(prefix, values):
    return {f"{prefix}_{name}": values[:, j] for j, name in enumerate(LAYERS)}


def of_rows(parameters, kind, codes):
    return np.column_stack([parameters[f"{kind}_{name}"][codes[:, j]] for j, name in enumerate(LAYERS)])


def test_cells_have_the_density_of_their_rows(observed):
    rng = np.random.default_rng(24)
    cells = mlm.cell_model(observed.cells, PRIORS, coordinates="log")
    density = Density(cells, LAYERS)
    for _ in range(20):
        point = unconstrained_point(cells, rng)
        expected = observed.density["marginal"](point).log_density
        assert np.isclose(density(point).log_density, expected, rtol=1e-10)


def test_integrating_out_contributions_gives_the_marginal_model(observed):
    """log p(x, y | parameters) - log p(y | x, parameters) = log p(x | parameters), for any y."""
    rng = np.random.default_rng(25)
    for _ in range(20):
        point = unconstrained_point(observed.models["marginal"], rng, 0.5)
        marginal = observed.density["marginal"](point)
        mu, v = (of_rows(marginal.parameters, kind, observed.codes) for kind in ("mu", "sigma"))
        v = v**2
        total = v.sum(axis=1) + marginal.parameters["sigma_baseline"] ** 2
        missing = observed.x - marginal.parameters["mu_baseline"] - mu.sum(axis=1)
        conditional_mean = mu + v / total[:, None] * missing[:, None]
        y = conditional_mean + rng.normal(size=v.shape)
        conditional = sum(
            stats.multivariate_normal.logpdf(y[i], conditional_mean[i], np.diag(v[i]) - np.outer(v[i], v[i]) / total[i])
            for i in range(len(y))
        )
        joint = observed.density["centered"](point | latent("y", y)).log_density
        assert np.isclose(joint - conditional, marginal.log_density, rtol=1e-9, atol=1e-7)


def test_noncentered_and_centered_differ_by_a_jacobian(observed):
    """With y = mu + sigma z, the density of z is that of y times the product of the sigmas."""
    rng = np.random.default_rng(26)
    for _ in range(20):
        point = unconstrained_point(observed.models["marginal"], rng, 0.5)
        parameters = observed.density["marginal"](point).parameters
        mu, sigma = (of_rows(parameters, kind, observed.codes) for kind in ("mu", "sigma"))
        z = rng.normal(size=mu.shape)
        centered = observed.density["centered"](point | latent("y", mu + sigma * z)).log_density
        noncentered = observed.density["noncentered"](point | latent("z", z)).log_density
        assert np.isclose(noncentered, centered + np.log(sigma).sum(), rtol=1e-10, atol=1e-8)


# --- Priors -------------------------------------------------------------------------------------------------------


# Each of the five models: its name, and how to build it with some priors.
MODELS = {
    "identified": lambda priors: mlm.cell_model(small_cells(), priors),
    "log": lambda priors: mlm.cell_model(small_cells(), priors, coordinates="log"),
} | {
    name: lambda priors, name=name: mlm.observation_model(small_frame().head(30), "total", LAYERS, name, priors)
    for name in ("marginal", "noncentered", "centered")
}


@pytest.mark.parametrize("name", MODELS)
def test_prior_moments_of_named_parameters_are_those_of_the_priors(name):
    """All five models meet the same analytic moments, so their priors agree with each other too."""
    n = 2000
    model = MODELS[name](PRIORS)
    names = named_parameters(LAYERS)
    drawn = pm.draw([model[x] for x in names], draws=n, random_seed=31, mode=AS_IT_STANDS)
    draws = dict(zip(names, drawn, strict=True))
    scores = []

    def compare(values, mean, sd):
        scores.extend(np.ravel((values.mean(axis=0) - mean) / (sd / np.sqrt(n))))

    centered = draws["mu_baseline"] - 8.0
    compare(centered, 0, 6)
    compare(centered**2, 36, np.sqrt(2) * 36)
    for layer, m, scale in (("paint", 2, 2.0), ("size", 3, 3.0)):
        mu = draws[f"mu_{layer}"]
        assert mu.shape == (n, m)
        np.testing.assert_allclose(mu.sum(axis=1), 0, atol=1e-12)
        variance = scale**2 * (1 - 1 / m)  # of a zero-sum normal: the identity minus its average
        compare(mu, 0, np.sqrt(variance))
        compare(mu**2, variance, np.sqrt(2) * variance)
    for component, scale in (("baseline", 2.5), ("paint", 1.5), ("size", 1.0)):
        sigma = draws[f"sigma_{component}"]
        compare(sigma, scale * gamma(1.5), scale * np.sqrt(1 - gamma(1.5) ** 2))
        compare(sigma**2, scale**2, scale**2)  # an exponential
        compare(sigma**4, 2 * scale**4, np.sqrt(20) * scale**4)
        if sigma.ndim == 2:  # contributors are independent
            compare(sigma[:, 0] ** 2 * sigma[:, 1] ** 2, scale**4, np.sqrt(3) * scale**4)
    assert np.abs(scores).max() < stats.norm.isf(FALSE_ALARM / 2 / len(scores))


def test_default_priors_are_those_of_the_documentation():
    priors, cells = mlm.Priors.from_cells(small_cells()), small_cells()
    x = small_frame()["total"]
    assert np.isclose(priors.baseline_mu, x.mean())
    assert np.isclose(priors.baseline_mu_sd, 5 * x.std())
    assert np.isclose(priors.mu_sd_of("paint"), 2.5 * x.std())
    assert np.isclose(priors.sigma_scale_of("size") ** 2, cells.residual_variance() / 3)


def test_a_layer_without_a_prior_scale_is_named():
    with pytest.raises(ValueError, match="mu_sd names paint; there is none for 'size'"):
        mlm.cell_model(small_cells(), dataclasses.replace(PRIORS, mu_sd={"paint": 1.0}))


# --- Names, dims, prediction --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_every_model_names_its_variables_dims_and_labels_alike(name):
    model = MODELS[name](None)
    assert model.coords["paint"] == ("blue", "red")
    assert model.coords["size"] == (2, 7, 10)
    assert all(isinstance(label, int) for label in model.coords["size"])
    for layer in LAYERS:
        for kind in ("mu", "sigma"):
            assert model.named_vars_to_dims[f"{kind}_{layer}"] == (layer,)
            assert model[f"{kind}_{layer}"].ndim == 1
    for kind in ("mu", "sigma"):
        assert model[f"{kind}_baseline"].ndim == 0


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_a_density_where_its_chains_start(name):
    model = MODELS[name](None)
    assert np.isfinite(Density(model, LAYERS)(starting_point(model)).log_density)


def test_chains_of_the_identified_model_start_near_the_answer():
    """The log density at the start is within a few hundred of the best that the posterior's draws reach."""
    model = mlm.cell_model(small_cells(), PRIORS)
    start = Density(model, LAYERS)(starting_point(model)).log_density
    reached = small_posterior()["sample_stats"]["lp"].values
    assert start > reached.min() - 100


@pytest.fixture(scope="module")
def predictive():
    """Return the small problem's posterior with prior and posterior predictive draws and the log likelihood."""
    model = mlm.cell_model(small_cells(), PRIORS)
    idata = small_posterior().isel(draw=slice(None, None, 10))
    options = {"progressbar": False, "random_seed": 41}
    with model:
        prior = pm.sample_prior_predictive(400, random_seed=41, compile_kwargs={"mode": AS_IT_STANDS})
        posterior = pm.sample_posterior_predictive(idata, compile_kwargs={"mode": AS_IT_STANDS}, **options)
        likelihood = pm.compute_log_likelihood(idata, progressbar=False, extend_inferencedata=False)
    return SimpleNamespace(idata=idata, prior=prior, posterior=posterior, likelihood=likelihood)


def test_posterior_prediction_uses_the_posterior(predictive):
    """Predicted cells look like the data, within prediction's error, and vary far less than the prior's."""
    cells = small_cells()
    predicted = predictive.posterior["posterior_predictive"]["mlm_cells"]
    assert predicted.dims == ("chain", "draw", "mlm_cell", "mlm_statistic")
    mean, sum_sq = predicted.sel(mlm_statistic="mean"), predicted.sel(mlm_statistic="sum_sq")
    draws = ["chain", "draw"]
    sd = mean.std(draws).values
    # The means were fitted to these cells: a score beyond 4.5 would be a prediction from something else.
    assert np.all(np.abs(mean.mean(draws).values - cells.mean) < 4.5 * sd)
    assert np.all(np.abs(np.log((sum_sq.mean(draws).values + 1e-9) / cells.sum_sq)) < 4.5 * np.sqrt(2 / (cells.n - 1)))
    prior = predictive.prior["prior_predictive"]["mlm_cells"].sel(mlm_statistic="mean").std(("chain", "draw")).values
    assert np.all(sd < prior / 3)
    # The variance of a prediction: the parameters' uncertainty plus V / n.
    assert np.all(sd**2 > cells.residual_variance() / cells.n / 3)


def test_prior_prediction_is_as_wide_as_the_prior_says(predictive):
    """A cell's mean has variance 36 + 2 + 6 for means and (6.25 + 2.25 + 1) / n for the noise, E[v] being s^2."""
    mean = predictive.prior["prior_predictive"]["mlm_cells"].sel(mlm_statistic="mean")
    variance = 36 + 4 / 2 + 9 * 2 / 3 + (2.5**2 + 1.5**2 + 1) / small_cells().n
    ratio = mean.var(("chain", "draw")).values / variance
    assert np.all(np.abs(ratio - 1) < 6 * np.sqrt(2 / 400))


def test_log_likelihood_is_that_of_each_cells_rows(predictive):
    values = (
        predictive.likelihood["mlm_cells"]
        if "mlm_cells" in predictive.likelihood
        else predictive.likelihood["log_likelihood"]["mlm_cells"]
    )
    posterior, cells = predictive.idata["posterior"], small_cells()
    first = {name: posterior[name].isel(chain=1, draw=7).values for name in named_parameters(LAYERS)}
    frame = small_frame()
    for i, (paint, size) in enumerate(cells.codes):
        mean = first["mu_baseline"] + first["mu_paint"][paint] + first["mu_size"][size]
        sd = np.sqrt(first["sigma_baseline"] ** 2 + first["sigma_paint"][paint] ** 2 + first["sigma_size"][size] ** 2)
        rows = (frame["paint"] == cells.labels["paint"][paint]) & (frame["size"] == cells.labels["size"][size])
        expected = stats.norm.logpdf(frame["total"][rows], mean, sd).sum()
        assert np.isclose(values.isel(chain=1, draw=7, mlm_cell=i), expected, rtol=1e-9)


# --- New data, invariances ----------------------------------------------------------------------------------------


def other_cells():
    """Return cells of the same shape with other codes' counts and totals."""
    truth = mlm.LayeredSum.from_coefficients(
        [{0: (-3, 1)}, {"red": (2, 1), "blue": (-2, 1)}, {10: (0, 2), 2: (3, 1), 7: (-3, 1)}], names=LAYERS
    )
    return mlm.cell_statistics(truth.simulate(500, rng=51), layers=LAYERS)


@pytest.mark.parametrize("coordinates", ["identified", "log"])
@pytest.mark.parametrize("pooled", [True, False])
def test_a_model_with_new_data_is_a_new_model(coordinates, pooled):
    priors = mlm.Priors.from_cells(small_cells(), pooled=pooled)
    model, fresh = mlm.cell_model(small_cells(), priors, coordinates), mlm.cell_model(other_cells(), priors, "log")
    data, starts = model.refit(other_cells())
    with model:
        pm.set_data(data)
    to_plain, density, expected = plain_point(fresh), Density(model, LAYERS), Density(fresh, LAYERS)
    rng, differences = np.random.default_rng(52), []
    for _ in range(15):
        here = density(unconstrained_point(model, rng))
        differences.append(here.plain - expected(to_plain(here.parameters)).without_jacobian)
    assert np.ptp(differences) < 1e-7
    for name, value in mlm.cell_model(other_cells(), priors, coordinates).starts.items():
        np.testing.assert_allclose(starts[name], value, rtol=1e-10)


def test_cells_that_do_not_fit_a_model_are_refused():
    model, frame = mlm.cell_model(small_cells()), small_frame()
    renamed = mlm.cell_statistics(frame.assign(size=frame["size"].astype(int) + 1), layers=LAYERS)
    with pytest.raises(ValueError, match="the cells have other labels than the model"):
        model.refit(renamed)
    fewer = mlm.cell_statistics(frame[(frame["size"] != 7) | (frame["paint"] != "red")], layers=LAYERS)
    with pytest.raises(ValueError, match="the model has 6 cells, got 5"):
        model.refit(fewer)
    with pytest.raises(TypeError, match="expected Cells, got DataFrame"):
        model.refit(frame)


def test_the_order_of_rows_does_not_matter():
    frame = small_frame()
    models = [
        mlm.cell_model(mlm.cell_statistics(f, layers=LAYERS)) for f in (frame, frame.sample(frac=1, random_state=1))
    ]
    densities = [Density(model, LAYERS) for model in models]
    point = unconstrained_point(models[0], np.random.default_rng(53))
    assert np.isclose(*(density(point).log_density for density in densities), rtol=1e-10)


@pytest.mark.parametrize("coordinates", ["identified", "log"])
def test_labels_are_only_labels(coordinates):
    """Contributors keep their densities when new names reverse their order."""
    frame, new = small_frame(), {2: 99, 7: 50, 10: -1}
    renamed = frame.assign(
        size=pd.Series([new[k] for k in frame["size"]]), paint=frame["paint"].astype(str).map({"red": "a", "blue": "b"})
    )
    cells = mlm.cell_statistics(renamed, layers=LAYERS)
    model = mlm.cell_model(small_cells(), None, coordinates)
    other = mlm.cell_model(cells, None, "log")
    density, expected = Density(model, LAYERS), Density(other, LAYERS)
    to_plain = plain_point(other)
    rng, differences = np.random.default_rng(54), []
    for _ in range(10):
        here = density(unconstrained_point(model, rng))
        swapped = {k: v if v.ndim == 0 else v[::-1] for k, v in here.parameters.items()}
        differences.append(here.plain - expected(to_plain(swapped)).without_jacobian)
    assert np.ptp(differences) < 1e-8


def rescaled(cells, factor, shift=0.0):
    return mlm.Cells(
        cells.layers, cells.labels, cells.codes, cells.n, cells.mean * factor + shift, cells.sum_sq * factor**2
    )


@pytest.mark.parametrize(("factor", "shift"), [(1e6, 0.0), (1e-6, 0.0), (1.0, 1e6)])
def test_units_do_not_matter(factor, shift):
    """Identified coordinates have no unit: totals in other units give the same density at the same coordinates."""
    both = small_cells(), rescaled(small_cells(), factor, shift)
    models = [mlm.cell_model(cells, mlm.Priors.from_cells(cells, pooled=False)) for cells in both]
    densities = [Density(model, LAYERS) for model in models]
    rng, differences = np.random.default_rng(55), []
    start = [starting_point(model) for model in models]
    for key, value in start[0].items():
        np.testing.assert_allclose(start[1][key], value, rtol=1e-5, atol=1e-5)
    for _ in range(10):
        point = unconstrained_point(models[0], rng)
        here, there = (density(point) for density in densities)
        for name, value in here.parameters.items():
            if name == "mlm_mu":
                continue
            moved = value * factor + (shift if name == "mu_baseline" else 0)
            np.testing.assert_allclose(there.parameters[name], moved, rtol=1e-6, atol=1e-6 * factor)
        differences.append(there.log_density - here.log_density)
    assert np.ptp(differences) < 1e-5
    # Each row's density, and each of six means' and six standard deviations', is per unit.
    assert np.isclose(there.without_jacobian - here.without_jacobian, -312 * np.log(factor), atol=1e-4)


def test_a_model_of_rows_has_labels_and_absent_layers():
    frame = SMALL_TRUTH.simulate(60, rng=19, absent={"paint": 0.3}).assign(size=pd.Series([True, False] * 30))
    model = mlm.observation_model(frame, layers=LAYERS, allow_absent=["paint"])
    assert isinstance(model, mlm.LayeredModel)
    assert model.written_labels == {"paint": "as is", "size": "str"}
    assert model.cells.absent == {"paint"}
