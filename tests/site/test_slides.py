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


LESSON = {
    "cells": [
        text("# 99 A lesson\n\nA person asks. Another answers.\n\n**You will learn**\n\n1. one thing;\n2. another."),
        text("Before any heading."),
        text("## Nothing to see\n\nOnly words."),
        text("## A figure\n\nIt shows [cells](../book/glossary.md).\n\n**Predict first.** Up or down?"),
        figure("A line that goes up."),
        text("It goes up.\n\n- a list\n\n**Predict first.** And then?"),
        {"cell_type": "code", "metadata": {}, "source": "number()", "outputs": []},
        text("Down again.\n\n## Only a question\n\nIt has no figure.\n\n**Predict first.** More?"),
        text("It has no code either.\n\n## Check yourself\n\nQuiz."),
        figure(None),
        text("## What to remember\n\n- a point\n- another point\n\n## Going further\n\nBooks."),
    ]
}


def test_a_deck_follows_the_rule():
    made = [(cell["metadata"]["slideshow"]["slide_type"], cell["source"]) for cell in slides.of_notebook("99", LESSON)]
    assert made == [
        ("slide", "# 99 A lesson\n\nA person asks. Another answers.\n\n[the notebook](../notebooks/99.html)"),
        ("subslide", "## You will learn\n\n1. one thing;\n2. another."),
        ("subslide", "## A figure\n\nIt shows [cells](../book/glossary.html)."),
        ("subslide", "### Predict first\n\nUp or down?"),
        ("subslide", "### A figure"),
        ("-", ""),
        ("-", "It goes up."),
        ("subslide", "### Predict first\n\nAnd then?"),
        ("subslide", "### A figure"),
        ("-", "Down again."),
        ("notes", "- a list"),
        ("subslide", "## Only a question\n\nIt has no figure."),
        ("subslide", "### Predict first\n\nMore?"),
        ("subslide", "### Only a question"),
        ("-", "It has no code either."),
        ("subslide", "## What to remember\n\n- a point\n- another point"),
    ]


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
                const fits = slide.scrollHeight <= 700 && slide.scrollWidth <= 1105 && slide.innerText.trim();
                return fits ? [] : [[h, v, slide.scrollHeight, slide.scrollWidth]];
            })"""
        )
        assert unfit == []
        images = page.eval_on_selector_all(".slides img", "all => all.map(i => [i.alt.length, i.naturalWidth > 0])")
        assert len(images) > 10
        assert all(length >= 15 and loaded for length, loaded in images)
        raw = page.eval_on_selector_all(".slides p, .slides li", "all => all.map(p => p.innerText)")
        assert not [line for line in raw if re.search(r"\$[^$]+\$|\]\(", line)]
