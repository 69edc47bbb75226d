"""The built site, walked in a real browser: nothing leaves this machine, and everything on the pages works.

``python course.py book`` builds the site. Chromium comes from the system; `.ci/run` installs both.
"""

import json
import re
import sys
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest

from tests.support.browsing import WIDTHS, opened, tab
from tests.support.built_site import MISSING, NEEDS_SITE, serious_problems, typeset
from tests.support.contrast import contrast
from tests.support.layout import wider_than_their_box
from tests.support.pages import EXERCISES, NOTEBOOKS, PAGES, Links
from tools import project

sys.path.append(str(project.BOOK / "_ext"))
pytestmark = NEEDS_SITE

# Every page

# Opening a page takes seconds: each is opened twice, and all tests of it share it. Colors do not depend on the width,
# and what works from a folder needs no server. Pages of exercises are alike, so all but the first are opened once.
FROM_A_FOLDER, FROM_A_SERVER = ("phone", "light"), ("desktop", "dark")
EVERY_PAGE = [*PAGES, "search.html", "genindex.html"]
TWICE = [name for name in EVERY_PAGE if name not in EXERCISES[1:]]
#: What depends on colors or on the width. By all rules of axe a page is judged where all of it is shown, on a desktop.
OF_A_PHONE = ("color-contrast", "scrollable-region-focusable", "link-in-text-block")


@pytest.fixture(scope="module")
def tabs(browser):
    """Open a tab for each of the two ways to open a page."""
    with tab(browser, *FROM_A_FOLDER) as folder, tab(browser, *FROM_A_SERVER) as served:
        yield {FROM_A_FOLDER: folder, FROM_A_SERVER: served}


@pytest.fixture(scope="module")
def page(request, tabs, server):
    """Open a page; tests of the same one follow each other."""
    name, how = request.param[0], request.param[1:]
    address = project.SITE.as_uri() + "/" if how == FROM_A_FOLDER else server
    with tabs[how](address + name) as page:
        typeset(page)
        yield page


def on(names, *where):
    """Return the decorator of a test that runs on each of these pages, in each of these ways to open it."""
    opens = [(name, *how) for name in names for how in where if how == FROM_A_FOLDER or name in TWICE]
    return pytest.mark.parametrize("page", opens, ids=["-".join(one) for one in opens], indirect=True)


@on(EVERY_PAGE, FROM_A_FOLDER, FROM_A_SERVER)
def test_page_is_complete_and_has_no_serious_accessibility_problem(page, request):
    name, width, theme = request.node.callspec.params["page"]
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    formulas = page.locator(".math.notranslate")
    containers = page.locator("mjx-container")
    assert containers.count() >= formulas.count()
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0
    too_wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert too_wide <= 0, f"{too_wide} pixels wider than the window"
    assert page.title()
    images = page.eval_on_selector_all(
        "article img", "all => all.map(i => [i.getAttribute('src'), i.alt, i.complete && i.naturalWidth > 0])"
    )
    for source, text, loaded in images:
        assert loaded, source
        assert len(text) >= 15, f"{source} has no text"
    if "explore" in page.url:
        page.wait_for_selector("#split-totals svg")
    assert serious_problems(page, "html", OF_A_PHONE if width == "phone" and name in TWICE else ()) == []


def test_all_links_inside_the_site_resolve():
    if MISSING[:1] and "site" in MISSING[0]:
        pytest.fail("the site is not built")
    parsed = {
        path.relative_to(project.SITE).as_posix(): Links(path.read_text(encoding="utf-8"))
        for path in project.SITE.rglob("*.html")
        if "_static" not in path.parts
    }
    assert set(PAGES) <= set(parsed)
    dead = []
    for name, links in parsed.items():
        for target in links.targets:
            if urlsplit(target).scheme or target.startswith(("//", "data:")):
                continue
            inside, anchor = urldefrag(urljoin(name, target))
            inside = unquote(urlsplit(inside).path)
            there = (project.SITE / inside).is_file()
            if not there or (inside in parsed and unquote(anchor) not in parsed[inside].anchors):
                dead.append(f"{name}: {target}")
    assert dead == []


