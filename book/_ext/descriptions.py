"""Say in the head of each page what it is about: for search engines, and for previews of links."""

import html
import re

from docutils import nodes

#: Where the site has the picture that a preview shows.
PICTURE = "_images/overview.png"
LONGEST = 200


def shortened(text, longest=LONGEST):
    """Return the sentences of a text that fit, or as many of its words.

    >>> shortened("A flight is late. Nobody observed why. Only totals are known.", 40)
    'A flight is late. Nobody observed why.'
    >>> shortened("A flight is late, and many things took part in that.", 20)
    'A flight is late, …'
    """
    text = " ".join(text.split())
    if len(text) <= longest:
        return text
    fitting = text[: longest + 1]
    ends = [found.end() for found in re.finditer(r"[.?!](?= )", fitting)]
    return text[: ends[-1]] if ends and ends[-1] >= longest // 4 else fitting[: longest - 1].rsplit(" ", 1)[0] + " …"


def description(doctree, title):
    """Return the opening sentences of a page, from paragraphs that have no formulas."""
    found = []
    for paragraph in doctree.findall(nodes.paragraph) if doctree is not None else ():
        plain = isinstance(paragraph.parent, nodes.section) and not list(paragraph.findall(nodes.math))
        if plain and len(text := paragraph.astext()) >= 40:
            found.append(text)
            if len(" ".join(found)) >= LONGEST // 2:
                break
    return shortened(" ".join(found) or f"{title}, a page of a course on sums whose parts nobody observed.")


def add_description(app, pagename, templatename, context, doctree):
    """Add the description of a page, and what a preview shows, to the tags of its head."""
    title = re.sub(r"<[^>]+>", "", html.unescape(context.get("title") or app.config.html_title))
    about = description(doctree, title)
    address = app.config.html_baseurl
    picture = f"{address.rstrip('/')}/{PICTURE}" if address else context["pathto"](PICTURE, 1)
    properties = {
        "og:title": title,
        "og:description": about,
        "og:type": "website" if pagename == app.config.root_doc else "article",
        "og:site_name": app.config.html_title,
        "og:image": picture,
        "og:image:alt": "Means of 16 carriers, a histogram of totals, and one flight's minutes split into parts",
    }
    tags = [f'<meta name="description" content="{html.escape(about)}" />']
    tags += [f'<meta property="{name}" content="{html.escape(text)}" />' for name, text in properties.items()]
    context["metatags"] = context.get("metatags", "") + "\n    " + "\n    ".join(tags)


def setup(app):
    """Register with Sphinx."""
    app.connect("html-page-context", add_description)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
