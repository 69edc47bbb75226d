"""The decks of slides: cut from the notebooks by a rule, complete without a network, none higher than the screen."""

import json
import re

import pytest

from tests.support.browsing import opened
from tests.support.pages import NOTEBOOKS, Links, page_text, site_is_built
from tools import project, slides

DECKS = [f"part-{k}" for k in (1, 2, 3, 4)]


def text(source):
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def figure(alt):
    output = {"output_type": "display_data", "metadata": {}, "data": {"image/png": "AAAA", "text/plain": "<Figure>"}}
    metadata = {"mystnb": {"image": {"alt": alt}}} if alt else {}
    return {"cell_type": "code", "metadata": metadata, "source": "draw()", "outputs": [output]}


def printing(text, html=""):
    outputs = [{"output_type": "stream", "name": "stdout", "text": [text]}]
    if html:
        outputs.append({"output_type": "display_data", "metadata": {}, "data": {"text/html": [html]}})
    return {"cell_type": "code", "metadata": {}, "source": "number()", "outputs": outputs}


LESSON = {
    "cells": [
        text(
            "# 99 A lesson\n\nA person asks. Another answers.\n\nIs it so?\n\nIt is.\n\n**You will learn**\n\n"
            "1. one thing;\n2. another."
        ),
        text("Before any heading."),
        text("## Nothing to see\n\nOnly words."),
        text(
            "## A figure\n\nIt shows [cells](../book/glossary.md).\n(It does. Always.)\n\n"
            "**Predict first.** Up or down?"
        ),
        figure("A line that goes up."),
        text("It goes up.\n\n- a list\n\nOne of two:\n\n- this\n- that\n\n**Predict first.** And then?"),
        printing("a line"),
        text("Down again.\n\n## Only a question\n\nIt has no figure.\n\n**Predict first.** Which?\n\n- one\n- two"),
        text("It has no code either.\n\n## The answer below\n\n**Predict first.** More?"),
        printing("a line", "<table><tr></tr></table>"),
        text("Less, and why:"),
        figure("A line that goes down."),
        text("See above.\n\n## Two equations\n\nThe first is\n\n$$a = b,$$\n\nwhere b is c.\n\n$$c$$\n\nNo more."),
        text("## Check yourself\n\nQuiz."),
        figure(None),
        text("## What to remember\n\n- a point\n- another point\n\n## Going further\n\nBooks."),
    ]
}


def content(cell):
    """Return the text of a slide's cell, or the kind of its output."""
    kinds = [kind for output in cell.get("outputs", []) for kind in output.get("data", ["printed"])]
    return " ".join([cell["source"], *kinds]).strip()


def test_a_deck_follows_the_rule():
    made = [(cell["metadata"]["slideshow"]["slide_type"], content(cell)) for cell in slides.of_notebook("99", LESSON)]
    assert made == [
        (
            "slide",
            "# 99 A lesson\n\nA person asks. Another answers.\n\nIs it so?\n\n[the notebook](../notebooks/99.html)",
        ),
        ("subslide", "## You will learn\n\n1. one thing;\n2. another."),
        ("subslide", "## A figure\n\nIt shows [cells](../book/glossary.html)."),
        ("subslide", "### Predict first\n\nUp or down?"),
        ("subslide", "### A figure"),
        ("-", "image/png"),
        ("-", "It goes up."),
        ("subslide", "### Predict first\n\nOne of two:\n\n- this\n- that\n\nAnd then?"),
        ("subslide", "### A figure"),
        ("-", "printed"),
        ("-", "Down again."),
        ("notes", "It shows [cells](../book/glossary.html).\n(It does. Always.)\n\n- a list"),
        ("subslide", "## Only a question\n\nIt has no figure."),
        ("subslide", "### Predict first\n\nWhich?\n\n- one\n- two"),
        ("subslide", "### Only a question"),
        ("-", "It has no code either."),
        ("subslide", "## The answer below"),
        ("-", "### Predict first\n\nMore?"),
        ("subslide", "### The answer below"),
        ("-", "text/html"),
        ("subslide", "### The answer below"),
        ("-", "image/png"),
        ("-", "See above."),
        ("notes", "Less, and why:"),
        ("subslide", "## Two equations\n\nThe first is\n\n$$a = b,$$\n\nwhere b is c."),
        ("subslide", "### Two equations\n\n$$c$$"),
        ("notes", "No more."),
        ("subslide", "## What to remember\n\n- a point\n- another point"),
    ]


def shown_by(cell):
    """Return the outputs of a cell as texts."""
    outputs = cell.get("outputs", [])
    return ["".join(shown) for output in outputs for shown in output.get("data", {"": output.get("text", "")}).values()]


