"""Checks of the exercises of notebook 06."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from scipy import stats

from mlm_tutorial.exercises.answered_models import density_of, require_shapes, sampled_values, variables_of
from mlm_tutorial.exercises.answered_posteriors import (
    expect_moments,
    fits_a_model,
    hierarchical_moments,
    trusted_draws,
)
from mlm_tutorial.exercises.answers import Answer, Hint, array, choice, close, describe, expect, frame, number

FORMS = ("centered", "noncentered")


def forms(answer: Answer, rng: np.random.Generator) -> str:
    """Check 06.1."""
    multiples = np.array([0.04, 0.15, 0.3, 0.6, 0.9, 1.2, 1.6, 3, 12, 200])
    cases = []
    for ratio in (12, 2, 4, 7):  # of noise to tau
        tau = rng.uniform(0.3, 0.8) if ratio == 4 else rng.uniform(1.5, 3)
        counts = rng.permutation(np.unique(np.maximum(np.round(ratio**2 * multiples), 1).astype(int)))
        counts = counts[counts != ratio**2]
        given = _texts(answer.call(counts, ratio * tau, tau), FORMS, len(counts))
        cases.append((counts, ratio * tau, tau, np.array(given) == "centered"))
    if all(np.array_equal(given, counts > noise**2 / tau**2) for counts, noise, tau, given in cases):
        return "Centered where the rows say more about a mean than its prior does, non-centered where they say less."
    against = "a contributor's count stands against its prior, not against other counts"
    mistakes = [
        (lambda n, noise, tau: n < noise**2 / tau**2, "the forms are swapped: which suits a contributor of many rows?"),
        (
            lambda n, noise, tau: n > noise**2,
            "the spread of the means, tau, matters as well: it says how much the prior knows",
        ),
        (
            lambda n, noise, tau: n > noise / tau,
            "information adds as one over a variance; compare variances, not their roots",
        ),
        (
            lambda n, noise, tau: np.full(n.shape, n.mean() > noise**2 / tau**2),
            "one form for all: here each contributor may have its own",
        ),
        (lambda n, noise, tau: n > n.mean(), against),
        (lambda n, noise, tau: n > np.median(n), against),
    ]
    # A hint names a mistake that explains the answers to all four cases, so that none is named by coincidence.
    for rule, hint in mistakes:
        if all(np.array_equal(given, rule(counts, noise, tau)) for counts, noise, tau, given in cases):
            raise Hint(hint)
    every, centered = np.concatenate([case[0] for case in cases]), np.concatenate([case[3] for case in cases])
    if centered.all() or not centered.any():
        raise Hint("one form for all: here each contributor may have its own")
    if every[~centered].max() < every[centered].min():
        raise Hint(
            f"a fixed limit explains your answers: centered from {every[centered].min()} rows on, whatever noise and "
            "tau are; a limit like the notebook's 25 belongs to the notebook's numbers only"
        )
    for counts, noise, tau, given in cases:
        for count, one in zip(counts, given, strict=True):
            if one != (count > noise**2 / tau**2):
                raise Hint(
                    f"with noise {noise:.2f} and tau {tau:.2f}, a contributor with {count} rows should not be "
                    f"{FORMS[0] if one else FORMS[1]}"
                )
    raise AssertionError("one of the answers differs from the rule")


def _texts(value: object, options: tuple[str, ...], n: int) -> list[str]:
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise Hint(f"the answer should be a list of {n} texts, but it is {describe(value)}")
    given = list(value)
    if len(given) != n:
        raise Hint(f"there are {n} contributors, but the answer holds {len(given)} values")
    return [str(choice(one, options, "each value")) for one in given]


def compare_runs(answer: Answer, rng: np.random.Generator) -> str:
    """Check 06.2."""
    runs = _runs(rng)
    given = frame(answer.call(runs), ["ess_per_1000_gradients", "ess_per_second"], "the table")
    if len(given) != len(runs):
        raise Hint(f"the table should keep all {len(runs)} runs, those that failed too; it has {len(given)} rows")
    if list(given.index) != list(runs.index):
        raise Hint("the table should have the runs' own index, in the same order")
    bulk, seconds = runs["min_ess_bulk"], runs["sampling_seconds"]
    agree = runs["max_rhat"] <= 1.01
    failures = [
        (agree, "R-hat above 1.01"),
        (~agree | (bulk >= 400), "a bulk ESS below 400"),
        (~agree | (runs["min_ess_tail"] >= 400), "a tail ESS below 400, which spoils the ends of intervals"),
        (~agree | (runs["divergences"] == 0), "divergences"),
    ]
    converged = np.logical_and.reduce([passes for passes, _ in failures])
    on_the_limit = ((runs["max_rhat"] == 1.01) | (bulk == 400) | (runs["min_ess_tail"] == 400)).to_numpy()
    numbers = {}
    for name in ("ess_per_1000_gradients", "ess_per_second"):
        try:
            values = given[name].to_numpy(dtype=float)
        except (AttributeError, TypeError, ValueError):
            raise Hint(f"the column {name} should hold numbers, NaN where a run failed") from None
        numbers[name] = values
        for passes, failure in failures:
            if np.isinf(values[~passes]).any():
                raise Hint(f"{name} is infinite for a run that has {failure}; infinity ranks first: write NaN")
            if not np.isnan(values[~passes]).all():
                raise Hint(f"{name} ranks a run that has {failure}; its ESS cannot be compared")
        lacking = converged & ~np.isfinite(values)
        if lacking.any() and on_the_limit[lacking].all():
            raise Hint(
                f"{name} lacks a number for a run that lies on a limit; `at most` and `at least` include the limit"
            )
        if lacking.any():
            raise Hint(f"{name} lacks a number for a run that meets all four thresholds")
    per_gradient, per_second = (values[converged] for values in numbers.values())
    good = runs[converged]
    mistakes = [
        (good["min_ess_bulk"] / good["gradients"], "this counts per gradient; the task asks for per 1,000 gradients"),
        (1000 * good["min_ess_tail"] / good["gradients"], "these are tail ESS; the task asks for the bulk ESS"),
        (good["gradients"] / good["min_ess_bulk"] / 1000, "this is the cost of an effective draw: upside down"),
    ]
    otherwise = "ess_per_1000_gradients should be effective draws of the bulk for every 1,000 gradients"
    expect(per_gradient, 1000 * good["min_ess_bulk"] / good["gradients"], mistakes, otherwise)
    total_seconds = good["sampling_seconds"] + good["compile_seconds"]
    mistakes = [
        (good["min_ess_bulk"] / total_seconds, "compilation is paid once for each model; count it apart"),
        (good["min_ess_tail"] / good["sampling_seconds"], "these are tail ESS; the task asks for the bulk ESS"),
        (good["sampling_seconds"] / good["min_ess_bulk"], "these are seconds for an effective draw: upside down"),
    ]
    otherwise = "ess_per_second should be effective draws of the bulk for every second of sampling"
    expect(per_second, (bulk / seconds)[converged], mistakes, otherwise)
    return "A run that failed has no efficiency, however fast it was."


def _runs(rng: np.random.Generator) -> pd.DataFrame:
    """Return runs that fail by one threshold alone, clearly or narrowly, or lie on a limit; one fails altogether."""
    n = 17
    runs = pd.DataFrame(
        {
            "form": rng.choice(FORMS, n),
            "max_rhat": rng.uniform(1.0, 1.008, n),
            "min_ess_bulk": rng.uniform(500, 4000, n),
            "min_ess_tail": rng.uniform(500, 3000, n),
            "divergences": 0,
            "gradients": rng.integers(20_000, 200_000, n),
            "compile_seconds": rng.uniform(5, 15, n),
            "sampling_seconds": rng.uniform(0.5, 4, n),
        },
        index=rng.permutation(np.arange(100, 100 + n)),
    )
    position = rng.permutation(n)
    runs.iloc[position[0], 1:5] = [1.4, 12.0, 30.0, 40]
    special = {
        "max_rhat": [1.03, 1.012, 1.01],
        "min_ess_bulk": [190.0, 399.5, 400.0],
        "min_ess_tail": [150.0, 399.5, 400.0],
        "divergences": [7, 1, 3],
    }
    for k, (name, values) in enumerate(special.items()):
        for i, value in enumerate(values):
            runs.iloc[position[1 + 3 * k + i], runs.columns.get_loc(name)] = value
    return runs


def noncentered_delays(answer: Answer, rng: np.random.Generator) -> str:
    """Check 06.3."""
    n, n_lines, n_stops = 40, 3, 7
    line_of_stop = rng.permutation(np.r_[np.arange(n_lines), rng.integers(0, n_lines, n_stops - n_lines)])
    stop = rng.permutation(np.r_[np.arange(n_stops), rng.integers(0, n_stops, n - n_stops)])
    delay = rng.normal(2, 4, n)
    model = answer.call(delay, stop, line_of_stop, n_lines)

    shapes = {"mu": (), "tau_line": (), "tau_stop": (), "sigma": (), "z_line": (n_lines,), "z_stop": (n_stops,)}
    still = "`{}` is still sampled; in the non-centered form it is computed from a standard normal"
    means = ("line", "stop_mean")
    variables = variables_of(model, tuple(shapes), "delay", means, {name: still.format(name) for name in means})
    require_shapes(variables, shapes)
    points = {
        "mu": rng.normal(1, 2),
        **{name: rng.uniform(0.4, 3) for name in ("tau_line", "tau_stop", "sigma")},
        "z_line": rng.normal(0, 1, n_lines),
        "z_stop": rng.normal(0, 1, n_stops),
    }
    terms, (line, stop_mean) = density_of(model, means)(sampled_values(model, points))
    log_p = {name: float(np.sum(term)) for name, term in terms.items()}
    line, stop_mean = array(line, (n_lines,), "`line`"), array(stop_mean, (n_stops,), "`stop_mean`")
    mu, tau_line, tau_stop, sigma, z_line, z_stop = points.values()
    for name in ("mu", "tau_line", "tau_stop", "sigma"):
        prior = stats.norm(0, 10) if name == "mu" else stats.weibull_min(2, scale=_PRIOR_SCALES[name])
        if not close(log_p[name], prior.logpdf(points[name])):
            raise Hint(f"the prior of {name} should be that of the centered model; its density differs")
    for name, tau in (("z_line", tau_line), ("z_stop", tau_stop)):
        if not close(log_p[name], stats.norm.logpdf(points[name]).sum()):
            if close(log_p[name], stats.norm.logpdf(points[name], 0, tau).sum()):
                raise Hint(f"{name} is stretched twice: a standard normal does not know about any tau")
            raise Hint(f"{name} should be standard normal, whatever the other variables are; its density differs")
    right_line = mu + tau_line * z_line
    mistakes = [
        (tau_line * z_line, "the lines' means should scatter around mu, but mu has no part in `line`"),
        (mu + z_line, "`line` shifts z_line and does not stretch it"),
        (mu + tau_line**2 * z_line, "a normal is stretched by its standard deviation; its variance is used here"),
        (mu + tau_stop * z_line, "each of the two levels has a spread of its own; `line` uses that of the stops"),
    ]
    expect(line, right_line, mistakes, "the means `line` do not have the distribution of the centered model")
    own_line = right_line[line_of_stop]
    mistakes = [
        (tau_stop * z_stop, "the stops scatter around zero; in the centered model each has a line to scatter around"),
        (
            mu + tau_stop * z_stop,
            "the stops scatter around mu; in the centered model each has a line to scatter around",
        ),
        (own_line + z_stop, "`stop_mean` shifts z_stop and does not stretch it"),
        (own_line + tau_stop**2 * z_stop, "a normal is stretched by its standard deviation, not by its variance"),
        (own_line + tau_line * z_stop, "each of the two levels has a spread of its own; `stop_mean` uses the lines'"),
    ]
    otherwise = "the means `stop_mean` do not have the distribution of the centered model; which line has which stop?"
    expect(stop_mean, own_line + tau_stop * z_stop, mistakes, otherwise)
    if not close(log_p["delay"], stats.norm.logpdf(delay, stop_mean[stop], sigma).sum()):
        raise Hint(
            "priors and means are right; the density of `delay` is not: each row has its own stop, and noise sigma"
        )
    return "Two levels, two shifts and stretches: the stops no longer need to know how wide their line spreads."


_PRIOR_SCALES = {"tau_line": 3, "tau_stop": 1, "sigma": 5}


@fits_a_model
def fit_centers(answer: Answer, rng: np.random.Generator) -> str:
    """Check 06.4."""
    m = 8
    error = rng.permutation(np.linspace(5, 9, m))
    average = rng.normal(rng.normal(4, 2, m), error)
    for fixed in (float(rng.uniform(5, 7)), None):
        what = f"the answer for tau={fixed if fixed is None else round(fixed, 2)}"
        seed = int(rng.integers(2**31))
        draws = trusted_draws(
            answer.call(average, error, seed, fixed), ["mu", "center", *(["tau"] if fixed is None else [])], what
        )
        if draws["center"].ndim != 3 or draws["center"].shape[2] != m:
            raise Hint(f"`center` should hold {m} means, one for each sorting center, in every draw")
        if fixed is not None and "tau" in draws and float(draws["tau"].std()) > 1e-9:
            raise Hint(f"{what}: tau is sampled although it was given; use the value that is given, where there is one")
        right = _center_moments(average, error, fixed)
        wrong = [
            (error**2, fixed, "a standard error is used as a variance, or its square as a standard deviation"),
            (np.sqrt(error), fixed, "a standard error is used as a variance, or its root as a standard deviation"),
            (np.ones(m), fixed, "every average counts alike here; each has a standard error of its own"),
            (np.full(m, error.mean()), fixed, "every average counts alike here; each has a standard error of its own"),
        ]
        if fixed is not None:
            wrong += [
                (error, fixed**2, "tau is squared before it stretches; a normal is stretched by a standard deviation"),
                (
                    error,
                    np.sqrt(fixed),
                    "the root of tau stretches here; a normal is stretched by a standard deviation",
                ),
                (error, 1.0, "the centers scatter around mu by 1, and not by tau"),
            ]
        found = [(_center_moments(average, e, t), f"{what}: {hint}") for e, t, hint in wrong]
        for name in ("mu", "center", *(["tau"] if fixed is None else [])):
            mistakes = [(*moments[name], hint) for moments, hint in found]
            if name == "mu":
                mistakes.append((0.0, 10.0, f"{what}: mu has its prior as a posterior, so no average depends on it"))
            if name == "center":
                free = draws["mu"].mean().item()
                mistakes.append((right[name][0] - free, right[name][1], f"{what}: `center` should include mu"))
            mean, sd = right[name]
            expect_moments(draws[name], mean, sd, f"{name} ({what})", mistakes)
    return "One argument fixes the suspect, and a run without it tells you whether you had the right one."


def _center_moments(average: np.ndarray, error: np.ndarray, tau: float | None) -> dict[str, tuple]:
    """Return exact posterior means and standard deviations, for a tau that is fixed or has its prior."""
    moments = hierarchical_moments(average, error, stats.halfnorm(scale=5) if tau is None else tau)
    return {"mu": moments["mu"], "tau": moments["tau"], "center": moments["level"]}


def dial_log_density(answer: Answer, rng: np.random.Generator) -> str:
    """Check 06.5."""
    for log_tau in (rng.uniform(0.4, 1.2), -rng.uniform(0.4, 1.2)):
        k = int(rng.integers(4, 8))
        w = np.r_[0.0, 1.0, rng.uniform(0.2, 0.8, k - 2)]
        raw, average, standard_error = rng.normal(0, 1, k), rng.normal(0, 2, k), rng.uniform(0.5, 2, k)
        log_centered = _centered_log_density(average, standard_error)
        given = number(answer.call(log_centered, log_tau, raw, w), "the log density")
        tau = np.exp(log_tau)
        mu = tau ** (1 - w) * raw
        # Straight from the definition of the dial model, in which nothing needs to be translated.
        right = (
            stats.weibull_min.logpdf(tau, 2, scale=2)
            + stats.norm.logpdf(raw, 0, tau**w).sum()
            + stats.norm.logpdf(average, mu, standard_error).sum()
            + log_tau
        )
        centered, stretched = log_centered(tau, mu), np.sum(1 - w) * log_tau
        mistakes = [
            (centered, "the point is translated, but the density does not know that volume is stretched on the way"),
            (centered + stretched, "the stretch of raw is there; tau is not sampled as it is, but as its logarithm"),
            (centered + log_tau, "the stretch of tau is there; the contributors' raw are stretched as well"),
            (centered - stretched - log_tau, "the Jacobian has the wrong sign: which of the two spaces is larger?"),
            (centered - stretched, "the Jacobian has the wrong sign: which of the two spaces is larger?"),
            (centered - stretched + log_tau, "the Jacobian of raw has the wrong sign; that of log tau is right"),
            (centered + stretched - log_tau, "the Jacobian of log tau has the wrong sign; that of raw is right"),
            (centered + np.sum(w) * log_tau + log_tau, "a centered contributor, w = 1, is not stretched; yours is"),
            (centered + np.sum(w) * log_tau, "a centered contributor, w = 1, is not stretched; yours is"),
            (centered + k * log_tau + log_tau, "this is right where all w are 0; the stretch depends on w"),
            (log_centered(tau, raw) + stretched + log_tau, "the centered density wants mu; it was given raw"),
            (log_centered(tau, tau**w * raw) + stretched + log_tau, "mu is translated with w in the wrong place"),
        ]
        expect(
            given,
            right,
            mistakes,
            "it is the centered density at the translated point, and a log Jacobian; one of them is off",
        )
    return "The densities agree: with every setting of the dial it is one and the same model."


def _centered_log_density(average: np.ndarray, standard_error: np.ndarray):
    def log_centered(tau, mu):
        """Log density of the centered model."""
        tau, mu = float(tau), array(mu, average.shape, "what you give to log_centered as mu")
        return float(
            stats.weibull_min.logpdf(tau, 2, scale=2)
            + stats.norm.logpdf(mu, 0, tau).sum()
            + stats.norm.logpdf(average, mu, standard_error).sum()
        )

    return log_centered


CHECKERS = {
    "06.1": forms,
    "06.2": compare_runs,
    "06.3": noncentered_delays,
    "06.4": fit_centers,
    "06.5": dial_log_density,
}