# Notebooks


@on(NOTEBOOKS, FROM_A_SERVER)
def test_notebook_page_has_what_a_reader_uses(page, server):
    name = page.url.removeprefix(server)
    target = page.locator("a.btn-download-source-button").first.get_attribute("href")
    downloaded = project.SITE / Path(name).parent / target
    assert json.loads(downloaded.read_text(encoding="utf-8"))["nbformat"] == 4
    assert page.locator("button.copybtn").count() > 5
    assert page.locator("a.right-next, a.left-prev").count() >= 1
    assert page.locator(".cell_output", has_text="mlm-tutorial").last.inner_text().startswith("Python 3")
    assert page.locator("footer", has_text=re.compile(r"Last updated on 20\d\d-\d\d-\d\d")).count()
    exercises = page.locator("article a", has_text=re.compile("^exercises$")).first.get_attribute("href")
    number = name.removeprefix("notebooks/")[:2]
    assert urljoin(page.url, exercises) == f"{server}notebooks/solutions/{number}_solutions.html"


@on(NOTEBOOKS, FROM_A_SERVER)
def test_figures_stay_on_white_in_dark_mode(page):
    # Lines and letters of the stored figures are dark; on a dark page they need their own background.
    corner = """all => all.map(image => {
        const canvas = document.createElement('canvas');
        canvas.width = canvas.height = 1;
        canvas.getContext('2d').drawImage(image, 0, 0, 1, 1, 0, 0, 1, 1);
        return [...canvas.getContext('2d').getImageData(0, 0, 1, 1).data, getComputedStyle(image).filter];
    })"""
    for *pixel, shown in page.eval_on_selector_all(".cell_output img", corner):
        assert pixel == [255, 255, 255, 255]
        assert "invert" not in shown


@on(NOTEBOOKS, FROM_A_FOLDER)
def test_quiz_tells_right_from_wrong(page, request):
    quiz = page.locator(".QuizCode, [id^=Quiz], .Quiz").first
    quiz.scroll_into_view_if_needed()
    buttons = page.locator(".MCButton")
    assert buttons.count() >= 2
    seen = set()
    for k in range(buttons.count()):
        buttons.nth(k).click()
        seen |= {
            verdict
            for verdict in ("correct", "incorrect")
            if page.locator(f".Feedback.{verdict}, .{verdict}Button").count()
        }
    assert seen == {"correct", "incorrect"}
    if request.node.callspec.params["page"][0] == NOTEBOOKS[0]:  # quizzes are alike, and axe takes seconds
        # Colors fade from one to the other; their contrast counts only at the end.
        page.evaluate("Promise.allSettled(document.getAnimations().map(a => a.finished)).then(() => true)")
        assert serious_problems(page, ".Quiz") == []


def test_folded_code_unfolds(browser, server):
    with opened(browser, server + NOTEBOOKS[0]) as page:
        for answer in page.locator("button.predict-show").all():  # answers of predictions are folded, code and all
            answer.click()
        folded = page.locator("details.hide").first
        assert not folded.locator(".cell_input").is_visible()
        folded.locator("summary").click()
        assert folded.locator(".cell_input").is_visible()


@on(EXERCISES, FROM_A_FOLDER)
def test_exercises_show_stubs_and_unfold_solutions(page):
    headings = page.locator("article h2", has_text=re.compile(r"^(\d\d|capstone)\.\d "))
    solutions = page.locator("details.hide", has_text="a solution")
    assert headings.count() == solutions.count() >= 3
    stubs = page.locator("pre", has_text="raise NotImplementedError(")
    assert stubs.count() == solutions.count()
    for k in range(solutions.count()):
        assert stubs.nth(k).is_visible()
        assert not solutions.nth(k).locator(".cell_input").is_visible()
        solutions.nth(k).locator("summary").click()
        assert solutions.nth(k).locator(".cell_input").is_visible()


