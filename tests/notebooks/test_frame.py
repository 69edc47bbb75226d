"""Every notebook has the parts that a reader relies on: aims, a seed, texts for figures, a quiz, versions."""

import re
from pathlib import Path

import nbformat
import pytest
from jsonschema import validate
from matplotlib.colors import to_rgb

import mlm_tutorial as mlm
from mlm_tutorial.notebook import QUIZ_COLORS, questions
from tests.support.contrast import contrast

ROOT = Path(__file__).resolve().parents[2]
PATHS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
STORED = [path for path in sorted((ROOT / "notebooks").rglob("*.ipynb")) if ".ipynb_checkpoints" not in path.parts]
each_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)

#: Fields that jupyterquiz reads, and one that readers need: a reason with every answer.
QUESTION_SCHEMA = {
    "type": "array",
    "minItems": 3,
    "maxItems": 5,
    "items": {
        "type": "object",
        "required": ["question", "type", "answers"],
        "properties": {
            "question": {"type": "string", "minLength": 15},
            "type": {"enum": ["multiple_choice", "many_choice", "numeric"]},
            "answers": {
                "type": "array",
                "minItems": 2,
                "items": {
                    "type": "object",
                    "required": ["feedback"],
                    "properties": {
                        "feedback": {"type": "string", "minLength": 5},
                        "answer": {"type": "string", "minLength": 1},
                        "correct": {"type": "boolean"},
                    },
                },
            },
        },
    },
}


def cells(path, kind):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def prose(path):
    return "\n".join(cell.source for cell in cells(path, "markdown"))


def code(path):
    return "\n".join(cell.source for cell in cells(path, "code"))


def figure_cells(path):
    return [
        cell for cell in cells(path, "code") if any("image/png" in output.get("data", {}) for output in cell.outputs)
    ]


@each_notebook
def test_notebook_states_its_aims(path):
    text = prose(path)
    assert text.startswith(f"# {path.stem[:2]} ")
    for part in ("**You will learn**", "**You need**", "**Time**", "**Predict first"):
        assert part in text, f"{part} is missing"
    ends = [text.index(heading) for heading in ("## Check yourself", "## What to remember", "## Going further")]
    assert ends == sorted(ends)


@each_notebook
def test_all_randomness_comes_from_a_replaceable_seed(path):
    text = code(path)
    assert "SEED = mlm.notebook_seed(" in text
    assert not re.search(r"seed=\d|rng=\d|default_rng\(\d*\)|random_seed=\d", text)


@each_notebook
def test_notebook_ends_with_quiz_and_versions(path):
    assert f'mlm.quiz("{path.stem[:2]}")' in code(path)
    assert cells(path, "code")[-1].source == "print(mlm.version_line())"


@each_notebook
def test_each_figure_has_its_own_alternative_text(path):
    figures = figure_cells(path)
    assert figures
    texts = [cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "") for cell in figures]
    for cell, text in zip(figures, texts, strict=True):
        assert len(text) >= 40, f"no text says what this figure shows:\n{cell.source}"
        images = [output for output in cell.outputs if "image/png" in output.get("data", {})]
        assert len(images) == 1, f"one text cannot stand for {len(images)} figures:\n{cell.source}"
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("path", STORED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_code_that_the_site_folds_is_folded_in_jupyterlab_too(path):
    """The site reads the tag ``hide-input``, JupyterLab the metadata ``jupyter``."""
    for cell in cells(path, "code"):
        on_site = "hide-input" in cell.metadata.get("tags", [])
        in_jupyterlab = cell.metadata.get("jupyter", {}).get("source_hidden", False)
        assert on_site == in_jupyterlab, f"folded in one of them only:\n{cell.source}"


def test_tabs_of_lessons_exercises_and_solutions_have_different_names():
    names = [path.name for path in STORED]
    assert len(set(names)) == len(names) == 3 * len(PATHS) + 2  # exercises and solutions of the capstone


def dead_links(text, folder):
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
    inside = [target for target in targets if not target.startswith(("http://", "https://", "mailto:"))]
    return [target for target in inside if not (folder / target).resolve().exists()]


@each_notebook
def test_links_of_a_notebook_resolve(path):
    assert dead_links(prose(path), path.parent) == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "book/glossary.md"])
