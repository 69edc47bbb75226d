"""Checks of the exercises of notebook 13."""

import numpy as np
import pandas as pd
from scipy import stats

from mlm_tutorial.exercises.answered_models import density_of, require_dim, sampled_values, variables_of
from mlm_tutorial.exercises.answers import (
    Answer,
    Hint,
    array,
    choices,
    close,
    describe,
    expect,
    frame,
    too_far,
    too_far_from_normal,
)

COUNTIES = ("AITKIN", "BENTON", "CLAY", "DAKOTA", "ITASCA", "POLK", "RAMSEY", "WASECA")


def pooled_levels(answer: Answer, rng: np.random.Generator) -> str:
    """Check 13.1."""
    for k in (3, 5):
        mean, n = rng.normal(1.5, 1, k), rng.integers(2, 30, k)
        sigma, tau, mu = rng.uniform(0.4, 1.2, k), rng.uniform(0.2, 0.5), rng.normal(1.5, 0.2)
        given = array(answer.call(mean, n, sigma, mu, tau), (k,), "the estimates")

        def average(own, population, mean=mean, mu=mu):
            return (own * mean + population * mu) / (own + population)

        mistakes = [
            (mean, "this is no pooling: each county stands alone"),
            (np.full(k, mu), "this is complete pooling: the counties' own homes have no part in it"),
            (average(1 / tau**2, n / sigma**2), "the weights are swapped: many homes should draw the estimate to mean"),
            (
                average(1 / sigma**2, 1 / tau**2),
                "a county's average is more precise, the more homes it is made of; use n",
            ),
            (average(n / sigma, 1 / tau), "a precision is one over a variance; these are standard deviations"),
            (average(n**2 / sigma**2, 1 / tau**2), "the variance of an average falls with n, not with n squared"),
            (average(n / np.mean(sigma) ** 2, 1 / tau**2), "each county has its own sigma here; do not average them"),
            (average(n, 1), "weights by count alone: how much homes and counties vary has a part in it, too"),
        ]
        otherwise = "the estimate lies between the county's average and mu; what decides how near to each?"
        expect(given, average(n / sigma**2, 1 / tau**2), mistakes, otherwise)
    return "Half the weight is the county's own where its average is as precise as the population."


def three_estimates(answer: Answer, rng: np.random.Generator) -> str:
    """Check 13.2."""
    for _ in range(2):
        counts = np.concatenate([[0], rng.integers(1, 4, 3), rng.integers(15, 30, 2)])
        counts = rng.permutation(counts)
        k, empty = len(counts), int(np.argmin(counts))
        county = rng.permutation(np.repeat(np.arange(k), counts))
        tau, sigma = rng.uniform(0.4, 0.8), rng.uniform(0.5, 0.9)
        y = rng.normal(1.5, 1, k)[county] + rng.normal(0, sigma, len(county))
        rows = frame(answer.call(y, county, k, tau, sigma), ["complete", "no", "partial"], "the table")
        if len(rows) == k - 1:
            raise Hint(
                f"there are {k} counties and the table has {k - 1} rows; county {empty} has no homes, and counts"
            )
        if len(rows) != k:
            raise Hint(f"the table should have one row for each of the {k} counties, but it has {len(rows)}")
        own = np.array([y[county == c].mean() if c != empty else np.nan for c in range(k)])
        weight = counts / (counts + sigma**2 / tau**2)
        there = counts > 0

        complete = array(rows["complete"], (k,), "the column complete")
        mistakes = [(np.full(k, own[there].mean()), "complete pooling knows no counties: every home counts the same")]
        expect(
            complete,
            np.full(k, y.mean()),
            mistakes,
            "complete pooling gives all counties the same level, that of all homes",
        )

        no = _numbers(rows["no"], k, "the column no")
        if not np.isnan(no[empty]):
            raise Hint(
                f"county {empty} has no homes; no pooling cannot say anything about it, and NaN is how to say so"
            )
        no = array(no[there], (k - 1,), "the column no, where there are homes,")
        expect(no, own[there], [], "no pooling: the average of a county's own homes")

        partial = _numbers(rows["partial"], k, "the column partial")
        if np.isnan(partial[empty]):
            raise Hint(
                f"county {empty} has no homes, but partial pooling has an estimate for it: what is left at weight 0?"
            )
        partial = array(partial, (k,), "the column partial")
        own = np.where(there, own, 0)
        mu = np.sum(weight * own) / weight.sum()

        def shrunk(center, weight=weight, own=own):
            return weight * own + (1 - weight) * center

        mistakes = [
            (
                shrunk(y.mean()),
                "partial: the estimates shrink to the average of homes; the population is one of counties",
            ),
            (shrunk(own[there].mean()), "partial: for mu_baseline, precise averages should count more than others"),
            ((1 - weight) * own + weight * mu, "partial: the weights are swapped"),
            (shrunk(0), "partial: what does not go to the county's own average goes to mu_baseline; here it goes to 0"),
        ]
        otherwise = "partial: see the formula; its weights serve for mu_baseline and then for each county"
        expect(partial, shrunk(mu), mistakes, otherwise)
    return "Only partial pooling has an answer for a county without homes, and it is mu_baseline."