# The interactive page


def curves(page, figure):
    return page.eval_on_selector_all(f"#{figure} svg path", "all => all.map(p => p.getAttribute('d'))")


@pytest.mark.parametrize("width", WIDTHS)
def test_moving_variance_changes_the_parts_and_not_the_totals(browser, server, width):
    with opened(browser, server + "book/explore.html", width) as page:
        page.wait_for_selector("#split-totals svg")
        parts, totals = curves(page, "split-parts"), curves(page, "split-totals")
        page.locator("#split-variance").focus()
        for _ in range(4):
            page.keyboard.press("ArrowRight")
        assert page.locator("#split-value").inner_text() == "27"
        assert curves(page, "split-parts") != parts
        assert curves(page, "split-totals") == totals
        assert "Change of the totals' density: 0 %" in page.locator("#split-summary").inner_text()
        page.locator("#split-keep").uncheck()
        assert curves(page, "split-totals") != totals
        assert re.search(r"up to [1-9][\d.]* % of its peak", page.locator("#split-summary").inner_text())
        page.locator("#split-reset").click()
        assert curves(page, "split-parts") == parts


@pytest.mark.parametrize("width", WIDTHS)
def test_observations_straighten_the_centered_form_and_bend_the_other(browser, server, width):
    with opened(browser, server + "book/explore.html", width) as page:
        page.wait_for_selector("#funnel-noncentered svg")
        before = curves(page, "funnel-centered")
        assert re.search("by a factor of 7.39, .* by a factor of 1.00", page.locator("#funnel-summary").inner_text())
        page.locator("#funnel-count").focus()
        page.keyboard.press("End")
        assert page.locator("#funnel-value").inner_text() == "10,000"
        assert curves(page, "funnel-centered") != before
        text = page.locator("#funnel-summary").inner_text()
        assert re.search(r"by a factor of 1\.0\d, .* by a factor of 0\.1\d", text), text


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_figures_of_the_interactive_page_are_legible(browser, server, theme):
    with opened(browser, server + "book/explore.html", theme=theme) as page:
        page.wait_for_selector("#funnel-noncentered svg")
        background = page.eval_on_selector("#split svg", "svg => getComputedStyle(svg).backgroundColor")
        texts = page.eval_on_selector_all(
            "#split svg text, #funnel svg text", "all => all.map(t => getComputedStyle(t).fill)"
        )
        assert len(texts) > 10
        for color in set(texts):
            assert contrast(css_color(color), css_color(background)) >= 4.5, (color, background)
        lines = page.eval_on_selector_all(
            "#split svg path[stroke-width], #split svg [stroke-width] path",
            "all => all.map(l => getComputedStyle(l).stroke).filter(color => color !== 'none')",
        )
        assert len(set(lines)) >= 4
        for color in set(lines):
            assert contrast(css_color(color), css_color(background)) >= 3, (color, background)
        # The panels have the page's ground, and follow it when the reader changes the mode.
        assert (sum(css_color(background)) < 1) == (theme == "dark"), background
        other = {"light": "dark", "dark": "light"}[theme]
        page.evaluate("mode => document.documentElement.dataset.theme = mode", other)
        page.wait_for_function(
            "before => getComputedStyle(document.querySelector('#funnel svg text')).fill !== before", arg=texts[-1]
        )


def css_color(text):
    """Return the three numbers, from 0 to 1, of a computed CSS color."""
    return [int(x) / 255 for x in re.findall(r"\d+", text)[:3]]


# Last of each page, since it unfolds what is folded

#: Screens on which code, equations and tables must fit: width and height.
SCREENS = {"phone": [(390, 844)], "desktop": [(1440, 900), (1920, 1080)]}


@on(EVERY_PAGE, FROM_A_FOLDER, FROM_A_SERVER)
def test_code_equations_and_tables_fit_their_page(page, request):
    _, width, _ = request.node.callspec.params["page"]
    assert wider_than_their_box(page, SCREENS[width]) == {}
