"""A browser from the system, in which nothing may leave this machine and no script may fail."""

from contextlib import contextmanager
from urllib.parse import urlsplit

from tools import machine

BROWSER = machine.browser()
WIDTHS = {"phone": 360, "desktop": 1280}


@contextmanager
def tab(browser, width="desktop", theme="light", touch=False):
    """Open an empty tab; return a function that opens addresses in it, one after another, as a context.

    Opening a page in a tab that has shown others takes half as long: its scripts are compiled already.
    """
    context = browser.new_context(viewport={"width": WIDTHS[width], "height": 800}, color_scheme=theme, has_touch=touch)
    outside, errors = [], []

    def pass_on(route):
        local = urlsplit(route.request.url).hostname == "127.0.0.1" or route.request.url.startswith("file:")
        if not local:
            outside.append(route.request.url)
        return route.continue_() if local else route.abort()

    context.route("**/*", pass_on)
    context.add_init_script(f"localStorage.setItem('mode', '{theme}'); localStorage.setItem('theme', '{theme}')")
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)

    @contextmanager
    def visit(address):
        outside.clear()
        errors.clear()
        page.goto(address)
        page.wait_for_load_state("load")
        yield page
        assert outside == [], outside
        assert errors == [], errors

    yield visit
    context.close()
    assert outside == [], outside
    assert errors == [], errors


@contextmanager
def opened(browser, address, width="desktop", theme="light", touch=False):
    """Open a page; afterwards, nothing may have left this machine and no script may have failed."""
    with tab(browser, width, theme, touch) as visit, visit(address) as page:
        yield page
