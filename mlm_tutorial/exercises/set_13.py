"""Checks of the exercises of notebook 13."""

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from mlm_tutorial.exercises.answered_posteriors import expect_moments, fits_a_model, trusted_draws
from mlm_tutorial.exercises.answers import (
    Answer,
    Hint,
    array,
    choices,
    describe,
    expect,
    expect_numbers_from_rng,
    frame,
    instance,
    pair,
    too_far,
    too_far_from_normal,
)

COUNTIES = ("AITKIN", "BENTON", "CLAY", "DAKOTA", "ITASCA", "POLK", "RAMSEY", "WASECA")


def three_estimates(answer: Answer, rng: np.random.Generator) -> str:
    """Check 13.1."""
    for more_empty in (0, 1):
        # The last county has no home, so that the data do not say how many counties there are.
        counts = np.concatenate([np.zeros(more_empty, int), rng.integers(1, 4, 3), rng.integers(15, 30, 2)])
        counts = np.append(rng.permutation(counts), 0)
        k, there = len(counts), counts > 0
        empty = int(np.flatnonzero(~there)[-1])
        county = rng.permutation(np.repeat(np.arange(k), counts))
        tau, sigma = rng.uniform(0.4, 0.8), rng.uniform(0.5, 0.9)
        y = rng.normal(1.5, 1, k)[county] + rng.normal(0, sigma, len(county))
        rows = frame(answer.call(y, county, k, tau, sigma), ["complete", "no", "partial"], "the table")
        if len(rows) in (k - 1, there.sum()):
            raise Hint(
                f"there are {k} counties and the table has {len(rows)} rows; county {empty} has no homes, and counts"
            )
        if len(rows) != k:
            raise Hint(f"the table should have one row for each of the {k} counties, but it has {len(rows)}")
        own = np.array([y[county == c].mean() if there[c] else np.nan for c in range(k)])
        weight = counts / (counts + sigma**2 / tau**2)

        complete = array(rows["complete"], (k,), "the column complete")
        mistakes = [(np.full(k, own[there].mean()), "complete pooling knows no counties: every home counts the same")]
        otherwise = "complete pooling gives all counties the same level, that of all homes"
        expect(complete, np.full(k, y.mean()), mistakes, otherwise)

        no = _numbers(rows["no"], k, "the column no")
        if not np.isnan(no[~there]).all():
            raise Hint(
                f"county {empty} has no homes; no pooling cannot say anything about it, and NaN is how to say so"
            )
        no = array(no[there], (int(there.sum()),), "the column no, where there are homes,")
        expect(no, own[there], [], "no pooling: the average of a county's own homes")

        partial = _numbers(rows["partial"], k, "the column partial")
        if np.isnan(partial[~there]).any():
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
            (
                _shrunk(own, there, counts * tau / (counts * tau + sigma)),
                "partial: weights are made of variances, not of standard deviations",
            ),
            (
                _shrunk(own, there, counts * sigma**2 / (counts * sigma**2 + tau**2)),
                "partial: tau and sigma have changed places in the weights",
            ),
            (
                np.where(there, shrunk(mu), y.mean()),
                "partial: a county without homes has weight 0, and the formula says what is left",
            ),
            (shrunk(0), "partial: what does not go to the county's own average goes to mu_baseline; here it goes to 0"),
        ]
        otherwise = "partial: see the formula; its weights serve for mu_baseline and then for each county"
        expect(partial, shrunk(mu), mistakes, otherwise)
    return "Only partial pooling has an answer for a county without homes, and it is mu_baseline."


