"""Say what each page is about: in its head, to search engines and previews of links, and to the site's own search.

The search shows excerpts. A page that is opened from a folder may not read other pages, but it may load a script; so
the texts of all pages are written into one, which the search page alone loads.
"""

import html
import json
import re
from pathlib import Path

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


def words_of(node):
    """Return the text of a paragraph; a formula that is more than a name becomes an ellipsis."""
    if isinstance(node, nodes.math):
        return "…" if re.search(r"[\\_^{}]", node.astext()) else node.astext()
    if isinstance(node, nodes.raw | nodes.math_block):
        return ""
    return "".join(map(words_of, node.children)) if node.children else node.astext()


def sections(doctree):
    """Return the anchor, the prose and the code of each section, without those of the sections in it."""
    found = {}
    for node in doctree.findall(lambda node: isinstance(node, nodes.paragraph | nodes.literal_block)):
        section = node.parent
        while section is not None and not isinstance(section, nodes.section):
            section = section.parent
        inside = section is not None and isinstance(section.parent, nodes.section)  # the outermost one is the page
        parts = found.setdefault(f"#{section['ids'][0]}" if inside else "", ([], []))
        parts[isinstance(node, nodes.literal_block)].append(" ".join(words_of(node).split()))
    return [(anchor, *(" ".join(filter(None, part)) for part in parts)) for anchor, parts in found.items()]


def write_texts(app, exception):
    """Write the texts of all pages into a script."""
    if exception or app.builder.format != "html":
        return
    pages = {name: sections(app.env.get_doctree(name)) for name in sorted(app.env.found_docs)}
    written = json.dumps(pages, ensure_ascii=False, separators=(",", ":"))
    Path(app.outdir, "_static", "page_texts.js").write_text(f"const pageTexts = {written};\n", encoding="utf-8")


def setup(app):
    """Register with Sphinx."""
    app.connect("html-page-context", add_description)
    app.connect("build-finished", write_texts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
