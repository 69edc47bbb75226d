"""Paths of the project's folders, and of those that its commands make."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
BOOK = ROOT / "book"
#: Measured numbers, and the tables and figures made from them.
RESULTS = ROOT / "results"
SITE = BOOK / "_build" / "html"
VENV = ROOT / ".venv"
#: Files that commands keep between runs: locks, drafts, downloads, a private uv.
CACHE = ROOT / ".course"