def test_links_of_a_page_resolve(name):
    page = ROOT / name
    assert dead_links(page.read_text(encoding="utf-8"), page.parent) == []


def test_readme_lists_every_notebook():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in PATHS] == re.findall(r"\(notebooks/(\d\S+)\)", readme)


@each_notebook
def test_every_fit_is_checked(path):
    text = code(path)
    if "mlm.sample(" in text:
        assert "check_convergence(" in text or '"converged"' in text


@each_notebook
def test_no_old_idiom_is_taught(path):
    old = r"InferenceData|hdi_prob|return_inferencedata|plot_posterior\(|plot_ppc\(|az\.from_pymc|testval"
    assert not re.search(old, code(path))


@each_notebook
def test_notebook_files_are_small(path):
    assert path.stat().st_size < 2_000_000


@each_notebook
def test_quiz_is_valid(path):
    quiz = questions(path.stem[:2])
    validate(quiz, QUESTION_SCHEMA)
    for question in quiz:
        right = [answer for answer in question["answers"] if answer.get("correct")]
        if question["type"] == "multiple_choice":
            assert len(right) == 1, question["question"]
        assert right, question["question"]
        if question["type"] != "numeric":
            texts = [answer["answer"] for answer in question["answers"]]
            assert len(set(texts)) == len(texts), question["question"]


@each_notebook
def test_the_right_answer_of_a_quiz_is_not_the_longest(path):
    """Who knows nothing would pick the longest."""
    for question in questions(path.stem[:2]):
        if question["type"] == "multiple_choice":
            right = [len(answer["answer"]) for answer in question["answers"] if answer.get("correct")]
            wrong = [len(answer["answer"]) for answer in question["answers"] if not answer.get("correct")]
            assert right[0] < max(wrong), question["question"]


def test_correct_answers_are_not_always_in_the_same_place():
    first = [question["answers"][0].get("correct") for path in PATHS for question in questions(path.stem[:2])]
    assert True in first
    assert any(not correct for correct in first)


def test_every_file_of_the_question_bank_belongs_to_a_notebook():
    bank = {path.stem for path in (ROOT / "mlm_tutorial" / "data" / "questions").glob("*.json")}
    assert bank == {path.stem[:2] for path in PATHS}


def test_no_question_has_mathematics():
    """`mlm.quiz` lets nobody look for MathJax, so a formula would stay as it is written."""
    for path in PATHS:
        assert not re.search(r"\$|\\\\\(", str(questions(path.stem[:2])))


@pytest.mark.parametrize("path", STORED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_outputs_load_nothing_from_other_hosts(path):
    for cell in cells(path, "code"):
        for output in cell.outputs:
            data = output.get("data", {})
            assert not re.search(r"https?://(?!www\.w3\.org/)", data.get("application/javascript", ""))
            assert not re.search(r"(?:src|href)=.?https?://|@import|url\(.?http", data.get("text/html", ""))


def test_unknown_quiz_is_named_in_the_error():
    with pytest.raises(ValueError, match="no quiz '99'"):
        mlm.quiz("99")


def test_seed_of_a_notebook_can_be_replaced(monkeypatch):
    monkeypatch.delenv("MLM_SEED", raising=False)
    assert mlm.notebook_seed(7) == 7
    monkeypatch.setenv("MLM_SEED", "11")
    assert mlm.notebook_seed(7) == 11
    monkeypatch.setenv("MLM_SEED", "eleven")
    with pytest.raises(ValueError, match="MLM_SEED.*'eleven'"):
        mlm.notebook_seed(7)


def test_quiz_text_has_enough_contrast():
    backgrounds = [color for name, color in QUIZ_COLORS.items() if name.endswith(("-bg", "-color"))]
    dark = [color for color in backgrounds if color not in ("#fafafa", QUIZ_COLORS["--jq-text-color"])]
    assert len(dark) == 5
    for color in dark:
        assert contrast(to_rgb(color), to_rgb(QUIZ_COLORS["--jq-text-color"])) >= 4.5
