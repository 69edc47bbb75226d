"""A deprecation that the course's own calls cause is an error; those of its dependencies are theirs to mend."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure(config):
    # Here and not in pyproject.toml, which would have to name every file of the tests, three times.
    own = {path.stem for folder in (".", "tests", "book", "book/_ext") for path in (ROOT / folder).glob("*.py")}
    own |= {path.parent.name for path in ROOT.glob("[!.]*/__init__.py")}
    for category in ("DeprecationWarning", "PendingDeprecationWarning", "FutureWarning"):
        config.addinivalue_line("filterwarnings", rf"error::{category}:({'|'.join(sorted(own))})(\.|$)")
