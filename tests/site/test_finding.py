"""Ways into the site: search, the glossary in the chapters, and what links to a page show of it."""

import re
import sys
from html.parser import HTMLParser

from tests.support.browsing import opened
from tests.support.built_site import NEEDS_SITE, serious_problems
from tests.support.pages import NOTEBOOKS, PAGES
from tools import project

sys.path.append(str(project.BOOK / "_ext"))
pytestmark = NEEDS_SITE

#: A word that stands in this notebook; the search must find the notebook by it.
WORDS = {
    "01": "mixture",
    "02": "shrinkage",
    "03": "leapfrog",
    "04": "icdf",
    "05": "funnel",
    "06": "Jacobian",
    "07": "energy",
    "08": "predictive",
    "09": "cell",
    "10": "identified",
    "11": "absent",
    "12": "ellipse",
    "13": "radon",
    "14": "repeatability",
    "15": "flights",
    "16": "trouble",
    "17": "Parquet",
}


def results(page, address, query):
    """Return the titles of the results of a search, the first ones first."""
    page.goto(f"{address}search.html?q={query}")
    # They appear one by one; the status says when it was the last.
    page.wait_for_function("Search.status?.innerText.includes('finished')")
    return page.locator("ul.search > li > a").all_inner_texts()


def test_search_finds_a_word_of_each_notebook(browser, server):
    with opened(browser, server + "search.html") as page:
        for number, word in WORDS.items():
            assert results(page, server, word)
            assert page.locator(f"ul.search > li > a[href*='notebooks/{number}_']").count(), (number, word)


def test_search_puts_titles_first_shows_no_tex_and_marks_the_word_on_arrival(browser, server):
    with opened(browser, server + "search.html") as page:
        assert results(page, server, "install")[0] == "Set-up"
        assert results(page, server, "exercise 03")[0].startswith("Exercises 03")
        assert results(page, server, "Jacobian")
        assert "06 Non-centered" in results(page, server, "noncentered")[0]
        titles = results(page, server, "funnel")
        page.wait_for_function(
            "n => document.querySelectorAll('ul.search p.context').length >= n", arg=len(titles) // 2
        )
        excerpts = " ".join(page.locator("ul.search p.context").all_inner_texts())
        assert "funnel" in excerpts.lower()
        assert not re.search(r"\\[a-zA-Z(\[]|\$", excerpts), excerpts
        page.locator("ul.search > li > a[href*='notebooks/06']").first.click()
        page.wait_for_load_state("load")
        assert page.locator("article mark.highlighted", has_text=re.compile("funnel", re.I)).count() > 3
        assert "is marked" in page.locator(".search-note").inner_text()
        page.keyboard.press("Escape")
        assert page.locator("mark.highlighted").count() == 0


def test_search_shows_excerpts_from_a_folder_too(browser):
    with opened(browser, project.SITE.as_uri() + "/search.html") as page:
        address = project.SITE.as_uri() + "/"
        assert results(page, address, "install")[0] == "Set-up"
        titles = results(page, address, "funnel")
        page.wait_for_function("n => document.querySelectorAll('ul.search p.context').length >= n", arg=len(titles))
        excerpts = page.locator("ul.search p.context").all_inner_texts()
        assert all("funnel" in excerpt.lower() for excerpt in excerpts)
        assert max(map(len, excerpts)) < 260
        # A word of code alone shows its code.
        results(page, address, "to_numpy")
        page.wait_for_selector("ul.search p.context")
        assert "to_numpy" in page.locator("ul.search p.context").first.inner_text()


def test_a_tapped_term_shows_its_meaning_first_and_leads_on_at_the_second_tap(browser, server):
    with opened(browser, server + NOTEBOOKS[4], "phone", touch=True) as page:
        funnel = page.locator("a.term-of-glossary", has_text="funnel").first
        meaning = page.locator("#term-meaning")
        funnel.tap()
        assert meaning.inner_text().startswith("Funnel: The shape of a distribution")
        assert page.url.endswith(NOTEBOOKS[4])
        assert serious_problems(page, "#term-meaning") == []
        page.locator("article p").first.tap(position={"x": 2, "y": 2})
        assert not meaning.is_visible()
        funnel.tap()
        meaning.get_by_role("link", name="More in the glossary").tap()
        page.wait_for_url("**/glossary.html#term-funnel")
        page.go_back()
        funnel.tap()
        assert page.url.endswith(NOTEBOOKS[4])
        funnel.tap()
        page.wait_for_url("**/glossary.html#term-funnel")


def test_terms_of_the_glossary_show_their_meaning_and_lead_to_it(browser, server):
    with opened(browser, server + NOTEBOOKS[4]) as page:
        terms = page.locator("article a.term-of-glossary")
        assert terms.count() > 10
        assert page.locator("pre a.term-of-glossary, h2 a.term-of-glossary, a a.term-of-glossary").count() == 0
        funnel = page.locator("a.term-of-glossary", has_text="funnel").first
        meaning = page.get_by_role("tooltip")
        funnel.focus()
        assert meaning.inner_text().startswith("Funnel: The shape of a distribution")
        assert funnel.get_attribute("aria-describedby") == meaning.get_attribute("id")
        page.keyboard.press("Escape")
        assert not meaning.is_visible()
        funnel.hover()
        assert meaning.is_visible()
        assert serious_problems(page, "#term-meaning") == []
        funnel.click()
        page.wait_for_url("**/glossary.html#term-funnel")
        assert page.locator("#term-funnel").inner_text().startswith("Funnel")


def test_a_term_is_found_in_its_forms_and_not_inside_other_words():
    from terms import entries, pattern_of

    pattern, of_form = pattern_of(entries("- **Effective sample size (ESS)**: How many. ([02](02.ipynb))\n"))
    found = [
        of_form[match.group(1).lower()]
        for match in pattern.finditer("The ESS, an effective sample size; less, essence")
    ]
    assert found == ["Effective sample size (ESS)"] * 2


class Tags(HTMLParser):
    """The meta tags of a page."""

    def __init__(self, text):
        super().__init__()
        self.content = {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "meta" and attrs.get("content"):
            self.content[attrs.get("name") or attrs.get("property")] = attrs["content"]


def test_each_page_says_what_it_is_about():
    about = {}
    for name in PAGES:
        path = project.SITE / name
        tags = Tags(path.read_text(encoding="utf-8").split("</head>")[0]).content
        about[name] = tags["description"]
        assert 40 <= len(tags["description"]) <= 201, name
        assert "\\" not in tags["description"]
        assert (path.parent / tags["og:image"]).is_file()
        assert tags["og:title"]
    assert len(set(about.values())) == len(about)