def _numbers(values: object, k: int, what: str) -> np.ndarray:
    """Return an array of numbers of which some may be NaN."""
    try:
        result = np.asarray(values, dtype=float)
    except Exception:
        raise Hint(f"{what} should hold numbers, but it is {describe(values)}") from None
    if result.shape != (k,):
        raise Hint(f"{what} should hold {k} numbers, but its shape is {result.shape}")
    return result


def predict_homes(answer: Answer, rng: np.random.Generator) -> str:
    """Check 13.3."""
    n, h = 20_000, 3
    mu, effect = rng.normal(1.5, 0.3, n), rng.normal(0.7, 0.2, n)
    tau, sigma = rng.uniform(0.2, 0.9, n), rng.uniform(0.4, 1.0, n)
    u = rng.choice([-1, 1]) * rng.uniform(0.4, 0.8)
    y = array(answer.call(mu, effect, tau, sigma, u, h, rng), (n, h), "the result")
    if y.min() <= 0:
        raise Hint("a concentration is positive; some of these are not. Are they still logarithms?")
    off = np.log(y) - (mu + effect * u)[:, None]
    average, spread = off.mean(axis=1), np.sum((off - off.mean(axis=1, keepdims=True)) ** 2, axis=1)
    if spread.max() < 1e-12:
        raise Hint("all homes of a county are alike; two homes differ by sigma even in the same county")
    # Given the draw: averages of homes have variance tau^2 + sigma^2 / h, and sums of squares about them are
    # sigma^2 times chi-squared numbers with h - 1 degrees of freedom. All of the comparisons below are among 20.
    within, between = spread / sigma**2, average**2 / (tau**2 + sigma**2 / h)

    def far(values, expected, sd):
        return too_far(float(np.mean(values)), expected, sd / np.sqrt(len(values)), n_comparisons=20)

    sd_within, sd_between = np.sqrt(2 * (h - 1)), np.sqrt(2)
    if far(within, h - 1, sd_within):
        if not far(spread / (tau**2 + sigma**2), h - 1, sd_within):
            raise Hint("homes of one county share its level; here every home has a level of its own")
        if not far(spread / sigma**4, h - 1, sd_within):
            raise Hint("sigma is a standard deviation; here it is used as if it were a variance, or squared")
        raise Hint(
            "homes of one county differ by too much or too little: their spread about the level is sigma of the draw"
        )
    if far(average / np.sqrt(tau**2 + sigma**2 / h), 0, 1):
        if not far((average + effect * u) / np.sqrt(tau**2 + sigma**2 / h), 0, 1):
            raise Hint("the county's uranium is known, and moves the centre of its level; you leave it out")
        raise Hint("the centre of the levels is wrong: it is a line in log_uranium")
    centered = mu + effect * u - np.mean(mu + effect * u)
    if far(average * centered / np.sqrt((tau**2 + sigma**2 / h) * np.mean(centered**2)), 0, 1):
        raise Hint("draw s of the homes needs the parameters of draw s: what is uncertain about them belongs in, too")
    if far(between, 1, sd_between):
        if not far(average**2 / (sigma**2 / h), 1, sd_between):
            raise Hint("a new county's level is not known to lie on the line: counties of the same soil differ, by tau")
        raise Hint("levels of new counties vary too much or too little about the line: use the parameters of each draw")
    for wide in (tau > np.median(tau), tau <= np.median(tau)):
        if far(between[wide], 1, sd_between):
            raise Hint("draw s of the homes needs tau of draw s, not an average of tau")
    for wide in (sigma > np.median(sigma), sigma <= np.median(sigma)):
        if far(within[wide], h - 1, sd_within):
            raise Hint("draw s of the homes needs sigma of draw s, not an average of sigma")
    for values, sd in ((average, np.sqrt(tau**2 + sigma**2 / h)), (off[:, 0] - average, sigma * np.sqrt(1 - 1 / h))):
        if too_far_from_normal(values / sd, 0, 1, n_comparisons=20):
            raise Hint("spreads are right, but not the shape: levels and logarithms of homes are normal")
    return "Homes of a new county move together, because nobody knows its level."