def places(notebook):
    """Return a notebook's text in its order, as slides write it, and the place of each output in it."""
    everything, at = "", {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            everything += " ".join(slides.linked(slides.text_of(cell)).split()) + " "
        for shown in shown_by(cell):
            at.setdefault(shown, len(everything))
    return everything, at


@pytest.mark.parametrize("path", sorted(project.NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")), ids=lambda path: path.stem)
def test_no_slide_has_what_follows_a_question_before_the_question(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    everything, outputs = places(notebook)
    ahead, early = [found.start() for found in re.finditer(re.escape(slides.PREDICT), everything)], []
    for cell in slides.of_notebook(path.stem, notebook):
        if cell["metadata"]["slideshow"]["slide_type"] == "notes" or cell["source"].startswith("# "):
            continue
        shown = re.sub(r"^#+ .*$", "", cell["source"], flags=re.MULTILINE)
        sentences = filter(None, re.split(r"\n+|(?<=[.!?]) (?=[A-Z$*\[`])", shown))
        at = [everything.find(" ".join(sentence.split())) for sentence in sentences]
        at += [outputs[output] for output in shown_by(cell)]
        assert -1 not in at, shown
        if cell["source"].startswith("### Predict first"):
            del ahead[0]
        if ahead and max(at, default=0) > ahead[0]:
            early.append(shown or "an output")
    assert early == []
    assert ahead == []


@pytest.mark.parametrize("path", sorted(project.NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")), ids=lambda path: path.stem)
def test_every_question_to_the_class_has_a_slide(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    asked = sum(slides.text_of(cell).count(slides.PREDICT) for cell in notebook["cells"])
    shown = [cell["source"] for cell in slides.of_notebook(path.stem, notebook)]
    assert sum(source.startswith("### Predict first") for source in shown) == asked >= 2


def test_a_long_paragraph_ends_with_a_sentence_and_a_long_list_is_divided():
    assert slides.shortened("One two three. Four five. Six seven eight nine.", 5) == "One two three. Four five."
    assert slides.shortened("One two three four. Five.", 2) == "One two three four."
    assert slides.portions(["- a b", "- c d", "- e"], 6) == [["- a b", "- c d"], ["- e"]]


@site_is_built
def test_every_notebook_is_in_a_deck_and_the_guide_lists_them():
    targets = [Links(page_text(f"slides/{name}.html")).targets for name in DECKS]
    for name in NOTEBOOKS:
        assert any(f"../{name}" in deck for deck in targets)
    assert {f"../slides/{name}.html" for name in DECKS} <= set(Links(page_text("book/instructors.html")).targets)


@site_is_built
@pytest.mark.parametrize("name", DECKS)
def test_a_deck_is_as_wide_as_a_phone(name):
    """Without this line a phone draws a page of 980 pixels and shrinks it."""
    assert '<meta content="width=device-width, initial-scale=1" name="viewport"/>' in page_text(f"slides/{name}.html")


@pytest.mark.slow(3)
@site_is_built
@pytest.mark.parametrize("name", DECKS)
def test_a_deck_works_offline_and_its_slides_fit(browser, name):
    with opened(browser, f"{project.SITE.as_uri()}/slides/{name}.html") as page:
        page.wait_for_function("window.Reveal && Reveal.isReady()")
        page.evaluate("MathJax.startup.promise.then(() => true)")
        assert page.evaluate("Reveal.getTotalSlides()") > 40
        assert page.locator("mjx-merror").count() == 0
        unfit = page.evaluate(
            """() => Reveal.getSlides().flatMap(slide => {
                const {h, v} = Reveal.getIndices(slide);
                Reveal.slide(h, v);
                const wide = [...slide.querySelectorAll('mjx-math, table, pre')].filter(
                    part => !part.closest('aside') && part.getBoundingClientRect().width > 1105 * Reveal.getScale());
                const size = slide.scrollHeight <= 700 && slide.scrollWidth <= 1105;
                const fits = size && !wide.length && slide.innerText.trim();
                return fits ? [] : [[h, v, slide.scrollHeight, slide.scrollWidth]];
            })"""
        )
        assert unfit == []
        images = page.eval_on_selector_all(".slides img", "all => all.map(i => [i.alt.length, i.naturalWidth > 0])")
        assert len(images) > 10
        assert all(length >= 15 and loaded for length, loaded in images)
        raw = page.eval_on_selector_all(".slides p, .slides li", "all => all.map(p => p.innerText)")
        assert not [line for line in raw if re.search(r"\$[^$]+\$|\]\(", line)]
