"""Checks of the exercises of notebook 04."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from scipy import stats

from mlm_tutorial.exercises.answered_models import density_of, require_shapes, sampled_values, variables_of
from mlm_tutorial.exercises.answers import Answer, Hint, array, choice, close, describe, expect, frame, number

FORMS = ("centered", "noncentered")


def forms(answer: Answer, rng: np.random.Generator) -> str:
    """Check 04.1."""
    multiples = np.array([0.04, 0.15, 0.3, 0.6, 1.6, 3, 12, 200])
    for ratio in (8, 2, 4, 3):  # of noise to tau
        tau = rng.uniform(0.3, 0.8) if ratio == 4 else rng.uniform(1.5, 3)
        noise = ratio * tau
        counts = rng.permutation(np.unique(np.maximum(np.round(ratio**2 * multiples), 1).astype(int)))
        given = _texts(answer.call(counts, noise, tau), FORMS, len(counts))
        right = _forms(counts > noise**2 / tau**2)
        if given == right:
            continue
        mistakes = [
            (counts < noise**2 / tau**2, "the forms are swapped: which of them suits a contributor with many rows?"),
            (counts > 25, "25 is the turning point of the notebook's numbers only; it depends on noise and tau"),
            (counts > noise**2, "the spread of the means, tau, matters as well: it says how much the prior knows"),
            (counts > noise / tau, "information adds as one over a variance; compare variances, not their roots"),
            (counts.mean() > noise**2 / tau**2, "one form for all: here each contributor may have its own"),
            (counts > counts.mean(), "a contributor's count stands against its prior, not against other counts"),
            (counts > np.median(counts), "a contributor's count stands against its prior, not against other counts"),
        ]
        for centered, hint in mistakes:
            if given == _forms(np.broadcast_to(centered, counts.shape)):
                raise Hint(hint)
        for count, one, other in zip(counts, given, right, strict=True):
            if one != other:
                raise Hint(
                    f"with noise {noise:.2f} and tau {tau:.2f}, a contributor with {count} rows should not be {one}"
                )
    return "Centered where the rows say more about a mean than its prior does, non-centered where they say less."


def _forms(centered: np.ndarray) -> list[str]:
    return ["centered" if one else "noncentered" for one in centered]


def _texts(value: object, options: tuple[str, ...], n: int) -> list[str]:
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise Hint(f"the answer should be a list of {n} texts, but it is {describe(value)}")
    given = list(value)
    if len(given) != n:
        raise Hint(f"there are {n} contributors, but the answer holds {len(given)} values")
    return [str(choice(one, options, "each value")) for one in given]


def compare_runs(answer: Answer, rng: np.random.Generator) -> str:
    """Check 04.2."""
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
    numbers = {}
    for name in ("ess_per_1000_gradients", "ess_per_second"):
        try:
            values = given[name].to_numpy(dtype=float)
        except (AttributeError, TypeError, ValueError):
            raise Hint(f"the column {name} should hold numbers, NaN where a run failed") from None
        numbers[name] = values
        for passes, failure in failures:
            if np.isfinite(values[~passes]).any():
                raise Hint(f"{name} ranks a run that has {failure}; its ESS cannot be compared")
        if not np.isfinite(values[converged]).all():
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
    """Return runs of which each that fails misses one threshold alone, but for the first, which fails altogether."""
    n = 9
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
    runs.iloc[position[1], 1] = 1.03
    runs.iloc[position[2], 2] = 310.0
    runs.iloc[position[3], 3] = 150.0
    runs.iloc[position[4], 4] = 7
    return runs


def noncentered_delays(answer: Answer, rng: np.random.Generator) -> str:
    """Check 04.3."""
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


def dial_log_density(answer: Answer, rng: np.random.Generator) -> str:
    """Check 04.4."""
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
    "04.1": forms,
    "04.2": compare_runs,
    "04.3": noncentered_delays,
    "04.4": dial_log_density,
}
