"""Posteriors are right: against another program, against known truths, and against the prior they came from."""

import dataclasses
from functools import cache

import arviz as az
import emcee
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import mlm_tutorial as mlm
from mlm_tutorial import calibration
from tests.support.problems import (
    LAYERS,
    PRIORS,
    named_parameters,
    small_cells,
    small_compiled,
    small_frame,
    small_posterior,
)

FALSE_ALARM = 1e-4  # of one test function, shared among its comparisons (Bonferroni)

pytestmark = pytest.mark.slow


# --- Another implementation ---------------------------------------------------------------------------------------


class RowPosterior:
    """The small problem's log posterior in NumPy: row by row, in means and variances, without the package's code.

    Coordinates are mu_baseline, the free means of each layer (the last contributor's follows from the sum of zero),
    and all variances: baseline, then layer by layer. A Rayleigh standard deviation has an exponential variance.
    """

    def __init__(self, frame, priors):
        self.x = frame["total"].to_numpy()
        self.labels = {name: sorted(frame[name].unique().tolist()) for name in LAYERS}
        self.codes = [np.array([self.labels[name].index(label) for label in frame[name]]) for name in LAYERS]
        self.sizes = [len(self.labels[name]) for name in LAYERS]
        self.mu_sd = [priors.mu_sd[name] for name in LAYERS]
        self.baseline = priors.baseline_mu, priors.baseline_mu_sd
        scales = [priors.sigma_scale["baseline"]] + [
            priors.sigma_scale[name] for name, m in zip(LAYERS, self.sizes, strict=True) for _ in range(m)
        ]
        self.rate = 1 / np.array(scales) ** 2
        self.n_means = 1 + sum(m - 1 for m in self.sizes)

    def parameters(self, points):
        """Return baseline's means (W,), layers' means [(W, m_j)], and variances (W, 1 + sum of m_j)."""
        means, end = [], 1
        for m in self.sizes:
            free = points[:, end : end + m - 1]
            means.append(np.column_stack([free, -free.sum(axis=1)]))
            end += m - 1
        return points[:, 0], means, points[:, self.n_means :]

    def __call__(self, points):
        baseline, means, v = self.parameters(points)
        log_density = -0.5 * ((baseline - self.baseline[0]) / self.baseline[1]) ** 2 - v @ self.rate
        center, variance, start = baseline[:, None], v[:, :1], 1
        for mu, codes, sd, m in zip(means, self.codes, self.mu_sd, self.sizes, strict=True):
            log_density -= 0.5 * np.sum(mu**2, axis=1) / sd**2
            center = center + mu[:, codes]
            variance = variance + v[:, start : start + m][:, codes]
            start += m
        positive = (v > 0).all(axis=1)
        variance = np.where(positive[:, None], variance, 1.0)
        log_density -= 0.5 * np.sum(np.log(variance) + (self.x - center) ** 2 / variance, axis=1)
        return np.where(positive, log_density, -np.inf)


@cache
def other_program():
    """Return the same posterior's draws by an ensemble of walkers (emcee): {parameter: (step, walker)}."""
    target = RowPosterior(small_frame(), PRIORS)
    walkers, steps, burn = 40, 12_000, 2_000
    rng = np.random.default_rng(61)
    start = np.abs(np.concatenate([[10, 0.1, 0.1, 0.1], np.full(6, 2.0)]) + 0.2 * rng.normal(size=(walkers, 10)))
    moves = [(emcee.moves.DEMove(), 0.5), (emcee.moves.DESnookerMove(), 0.1), (emcee.moves.StretchMove(), 0.4)]
    sampler = emcee.EnsembleSampler(walkers, 10, target, vectorize=True, moves=moves)
    sampler.random_state = np.random.RandomState(62).get_state()  # noqa: NPY002 - what emcee takes
    sampler.run_mcmc(start, steps)
    chain = sampler.get_chain(discard=burn)
    baseline, means, v = target.parameters(chain.reshape(-1, 10))
    columns = {"mu_baseline": baseline, "sigma_baseline": np.sqrt(v[:, 0])}
    position = 1
    for name, mu in zip(LAYERS, means, strict=True):
        for k, label in enumerate(target.labels[name]):
            columns[f"mu_{name}[{label}]"] = mu[:, k]
            columns[f"sigma_{name}[{label}]"] = np.sqrt(v[:, position])
            position += 1
    return {name: values.reshape(chain.shape[:2]) for name, values in columns.items()}


def mean_and_error_of_steps(values):
    """Return the mean and its Monte Carlo error, from the autocorrelation of the walkers' common average."""
    average = values.mean(axis=1)
    time = emcee.autocorr.integrated_time(average, quiet=True)[0]
    return average.mean(), average.std() * np.sqrt(time / len(average))