def _shrunk(own: np.ndarray, there: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return partially pooled levels for some weights of the counties' own averages."""
    own = np.where(there, own, 0)
    return weight * own + (1 - weight) * np.sum(weight * own) / weight.sum()


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
    """Check 13.2."""
    n, h = 20_000, 3
    mu, effect = rng.normal(1.5, 0.3, n), rng.normal(0.7, 0.2, n)
    tau, sigma = rng.uniform(0.2, 0.9, n), rng.uniform(0.4, 1.0, n)
    u = rng.choice([-1, 1]) * rng.uniform(0.4, 0.8)

    def homes(generator):
        return {"homes": array(answer.call(mu, effect, tau, sigma, u, h, generator), (n, h), "the result")}

    y = homes(rng)["homes"]
    expect_numbers_from_rng(homes, rng)
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
    # One of the two may be an average of draws: the sum of both would hide it where log_uranium is near zero.
    for name, values in (("mu_baseline", mu), ("uranium_effect", effect)):
        centered = (values - np.mean(values)) / np.std(values)
        if far(average * centered / np.sqrt(tau**2 + sigma**2 / h), 0, 1):
            raise Hint(
                f"draw s of the homes needs parameters of draw s, {name} too: what is uncertain about them belongs in"
            )
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
    for values in (average / np.sqrt(tau**2 + sigma**2 / h), (off[:, 0] - average) / sigma / np.sqrt(1 - 1 / h)):
        for one, other in ((values[:-1], values[1:]), (values[: n // 2], values[n // 2 :])):
            if too_far(float(np.mean(one * other)), 0, 1 / np.sqrt(len(one)), n_comparisons=20):
                raise Hint("homes of different draws are related here; each draw needs random numbers of its own")
    return "Homes of a new county move together, because nobody knows its level."


def centered_counties(answer: Answer, rng: np.random.Generator) -> str:
    """Check 13.3."""
    tables = [_homes(rng, equal=True), _homes(rng, equal=False)]
    rules = [_rules(*table) for table in tables]
    # A wrong rule may lead to the right counties by chance, or to those of another one: more tables, until each rule
    # fails for one of them, and, as far as twelve tables go, until rules that earn different hints lead elsewhere.
    while _rules_agree(rules, only_with_right=True) or (len(tables) < 12 and _rules_agree(rules)):
        tables.append(_homes(rng, equal=False, typical=False))
        rules.append(_rules(*tables[-1]))
    given = [choices(answer.call(homes, tau), COUNTIES, "the answer") for homes, tau in tables]
    right = [sets[0][0] for sets in rules]
    if given == right:
        return "What counts is information; a count of homes measures it where all homes are measured alike."
    for i in range(1, len(rules[0])):
        if given == [sets[i][0] for sets in rules]:
            raise Hint(rules[0][i][1])
    if any(wanted - found for found, wanted in zip(given, right, strict=True)):
        raise Hint("some counties are missing whose own homes say more about their level than the population does")
    raise Hint("some counties are too many: for them the population says more than their own homes")


def _rules_agree(rules: list[list[tuple[set[str], str]]], only_with_right: bool = False) -> bool:
    """Return whether two rules with different hints, or the right one and another, choose alike in all tables."""
    hints = [hint for _, hint in rules[0]]
    chosen = [tuple(frozenset(table[i][0]) for table in rules) for i in range(len(hints))]
    if only_with_right:
        return chosen[0] in chosen[1:]
    return len(set(zip(chosen, hints, strict=True))) > len(set(chosen))


def _rules(homes: pd.DataFrame, tau: float) -> list[tuple[set[str], str]]:
    """Return counties by the right rule, which comes first, and by wrong ones, each with its hint."""
    grouped = homes["sigma"].groupby(homes["county"])
    n, average, square = grouped.size(), grouped.mean(), (homes["sigma"] ** 2).groupby(homes["county"]).mean()
    information = (1 / homes["sigma"] ** 2).groupby(homes["county"]).sum()
    of_sds = (1 / homes["sigma"]).groupby(homes["county"]).sum()
    names, limit = set(COUNTIES), 1 / tau**2

    def chosen(series, limit):
        return set(series.index[series > limit])

    right = chosen(information, limit)
    everywhere = "every home counts the same here, but detectors differ: ask how much each of them tells"
    within = "detectors differ within a county, too: one average sigma does not say what its homes tell together"
    stands = " stands for its whole county here; homes of one county differ"
    others = (
        "a county's homes are compared with those of other counties here; the rival is the population, with its tau"
    )
    fixed = "your rule does not depend on tau, and each table has its own"
    enough = "a number of homes that is enough for one tau and one kind of detector need not be enough for others"
    return [
        (right, ""),
        (names - right, "this is the other half: these counties want the non-centered form"),
        (chosen(n, 1), "more than one home is not the question; what their homes say must outweigh the population"),
        (chosen(n, np.mean(homes["sigma"]) ** 2 * limit), everywhere),
        (chosen(n, np.mean(homes["sigma"] ** 2) * limit), everywhere),
        (chosen(n, np.median(homes["sigma"]) ** 2 * limit), everywhere),
        (chosen(n / average**2, limit), within),
        (chosen(n / square, limit), within),
        (chosen(n / grouped.median() ** 2, limit), within),
        (chosen(of_sds**2 / n, limit), within),
        (chosen(n / grouped.first() ** 2, limit), "the detector of one home" + stands),
        (chosen(n / grouped.last() ** 2, limit), "the detector of one home" + stands),
        (chosen(n / grouped.min() ** 2, limit), "the most precise detector" + stands),
        (chosen(n / grouped.max() ** 2, limit), "the noisiest detector" + stands),
        (chosen(average**2 / n, tau**2), "turn it round: few and noisy homes leave it to the population"),
        (chosen(of_sds, 1 / tau), "precisions are made of variances, not of sds"),
        (
            chosen(1 / square, limit),
            "the number of homes has no part in your rule; an average of many homes is precise",
        ),
        (
            chosen(information / n, limit),
            "the number of homes has no part in your rule; an average of many homes is precise",
        ),
        (
            chosen(information * (n - 1) / n, limit),
            "a home is taken away for the average, but sigma is known: each home tells about the level",
        ),
        *[(chosen(information, 1 / value**2), fixed) for value in (0.2, 0.25, 0.3)],
        *[(chosen(information, value), others) for value in (information.mean(), information.median())],
        *[(chosen(n, value), others) for value in (n.mean(), n.median())],
        *[(chosen(n, value), enough) for value in (*range(2, 11), 15, 20)],
        (names, "this is every county; those with little data of their own are better off non-centered"),
        (set(), "this is no county; those with much data of their own are better off centered"),
    ]


def _homes(rng: np.random.Generator, equal: bool, typical: bool = True) -> tuple[pd.DataFrame, float]:
    """Return homes and tau for which no county is on the edge and, if wanted, typical mistakes lead elsewhere."""
    county_of = np.arange(len(COUNTIES))
    while True:
        tau = rng.uniform(0.2, 0.3)
        counts = np.rint(np.exp(rng.uniform(0, np.log(30), len(COUNTIES)))).astype(int)
        sigma = [np.full(n, 0.75) if equal else rng.choice([0.4, 1.1], n) for n in counts]
        information = np.array([np.sum(1 / s**2) for s in sigma]) * tau**2
        right = information > 1
        if np.abs(np.log(information)).min() < 0.05 or not 1 < right.sum() < len(counts) - 1:
            continue
        if not typical:
            break
        # Choices by rules that earn different hints, in groups of one hint each.
        rules = [[right], [counts > 1], [np.array([np.sum(1 / s) for s in sigma]) > 1 / tau]]
        if not equal:
            every = np.concatenate(sigma)

            def stands_for_all(of, counts=counts, sigma=sigma, tau=tau):
                return counts * tau**2 > np.array([of(s) for s in sigma])

            rules.append([counts * tau**2 > x for x in (every.mean() ** 2, (every**2).mean())])
            rules.append([stands_for_all(of) for of in (lambda s: np.mean(s) ** 2, lambda s: np.mean(s**2))])
            rules += [
                [stands_for_all(of)] for of in (lambda s: s[0] ** 2, lambda s: s.min() ** 2, lambda s: s.max() ** 2)
            ]
        chosen = [{tuple(rule) for rule in group} for group in rules]
        if len(set().union(*chosen)) == sum(len(group) for group in chosen):
            break
    county = rng.permutation(np.repeat(county_of, counts))
    left = [list(s) for s in sigma]  # the order within a county stays, so that its first home is the first in the table
    return pd.DataFrame({"county": np.array(COUNTIES)[county], "sigma": [left[c].pop(0) for c in county]}), tau


def build_pipes(answer: Answer, rng: np.random.Generator) -> str:
    """Check 13.4."""
    cases = [_pipes(rng, price) for price in (0.25, 0.62)]
    first_chances, decisions = [], []
    for level, sigma, limit, now, later in cases:
        k = level.shape[1]
        chances, decision = pair(answer.call(level, sigma, limit, now, later), "the answer")
        first_chances.append(array(chances, (k,), "the chances"))
        decisions.append(_decision(decision, k))
    for given, (level, sigma, limit, _, _) in zip(first_chances, cases, strict=True):

        def above(level, sigma, limit=limit):
            return stats.norm.sf((np.log(limit) - level) / sigma)

        each = sigma[:, None]
        right = above(level, each).mean(axis=0)
        typical = "this is the chance that the county's typical home is above; a single home scatters about the level"
        mistakes = [
            (1 - right, "chances: this is the chance to stay at or below the limit"),
            (
                stats.norm.sf((limit - level) / each).mean(axis=0),
                "chances: levels are logarithms, and the limit is not",
            ),
            (np.mean(level > np.log(limit), axis=0), f"chances: {typical}"),
            (
                above(level.mean(axis=0), sigma.mean()),
                "chances: these come from averages of level and sigma; what is uncertain about the county is lost",
            ),
            (above(level.mean(axis=0), each).mean(axis=0), "chances: what is uncertain about the level is lost"),
            (above(level, sigma.mean()).mean(axis=0), "chances: each draw has its own sigma; this uses their average"),
            (above(level, each**2).mean(axis=0), "chances: sigma is a standard deviation; here it is squared"),
            (above(level.mean(axis=0), level.std(axis=0)), f"chances: {typical}"),
        ]
        otherwise = "chances: for each draw a home is normal about the level, in logarithms; which part lies above?"
        expect(given, right, mistakes, otherwise)
    if all(np.array_equal(build, p > 0.5) for build, p in zip(decisions, first_chances, strict=True)):
        raise Hint("building wherever a high home is more likely than not pays no attention to the prices")
    for threshold in (1 / 3, 0.3, 0.4):
        if all(np.array_equal(build, p > threshold) for build, p in zip(decisions, first_chances, strict=True)):
            raise Hint("your rule does not depend on the prices, and the notebook's prices are not these")
    for i, hint in enumerate(
        (
            "without the pipe, a high house costs `later` and nothing else",
            "the decisions are those of a vote of draws, or of a draw in the middle; what you expect to pay is an "
            "average over draws, so use the chances that you computed",
            "the decisions use averages of level and sigma; use the chances that you computed",
        )
    ):
        if all(np.array_equal(build, _by_other_rules(*case)[i]) for build, case in zip(decisions, cases, strict=True)):
            raise Hint(hint)
    for build, p, (*_, now, later) in zip(decisions, first_chances, cases, strict=True):
        mistakes = [
            (p * later < now, "these are the other counties: the pipe pays where a high home is likely"),
            (
                p * later > (1 - p) * now,
                "the pipe costs its price in every house; chances belong only without the pipe",
            ),
            (p > 0.5, "building wherever a high home is more likely than not pays no attention to the prices"),
            (p > 1 - now / later, "the limit is the wrong way round: an expensive pipe needs a higher chance"),
            (np.full(len(p), True), "this builds everywhere; compare two costs in each county"),
            (np.full(len(p), False), "this builds nowhere; compare two costs in each county"),
        ]
        otherwise = (
            "the chances are right, the decisions are not: compare the price of the pipe with what you expect to pay"
        )
        expect(build, p * later > now, mistakes, otherwise)
    return "A decision compares two expected costs; the chance alone decides nothing."


def _by_other_rules(level, sigma, limit: float, now: float, later: float) -> list[np.ndarray]:
    """Return decisions where the pipe is paid for in any case, by a vote of draws, and by the chance at averages."""
    each = stats.norm.sf((np.log(limit) - level) / sigma[:, None])
    averages = stats.norm.sf((np.log(limit) - level.mean(axis=0)) / sigma.mean())
    votes = np.mean(each * later > now, axis=0) > 0.5
    return [each.mean(axis=0) * (later - now) > now, votes, averages * later > now]


def _decision(value: object, k: int) -> np.ndarray:
    """Return an array of true and false, one for each county."""
    try:
        result = np.asarray(value)
        good = result.shape == (k,) and result.dtype == bool
    except Exception:
        good = False
    if not good:
        raise Hint(f"where to build should be an array of {k} values True or False, but it is {describe(value)}")
    return result


def _pipes(rng: np.random.Generator, price: float) -> tuple:
    """Return draws, a limit and prices, for which wrong rules lead to other decisions."""
    while True:
        k, n = 9, 400
        limit, later = rng.uniform(2.5, 5), rng.uniform(1000, 3000)
        now = later * price * rng.uniform(0.95, 1.05)
        spread = rng.uniform(0.2, 0.6, k)
        level = np.log(limit) + rng.normal(0, 0.6, k) + spread * rng.normal(size=(n, k))
        sigma = 0.7 * np.exp(rng.normal(0, 0.25, n))
        p = stats.norm.sf((np.log(limit) - level) / sigma[:, None]).mean(axis=0)
        limits = (now / later, 0.5, 1 / 3, 0.3, 0.4, 1 - now / later, now / (now + later))
        rules = [tuple(p > limit) for limit in limits]
        if price < 0.5:  # one of the cases is enough for these, and they seldom differ where few counties build
            rules += [tuple(x) for x in _by_other_rules(level, sigma, limit, now, later)]
        near = min(np.abs(p - now / later)) < 0.005
        distinct = all(rules[0] != rule for rule in rules[1:]) and rules[1] not in rules[2:5]
        if not near and distinct and 0 < sum(rules[0]) < k:
            return level, sigma, limit, now, later


#: Scales of the half-normal priors of 13.5, and standard deviations of the normal ones.
TAU_SCALE, SIGMA_SCALE, LINE_SD = 1.0, 2.0, (5.0, 2.5)
SCHOOL_VARIABLES = ("mu_baseline", "funding_effect", "tau", "sigma", "school_level")


@fits_a_model
def fit_schools(answer: Answer, rng: np.random.Generator) -> str:
    """Check 13.5."""
    pupils, schools = _schools(rng)
    given = answer.call(pupils, schools, int(rng.integers(2**31)))
    if isinstance(given, xr.DataTree) and "posterior" in given.children and "tau" not in given["posterior"]:
        raise Hint("there is no tau in the posterior: how far schools lie from the line is an unknown, too")
    draws = trusted_draws(given, SCHOOL_VARIABLES, "the run")
    names, seen = schools["school"].tolist(), set(pupils["school"])
    level = draws["school_level"]
    if "school" not in level.dims or "school" not in level.coords:
        raise Hint(
            f"school_level should have the dim 'school', so that draws carry its labels; its dims are {level.dims}"
        )
    labels = [str(label) for label in level["school"].values]
    if sorted(labels) != sorted(names):
        raise Hint(
            f"the coordinate 'school' should name the {len(names)} schools of the table schools, but it names "
            f"{len(labels)}; a school without pupils has a level, too"
            if len(labels) != len(names)
            else "the coordinate 'school' should hold the names in the column school of the table schools"
        )
    for name in SCHOOL_VARIABLES[:-1]:
        if draws[name].ndim != 2:
            raise Hint(f"{name} should be a single number in each draw, but it has the dims {draws[name].dims}")
    draws = draws.assign(school_level=level.sel(school=names))
    funding = schools["funding"].to_numpy()
    own = pd.Index(names).get_indexer(pupils["school"])
    score = pupils["score"].to_numpy()
    if not _schools_differ(draws, funding):
        raise Hint("school_level lies on the line in every draw: schools of the same funding differ, too, by tau")

    by_name = np.argsort(np.argsort(names))  # place of each school in the order of names
    sorted_funding = schools.sort_values("school")["funding"].to_numpy()
    shuffled = "funding of one school goes to another; see the order of rows and of the coordinate"
    joined = "pupils are joined with the wrong schools; count positions in the coordinate of the model"
    present = pd.Index(sorted(seen)).get_indexer(pupils["school"])
    exact = _exact_schools(score, own, funding)
    mistakes = [
        (_exact_schools(score, own, sorted_funding), shuffled),
        (_exact_schools(score, own, funding[np.argsort(by_name)]), shuffled),
        (_exact_schools(score, by_name[own], funding), joined),
        (_exact_schools(score, present, funding), joined),
        (
            _exact_schools(score, own, np.zeros(len(names))),
            "funding_effect has kept its prior: the levels do not depend on funding",
        ),
        (_exact_schools(score, own, funding, tau_scale=0.1), "the prior of tau is not the one in the text"),
        (_exact_schools(score, own, funding, tau_scale=10), "the prior of tau is not the one in the text"),
        (
            _exact_schools(score, own, funding, sigma_scale=0.1),
            "the prior of sigma is not the one in the text",
        ),
    ]
    if not _agree(draws, exact):
        for moments, hint in mistakes:
            if _agree(draws, moments):
                raise Hint(hint)
        for name, (mean, sd) in exact.items():
            expect_moments(draws[name], mean, sd, name)
    return "Every school has a level, those without pupils too: the line and tau speak for them."


def _schools_differ(draws: xr.Dataset, funding: np.ndarray) -> bool:
    """Return whether levels leave the line."""
    line = draws["mu_baseline"] + draws["funding_effect"] * xr.DataArray(funding, dims="school")
    return float(np.abs(draws["school_level"].drop_vars("school") - line).max()) > 1e-9


def _agree(draws: xr.Dataset, moments: dict[str, tuple]) -> bool:
    """Return whether all variables have these means and standard deviations, as far as draws can tell."""
    try:
        for name, (mean, sd) in moments.items():
            expect_moments(draws[name], mean, sd, name)
    except Hint:
        return False
    return True


def _schools(rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return pupils and schools; two schools have no pupils, and names are in no order.

    Levels are spread evenly about the line, so that tau is never near zero, where a run may fail.
    """
    k = 10
    while True:
        names = rng.permutation([f"school {letter}" for letter in "ABCDEFGHIJ"])
        funding = rng.permutation(np.linspace(-1.5, 1.5, k)) + rng.normal(0, 0.1, k)
        counts = rng.permutation([0, 0, 2, 3, 4, 5, 6, 8, 12, 16])
        if np.abs(np.corrcoef(funding, funding[np.argsort(names)])[0, 1]) < 0.5:
            break
    scores = stats.norm.ppf((np.arange(k) + 0.5) / k)
    level = rng.normal(0, 1) + rng.choice([-1, 1]) * 1.5 * funding + 0.9 * rng.permutation(scores / scores.std())
    school = rng.permutation(np.repeat(np.arange(k), counts))
    pupils = pd.DataFrame({"school": names[school], "score": rng.normal(level[school], rng.uniform(0.7, 1.1))})
    return pupils, pd.DataFrame({"school": names, "funding": funding})


def _exact_schools(
    score: np.ndarray,
    school: np.ndarray,
    funding: np.ndarray,
    tau_scale: float = TAU_SCALE,
    sigma_scale: float = SIGMA_SCALE,
) -> dict[str, tuple]:
    """Return exact posterior means and standard deviations, by quadrature over tau and sigma.

    Given both, averages of schools are normal about a line, so that line and levels are normal, too (Gelman and others
    2013, section 15.2); the law of total variance joins the points of the grid.
    """
    k = len(funding)
    n = np.bincount(school, minlength=k)
    there = n > 0
    average = np.bincount(school, score, minlength=k)[there] / n[there]
    within = np.sum(score**2) - np.sum(n[there] * average**2)
    line = np.column_stack([np.ones(k), funding])

    tau = 4.0 * (np.arange(300) + 0.5)[:, None] / 300
    sigma = np.linspace(0.3, 2.5, 221)[None, :]
    variance = tau[..., None] ** 2 + sigma[..., None] ** 2 / n[there]  # of an average about the line
    x = line[there]
    precision = np.einsum("tsk,ki,kj->tsij", 1 / variance, x, x) + np.diag(1 / np.square(LINE_SD))
    right_side = np.einsum("tsk,ki,k->tsi", 1 / variance, x, average)
    beta = np.linalg.solve(precision, right_side[..., None])[..., 0]
    covariance = np.linalg.inv(precision)

    log_weight = -0.5 * (np.log(variance).sum(-1) + (average**2 / variance).sum(-1) - (right_side * beta).sum(-1))
    log_weight -= 0.5 * np.log(np.linalg.det(precision))
    log_weight -= (n.sum() - there.sum()) * np.log(sigma) + within / (2 * sigma**2)
    log_weight += stats.halfnorm.logpdf(tau, scale=tau_scale) + stats.halfnorm.logpdf(sigma, scale=sigma_scale)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()

    pull = np.zeros((*weight.shape, k))  # from the line to the average
    pull[..., there] = tau[..., None] ** 2 / variance
    own = np.zeros(k)
    own[there] = average
    center = beta @ line.T
    spread = np.einsum("ki,tsij,kj->tsk", line, covariance, line)
    level = center + pull * (own - center)
    level_variance = (1 - pull) * tau[..., None] ** 2 + (1 - pull) ** 2 * spread

    def moments(mean, variance):
        extra = (1,) * (mean.ndim - 2)
        w = weight.reshape(*weight.shape, *extra)
        overall = np.sum(w * mean, axis=(0, 1))
        return overall, np.sqrt(np.sum(w * (variance + (mean - overall) ** 2), axis=(0, 1)))

    grid_tau, grid_sigma = np.broadcast_arrays(tau, sigma)
    return {
        "tau": moments(grid_tau, 0),
        "sigma": moments(grid_sigma, 0),
        "mu_baseline": moments(beta[..., 0], covariance[..., 0, 0]),
        "funding_effect": moments(beta[..., 1], covariance[..., 1, 1]),
        "school_level": moments(level, level_variance),
    }


#: Numbers of pupils in 13.6 that are those of their school, those that differ within schools, and one that differs
#: within a single school.
SCHOOL_NUMBERS, PUPIL_NUMBERS, RARE_NUMBER = ("funding", "class_size"), ("age", "days_absent"), "tutoring"


def compare_schools(answer: Answer, rng: np.random.Generator) -> str:
    """Check 13.6."""
    for with_rare in (False, True):
        pupils, numbers, tutored = _older_pupils(rng, with_rare)
        slopes, levels = pair(answer.call(pupils, numbers), "the answer")
        slopes, levels = _series(slopes, "the slopes"), _series(levels, "the levels")
        told = [name for name in numbers if name not in SCHOOL_NUMBERS]
        unknown = [name for name in slopes.index if name not in numbers]
        if unknown:
            raise Hint(f"the slopes should be indexed by names in `numbers`; {unknown[0]!r} is none of them")
        for name in slopes.index:
            if name in SCHOOL_NUMBERS:
                raise Hint(
                    f"the column {name} is the same for all pupils of a school: a school's level can make up for any "
                    "slope, so the scores do not tell this one"
                )
        if with_rare and RARE_NUMBER not in slopes.index:
            raise Hint(
                f"the column {RARE_NUMBER} differs between the pupils of one school, {tutored}; that is enough to tell "
                "its slope"
            )
        if missing := [name for name in told if name not in slopes.index]:
            raise Hint(f"there is no slope of {missing[0]}, which differs between pupils of the same school")

        school, score = pd.Categorical(pupils["school"]), pupils["score"].to_numpy()
        x, k = pupils[told].to_numpy(float), len(school.categories)
        member = np.eye(k)[school.codes]
        average, x_average = (member.T @ y / member.sum(axis=0)[:, None] for y in (score[:, None], x))
        within_x, within_y = x - x_average[school.codes], score - average[school.codes, 0]
        right = _least_squares(within_x, within_y)
        every = pupils[numbers].to_numpy(float)
        of_numbers = [numbers.index(name) for name in told]
        across = (
            "these slopes also compare pupils of different schools, and what the schools do differently gets into "
            "them; give each school a level of its own"
        )
        mistakes = [
            (_least_squares(x - x.mean(axis=0), score - score.mean()), across),
            (_least_squares(every - every.mean(axis=0), score - score.mean())[of_numbers], across),
            (_least_squares(x, score), "a line through zero; schools need levels of their own"),
            (
                _least_squares(x_average - x_average.mean(axis=0), average[:, 0] - average.mean()),
                "these are slopes of the schools' averages, where the schools' own differences count in full",
            ),
            (
                np.array([_least_squares(one[:, None], within_y)[0] for one in within_x.T]),
                "each slope is found alone; pupils who differ in one number differ in others, so find all together",
            ),
            (
                _least_squares(x - x.mean(axis=0), within_y),
                "only the scores are counted from their school's average; the numbers need the same",
            ),
            (-right, "the slopes have the wrong sign"),
        ]
        otherwise = "the slopes are not those of least squares with a level for each school"
        expect(slopes[told].to_numpy(), right, mistakes, otherwise)

        labels = school.categories.tolist()
        if sorted(levels.index) != labels:
            raise Hint(f"the levels should be indexed by the {k} names of the schools")
        own, moved = average[:, 0], (x_average - x.mean(axis=0)) @ right
        after = own - moved
        mistakes = [
            (own, "the levels are averages of the schools' own pupils; the average pupil is the same for every school"),
            (own + moved, "the levels are moved the wrong way: what older pupils gain is to be taken away"),
            (
                own - x_average @ right,
                "these are levels of pupils whose numbers are all zero; the task asks for the average pupil",
            ),
            (
                own - (x_average - x_average.mean(axis=0)) @ right,
                "here every school counts the same in the averages of the numbers; every pupil should",
            ),
            (after - score.mean(), "these are distances from the average score; the task asks for levels"),
            (after - after.mean(), "these are distances from the average level; the task asks for levels"),
            (score.mean() + moved, "these are scores expected from the numbers; levels are what they leave over"),
        ]
        otherwise = "the slopes are right, the levels are not: what would each school's average be with average pupils?"
        expect(levels[labels].to_numpy(), after, mistakes, otherwise)
    return "Pupils of the same school told the slopes, and only then could the schools be compared."


def _series(value: object, what: str) -> pd.Series:
    """Return a pandas Series of finite numbers with a name for each."""
    given = instance(value, pd.Series, "a pandas Series", what)
    numbers = array(given, (len(given),), what)
    index = [str(label) for label in given.index]
    if len(set(index)) < len(index):
        raise Hint(f"{what} should name each once, but the index has repeated labels")
    return pd.Series(numbers, index)


def _least_squares(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.linalg.lstsq(x, y, rcond=None)[0]


def _older_pupils(rng: np.random.Generator, with_rare: bool) -> tuple[pd.DataFrame, list[str], str]:
    """Return pupils, the names of their numbers, and the school whose pupils differ in the rare one.

    The school with the highest level has the youngest pupils, so that averages have another order than levels.
    """
    k = 7
    names = rng.permutation([f"school {letter}" for letter in "ABCDEFG"])
    counts = rng.permutation([4, 6, 9, 14, 20, 30, 45])
    school = np.repeat(np.arange(k), counts)
    level = np.sort(rng.normal(50, 4, k))[::-1]
    age = np.sort(rng.uniform(10, 15, k))[school] + rng.uniform(-1, 1, len(school))
    absent = np.maximum(0, rng.normal(8 + 2 * (age - age.mean()), 2)).round()
    table = pd.DataFrame({"school": names[school], "age": age.round(2), "days_absent": absent})
    for name, low, high in zip(SCHOOL_NUMBERS, (-1.5, 18), (1.5, 32), strict=True):
        table[name] = rng.uniform(low, high, k).round(1)[school]
    score = level[school] + rng.uniform(4, 6) * table["age"] - rng.uniform(0.5, 1) * absent
    tutored = int(rng.integers(k))
    if with_rare:
        hours = np.where(school == tutored, rng.permutation(len(school)) % 4, 0)
        hours[np.flatnonzero(school == tutored)[:2]] = 0, 3  # not all alike
        table[RARE_NUMBER] = hours
        score += rng.uniform(1, 2) * hours
    table["score"] = rng.normal(score, 3)
    numbers = rng.permutation([name for name in table.columns if name not in ("school", "score")]).tolist()
    return table.sample(frac=1, random_state=rng, ignore_index=True), numbers, str(names[tutored])


CHECKERS = {
    "13.1": three_estimates,
    "13.2": predict_homes,
    "13.3": centered_counties,
    "13.4": build_pipes,
    "13.5": fit_schools,
    "13.6": compare_schools,
}
