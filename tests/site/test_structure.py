"""The order of the site's pages: a chapter, its exercises, the next chapter; measured numbers and set-up come last."""

import re
from urllib.parse import urljoin

import pytest
import yaml

from tests.support.browsing import opened
from tests.support.pages import NOTEBOOKS, PAGES, page_text, site_is_built
from tools import project

TOC = yaml.safe_load((project.BOOK / "_toc.yml").read_text(encoding="utf-8"))


def neighbor(name, side):
    """Return the page to which the button at the foot of a page leads; None without a button."""
    found = re.search(rf'<a class="{side}"\s+href="([^"]+)"', page_text(name))
    return found and urljoin(name, found.group(1))


def test_every_page_is_in_the_table_of_contents_once():
    assert len(PAGES) == len(set(PAGES))
    notebooks = {path.stem for path in project.NOTEBOOKS.glob("*.ipynb")}
    assert {name.removeprefix("notebooks/").removesuffix(".html") for name in NOTEBOOKS} == notebooks
    solutions = {path.stem for path in (project.NOTEBOOKS / "solutions").glob("*.ipynb")}
    assert {name.split("/")[-1].removesuffix(".html") for name in PAGES if "/solutions/" in name} == solutions


@site_is_built
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_next_leads_from_a_chapter_to_its_exercises_and_then_to_the_next_chapter(name):
    exercises = f"notebooks/solutions/{name.removeprefix('notebooks/')[:2]}_solutions.html"
    assert neighbor(name, "right-next") == exercises
    assert neighbor(exercises, "left-prev") == name
    if name != NOTEBOOKS[-1]:
        following = NOTEBOOKS[NOTEBOOKS.index(name) + 1]
        page, between = exercises, []
        while page != following:
            page = neighbor(page, "right-next")
            between.append(page)
        assert set(between) <= {following, "book/explore.html"}  # its first figure is that of chapter 10


@site_is_built
@pytest.mark.parametrize("name", ["book/index.html", NOTEBOOKS[9]])
def test_every_button_in_the_list_of_pages_has_a_name(name):
    side = page_text(name).split('class="bd-links', 1)[1].split("</nav>")[0]
    assert (
        side.count("<summary")
        == len(re.findall(r'<summary><span class="visually-hidden">Pages under \d\d [^<]+</span>', side))
        == len(NOTEBOOKS)
    )


def test_what_is_about_the_course_comes_after_it():
    captions = {part["caption"]: [chapter["file"] for chapter in part["chapters"]] for part in TOC["parts"]}
    assert list(captions)[-1] == "About"
    wanted = {f"book/{name}" for name in ("setup", "times", "benchmarks", "trust", "api")}
    assert wanted <= set(captions["About"])
    assert [caption[:5] for caption in captions][:4] == ["Part "] * 4


@site_is_built
def test_next_leads_through_the_chapters_without_a_server(browser):
    with opened(browser, f"{project.SITE.as_uri()}/{NOTEBOOKS[0]}") as page:
        for wanted in (NOTEBOOKS[0].replace("simulating_sums", "solutions").replace("/", "/solutions/"), NOTEBOOKS[1]):
            page.locator("a.right-next").click()
            page.wait_for_url(re.compile(re.escape(wanted)))
        # The exercises of an open chapter are in the list at the side, those of others are not.
        shown = page.locator("nav.bd-links a:visible", has_text="exercises")
        assert shown.count() == 1
