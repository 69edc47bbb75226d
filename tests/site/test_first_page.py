"""The first page: words before the picture, a map that a phone can show, and times that are computed."""

import json
import re
import sys
from html import unescape

import pytest

from tests.support.browsing import opened
from tests.support.pages import NOTEBOOKS, page_text, site_is_built
from tools import project

sys.path.append(str(project.BOOK / "_ext"))
PAGE = "book/index.html"


def article():
    return page_text(PAGE).split("<article", 1)[1].split("</article>")[0]


def words_of(part):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", part)).split())


@site_is_built
def test_words_and_choices_come_before_the_dense_picture():
    before = article().split("<img", 1)[0]
    assert len(words_of(before).split()) > 150
    assert before.count("sd-card-title") == 6


@site_is_built
def test_a_card_that_promises_two_commands_shows_two():
    cards = [card for card in re.split(r'<div class="sd-card ', article()) if "two commands" in card]
    assert len(cards) == 1
    commands = re.findall(r"python course\.py \w+", words_of(cards[0].split("</article>")[0].split("sd-col")[0]))
    assert commands == ["python course.py check", "python course.py open"]


@site_is_built
def test_total_time_is_the_sum_of_the_notebooks_times():
    stored = json.loads((project.RESULTS / "times.json").read_text(encoding="utf-8"))["notebooks"]
    reading = 0
    for path in project.NOTEBOOKS.glob("[0-9][0-9]_*.py"):
        reading += int(re.search(r"\*\*Time\*\* \D*(\d+)", path.read_text(encoding="utf-8")).group(1))
    running = sum(stored[path.stem]["seconds"] for path in project.NOTEBOOKS.glob("[0-9][0-9]_*.py"))
    wanted = f"The whole course takes {reading / 60:.1f} hours of reading and {running / 60:.0f} minutes of running"
    assert wanted in words_of(article())
    source = (project.BOOK / "index.md").read_text(encoding="utf-8")
    assert not re.search(r"\d+(\.\d+)? (hours|minutes) of", source), "typed, not computed"


@site_is_built
def test_the_map_leads_to_every_notebook_and_says_its_paths_in_words():
    pytest.importorskip("docutils")
    from course_map import IDEAS, PATHS

    drawn = article().split('class="course-map"', 1)[1].split("</div>")[0]
    assert re.findall(r'<a href="\.\./([^"]+)"', drawn) == NOTEBOOKS
    text = words_of(article())
    for name, (sign, _, stops) in PATHS.items():
        assert set(stops) <= set(IDEAS)
        assert drawn.count(f">{sign}</text>") == len(stops)
        assert f"{name} ({sign}): {'all, in order' if len(stops) == len(IDEAS) else ', '.join(stops)}" in text
    assert text.index("by the Decomposing Sums authors") > 0


@site_is_built
@pytest.mark.parametrize("width", ["phone", "desktop"])
def test_the_map_is_legible(browser, width):
    with opened(browser, f"{project.SITE.as_uri()}/{PAGE}", width) as page:
        sizes = page.eval_on_selector_all(
            ".course-map text:not(.map-sign)",
            """all => all.map(t => {
                const svg = t.ownerSVGElement, scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
                const inside = t.getBoundingClientRect().right <= document.documentElement.clientWidth;
                return [parseFloat(getComputedStyle(t).fontSize) * scale, inside];
            })""",
        )
        assert len(sizes) > 34
        assert min(size for size, _ in sizes) >= 11.5
        assert all(inside for _, inside in sizes)
