"""The site, for Sphinx: ``python course.py book``.

The source folder is the whole repository, and _toc.yml says which of its files are pages. Paths are relative to this
folder, but those of pages, of _toc.yml and of what to leave out are relative to the repository.
"""

import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent / "_ext"))

# The one place of the public repository's address, such as https://github.com/someone/sums. Buttons for Binder, Colab,
# edits and issues and the address in the citation follow it; while it is empty there are none. The command line can
# replace it.
course_repository = os.environ.get("COURSE_REPOSITORY", "")

project = html_title = "Decomposing Sums"
author = "The Decomposing Sums authors"
copyright = "2026"

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_external_toc",
    "sphinxcontrib.bibtex",
    # in _ext
    "course_site",
    "course_apart",
    "course_sources",
    "course_reml",
    "course_map",
    "course_sidebar",
    "course_slides",
    "trust_hub",
    "descriptions",
    "terms",
]
exclude_patterns = [".course", ".venv", ".hypothesis", ".pytest_cache", ".ruff_cache", "**/_build"]
external_toc_path = "book/_toc.yml"
external_toc_exclude_missing = True
numfig = True

# Reading
nb_execution_mode = "off"  # stored outputs; the tests are what executes notebooks
nb_merge_streams = True
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
bibtex_bibfiles = ["references.bib"]
autodoc_typehints = "none"  # numpydoc says the same, better
autodoc_member_order = "bysource"

# Pages
html_theme = "sphinx_book_theme"
html_favicon = "images/favicon.svg"
html_static_path = ["_static"]
html_css_files = ["course.css", "layout.css", "learning.css"]
html_js_files = [
    "memory.js",
    "course.js",
    "code.js",
    "equations.js",
    "tables.js",
    "figures.js",
    "predict.js",
    "progress.js",
    "terms.js",
    "search.js",
]
# Shipped with the site, so that no page asks another host: tools/site.py fetches them at build time.
html_extra_path = ["../.course/site/assets", "../.course/site/bundle", "extra"]
mathjax_path = "../mathjax/tex-mml-chtml.js"
html_context = {"default_mode": "auto"}
html_last_updated_fmt = "%Y-%m-%d"
html_theme_options = {
    "home_page_in_toc": True,
    "navbar_persistent": [],  # a second search bar otherwise
    "repository_branch": "main",
    "search_bar_text": "Search this book...",
    "show_toc_level": 2,
    "use_fullscreen_button": False,
    "use_source_button": False,
}

# The PDF
latex_engine = "xelatex"
latex_documents = [("book/index", "decomposing-sums.tex", project, author, "manual")]
latex_elements = {"makeindex": "", "printindex": ""}  # names of functions make no index to look up on paper
