"""Sliders: every position is drawn once, and the output holds all of them and a figure for readers without a script."""

import base64
import io
import json
import re
from html.parser import HTMLParser

import IPython.display
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

import mlm_tutorial as mlm


def draw(level, **others):
    """Return a figure that is gray up to a level."""
    fig, ax = plt.subplots(figsize=(2, 1))
    ax.set_axis_off()
    ax.axhspan(0, level, color="black")
    ax.set_ylim(0, 1)
    return fig


class Parts(HTMLParser):
    """The tags of a page, with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def of(self, wanted):
        return [attributes for tag, attributes in self.tags if tag == wanted]


@pytest.fixture
def output(monkeypatch):
    """Return the data that are displayed."""
    shown = {}
    monkeypatch.setattr(IPython.display, "display", lambda content, raw: shown.update(content))
    return shown


def darkness(encoded):
    """Return the share of dark pixels of a picture."""
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as picture:
        return float(np.mean(np.asarray(picture.convert("L")) < 128))


def test_a_slider_holds_a_figure_for_each_position(output):
    others = plt.get_fignums()  # of other tests
    mlm.slider(draw, alt="A bar", level=[0.1, 0.4, 0.7], start={"level": 0.4})
    page = Parts(output["text/html"])
    figures = page.of("div")[0]["data-figures"].split()
    assert [darkness(figure) for figure in figures] == sorted(darkness(figure) for figure in figures)
    assert len(set(figures)) == 3
    (picture,) = page.of("img")
    assert picture["src"] == "data:image/webp;base64," + figures[1]
    assert picture["alt"] == output["text/plain"] == "A bar"
    assert abs(darkness(output["image/png"]) - darkness(figures[1])) < 0.02
    (control,) = page.of("input")
    assert (control["min"], control["max"], control["value"]) == ("0", "2", "1")
    assert json.loads(control["data-labels"]) == ["0.1", "0.4", "0.7"]
    assert plt.get_fignums() == others


def test_two_sliders_hold_a_figure_for_each_pair_in_the_order_that_the_page_reads(output):
    seen = []

    def draw_pair(first, second):
        seen.append((first, second))
        return draw(0.5)

    mlm.slider(draw_pair, alt="A bar", first=[1, 2], second=np.array([0.5, 1.0, 1.5]))
    assert seen == [(1, 0.5), (1, 1.0), (1, 1.5), (2, 0.5), (2, 1.0), (2, 1.5)]
    page = Parts(output["text/html"])
    assert [len(json.loads(control["data-labels"])) for control in page.of("input")] == [2, 3]
    # at = at * length + value, from the first slider to the last: row-major, as itertools.product goes.
    assert "at = at * labels.length + Number(input.value)" in page.of("input")[0]["oninput"]


def test_nothing_of_a_slider_comes_from_elsewhere(output):
    mlm.slider(draw, alt='A "bar" & <more>', level=[0.5])
    assert not re.search(r"https?://|<script|@import", output["text/html"])
    assert Parts(output["text/html"]).of("img")[0]["alt"] == 'A "bar" & <more>'


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "expected 1 to 100 combinations of positions, got 0"),
        ({"level": []}, "got 0"),
        ({"level": range(11), "other": range(11)}, "got 121"),
        ({"level": [0.5], "start": {"level": 0.6}}, "the start level=0.6 is not one of the positions"),
        ({"level": [0.5], "start": {"size": 1}}, "the start size=1 is not one of the positions"),
    ],
)
def test_positions_that_cannot_be_shown_are_refused(output, arguments, message):
    with pytest.raises(ValueError, match=message):
        mlm.slider(draw, alt="A bar", **arguments)
    assert output == {}


def test_a_function_that_returns_no_figure_is_named(output):
    with pytest.raises(TypeError, match="must return its figure, got NoneType"):
        mlm.slider(lambda level: None, alt="A bar", level=[0.5])