def centered_counties(answer: Answer, rng: np.random.Generator) -> str:
    """Check 13.4."""
    for equal in (True, False):
        homes, tau = _homes(rng, equal)
        given = choices(answer.call(homes, tau), COUNTIES, "the answer")
        grouped = homes.groupby("county")["sigma"]
        n, information = grouped.size(), grouped.agg(lambda s: np.sum(1 / s**2))
        names = set(COUNTIES)

        def chosen(series, limit):
            return set(series.index[series > limit])

        right = chosen(information, 1 / tau**2)
        if given == right:
            continue
        everywhere = "every home counts the same here, but detectors differ: ask how much each of them tells"
        within = "detectors differ within a county, too: one average sigma does not say what its homes tell together"
        hints = [
            (names - right, "this is the other half: these counties want the non-centered form"),
            (chosen(n, 1), "more than one home is not the question; what their homes say must outweigh the population"),
            (chosen(n, np.mean(homes["sigma"]) ** 2 / tau**2), everywhere),
            (chosen(n, np.mean(homes["sigma"] ** 2) / tau**2), everywhere),
            (chosen(n / grouped.mean() ** 2, 1 / tau**2), within),
            (chosen(n / grouped.agg(lambda s: np.mean(s**2)), 1 / tau**2), within),
            (
                chosen(n / grouped.first() ** 2, 1 / tau**2),
                "the detector of one home stands for its whole county here; homes of one county differ",
            ),
            (chosen(grouped.mean() ** 2 / n, tau**2), "turn it round: few and noisy homes leave it to the population"),
            (chosen(grouped.agg(lambda s: np.sum(1 / s)), 1 / tau), "precisions are made of variances, not of sds"),
            (
                chosen(1 / grouped.agg(lambda s: np.mean(s**2)), 1 / tau**2),
                "the number of homes has no part in your rule; an average of many homes is precise",
            ),
            (names, "this is every county; those with little data of their own are better off non-centered"),
            (set(), "this is no county; those with much data of their own are better off centered"),
        ]
        for wrong, hint in hints:
            if given == wrong:
                raise Hint(hint)
        if right - given:
            raise Hint("some counties are missing whose own homes say more about their level than the population does")
        raise Hint("some counties are too many: for them the population says more than their own homes")
    return "What counts is information; a count of homes measures it where all homes are measured alike."


def _homes(rng: np.random.Generator, equal: bool) -> tuple[pd.DataFrame, float]:
    """Return homes and tau for which no county is on the edge and typical mistakes lead to other counties."""
    while True:
        tau = rng.uniform(0.2, 0.3)
        counts = rng.integers(1, 18, len(COUNTIES))
        sigma = [np.full(n, 0.75) if equal else rng.choice([0.4, 1.1], n) for n in counts]
        county = np.repeat(COUNTIES, counts)
        homes = pd.DataFrame({"county": county, "sigma": np.concatenate(sigma)})
        homes = homes.iloc[rng.permutation(len(homes))].reset_index(drop=True)
        information = np.array([np.sum(1 / s**2) for s in sigma]) * tau**2
        right = information > 1
        # Choices by rules that earn different hints, in groups of one hint each.
        rules = [[right], [counts > 1], [np.array([np.sum(1 / s) for s in sigma]) > 1 / tau]]
        if not equal:
            first = homes.groupby("county")["sigma"].first()[list(COUNTIES)].to_numpy()
            own = np.array([[np.mean(s) ** 2, np.mean(s**2)] for s in sigma]).T
            rules.append([counts * tau**2 > x for x in (homes["sigma"].mean() ** 2, (homes["sigma"] ** 2).mean())])
            rules.append([counts * tau**2 > x for x in own])
            rules.append([counts * tau**2 > first**2])
        chosen = [{tuple(rule) for rule in group} for group in rules]
        distinct = len(set().union(*chosen)) == sum(len(group) for group in chosen)
        if np.abs(np.log(information)).min() > 0.05 and 1 < right.sum() < len(counts) - 1 and distinct:
            return homes, tau


PRIORS = {
    "mu_baseline": stats.norm(0, 5),
    "funding_effect": stats.norm(0, 2.5),
    "tau": stats.halfnorm(0, 1),
    "z_school": stats.norm(0, 1),
    "sigma": stats.weibull_min(2, scale=1),
}


