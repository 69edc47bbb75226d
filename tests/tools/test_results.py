"""Results are stored as numbers and as a table."""

import json

from tools import project, results
from tools.results import markdown_table


def test_numbers_are_stored_with_their_table(tmp_path, monkeypatch):
    monkeypatch.setattr(project, "RESULTS", tmp_path)
    results.store("made_up", {"x": 1}, markdown_table(["a|b"], [[1]]))
    assert json.loads((tmp_path / "made_up.json").read_text(encoding="utf-8")) == {"x": 1}
    assert (tmp_path / "tables" / "made_up.md").read_text(encoding="utf-8") == "| a\\|b |\n| --- |\n| 1 |\n"
