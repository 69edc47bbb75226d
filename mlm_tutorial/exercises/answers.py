"""What a check works with: a student's answer, ways to read it, and hints."""

import copy
import html
import linecache
import math
import re
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from numbers import Number

import numpy as np
import pandas as pd
import xarray as xr

#: Probability that a check refuses a right answer because of chance alone.
FALSE_ALARM = 1e-6


class Hint(Exception):
    """The answer is not right. The message names the likely mistake and does not give the solution away."""


class NotDone(Exception):
    """The stub is still in place. The message is the stub's own."""


class WrongAnswer(AssertionError):
    """What :func:`check` raises instead of returning a hint, in grading."""


@dataclass(frozen=True)
class Result:
    """The outcome of a check; true where the answer is right.

    Attributes
    ----------
    task : str
        Number of the task.
    outcome : {"right", "hint", "not done", "unreadable"}
    message : str
        A remark on a right answer, or a hint.
    """

    task: str
    outcome: str
    message: str

    def __bool__(self) -> bool:
        return self.outcome == "right"

    def __str__(self) -> str:
        heading = {"right": "right.", "not done": "not done yet."}.get(self.outcome, "not right yet.")
        return f"{self.task} {heading} {sentence(self.message)}".strip()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        mark, color = ("&#10003;", "#2e7031") if self else ("&#10007;", "#8c3b2e")
        style = f"border-left: 4px solid {color}; padding: 0.3em 0.8em; max-width: 45em"
        return f'<div style="{style}">{mark} {html.escape(str(self))}</div>'


#: Names of code that a hint may begin with, although they look like words; single letters other than "a" are names too.
_NAMES = {"icdf", "logcdf", "logp", "mu", "mus", "rng", "score", "sd", "sds", "sigma", "sigmas", "tau"}


def sentence(text: str) -> str:
    """Return a message as a whole sentence: a capital letter first, unless it begins with a name, and a full stop."""
    text = text.strip()
    if not text:
        return ""
    first = re.split(r"[\s:,;]", text, maxsplit=1)[0]
    word = re.fullmatch(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", first)
    if word and first not in _NAMES and (len(first) > 1 or first == "a"):
        text = text[0].upper() + text[1:]
    ends = text.rstrip("\"'`)»”’")
    return text if ends.endswith((".", "?", "!", "…")) else text.rstrip(":;,") + "."


class Answer:
    """A student's answer: a function, or a value where the task's function takes no arguments."""

    def __init__(self, given: object):
        self.given = given

    def call(self, *args, **kwargs):
        """Call the student's function; what goes wrong inside becomes a hint.

        Mutable arguments are copied, so that the function cannot change what the check compares with.
        """
        if not callable(self.given):
            raise Hint(f"give the function itself, without calling it; this is {describe(self.given)}")
        copied = [_copy(x) for x in args]
        try:
            return self.given(*copied, **{name: _copy(x) for name, x in kwargs.items()})
        except NotImplementedError as error:
            raise NotDone(str(error)) from None
        except (Exception, SystemExit) as error:
            raise Hint(_explain(error, self.given, args, kwargs)) from None

    def value(self):
        """Return the answer to a task without arguments: the value, or what the function returns."""
        return self.call() if callable(self.given) else self.given


def _copy(value):
    """Return a copy of what a function could change; a random generator is shared, as its state is."""
    mutable = isinstance(
        value, (pd.DataFrame, pd.Series, np.ndarray, xr.DataArray, xr.Dataset, xr.DataTree, dict, list)
    )
    return copy.deepcopy(value) if mutable or (is_dataclass(value) and not isinstance(value, type)) else value


def _explain(error: BaseException, function: Callable, args, kwargs) -> str:
    name = getattr(function, "__name__", type(function).__name__)
    shown = ", ".join([*(describe(x) for x in args), *(f"{key}={describe(x)}" for key, x in kwargs.items())])
    message = f"{name}({shown}) stopped with {type(error).__name__}: {str(error)[:300]}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        frame for frame in frames if frame.filename == getattr(getattr(function, "__code__", None), "co_filename", 0)
    ]
    line = linecache.getline(own[-1].filename, own[-1].lineno).strip() if own else ""
    return message + (f", at the line `{line}`" if line else "")


