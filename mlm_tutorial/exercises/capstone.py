"""The capstone: a table with planted traps, different for every seed, and claims about it that are graded.

The process is that of a bakery. A divider cuts dough into loaves through four pockets, a baker runs it on a date, and a
scale weighs the loaf. What is planted decides what the data can say, and every claim is graded against that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from mlm_tutorial.exercises.answers import Answer, Hint, NotDone, choice, describe, number, pair

__all__ = ["Capstone", "capstone"]

CANNOT = "cannot be said"
FOUND, MISSED, CLAIMED = "found", "missed", "claimed although the data do not say it"
UNREADABLE = "not readable"

#: An interval that is wider says too little: difference of its ends (share), ratio of its ends (scale).
WIDEST_SHARE, WIDEST_SCALE = 0.3, 2.5

LINES, DIVIDERS, POCKETS, BAKERS, DATES = 2, 6, 4, 6, 30
NAMES = ("Ana", "Bo", "Chi", "Dina", "Edgar", "Fay", "Goran", "Hua", "Iris", "Jon", "Kofi", "Lena")
OUNCE = 28.3495  # g
LOAF_SD = 4.0  # g, of one loaf about its mean, without the scale
WIDER = 1.8  # times that, in a divider that scatters most
RARE, FAR = 0.05, 3.0  # where tails are heavy: a share of the loaves, and how many times wider they scatter


@dataclass(frozen=True)
class Question:
    """A claim to be made: its text, its points, and where to look again."""

    text: str
    points: int
    pointer: str


QUESTIONS = {
    "mislabelled": Question(
        "Which column does not hold what the note promises? The name of a column, or 'none'.",
        1,
        "Hold each column against its sentence in the note, and against the other columns (notebook 17)",
    ),
    "day": Question(
        "Do readings of one date have something in common? 'yes' or 'no'.",
        1,
        "Compare dates by what is left of the readings when everything else is taken out (notebook 15)",
    ),
    "pocket": Question(
        "Does a number in `pocket` shift a loaf by the same amount in every divider? 'shared' if it does, 'own' if the "
        "shifts differ from divider to divider.",
        2,
        "Ask whether pocket 1 does the same in every divider (notebooks 14 and 17, labels that are used again)",
    ),
    "tails": Question(
        "Given all contributors, and each divider's own spread, are the tails of a loaf's weight heavier than those of "
        "a normal distribution? 'yes' or 'no'.",
        2,
        "Look at residuals, each in units of its own divider's spread (notebooks 08 and 17)",
    ),
    "spread": Question(
        "In which divider do loaves scatter most about their means? Its label, or 'none' where all scatter alike.",
        2,
        "Compare the spreads by a measure that a few far loaves cannot move, with its error (notebooks 10 and 17)",
    ),
    "share": Question(
        "Which share of the variance of the loaves' readings comes from differences of means? An interval, a pair "
        f"(lower, upper) of numbers from 0 to 1, at most {WIDEST_SHARE} wide.",
        2,
        "Variance of the means, variance about them (notebook 12), and an error that allows for tails (notebook 01)",
    ),
    "scale": Question(
        "Which standard deviation, in g, does the scale by itself give to readings of one date? An interval, a pair "
        f"(lower, upper) whose upper end is at most {WIDEST_SCALE} times the lower one.",
        2,
        "Ask which rows could tell the scale from the loaf (notebook 11)",
    ),
    "baker": Question(
        "Whose loaves are heaviest on average, with all else equal? The baker's name.",
        3,
        "First ask whether the difference of two bakers is fixed by the data, then how far it is from zero "
        "(notebooks 10 and 11)",
    ),
    "largest": Question(
        "Whose means differ most: 'divider' (about the mean of their line), 'pocket' (about the mean of their "
        "divider) or 'date'? Compare standard deviations of means.",
        3,
        "Compare the layers draw by draw, in quantities that the data fix (notebooks 10 and 12)",
    ),
}


@dataclass(frozen=True, eq=False)
class Capstone:
    """A table with planted traps, and what is claimed of it.

    Attributes
    ----------
    seed : int
    table : pandas.DataFrame
        As a reader gets it: one row per reading of the scale.
    note : str
        What the bakery says of the columns. All of it is true of the bakery; a column may still hold something else.
    """

    seed: int
    table: pd.DataFrame = field(repr=False)
    note: str = field(repr=False)
    _case: "Case" = field(repr=False)

    @property
    def questions(self) -> pd.DataFrame:
        """The claims to be made: ``question`` and ``points`` by name of the claim."""
        rows = {name: (question.text, question.points) for name, question in QUESTIONS.items()}
        return pd.DataFrame.from_dict(rows, orient="index", columns=["question", "points"]).rename_axis("claim")

    def grade(self, claims: Mapping[str, Any]) -> pd.DataFrame:
        """Grade claims one by one.

        Parameters
        ----------
        claims : mapping of str to claim
            By the names in `questions`; a claim may be a function that returns it. ``"cannot be said"`` is a claim,
            too. One that is not there is missed.

        Returns
        -------
        pandas.DataFrame
            Indexed by claim: ``verdict`` (found, missed, or claimed although the data do not say it), ``points``,
            the points ``of`` the claim, and a line of ``feedback`` that does not give the truth away. A claim is missed
            if it says 'no' or 'none' where there is something to find, 'cannot be said' where the data hold an answer,
            or nothing, or if its interval is too wide. Every other wrong claim is claimed although the data do not say
            it. A claim too much costs as much as one too few.

        Raises
        ------
        TypeError, ValueError
            If `claims` is not a mapping, or names a claim that nobody asked for.
        """
        if not isinstance(claims, Mapping):
            raise TypeError(f"claims must be a mapping of names to claims, got {describe(claims)}")
        unknown = [name for name in claims if name not in QUESTIONS]
        if unknown:
            raise ValueError(f"there is no claim {unknown[0]!r}; there are {', '.join(QUESTIONS)}")
        rows = {}
        for name, question in QUESTIONS.items():
            verdict, feedback = MISSED, "Nothing was claimed."
            try:
                if name in claims:
                    verdict, feedback = judged(name, Answer(claims[name]).value(), self._case)
            except NotDone as error:
                feedback = f"Nothing was claimed: {error}."
            except Hint as hint:
                verdict, feedback = UNREADABLE, f"{hint}."
            rows[name] = (verdict, question.points if verdict == FOUND else 0, question.points, feedback)
        columns = ["verdict", "points", "of", "feedback"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("claim")


def capstone(seed: int) -> Capstone:
    """Return a table with planted traps, different for every seed.

    Parameters
    ----------
    seed : int
        A non-negative number of your own.

    Returns
    -------
    Capstone
    """
    case = draw(np.random.default_rng(seed))
    return Capstone(seed, case.table.copy(), NOTE, case)


# --- grading ---


def judged(name: str, given: Any, case: "Case") -> tuple[str, str]:
    """Return the verdict on a claim, and a line of feedback; raise Hint where it is not a claim of this kind."""
    truth = case.truth[name]
    if name in ("share", "scale"):
        verdict, why = judged_interval(name, given, truth)
    else:
        given = choice(given, [*case.options(name), CANNOT], f"the claim {name!r}")
        verdict, why = judged_choice(given, truth)
    return verdict, f"{verdict.capitalize()}. {why} {QUESTIONS[name].pointer}." if why else "Found."


SILENT = (CANNOT, "no", "none")
NOT_SHOWN = "The data do not show this, or they allow another answer."


def judged_choice(given: str, truth: str) -> tuple[str, str]:
    if given == truth:
        return FOUND, ""
    if given == CANNOT:
        return MISSED, "The data do say it."
    if given in SILENT:
        return MISSED, "There is something to be found."
    return CLAIMED, NOT_SHOWN


def judged_interval(name: str, given: Any, truth: float | str) -> tuple[str, str]:
    what = f"the claim {name!r}"
    if isinstance(given, str):
        choice(given, [CANNOT], f"{what}, where it is a text,")
        return (FOUND, "") if truth == CANNOT else (MISSED, "The data do say it.")
    lower, upper = (number(end, f"each end of {what}") for end in pair(given, what))
    if not 0 <= lower < upper or (name == "share" and upper > 1):
        limits = "0 <= lower < upper <= 1" if name == "share" else "0 <= lower < upper"
        raise Hint(f"{what} should be an interval with {limits}, but it is ({lower:g}, {upper:g})")
    if truth == CANNOT:
        return CLAIMED, NOT_SHOWN
    if not lower <= truth <= upper:
        return CLAIMED, "The interval does not hold the true value."
    if upper - lower > WIDEST_SHARE if name == "share" else upper > WIDEST_SCALE * lower:
        return MISSED, "The interval is wider than the data ask for."
    return FOUND, ""


# --- what is planted ---

NOTE = """\
What the bakery says of its table, one row per reading of the scale:

line      one of the two lines; a divider belongs to a line and stays there
divider   the machine that cut the dough
pocket    the number, 1 to 4, of the divider's pocket that the loaf came through
baker     who ran the divider that day; bakers change dividers from day to day
date      the day
batch     the number of the batch of dough; a batch gives about six loaves
room_c    temperature of the room at that moment, in degrees Celsius
weight_g  what the scale read, in g

All readings are taken on one scale. Where a row names no divider, a reference weight of 500 g was on the scale.
"""


@dataclass(frozen=True, eq=False)
class Case:
    """What was planted: the table, the truth of each claim, and the parts that the table was made of.

    Attributes
    ----------
    table : pandas.DataFrame
    truth : dict of str to str or float
        By claim.
    plan : dict of str
        The traps: which of them are there.
    effects : dict of str to numpy.ndarray
        True means of each layer's contributors, line (2,), divider (6,), pocket (6, 4), baker (6,) and date (30,), and
        the level of all loaves, a number.
    """

    table: pd.DataFrame
    truth: dict[str, Any]
    plan: dict[str, Any]
    effects: dict[str, Any]

    def options(self, name: str) -> list[str]:
        """Return the answers that a multiple-choice claim offers, apart from 'cannot be said'."""
        if name in ("spread", "baker"):
            labels = sorted(self.table["divider" if name == "spread" else "baker"].dropna().unique())
            return [*labels, "none"] if name == "spread" else labels
        return {
            "mislabelled": [*self.table.columns, "none"],
            "day": ["yes", "no"],
            "tails": ["yes", "no"],
            "pocket": ["shared", "own"],
            "largest": ["divider", "pocket", "date"],
        }[name]


def draw(rng: np.random.Generator) -> Case:
    """Draw traps, contributors and readings."""
    plan = _plan(rng)
    names = {
        "line": rng.permutation(["east", "west"]),
        "divider": rng.permutation([f"D{k + 1}" for k in range(DIVIDERS)]),
        "baker": rng.permutation(NAMES)[:BAKERS],
    }
    effects = _effects(plan, rng)
    rows = _design(plan, rng)
    loaf = rows["divider"] >= 0
    mean = np.where(loaf, 500 + effects["level"], 500) + effects["date"][rows["date"]]
    mean[loaf] += (np.repeat(effects["line"], DIVIDERS // LINES) + effects["divider"])[rows["divider"][loaf]]
    mean[loaf] += effects["pocket"][rows["divider"][loaf], rows["pocket"][loaf]]
    mean[loaf] += effects["baker"][rows["baker"][loaf]]
    sd = np.where(loaf, LOAF_SD, 0.0)
    sd[rows["divider"] == plan["wide"]] *= WIDER
    far = loaf & plan["tails"] & (rng.random(len(sd)) < RARE)
    total = mean + sd * np.where(far, FAR, 1) * rng.normal(size=len(sd)) + plan["scale_sd"] * rng.normal(size=len(sd))
    variance = sd**2 * (1 + plan["tails"] * RARE * (FAR**2 - 1)) + plan["scale_sd"] ** 2
    between = mean[loaf].var()
    truth = {
        "mislabelled": plan["mislabelled"],
        "day": "yes" if plan["day"] else "no",
        "pocket": "own" if plan["own"] else "shared",
        "tails": "yes" if plan["tails"] else "no",
        "spread": str(names["divider"][plan["wide"]]) if plan["wide"] >= 0 else "none",
        "share": float(between / (between + variance[loaf].mean())),
        "scale": plan["scale_sd"] if plan["reference"] else CANNOT,
        "baker": CANNOT,
        "largest": CANNOT if plan["largest"] == "tied" else plan["largest"],
    }
    if plan["bakers"] == "clear" and plan["mislabelled"] != "baker":
        truth["baker"] = str(names["baker"][np.argmax(effects["baker"])])
    return Case(_table(rows, total, names, plan, rng), truth, plan, effects)


def _plan(rng: np.random.Generator) -> dict[str, Any]:
    """Draw which traps are there."""
    plan: dict[str, Any] = {name: bool(rng.random() < 0.5) for name in ("own", "day", "tails", "reference")}
    plan["wide"] = int(rng.integers(DIVIDERS)) if rng.random() < 0.5 else -1
    plan["bakers"] = str(rng.choice(["clear", "clear", "tied", "apart"]))
    plan["mislabelled"] = str(rng.choice(["none", "baker", "batch", "room_c"]))
    plan["largest"] = str(rng.choice(["divider", "pocket", "tied", *(["date"] if plan["day"] else [])]))
    plan["scale_sd"] = float(rng.uniform(1.5, 2.5))
    return plan


def _effects(plan: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Draw the true means, in g; standard deviations over a layer's contributors are exactly as planned."""
    largest = plan["largest"]
    sd = dict.fromkeys(("divider", "pocket", "date"), 2.0) | (
        {"divider": 3.0, "pocket": 3.0} if largest == "tied" else {largest: 4.0}
    )
    divider = _with_sd(rng.normal(size=(LINES, DIVIDERS // LINES)), sd["divider"])
    pocket = _with_sd(rng.normal(size=(DIVIDERS if plan["own"] else 1, POCKETS)), sd["pocket"])
    date = _with_sd(rng.normal(size=(1, DATES)), sd["date"]) if plan["day"] else np.zeros((1, DATES))
    baker = np.zeros(BAKERS)
    if plan["mislabelled"] != "baker":  # who was there is then not in the table, so bakers must not differ
        baker = -5 - rng.uniform(0, 2, BAKERS)
        baker[rng.permutation(BAKERS)[: 2 if plan["bakers"] == "tied" else 1]] = 0
    return {
        "level": rng.uniform(3, 9),  # a bakery sells no loaf that is too light
        "line": rng.normal(0, 1.5, LINES),
        "divider": divider.ravel(),
        "pocket": np.broadcast_to(pocket, (DIVIDERS, POCKETS)),
        "baker": baker - baker.mean(),
        "date": date.ravel(),
    }


def _with_sd(values: np.ndarray, sd: float) -> np.ndarray:
    """Return values that average zero in each row and have this standard deviation over all rows."""
    values = values - values.mean(axis=1, keepdims=True)
    return values * sd / np.sqrt(np.mean(values**2))


def _design(plan: dict[str, Any], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw who contributes to each reading, as positions; -1 where a reference weight is on the scale."""
    per_line = DIVIDERS // LINES
    parts = []
    for date in range(DATES):
        if plan["bakers"] == "apart":
            baker = np.concatenate([per_line * line + rng.permutation(per_line) for line in range(LINES)])
        else:
            baker = rng.permutation(BAKERS)
        divider, pocket, _ = (x.ravel() for x in np.indices((DIVIDERS, POCKETS, 2)))
        kept = rng.random(len(divider)) < 0.95
        part = np.stack([np.full(len(divider), date), divider, pocket, baker[divider]])[:, kept]
        if plan["reference"]:
            part = np.hstack([part, np.tile([[date], [-1], [-1], [-1]], 4)])
        parts.append(part[:, rng.permutation(part.shape[1])])
    return dict(zip(("date", "divider", "pocket", "baker"), np.hstack(parts), strict=True))


def _table(rows: dict[str, np.ndarray], total: np.ndarray, names: dict, plan: dict, rng) -> pd.DataFrame:
    """Return the table as a reader gets it, with one column that holds something else where that is planned."""
    n, loaf = len(total), rows["divider"] >= 0
    line = np.where(loaf, rows["divider"] // (DIVIDERS // LINES), -1)
    weight = total.round(1)
    # A batch of dough is of one date and one line; numbers go on from day to day.
    key = np.where(loaf, rows["date"] * LINES + line, -1)
    place = pd.Series(key).groupby(key).cumcount().to_numpy() // 6
    batch = np.unique(1000 * key + place, return_inverse=True)[1] + rng.integers(2_000, 5_000)
    room = rng.normal(17.8, 0.22, DATES)[rows["date"]] + rng.normal(0, 0.1, n)
    baker = rows["baker"]
    if plan["mislabelled"] == "batch":
        batch = np.arange(n) + batch.min()
    if plan["mislabelled"] == "room_c":
        room = weight / OUNCE
    if plan["mislabelled"] == "baker":
        baker = rows["divider"]

    def labelled(labels, codes):
        return pd.Series([str(labels[k]) if k >= 0 else None for k in codes], dtype="str")

    first = pd.Timestamp("2025-01-06") + pd.Timedelta(weeks=int(rng.integers(0, 40)))
    dates = pd.bdate_range(first, periods=DATES)
    table = {
        "line": labelled(names["line"], line),
        "divider": labelled(names["divider"], rows["divider"]),
        "pocket": labelled("1234", rows["pocket"]),
        "baker": labelled(names["baker"], baker),
        "date": dates[rows["date"]],
        "batch": pd.Series(batch).astype("str").where(loaf),
        "room_c": room.round(2),
        "weight_g": weight,
    }
    return pd.DataFrame(table)