def mean_and_error_of_chains(values):
    return values.mean(), float(az.mcse(values, method="mean"))


@cache
def package_draws():
    flat = az.dataset_to_dataframe(small_posterior()["posterior"].to_dataset()[named_parameters(LAYERS)])
    return {name: column.to_numpy().reshape(4, -1) for name, column in flat.items()}


def test_the_posterior_matches_that_of_emcee():
    """Means, spreads and quantiles agree within both programs' Monte Carlo errors."""
    ours, theirs = package_draws(), other_program()
    assert set(ours) == set(theirs)
    assert len(ours) == 12
    scores = {}
    for name, x in ours.items():
        center = x.mean()
        functions = {"mean": lambda z: z, "square": lambda z, center=center: (z - center) ** 2}
        for p in (0.05, 0.25, 0.5, 0.75, 0.95):
            quantile = np.quantile(x, p)
            functions[f"P(below {p} quantile)"] = lambda z, quantile=quantile: (z < quantile).astype(float)
        for kind, f in functions.items():
            (a, error_a), (b, error_b) = mean_and_error_of_chains(f(x)), mean_and_error_of_steps(f(theirs[name]))
            scores[name, kind] = (a - b) / np.hypot(error_a, error_b)
    bound = stats.norm.isf(FALSE_ALARM / 2 / len(scores))
    assert {key: score for key, score in scores.items() if abs(score) > bound} == {}


def test_emcee_ran_long_enough():
    """Its Monte Carlo errors are below a twentieth of the posterior's spread."""
    for values in other_program().values():
        assert mean_and_error_of_steps(values)[1] < values.std() / 20


# --- Real data ----------------------------------------------------------------------------------------------------


@cache
def flights_compiled():
    cells = mlm.cell_statistics(mlm.load_flights(), total="minutes_lost", layers=["carrier", "origin", "month"])
    assert cells.n_observations == 327_346
    return mlm.compile_model(mlm.cell_model(cells))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_flights_converge_at_default_settings(seed):
    """Gradients are counted, because seconds depend on the tests that run at the same time."""
    idata = mlm.sample(flights_compiled(), seed=seed)
    # R-hat 1.01, ESS 400. One divergence among thousands of draws may come and go with the rounding of a processor.
    mlm.check_convergence(idata, max_divergences=1)
    assert idata.attrs["gradients"] < 250_000


# --- Known truths -------------------------------------------------------------------------------------------------

# Layers of 2 to 6 contributors; ten random truths, each observed 20,000 times. One model, compiled once.
SIZES = [1, 2, 3, 4, 5, 6]
PROB = 0.9


@cache
def recovered():
    """Return ten pairs of truth and posterior."""
    pairs, compiled, priors = (
        [],
        None,
        mlm.Priors(baseline_mu=0.0, baseline_mu_sd=10.0, mu_sd=3.0, sigma_scale=2.0, pooled=False),
    )
    for seed in range(10):
        truth = mlm.draw_layered_sum(SIZES, rng=100 + seed)
        cells = mlm.cell_statistics(truth.simulate(20_000, rng=200 + seed), layers=truth.names)
        if compiled is None:
            compiled = mlm.compile_model(mlm.cell_model(cells, priors))
        pairs.append((truth, mlm.sample(compiled.with_cells(cells), seed=300 + seed, chains=2, tune=500)))
    return pairs


def coverage_score(pairs):
    """Return the error of the coverage of contributors' means, in standard errors.

    The means of m contributors sum to zero, so their errors correlate by -1/(m-1). Whether an interval about zero
    covers is an even function of the error; two such functions correlate by the square at most (Lancaster 1957). The
    number covered in a layer so has a variance of m^2/(m-1) p (1-p) at most.
    """
    covered = [mlm.recovery(idata, truth, ci_prob=PROB)["covered"].filter(regex="^mu_layer") for truth, idata in pairs]
    assert all(len(c) == sum(SIZES[1:]) for c in covered)
    variance = len(pairs) * PROB * (1 - PROB) * sum(m**2 / (m - 1) for m in SIZES[1:])
    return (sum(c.sum() for c in covered) - len(pairs) * PROB * sum(SIZES[1:])) / np.sqrt(variance)


def distance(truth, idata):
    """Return the squared Mahalanobis distance of the true means from the posterior, summed over layers."""
    total = 0.0
    for layer in truth.centered().layers:
        draws = idata["posterior"][f"mu_{layer.name}"].transpose("chain", "draw", ...).values.reshape(-1, len(layer))
        error = draws.mean(axis=0) - layer.mu
        total += error @ np.linalg.pinv(np.cov(draws.T), rcond=1e-8) @ error
    return total


