"""What readers see and reach: dark mode, focus, fields, enlarged figures, and tables on a phone."""

import re
from itertools import pairwise

import pytest

from tests.support.browsing import opened
from tests.support.built_site import NEEDS_SITE, serious_problems, typeset
from tests.support.layout import wider_than_their_box
from tests.support.pages import NOTEBOOKS
from tools import project

pytestmark = NEEDS_SITE
SITE = project.SITE.as_uri() + "/"

# What has the focus without showing it. The label shows it for a field that is itself not visible.
UNSEEN_FOCUS = """() => {
    const unseen = new Set();
    const shows = e => {
        const style = getComputedStyle(e);
        return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 && e.getClientRects().length > 0;
    };
    const all = 'a[href], button, input, select, textarea, summary, [tabindex="0"]';
    for (const e of document.querySelectorAll(`main :is(${all}), nav.bd-links :is(${all})`)) {
        if (!e.checkVisibility({visibilityProperty: true, contentVisibilityAuto: true}) || e.disabled) continue;
        e.focus();
        if (document.activeElement !== e) continue;
        if (![e, e.closest('label')].some(part => part && shows(part))) unseen.add(e.outerHTML.slice(0, 120));
    }
    return [...unseen].slice(0, 5);
}"""
# Contrast of two computed colors; the second is that of the nearest painted ground.
CONTRAST = """
    const light = color => {
        const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3).map(x => x / 255)
            .map(x => x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = e => {
        for (; e; e = e.parentElement) {
            const color = getComputedStyle(e).backgroundColor;
            if (!/, 0\\)$|transparent/.test(color)) return color;
        }
        return 'rgb(255, 255, 255)';
    };
    const contrast = (a, b) => {
        const [low, high] = [light(a), light(b)].sort((x, y) => x - y);
        return (high + 0.05) / (low + 0.05);
    };
"""
GROUNDS = f"""() => {{ {CONTRAST}
    const parts = 'article :is(.Quiz, .MCButton, table.dataframe, .output, .cell_input, .predict, .course-progress)';
    return [...document.querySelectorAll(parts)].filter(e => e.getClientRects().length && !e.querySelector('img'))
        .filter(e => light(ground(e)) > 0.2).map(e => `${{e.className}} on ${{ground(e)}}`);
}}"""
BORDERS = f"""() => {{ {CONTRAST}
    return [...document.querySelectorAll('article input:is([type="text"], [type="number"], .Input-text)')]
        .map(e => contrast(getComputedStyle(e).borderTopColor, ground(e.parentElement)) >= 3
             && parseFloat(getComputedStyle(e).borderTopWidth) >= 1);
}}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_focus_and_fields_are_visible_and_dark_mode_is_dark_everywhere(browser, server, theme):
    with opened(browser, server + NOTEBOOKS[1], theme=theme) as page:
        typeset(page)
        page.wait_for_selector(".course-progress")
        page.keyboard.press("Tab")
        assert page.evaluate(UNSEEN_FOCUS) == []
        borders = page.evaluate(BORDERS)
        assert len(borders) > 3
        assert all(borders)
        if theme == "dark":
            assert page.evaluate(GROUNDS) == []
            page.locator(".MCButton").first.click()
            page.evaluate("Promise.allSettled(document.getAnimations().map(a => a.finished)).then(() => true)")
            assert serious_problems(page, ".Quiz") == []


@pytest.mark.parametrize(("theme", "other"), [("light", "Dark"), ("dark", "Light")])
def test_the_menu_of_color_modes_is_legible_and_changes_the_page(browser, server, theme, other):
    with opened(browser, server + "book/setup.html", "phone", theme) as page:
        page.get_by_role("button", name="Color mode").click()
        page.evaluate("Promise.allSettled(document.getAnimations().map(a => a.finished)).then(() => true)")
        assert serious_problems(page, ".theme-switch-container") == []
        page.get_by_role("button", name=other, exact=True).click()
        assert page.evaluate("document.documentElement.dataset.theme") == other.lower()


def test_a_figure_enlarges_on_a_phone_by_tap_and_by_keyboard(browser, server):
    with opened(browser, server + NOTEBOOKS[0], "phone", "dark") as page:
        button = page.locator("button.enlarge").last
        image = button.locator("img")
        small = image.bounding_box()["width"]
        button.focus()
        page.keyboard.press("Enter")
        window = page.get_by_role("dialog")
        assert window.locator("img").bounding_box()["width"] > 2 * small
        assert window.locator("img").get_attribute("alt") == image.get_attribute("alt")
        # It says that it scrolls, and the keyboard scrolls it at once.
        hint = window.get_by_text("scroll sideways")
        assert hint.is_visible()
        box = page.locator(".figure-box")
        assert page.evaluate("document.activeElement.matches('.figure-box')")
        assert box.get_attribute("aria-describedby") == hint.get_attribute("id")
        page.keyboard.press("ArrowRight")
        page.wait_for_function("document.querySelector('.figure-box').scrollLeft > 0")
        assert serious_problems(page, "dialog") == []
        page.keyboard.press("Escape")
        window.wait_for(state="hidden")
        assert page.evaluate("document.activeElement.matches('button.enlarge')")
        button.click()
        window.get_by_role("button", name="Close").click()
        assert not window.is_visible()


def test_a_figure_that_fits_its_window_says_nothing_of_scrolling(browser, server):
    with opened(browser, server + NOTEBOOKS[0]) as page:
        page.locator("button.enlarge").last.click()
        assert page.locator(".figure-box img").is_visible()
        assert page.locator("#figure-hint").inner_text() == ""


# Notebook 10 prints tables of several columns, 07 and 15 long sentences.
@pytest.mark.parametrize("number", ["07", "10", "15"])
def test_lines_of_output_wrap_on_a_phone_and_tables_stay_aligned(browser, server, number):
    name = next(name for name in NOTEBOOKS if f"/{number}_" in name)
    with opened(browser, server + name, "phone") as page:
        outputs = page.eval_on_selector_all(
            "article .cell_output pre",
            """all => all.map(pre => ({
                table: [...pre.querySelectorAll('.table-line')].map(line => getComputedStyle(line).whiteSpace),
                lines: [...pre.querySelectorAll('.code-line')].map(line =>
                    line.matches('.table-line') ? '' : line.textContent),
            }))""",
        )
        wrapped = [line for output in outputs for line in output["lines"]]
        assert max(map(len, wrapped)) > 80
        row = re.compile(r"\S {2,}\S.*\S {2,}\S")
        assert not any(row.search(one) and row.search(other) for one, other in pairwise(wrapped))
        assert {space for output in outputs for space in output["table"]} <= {"pre"}
        if number == "10":
            assert sum(len(output["table"]) for output in outputs) >= 3
        too_wide = wider_than_their_box(page, [(390, 844)]).get(390, [])
        assert [found for found in too_wide if found.startswith("output")] == []


@pytest.mark.parametrize("name", ["book/benchmarks.html", "book/trust.html"])
def test_wide_tables_show_fewer_columns_first_on_a_phone(browser, name):
    with opened(browser, SITE + name, "phone") as page:
        button = page.locator("button.more-columns").first
        table = page.locator("*:has(+ button.more-columns) table").first.element_handle()
        shown = "t => [...t.rows[0].cells].filter(c => c.getClientRects().length).length"
        before = table.evaluate(shown)
        button.click()
        assert table.evaluate(shown) == table.evaluate("t => t.rows[0].cells.length") > before >= 2
        numbers = page.locator("td.number")
        assert numbers.count() > 5
        assert set(numbers.evaluate_all("all => all.map(e => getComputedStyle(e).textAlign)")) == {"right"}


def test_copied_code_has_no_breaks_of_the_page(browser, server):
    with opened(browser, server + NOTEBOOKS[0], "phone") as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        cell = page.locator("div.cell_input", has_text="standard_error = chosen.std()").first
        button = cell.locator("button.copybtn")
        button.focus()
        page.keyboard.press("Enter")
        page.wait_for_function("navigator.clipboard.readText()")
        copied = page.evaluate("navigator.clipboard.readText()")
    source = (project.NOTEBOOKS / "01_simulating_sums.py").read_text(encoding="utf-8")
    assert len(copied.splitlines()) > 3
    assert copied in source