#: Libraries whose types share names, such as DataFrame: a type is said together with its library.
_LIBRARIES = (
    "arviz",
    "cudf",
    "dask",
    "duckdb",
    "ibis",
    "modin",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "pyspark",
    "xarray",
)


def describe(value: object) -> str:
    """Return a few words that say what a value is, for any value."""
    if value is None or isinstance(value, (bool, Number)):
        return repr(value)
    kind = type(value).__name__
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    try:
        if isinstance(value, np.ndarray):
            return f"an array of shape {value.shape}"
        if isinstance(value, pd.DataFrame):
            return f"a pandas DataFrame with {len(value)} rows and columns {', '.join(map(str, value.columns[:8]))}"
        if isinstance(value, (list, tuple, set, dict)):
            text = repr(value)
            return text if len(text) < 60 else f"a {kind} of {len(value)}"
    except Exception:
        pass
    library = str(type(value).__module__).split(".")[0]
    named = f"{library} {kind}" if library in _LIBRARIES else kind
    return f"{'an' if named[0] in 'aeiouxAEIOU' else 'a'} {named}"


# Reading an answer


def number(value: object, what: str = "the answer") -> float:
    """Return a finite number; anything else is a hint."""
    if isinstance(value, (np.generic, np.ndarray, xr.DataArray)) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Hint(f"{what} should be one number, but it is {describe(value)}")
    if not math.isfinite(value):
        raise Hint(f"{what} should be a finite number, but it is {value}")
    return float(value)


def array(value: object, shape: Sequence[int], what: str = "the answer") -> np.ndarray:
    """Return an array of finite numbers of a given shape; anything else is a hint."""
    try:
        result = np.asarray(value, dtype=float)
    except Exception:  # an odd object may raise anything
        raise Hint(f"{what} should be an array of numbers, but it is {describe(value)}") from None
    if result.shape != tuple(shape):
        raise Hint(f"{what} should be an array of shape {tuple(shape)}, but its shape is {result.shape}")
    if not np.isfinite(result).all():
        raise Hint(f"{what} should hold finite numbers, but {np.sum(~np.isfinite(result))} of them are not")
    return result


def instance(value: object, kind: type | tuple[type, ...], wanted: str, what: str = "the answer"):
    """Return a value of a type; anything else is a hint that says what is wanted, as in "a pandas DataFrame"."""
    if not isinstance(value, kind):
        raise Hint(f"{what} should be {wanted}, but it is {describe(value)}")
    return value


def frame(value: object, columns: Iterable[str], what: str = "the answer") -> pd.DataFrame:
    """Return a pandas DataFrame that has certain columns; anything else is a hint."""
    instance(value, pd.DataFrame, "a pandas DataFrame", what)
    missing = [name for name in columns if name not in value.columns]
    if missing:
        raise Hint(f"{what} lacks the column {missing[0]!r}; its columns are {', '.join(map(str, value.columns))}")
    return value


def choice(value: object, options: Sequence[str], what: str = "the answer") -> str:
    """Return one of several texts; anything else is a hint."""
    if not isinstance(value, str) or value not in options:
        listed = ", ".join(repr(option) for option in options)
        raise Hint(f"{what} should be one of {listed}, but it is {describe(value)}")
    return value


def choices(value: object, options: Sequence[str], what: str = "the answer") -> set[str]:
    """Return a set of several texts; anything else is a hint."""
    if isinstance(value, (str, Mapping)) or not isinstance(value, Iterable):
        raise Hint(f"{what} should be a set of texts, but it is {describe(value)}")
    return {choice(item, options, f"each part of {what}") for item in value}


