"""Example tables of the page that takes a table apart, as one script: a page opened from a folder may read no file."""

import json
from pathlib import Path

import mlm_tutorial as mlm

#: Rows of the flights' sample, and the seed that draws it.
ROWS, SEED = 4000, 1


def tables():
    """Return the examples: for each name, its text as CSV, its total, its layers, and the Python that loads it.

    The flights are a sample, because all of them would be most of the site's text.
    """
    drawn = f".sample({ROWS}, random_state={SEED})"
    flights = mlm.load_flights()[["carrier", "origin", "month", "minutes_lost"]].sample(ROWS, random_state=SEED)
    flights["minutes_lost"] = flights["minutes_lost"].astype(int)
    found = {
        "gauge": (mlm.load_gauge(), "impedance", ["part", "operator"], ""),
        "penicillin": (mlm.load_penicillin(), "diameter", ["plate", "sample"], ""),
        "paste": (mlm.load_paste(), "strength", ["batch", "sample"], ""),
        "flights": (flights.sort_index(), "minutes_lost", ["carrier", "origin", "month"], drawn),
    }
    return {
        name: {"text": table.to_csv(index=False), "total": total, "layers": layers, "python": f"mlm.load_{name}(){end}"}
        for name, (table, total, layers, end) in found.items()
    }


def write_examples(app, exception):
    """Write the script beside those of ``book/extra/apart``."""
    if exception is None and app.builder.format == "html":
        folder = Path(app.outdir) / "apart"
        folder.mkdir(exist_ok=True)
        script = f"// Made by book/_ext/course_apart.py.\nglobalThis.apartExamples = {json.dumps(tables())};\n"
        (folder / "examples.js").write_text(script, encoding="utf-8")


def setup(app):
    """Register with Sphinx."""
    app.connect("build-finished", write_examples)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