def school_model(answer: Answer, rng: np.random.Generator) -> str:
    """Check 13.5."""
    k = 6
    names = [f"school {letter}" for letter in rng.permutation(list("ABCDEFGH")[:k])]
    schools = pd.DataFrame({"school": names, "funding": rng.normal(0, 1, k)})
    counts = np.concatenate([[0], rng.integers(1, 6, k - 1)])  # the first school has no pupils
    pupils = pd.DataFrame({"school": rng.permutation(np.repeat(names, counts))})
    pupils["score"] = rng.normal(0, 1.5, len(pupils))
    _check_school_model(answer.call(pupils, schools), pupils, schools, rng)
    return "Every school has a level, those without pupils too: the line and tau speak for them."


def _check_school_model(model, pupils: pd.DataFrame, schools: pd.DataFrame, rng: np.random.Generator) -> None:
    centered = "school_level is sampled as it is, which is the centered form; the task asks for the other one"
    variables_of(model, tuple(PRIORS), "score", ("school_level",), {"school_level": centered})
    require_dim(model, ("z_school", "school_level"), "school")
    labels = list(model.coords["school"] or ())
    if sorted(map(str, labels)) != sorted(schools["school"]):
        raise Hint(
            f"the coordinate 'school' should name the {len(schools)} schools of the table schools, but it names "
            f"{len(labels)}; a school without pupils has a level, too"
            if len(labels) != len(schools)
            else "the coordinate 'school' should hold the names in the column school of the table schools"
        )
    _check_density(model, [str(label) for label in labels], pupils, schools, rng)


def _check_density(model, labels, pupils: pd.DataFrame, schools: pd.DataFrame, rng: np.random.Generator):
    density = density_of(model, ("school_level",))
    funding = schools.set_index("school")["funding"]
    in_table_order = schools["funding"].to_numpy()
    for _ in range(2):
        values = {
            "mu_baseline": rng.normal(),
            "funding_effect": rng.choice([-1, 1]) * rng.uniform(0.5, 1.5),
            "tau": rng.uniform(0.3, 0.9),
            "z_school": rng.normal(size=len(labels)),
            "sigma": rng.uniform(0.4, 1.6),
        }
        terms, (found,) = density(sampled_values(model, values))
        for name, prior in PRIORS.items():
            shape = np.shape(values[name])
            term = array(terms[name], shape, f"the log density of {name}")
            if not close(term, prior.logpdf(values[name]), rtol=1e-5):
                raise Hint(f"the prior of {name} is not the one in the text")
        found = array(found, (len(labels),), "school_level")
        mu, effect, tau, z, sigma = values.values()
        predictor = funding[labels].to_numpy()
        line = mu + effect * predictor
        mistakes = [
            (line + z, "school_level: a school's distance from the line is tau times its z, not z"),
            (
                mu + tau * z,
                "school_level: funding is not in it; a predictor of schools belongs in the centre of levels",
            ),
            (effect * predictor + tau * z, "school_level: mu_baseline is not in it"),
            (line, "school_level: schools of the same funding differ, too; tau and z_school are missing from it"),
            (
                mu + effect * in_table_order + tau * z,
                "school_level: funding of one school goes to another; see the order of rows and of the coordinate",
            ),
            (
                mu + tau * (effect * predictor + z),
                "school_level: tau multiplies the line's slope; it should multiply z",
            ),
        ]
        expect(
            found,
            line + tau * z,
            mistakes,
            "school_level: it should be a line in funding, and what is the school's own",
            1e-5,
        )
        _check_likelihood(terms["score"], pupils, labels, found, line, sigma)


def _check_likelihood(given, pupils: pd.DataFrame, labels, level, line, sigma):
    y, school = pupils["score"].to_numpy(), pupils["school"].tolist()
    positions = pd.Index(labels).get_indexer(school)
    wrong_schools = "score: pupils are joined with the wrong schools; count positions in the coordinate of the model"
    term = array(given, y.shape, "the log density of score")
    right = stats.norm.logpdf(y, level[positions], sigma)
    mistakes = [
        (stats.norm.logpdf(y, line[positions], sigma), "score: pupils' scores should scatter about school_level"),
        (stats.norm.logpdf(y, level[pd.Categorical(school).codes], sigma), wrong_schools),
        (stats.norm.logpdf(y, level[pd.Index(sorted(labels)).get_indexer(school)], sigma), wrong_schools),
    ]
    otherwise = (
        "score: the density of a pupil's score is wrong. Does each pupil have the level of its own school, and is the "
        "spread sigma?"
    )
    expect(term, right, mistakes, otherwise, 1e-5)


CHECKERS = {
    "13.1": pooled_levels,
    "13.2": three_estimates,
    "13.3": predict_homes,
    "13.4": centered_counties,
    "13.5": school_model,
}
