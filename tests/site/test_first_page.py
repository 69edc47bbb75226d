"""The first page: words before the picture, a map that a phone can show, and times that are computed."""

import json
import re
import sys
from html import unescape

import pytest

from tests.support.browsing import opened
from tests.support.pages import NOTEBOOKS, page_text, site_is_built
from tools import project, results

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


def names_of_last(model):
    """Return the carriers that may lose most under a model, the likeliest first."""
    pytest.importorskip("docutils")
    from course_map import likely_last

    return list(likely_last(results.read("overview")["carriers"][model]))


@site_is_built
def test_who_loses_most_time_is_answered_before_the_cards():
    before = article().split("sd-card-title", 1)[0]
    answer = words_of(before).split("Which carrier loses most time? ")[1]
    by_month = names_of_last("month")
    assert len(by_month) == 3
    assert answer.startswith(f"{', '.join(by_month[:2])} or {by_month[2]}: each some ")
    assert '"../notebooks/15_flights.html"' in before


@site_is_built
def test_the_first_figure_and_chapter_15_agree_on_what_they_count_and_say_why_they_rank_carriers_differently():
    after = words_of(article().rsplit("<figcaption", 1)[1])
    assert "from gate to gate, taxiing included" in after
    assert "With the day in place of the month" in after
    assert "A single flight's split is uncertain" in after.replace("\u2019", "'")
    chapter = page_text("notebooks/15_flights.html")
    assert "so taxiing counts" in chapter
    told = re.findall(r"Last was ([\w ]+) or ([\w ]+) \(", words_of(chapter))[-1]
    assert [*told] == names_of_last("day")
    assert f"all flights of the year, has {names_of_last('month')[0].split()[0]} there" in words_of(chapter)


@site_is_built
def test_the_first_figure_is_legible_on_a_phone_and_drawn_once(browser):
    drawn = results.read("overview")["figures"]
    for width, name in (("phone", "overview_phone"), ("desktop", "overview")):
        with opened(browser, f"{project.SITE.as_uri()}/{PAGE}", width) as page:
            shown = page.eval_on_selector_all(
                "article figure img",
                """all => all.filter(i => i.getClientRects().length).map(i =>
                    [i.currentSrc.split('/').at(-1), i.getBoundingClientRect().width / i.naturalWidth])""",
            )
            assert [source for source, _ in shown] == [f"{name}.png"]
            pixels = shown[0][1] * drawn[name]["dpi"] * drawn[name]["smallest_text_points"] / 72
            assert pixels >= (11 if width == "phone" else 9)


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
