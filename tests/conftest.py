"""What several files of tests share."""

import os

import pytest
from browsing import BROWSER


@pytest.fixture(scope="session")
def browser():
    """Start Chromium without a window; it talks to nobody by itself."""
    if BROWSER is None and "CI" not in os.environ:
        pytest.skip("needs Chromium")
    from playwright.sync_api import sync_playwright

    quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    quiet += ["--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=BROWSER, args=quiet)
        yield running
        running.close()