def test_the_order_of_a_posteriors_dims_does_not_matter():
    truth, idata = recovered()[0]
    turned = xr.DataTree.from_dict({"posterior": idata["posterior"].to_dataset().transpose(..., "draw", "chain")})
    assert turned["posterior"]["mu_layer_1"].dims == ("layer_1", "draw", "chain")
    pd.testing.assert_frame_equal(mlm.recovery(turned, truth), mlm.recovery(idata, truth))


def test_recovery_problems_converge():
    for _, idata in recovered():
        mlm.check_convergence(idata)


def test_intervals_of_means_have_their_nominal_coverage():
    # Intervals of half the claimed width fail this, see test_recovery_would_see_intervals_that_are_too_narrow.
    assert abs(coverage_score(recovered())) < stats.norm.isf(FALSE_ALARM / 2)


def test_true_means_lie_as_far_from_the_posterior_as_it_says():
    """Ten problems with 1 + 2 + 3 + 4 + 5 free means each: a chi-squared of 150 degrees of freedom."""
    dof = 10 * sum(m - 1 for m in SIZES[1:])
    total = sum(distance(truth, idata) for truth, idata in recovered())
    assert stats.chi2.ppf(FALSE_ALARM / 2, dof) < total < stats.chi2.isf(FALSE_ALARM / 2, dof)


def test_recovery_would_see_intervals_that_are_too_narrow():
    """The same checks fail where each draw is pulled half-way to the posterior mean."""

    def narrowed(idata):
        posterior = idata["posterior"].to_dataset()
        center = posterior.mean(("chain", "draw"))
        return xr.DataTree.from_dict({"posterior": center + (posterior - center) / 2})

    pairs = [(truth, narrowed(idata)) for truth, idata in recovered()]
    dof = 10 * sum(m - 1 for m in SIZES[1:])
    assert coverage_score(pairs) < -stats.norm.isf(FALSE_ALARM / 2)
    assert sum(distance(*pair) for pair in pairs) > stats.chi2.isf(FALSE_ALARM / 2, dof)


def test_total_standard_deviations_are_recovered():
    """The spread of a total in each combination of contributors, which the data fix, is within five posterior sds."""
    for truth, idata in recovered():
        posterior = idata["posterior"]
        total, true = posterior["sigma_baseline"] ** 2, truth.baseline.sigma[0] ** 2
        for layer in truth.layers:
            k = int(np.argmax(layer.sigma))
            total = total + posterior[f"sigma_{layer.name}"].isel({layer.name: k}) ** 2
            true = true + layer.sigma[k] ** 2
        assert abs(float(total.mean()) - true) < 5 * float(total.std())


# --- Calibration --------------------------------------------------------------------------------------------------

RANKS = {"n_ranks": 99, "draws": 297, "tune": 200, "chains": 1}


def calibrate_with_small_model(monkeypatch, n_simulations, priors):
    """Calibrate with the small problem's compiled model, whose priors are `PRIORS`, for any truths."""
    monkeypatch.setattr(calibration, "compile_model", lambda model: small_compiled())
    ranks = mlm.calibrate(small_cells(), n_simulations, seed=71, priors=priors, **RANKS)
    return az.dataset_to_dataframe(ranks, sample_dims=["simulation"]), ranks.attrs["failed"]


def uniformity_p_values(ranks):
    """Return one p-value per parameter: chi-squared of the ranks 0 to 99 in ten bins."""
    counts = ranks.apply(lambda column: np.bincount(column // 10, minlength=10))
    return stats.chisquare(counts.to_numpy(), axis=0).pvalue


def test_calibration_ranks_are_uniform(monkeypatch):
    ranks, failed = calibrate_with_small_model(monkeypatch, 200, PRIORS)
    assert ranks.shape == (200, 12 + len(small_cells()) + 1)
    assert ranks.to_numpy().min() >= 0
    assert ranks.to_numpy().max() <= 99
    assert uniformity_p_values(ranks).min() > FALSE_ALARM / ranks.shape[1]
    # The average rank has a standard error of 100 / sqrt(12 * 200); a shift is seen here before the bins show it.
    score = (ranks.mean() - 49.5) / (100 / np.sqrt(12 * 200))
    assert score.abs().max() < stats.norm.isf(FALSE_ALARM / 2 / ranks.shape[1])
    assert failed <= 10


def test_calibration_sees_wrong_priors(monkeypatch):
    """Truths from wider priors of the standard deviations than those of the model."""
    wrong = dataclasses.replace(PRIORS, sigma_scale=4.0)
    ranks, _ = calibrate_with_small_model(monkeypatch, 40, wrong)
    p_values = dict(zip(ranks.columns, uniformity_p_values(ranks), strict=True))
    assert min(p_values.values()) < 1e-10
    assert p_values["sigma_size[2]"] < 1e-6