def pair(value: object, what: str = "the answer") -> tuple:
    """Return the two parts of a sequence or of an array with one dimension; anything else is a hint."""
    ordered = isinstance(value, Sequence) and not isinstance(value, (str, bytes))
    if isinstance(value, (np.ndarray, pd.Series, xr.DataArray)):
        ordered, value = value.ndim == 1, np.asarray(value) if value.ndim == 1 else value
    if not ordered or len(value) != 2:
        raise Hint(f"{what} should be a pair, two values with a comma between them, but it is {describe(value)}")
    return tuple(value)


# Comparing


def shape_of(variable) -> tuple[int, ...]:
    """Return the shape of a PyTensor variable."""
    return tuple(int(size) for size in variable.shape.eval(mode="FAST_COMPILE"))


def close(given, right, rtol: float = 1e-6, atol: float = 1e-9) -> bool:
    """Return whether two numbers or arrays agree, shape included."""
    given, right = np.asarray(given, dtype=float), np.asarray(right, dtype=float)
    return given.shape == right.shape and bool(np.allclose(given, right, rtol=rtol, atol=atol))


def expect(given, right, mistakes: Iterable[tuple], otherwise: str, rtol: float = 1e-6, atol: float = 1e-9) -> None:
    """Raise a hint unless a number or an array is right.

    Parameters
    ----------
    given, right : float or array
    mistakes : iterable of (value, str)
        What typical mistakes lead to, and the hint that each of them earns.
    otherwise : str
        The hint for every other wrong value.
    rtol, atol : float
        Relative and absolute tolerance.
    """
    if close(given, right, rtol, atol):
        return
    for wrong, hint in mistakes:
        if close(given, wrong, rtol, atol):
            raise Hint(hint)
    raise Hint(otherwise)


def too_far(given: float, right: float, standard_error: float, n_comparisons: int = 1) -> bool:
    """Return whether a random number is further from its expectation than chance allows.

    For normal errors with this standard error, a right answer is called too far with probability `FALSE_ALARM` in all
    of `n_comparisons` together.
    """
    from scipy.stats import norm

    return abs(given - right) > norm.isf(FALSE_ALARM / (2 * n_comparisons)) * standard_error


def too_far_from_normal(values: np.ndarray, mean: float, sd: float, n_comparisons: int = 1) -> float:
    """Return how far draws are from a normal distribution, or 0 where chance alone may take them as far.

    The distance is the largest one between the distribution functions. By the Dvoretzky-Kiefer-Wolfowitz inequality
    with Massart's constant (1990), n independent normal draws are farther than d with probability 2 exp(-2 n d^2) at
    most. Right answers to `n_comparisons` such tests are called too far with probability `FALSE_ALARM` at most.
    """
    from scipy.stats import kstest

    distance = kstest((values - mean) / sd, "norm").statistic
    limit = math.sqrt(math.log(2 * n_comparisons / FALSE_ALARM) / (2 * len(values)))
    return float(distance) if distance > limit else 0.0


def expect_numbers_from_rng(
    run: Callable[[np.random.Generator], Mapping[str, object]], rng: np.random.Generator
) -> None:
    """Raise a hint unless all random numbers of an answer come from the generator that it is given.

    Parameters
    ----------
    run : callable
        Calls the answer with a generator and returns its random values by name, such as the columns of a table.
    rng : numpy.random.Generator
        Source of the seeds, so that no seed that a student may have chosen is met every time.
    """
    seeds = rng.integers(2**31, 2**62, size=2)
    first, again, other = (
        {k: np.asarray(v) for k, v in run(np.random.default_rng(s)).items()} for s in seeds[[0, 0, 1]]
    )
    for name, values in first.items():
        if not np.array_equal(values, again[name]):
            raise Hint(
                f"two calls with equal generators as `rng` give different {name}: some random numbers come from "
                "elsewhere; draw all of them with methods of `rng`"
            )
        if np.array_equal(values, other[name]):
            raise Hint(
                f"two calls with different generators as `rng` give the same {name}: `rng` has no part in them; "
                "draw all random numbers with methods of `rng`"
            )
