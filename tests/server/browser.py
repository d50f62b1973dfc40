"""A real Chromium for the tests of the page and for its screenshots."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from tests.server.running import TOKEN

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}

TOLL_PATH = "/?q=How+many+people+died+in+the+Port+Esker+explosion%3F&as_of=2026-03-18T20:00:00Z"
"""A question to our own sample."""

DELETE = """
import sys, time
from trinch.store.store import Store
from trinch.posts.schema import Deleted
store = Store.open(sys.argv[1])
network, _, id = sys.argv[2].partition(":")
store.ingest([Deleted(at=time.time_ns() // 1000, network=network, id=id)])
print(time.time())
"""
"""A process of its own that deletes a post: folder, key. Says when that was acknowledged."""


def missing() -> str:
    """Why there is no browser; empty when there is one."""
    try:
        import playwright.sync_api  # noqa: F401 - only whether it is there
    except ImportError:
        return "needs playwright: pip install playwright"
    return "" if executable() else "needs Chromium: apt-get install chromium"


def executable() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser of playwright's."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
        yield browser
        browser.close()


class Tab:
    """One page in a browser context of its own, and all it complains about or asks for elsewhere."""

    def __init__(self, browser: Any, url: str, **options: Any) -> None:
        self.url = url
        self.context = browser.new_context(**{"locale": "en-GB", "viewport": DESK} | options)
        port = urlsplit(url).port
        self.context.add_cookies(
            [{"name": f"trinch_token_{port}", "value": TOKEN, "url": url, "sameSite": "Strict"}]
        )
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.context.on("request", lambda request: self.requests.append(request.url))
        self.context.on("dialog", self._dialog)
        self.context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        self.context.on("console", self._console)
        self.page = self.context.new_page()
        self.page.set_default_timeout(60_000)

    def _dialog(self, dialog: Any) -> None:
        self.complaints.append(f"a script ran: {dialog.message}")
        dialog.dismiss()

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def open(self, path: str = "/") -> Any:
        self.page.goto(self.url + path)
        return self.page

    def ask(self, question: str) -> Any:
        """Type a question, wait for its answer to be whole."""
        self.page.fill("#q", question)
        self.page.press("#q", "Enter")
        return self.answered()

    def answered(self) -> Any:
        self.page.wait_for_selector("article.answer:last-of-type:not([aria-busy], [data-answer])")
        return self.page.locator("article.answer").last

    def until(self, expression: str, seconds: float = 15) -> None:
        """Wait for a JavaScript expression to hold; playwright's own way needs `eval`, which the page forbids."""
        deadline = time.monotonic() + seconds
        while not self._holds(expression):
            assert time.monotonic() < deadline, f"never came true: {expression}"
            self.page.wait_for_timeout(30)

    def _holds(self, expression: str) -> bool:
        from playwright.sync_api import Error

        try:
            return bool(self.page.evaluate(f"() => {expression}"))
        except Error:  # the page is being left for another
            return False

    def axe(self) -> str:
        """What axe-core reports about the page; empty where it finds nothing."""
        import pytest

        axe = pytest.importorskip(
            "axe_playwright_python.sync_playwright", reason="needs axe-playwright-python"
        ).Axe()
        found = axe.run(self.page)
        return found.generate_report() if found.violations_count else ""

    @property
    def elsewhere(self) -> list[str]:
        """Requests that left the origin."""
        host = urlsplit(self.url).netloc
        return [url for url in self.requests if urlsplit(url).netloc != host and not url.startswith("data:")]
