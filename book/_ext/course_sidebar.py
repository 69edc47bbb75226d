"""Names for the buttons of the list of pages: the theme gives them an arrow only, which a screen reader cannot read."""

import re
from importlib.metadata import version

UNNAMED = re.compile(r"(<a [^>]*>([^<]+)</a><details[^>]*>)<summary>")


def name_buttons(text):
    """Return the HTML of a list of pages in which every button says whose pages it shows."""
    return UNNAMED.sub(r'\1<summary><span class="visually-hidden">Pages under \2</span>', text)


def wrap_list(app, pagename, templatename, context, doctree):
    """Let the theme's list of pages pass through `name_buttons`."""
    make = context.get("generate_toctree_html")
    if make:
        context["generate_toctree_html"] = lambda *args, **options: name_buttons(str(make(*args, **options)))


def setup(app):
    """Register everything with Sphinx."""
    app.connect("html-page-context", wrap_list, priority=900)
    return {"version": version("mlm-tutorial"), "parallel_read_safe": True, "parallel_write_safe": True}
