"""The truth of a simulation: layers, their contributors, and totals drawn from them."""

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from numbers import Integral, Real

import numpy as np
import pandas as pd

from mlm_tutorial.names import BASELINE, TOTAL, check_layer_names, is_missing, require_layer


@dataclass(frozen=True)
class Layer:
    """The contributors of one layer, each with its own normal distribution.

    Parameters
    ----------
    name : str
        Name of the layer.
    coefficients : mapping of label to (float, float)
        Mean and standard deviation of every contributor, in the units of the total. Labels are arbitrary hashable
        values; their order is kept.

    Raises
    ------
    TypeError, ValueError
        If the name is not a non-empty string, if there is no contributor, if a label is missing (None or NaN), or if
        a mean or standard deviation is not a finite number. Standard deviations must be positive.
    """

    name: str
    coefficients: Mapping[Hashable, tuple[float, float]]

    def __post_init__(self):
        if not isinstance(self.name, str) or not self.name:
            raise TypeError(f"the name of a layer must be a non-empty string, got {self.name!r}")
        if not isinstance(self.coefficients, Mapping):
            raise TypeError(
                f"layer {self.name!r}: expected a mapping of label to (mean, standard deviation), "
                f"got {type(self.coefficients).__name__}"
            )
        if not self.coefficients:
            raise ValueError(f"layer {self.name!r} has no contributors; it needs at least one")
        checked = {}
        for label, pair in self.coefficients.items():
            where = f"layer {self.name!r}, contributor {label!r}"
            if is_missing(label):
                raise ValueError(f"{where}: a label must not be missing")
            checked[label] = _mean_and_sd(pair, where)
        object.__setattr__(self, "coefficients", checked)

    @property
    def labels(self) -> tuple:
        """Labels of the contributors, in the order given."""
        return tuple(self.coefficients)

    @property
    def mu(self) -> np.ndarray:
        """Means of the contributors, shape (m,)."""
        return np.array([mu for mu, _ in self.coefficients.values()])

    @property
    def sigma(self) -> np.ndarray:
        """Standard deviations of the contributors, shape (m,)."""
        return np.array([sigma for _, sigma in self.coefficients.values()])

    def __len__(self) -> int:
        return len(self.coefficients)

    def shifted(self, by: float) -> "Layer":
        """Return the same layer with `by` added to every mean."""
        return Layer(self.name, {k: (mu + by, sd) for k, (mu, sd) in self.coefficients.items()})


def _mean_and_sd(pair, where: str) -> tuple[float, float]:
    try:
        mu, sigma = pair
    except (TypeError, ValueError):
        mu = sigma = None
    if not (isinstance(mu, Real) and isinstance(sigma, Real)):
        raise TypeError(f"{where}: expected a pair (mean, standard deviation), got {pair!r}")
    mu, sigma = float(mu), float(sigma)
    if not np.isfinite(mu):
        raise ValueError(f"{where}: the mean must be finite, got {mu}")
    if not (np.isfinite(sigma) and sigma > 0):
        raise ValueError(f"{where}: the standard deviation must be positive and finite, got {sigma}")
    return mu, sigma


