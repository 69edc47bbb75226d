"""Widths: code, equations and tables fit the page on a phone, a laptop and a large screen."""

import pytest

from tests.support.browsing import opened
from tests.support.built_site import EXERCISES, NEEDS_SITE, NOTEBOOKS, typeset
from tools import project

pytestmark = NEEDS_SITE
SCREENS = {390: 844, 1440: 900, 1920: 1080}

# Scripts of the page have seen the new width.
SETTLED = """() => {
    for (const folded of document.querySelectorAll('article details')) folded.open = true;
    for (const closed of document.querySelectorAll('.predict-show[aria-expanded="false"]')) closed.click();
    const frame = () => new Promise(requestAnimationFrame);
    return frame().then(frame).then(frame).then(() => true);
}"""
# Everything that is wider than the box it stands in. A long line of output may scroll in its box. A table may scroll
# if its box can be reached by keyboard and says that it scrolls.
TOO_WIDE = """() => {
    const visible = all => [...document.querySelectorAll(all)].filter(e => e.getClientRects().length);
    const wide = e => e.scrollWidth > e.clientWidth + 1;
    const found = [];
    const report = (kind, e) => found.push(`${kind}: ${e.textContent.trim().slice(0, 60)}`);
    for (const pre of visible('article .cell_input pre')) if (wide(pre)) report('code', pre);
    for (const box of visible('article div.math')) {
        const right = Math.max(...[...box.querySelectorAll('mjx-c')].map(c => c.getBoundingClientRect().right));
        if (wide(box) || right > box.getBoundingClientRect().right + 1) report('equation', box);
    }
    for (const formula of visible('article span.math mjx-container')) {
        if (formula.closest('table')) continue;
        if (formula.closest('p, li, article').getBoundingClientRect().right + 1 < formula.getBoundingClientRect().right)
            report('formula', formula.parentElement);
    }
    for (const table of visible('article table')) {
        const box = table.closest('.pst-scrollable-table-container, .output, .scrolls') ?? table.parentElement;
        const hinted = box.matches('.scrolls[tabindex="0"]') && box.previousElementSibling?.matches('.scroll-hint');
        if (wide(box) && !hinted) report('table', table);
    }
    return found;
}"""


@pytest.mark.parametrize("name", [*NOTEBOOKS, EXERCISES[0], EXERCISES[-1]])
def test_code_equations_and_tables_fit_every_screen(browser, name):
    too_wide = {}
    with opened(browser, f"{project.SITE.as_uri()}/{name}") as page:
        typeset(page)
        page.add_style_tag(content="* { transition: none !important; }")
        for width, height in SCREENS.items():
            page.set_viewport_size({"width": width, "height": height})
            page.evaluate(SETTLED)
            if found := page.evaluate(TOO_WIDE):
                too_wide[width] = found
    assert too_wide == {}


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
