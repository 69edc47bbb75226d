"""What is wider than its box on a page of the site."""

#: Scripts of the page have seen the new width.
SETTLED = """() => {
    for (const folded of document.querySelectorAll('article details')) folded.open = true;
    for (const closed of document.querySelectorAll('.predict-show[aria-expanded="false"]')) closed.click();
    const frame = () => new Promise(requestAnimationFrame);
    return frame().then(frame).then(frame).then(() => true);
}"""
#: Everything that is wider than the box it stands in, and equations that fit only in letters too small to read.
#: A table, also one that a cell printed, may scroll if its box can be reached by keyboard and says that it scrolls.
TOO_WIDE = """() => {
    const visible = all => [...document.querySelectorAll(all)].filter(e => e.getClientRects().length);
    const wide = e => e.scrollWidth > e.clientWidth + 1;
    const found = [];
    const report = (kind, e) => found.push(`${kind}: ${e.textContent.trim().slice(0, 60)}`);
    for (const pre of visible('article .cell_input pre')) if (wide(pre)) report('code', pre);
    for (const pre of visible('article .cell_output pre')) {
        const rows = pre.querySelectorAll('.table-line').length;
        const hinted = pre.matches('.scrolls[tabindex="0"]') && pre.previousElementSibling?.matches('.scroll-hint');
        if (wide(pre) && !(rows && hinted)) report('output', pre);
    }
    for (const box of visible('article div.math')) {
        const right = Math.max(...[...box.querySelectorAll('mjx-c')].map(c => c.getBoundingClientRect().right));
        if (wide(box) || right > box.getBoundingClientRect().right + 1) report('equation', box);
        const formula = box.querySelector('mjx-container');
        if (formula && parseFloat(getComputedStyle(formula).fontSize) < 11) report('equation too small to read', box);
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


def wider_than_their_box(page, screens):
    """Return code, output, equations and tables of a page that are too wide, for each screen where there are any.

    Unfolds what is folded.

    Parameters
    ----------
    page : playwright.sync_api.Page
    screens : list of (int, int)
        Widths and heights in pixels.
    """
    page.add_style_tag(content="* { transition: none !important; }")
    found = {}
    for width, height in screens:
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate(SETTLED)
        if too_wide := page.evaluate(TOO_WIDE):
            found[width] = too_wide
    return found