@dataclass(frozen=True)
class LayeredSum:
    """A baseline and the layers whose contributions add up to a total.

    Parameters
    ----------
    baseline : Layer
        A layer named ``"baseline"`` with one contributor.
    layers : sequence of Layer
        The other layers, each with two contributors or more.

    Raises
    ------
    TypeError, ValueError
        If a layer is not a :class:`Layer`, the baseline has more than one contributor, a layer has only one (its mean
        is zero by the sum-to-zero rule, so there is nothing to find), or column names of :meth:`simulate` or names in a
        model of the simulated rows would collide.
    """

    baseline: Layer
    layers: tuple[Layer, ...]

    def __post_init__(self):
        if isinstance(self.layers, (str, Layer)) or not isinstance(self.layers, Iterable):
            raise TypeError(f"layers must be a list of Layer, got {type(self.layers).__name__}")
        object.__setattr__(self, "layers", tuple(self.layers))
        for layer in self:
            if not isinstance(layer, Layer):
                raise TypeError(f"expected a Layer for the baseline and for every layer, got {layer!r}")
        if self.baseline.name != BASELINE:
            raise ValueError(f"the first layer must be named {BASELINE!r}, got {self.baseline.name!r}")
        if len(self.baseline) != 1:
            raise ValueError(
                f"the baseline must have exactly one contributor, got {len(self.baseline)}: "
                f"{list(self.baseline.labels)}"
            )
        for layer in self.layers:
            if len(layer) < 2:
                raise ValueError(single_contributor_message(layer.name, layer.labels[0]))
        columns = [TOTAL, BASELINE, f"y_{BASELINE}"]
        for name in self.names:
            for column in (name, f"y_{name}"):
                if column in columns:
                    raise ValueError(
                        f"layer name {name!r} is taken: the simulated data would have two columns named {column!r}"
                    )
                columns.append(column)
        check_layer_names(self.names)

    @classmethod
    def from_coefficients(
        cls,
        coefficients: Sequence[Mapping[Hashable, tuple[float, float]]],
        names: Sequence[str] | None = None,
    ) -> "LayeredSum":
        """Build from one mapping per layer, the baseline's first.

        Parameters
        ----------
        coefficients : sequence of mapping
            For each layer a mapping of label to (mean, standard deviation). The first is the baseline and has one
            contributor.
        names : sequence of str, optional
            Names of the layers after the baseline (a leading ``"baseline"`` is allowed). Default ``layer_1``,
            ``layer_2`` and so on.

        Returns
        -------
        LayeredSum
        """
        if isinstance(coefficients, Mapping) or not isinstance(coefficients, Sequence):
            raise TypeError(
                "coefficients must be a list with one mapping per layer, the baseline's first, "
                f"got {type(coefficients).__name__}"
            )
        if not coefficients:
            raise ValueError("coefficients is empty; the baseline at least is needed")
        n_layers = len(coefficients) - 1
        if names is None:
            names = [f"layer_{j}" for j in range(1, n_layers + 1)]
        elif isinstance(names, str) or not isinstance(names, Iterable):
            raise TypeError(f"names must be a list of strings, got {names!r}")
        names = list(names)
        if len(names) == n_layers + 1 and names[0] == BASELINE:
            names = names[1:]
        if len(names) != n_layers:
            raise ValueError(
                f"expected {n_layers} names, one for each layer after the baseline, got {len(names)}: {names}"
            )
        return cls(
            Layer(BASELINE, coefficients[0]),
            tuple(Layer(name, c) for name, c in zip(names, coefficients[1:], strict=True)),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the layers after the baseline."""
        return tuple(layer.name for layer in self.layers)

    def __iter__(self) -> Iterator[Layer]:
        """Iterate over all layers, the baseline first."""
        return iter((self.baseline, *self.layers))

    def __getitem__(self, name: str) -> Layer:
        """Return the layer of that name."""
        for layer in self:
            if layer.name == name:
                return layer
        raise KeyError(f"no layer named {name!r}; there are {[layer.name for layer in self]}")

    def centered(self, absent: Collection[str] = ()) -> "LayeredSum":
        """Let the means of every layer sum to zero; the baseline's mean absorbs the shift.

        Totals keep their distribution, because every observation has exactly one contributor of each layer.

        Parameters
        ----------
        absent : list of str
            Layers that a row may lack. Their means are what they add, so they stay as they are.

        Returns
        -------
        LayeredSum
        """
        if isinstance(absent, str) or not isinstance(absent, Iterable):
            raise TypeError(f"absent must be a list of names of layers, got {absent!r}")
        absent = list(absent)
        for name in absent:
            require_layer(name, self.names)
        shifts = [0.0 if layer.name in absent else layer.mu.mean() for layer in self.layers]
        return LayeredSum(
            self.baseline.shifted(sum(shifts)),
            tuple(layer.shifted(-shift) for layer, shift in zip(self.layers, shifts, strict=True)),
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a tidy table, one row per contributor.

        Returns
        -------
        pandas.DataFrame
            Columns ``layer``, ``contributor``, ``mu`` and ``sigma``.
        """
        rows = [(layer.name, label, mu, sigma) for layer in self for label, (mu, sigma) in layer.coefficients.items()]
        return pd.DataFrame(rows, columns=["layer", "contributor", "mu", "sigma"])

    def combinations(self, probabilities=None) -> pd.DataFrame:
        """Return the distribution of the total for every combination of contributors.

        A sum of independent normals is normal: means add and variances add.

        Parameters
        ----------
        probabilities : mapping, optional
            As for :meth:`simulate`.

        Returns
        -------
        pandas.DataFrame
            One row per combination: a column for each layer with the contributor's label, then ``probability`` and the
            total's ``mu`` and ``sigma``.

        Raises
        ------
        TypeError, ValueError
            If probabilities do not match the contributors, or a layer has the name of one of the last three columns.
        """
        for name in self.names:
            if name in _COLUMNS_OF_COMBINATIONS:
                raise ValueError(f"the table of combinations has a column {name!r} of its own; rename that layer")
        weights = self._probabilities(probabilities)
        rows = []
        for codes in product(*(range(len(layer)) for layer in self.layers)):
            chosen = list(zip(self.layers, codes, strict=True))
            labels = [layer.labels[k] for layer, k in chosen]
            probability = np.prod([weights[layer.name][k] for layer, k in chosen])
            mu = self.baseline.mu[0] + sum(layer.mu[k] for layer, k in chosen)
            variance = self.baseline.sigma[0] ** 2 + sum(layer.sigma[k] ** 2 for layer, k in chosen)
            rows.append([*labels, probability, mu, np.sqrt(variance)])
        return pd.DataFrame(rows, columns=[*self.names, *_COLUMNS_OF_COMBINATIONS])

    def simulate(
        self,
        n: int,
        rng: int | np.random.Generator | None = None,
        probabilities: Mapping[str, Sequence[float] | Mapping] | None = None,
        contributions: bool = False,
        absent: Mapping[str, float] | None = None,
        *,
        skewness: float = 0.0,
        tail_weight: float = 0.0,
        slopes: Mapping[str, float] | None = None,
    ) -> pd.DataFrame:
        """Draw totals, and who contributed to each.

        Parameters
        ----------
        n : int
            Number of totals.
        rng : int or numpy.random.Generator, optional
            A seed or a generator.
        probabilities : mapping, optional
            For a layer's name, how often each contributor is the one that contributes: a list in the order of the
            labels, or a mapping of label to probability. Layers left out have equal probabilities.
        contributions : bool
            Whether to add each layer's contribution, as columns ``y_baseline`` and ``y_<layer>``. They sum to the
            total.
        absent : mapping of str to float, optional
            For a layer's name, the probability that a row lacks that layer, from 0 up to but not including 1. There
            its label is missing and its contribution is 0; all other rows are the same as without `absent`.
        skewness : float
            Shape that all contributions share, between -1 and 1: positive for a longer right tail. See
            ``NormalInverseGaussian``.
        tail_weight : float
            The other shape that they share, in the unit of totals; 0 for normal contributions. Means and standard
            deviations stay what they are.
        slopes : mapping of str to float, optional
            What a total gains with a unit of each covariate, by its name. Covariates are standard normal; they are
            drawn last, and all other columns but the totals are the same as without them.

        Returns
        -------
        pandas.DataFrame
            `n` rows: ``total``, one categorical column per layer, and a column per covariate.

        Raises
        ------
        TypeError, ValueError
            If `n` is not a positive integer, probabilities do not match the contributors or do not sum to one,
            `absent` names an unknown layer or is not a share below 1, a shape is out of its range, or a slope is not a
            finite number or has the name of another column.
        """
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
            raise TypeError(f"n must be an integer, got {n!r}")
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        weights = self._probabilities(probabilities)
        shares = self._shares_without(absent)
        draw = _contributions(skewness, tail_weight)
        rng = np.random.default_rng(rng)
        (mu,), (sigma,) = self.baseline.mu, self.baseline.sigma
        parts = {f"y_{BASELINE}": draw(np.full(n, mu), np.full(n, sigma), rng)}
        codes = {}
        for layer in self.layers:
            codes[layer.name] = code = rng.choice(len(layer), size=n, p=weights[layer.name])
            parts[f"y_{layer.name}"] = draw(layer.mu[code], layer.sigma[code], rng)
        for name, share in shares.items():  # drawn last, so that rows with all layers do not depend on it
            lacking = rng.random(n) < share
            codes[name] = np.where(lacking, -1, codes[name])
            parts[f"y_{name}"] = np.where(lacking, 0.0, parts[f"y_{name}"])
        columns = {
            layer.name: pd.Categorical.from_codes(
                codes[layer.name], dtype=pd.CategoricalDtype(label_index(layer.labels))
            )
            for layer in self.layers
        }
        columns = {TOTAL: sum(parts.values()), **columns}
        for name, slope in self._checked_slopes(slopes, [*columns, *parts]).items():
            columns[name] = rng.standard_normal(n)
            columns[TOTAL] = columns[TOTAL] + slope * columns[name]
        return pd.DataFrame(columns | parts if contributions else columns)

    def _checked_slopes(self, slopes, taken: Sequence[str]) -> dict[str, float]:
        given = {} if slopes is None else slopes
        if not isinstance(given, Mapping):
            raise TypeError(f"slopes must map a covariate's name to its slope, got {type(given).__name__}")
        check_layer_names(self.names, list(given))
        for name, slope in given.items():
            if name in taken:
                raise ValueError(f"a covariate cannot be named {name!r}: the simulated data have such a column")
            if isinstance(slope, (bool, np.bool_)) or not isinstance(slope, Real) or not np.isfinite(float(slope)):
                raise TypeError(f"slopes: that of {name!r} must be a finite number, got {slope!r}")
        return {name: float(slope) for name, slope in given.items()}

    def _probabilities(self, probabilities) -> dict[str, np.ndarray]:
        """Return one checked array of probabilities for every layer."""
        given = {} if probabilities is None else probabilities
        if not isinstance(given, Mapping):
            raise TypeError(
                "probabilities must map a layer's name to the probabilities of its contributors, "
                f"got {type(given).__name__}; layers are {self.names}"
            )
        for name in given:
            require_layer(name, self.names)
        return {layer.name: _layer_probabilities(layer, given.get(layer.name)) for layer in self.layers}

    def _shares_without(self, absent) -> dict[str, float]:
        """Return the checked share of rows that lack a layer, in the order of the layers."""
        given = {} if absent is None else absent
        if not isinstance(given, Mapping):
            raise TypeError(
                "absent must map a layer's name to the share of rows without it, "
                f"got {type(given).__name__}; layers are {self.names}"
            )
        for name in given:
            require_layer(name, self.names)
        for name, share in given.items():
            if isinstance(share, (bool, np.bool_)) or not isinstance(share, Real):
                raise TypeError(f"absent: the share of rows without layer {name!r} must be a number, got {share!r}")
            if not 0 <= float(share) < 1:
                raise ValueError(
                    f"absent: the share of rows without layer {name!r} must be from 0 up to but not including 1, "
                    f"got {share}"
                )
        return {name: float(given[name]) for name in self.names if name in given}


def _contributions(skewness: float, tail_weight: float) -> Callable:
    """Return the function that draws contributions with given means and standard deviations."""
    for name, value in (("skewness", skewness), ("tail_weight", tail_weight)):
        if isinstance(value, bool) or not isinstance(value, Real):
            raise TypeError(f"{name} must be a number, got {value!r}")
    if not -1 < skewness < 1:
        raise ValueError(f"skewness must lie between -1 and 1, got {skewness}")
    if not 0 <= tail_weight < np.inf:
        raise ValueError(f"tail_weight must be finite and not negative, got {tail_weight}")
    if tail_weight == 0:
        if skewness:
            raise ValueError(f"contributions with a skewness of {skewness} have tails: give them a tail_weight")
        return lambda mu, sigma, rng: rng.normal(mu, sigma)
    from mlm_tutorial.levy import draw_totals  # it needs SciPy's distributions, which take a while to import

    return lambda mu, sigma, rng: draw_totals(mu, sigma**2, (skewness, tail_weight), rng)


_COLUMNS_OF_COMBINATIONS = ("probability", "mu", "sigma")


def _layer_probabilities(layer: Layer, given) -> np.ndarray:
    m = len(layer)
    if given is None:
        return np.full(m, 1 / m)
    if isinstance(given, Mapping):
        if set(given) != set(layer.labels):
            raise ValueError(
                f"probabilities of layer {layer.name!r} must name the contributors "
                f"{list(layer.labels)}, got {list(given)}"
            )
        given = [given[label] for label in layer.labels]
    try:
        p = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        raise TypeError(f"probabilities of layer {layer.name!r} must be numbers, got {given!r}") from None
    if p.shape != (m,):
        raise ValueError(
            f"layer {layer.name!r} has {m} contributors, so {m} probabilities are expected, got shape {p.shape}"
        )
    if not np.all(np.isfinite(p)) or np.any(p < 0) or not np.isclose(p.sum(), 1, atol=1e-8):
        raise ValueError(
            f"probabilities of layer {layer.name!r} must be non-negative and sum to 1, "
            f"got {p.tolist()} with sum {p.sum():g}"
        )
    return p / p.sum()


def label_index(labels: Sequence[Hashable]) -> pd.Index:
    """Return labels as an index that changes none of them."""
    # A label that is a tuple stays one label, and an integer beside a float stays an integer.
    mixed = len({type(label) for label in labels}) > 1
    return pd.Index(list(labels), dtype=object if mixed else None, tupleize_cols=False)


def single_contributor_message(layer: str, label: Hashable) -> str:
    """Return the text of the error for a layer with one contributor."""
    return (
        f"layer {layer!r} has a single contributor, {label!r}. The means of a layer sum to zero, so its mean would be "
        "zero and its spread could not be told from the baseline's: leave the layer out"
    )


def draw_layered_sum(
    n_contributors: Sequence[int],
    mu_scale: float = 1.0,
    log_sigma_mean: float = 0.0,
    rng: int | np.random.Generator | None = None,
) -> LayeredSum:
    """Draw a random truth: normal means, log-normal standard deviations.

    Parameters
    ----------
    n_contributors : sequence of int
        Contributors in each layer; the first is the baseline's and must be 1.
    mu_scale : float
        Standard deviation of the means, in the units of the total.
    log_sigma_mean : float
        Mean of the logarithm of the standard deviations, whose own standard deviation is 1/2.
    rng : int or numpy.random.Generator, optional
        A seed or a generator.

    Returns
    -------
    LayeredSum
        Centered, with labels 0, 1, 2 and so on.

    Raises
    ------
    TypeError, ValueError
        If an entry is not an integer, the first is not 1 or another is below 2, `mu_scale` is not positive and
        finite, or `log_sigma_mean` is not finite.
    """
    if isinstance(n_contributors, str) or not isinstance(n_contributors, Iterable):
        raise TypeError(f"n_contributors must be a list of integers, got {n_contributors!r}")
    counts = list(n_contributors)
    for j, m in enumerate(counts):
        if isinstance(m, bool) or not isinstance(m, Integral):
            raise TypeError(f"n_contributors must be integers, got {m!r} for layer {j}")
    if not counts or counts[0] != 1:
        raise ValueError(f"n_contributors must begin with 1, the baseline, got {counts}")
    for j, m in enumerate(counts[1:], start=1):
        if m == 1:
            raise ValueError(single_contributor_message(f"layer_{j}", 0))
        if m < 1:
            raise ValueError(f"n_contributors must be positive, got {m} for layer {j}")
    for name, number in (("mu_scale", mu_scale), ("log_sigma_mean", log_sigma_mean)):
        if not isinstance(number, Real):
            raise TypeError(f"{name} must be a number, got {number!r}")
        if not np.isfinite(number):
            raise ValueError(f"{name} must be finite, got {number}")
    if mu_scale <= 0:
        raise ValueError(f"mu_scale must be positive, got {mu_scale}")
    rng = np.random.default_rng(rng)
    return LayeredSum.from_coefficients(
        [{k: (rng.normal(0, mu_scale), np.exp(rng.normal(log_sigma_mean, 0.5))) for k in range(m)} for m in counts]
    ).centered()


class _Presets(dict):
    """The presets by name, with an error that lists them."""

    def __missing__(self, name):
        raise KeyError(f"unknown preset {name!r}; expected one of {', '.join(self)}")


_LAYER_A: dict[Hashable, tuple[float, float]] = {0: (1, 1), 1: (-1, 1)}
_LAYER_B: dict[Hashable, tuple[float, float]] = {0: (0, 1), 1: (0, 1), 2: (0, 1), 3: (4, 2)}

#: Truths with round numbers, used throughout the course. Their means do not sum to zero, see `LayeredSum.centered`.
PRESETS: Mapping[str, LayeredSum] = _Presets(
    cc_12=LayeredSum.from_coefficients([{0: (0, 5)}, _LAYER_A]),
    cc_22=LayeredSum.from_coefficients([{0: (0, 5)}, _LAYER_A, _LAYER_A]),
    cc_27=LayeredSum.from_coefficients(
        [
            {0: (0, 5)},
            {0: (1, 1), 1: (-1, 1), 2: (4, 1)},
            {0: (3, 1), 1: (-1, 1), 2: (-1, 1), 3: (-1, 1)},
        ]
    ),
    cc_14=LayeredSum.from_coefficients([{0: (0, 5)}, _LAYER_B]),
    cc_343=LayeredSum.from_coefficients([{0: (0, 5)}, _LAYER_B, {0: (0, 1), 1: (0, 1), 3: (3, 2)}]),
)
