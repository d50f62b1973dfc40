"""Takes the README's and docs' screenshots from the real page playing our own sample.

python -m tests.server.screenshots [FOLDER]     (docs/images by default; needs playwright and Chromium)
"""

import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from tests.server.browser import PHONE, Tab, chromium, missing
from tests.server.running import Running, fill
from trinch.cli.demo_page import ALERTS
from trinch.service.alert_session import Alerts
from trinch.simulator.sample import QUESTIONS, Question
from trinch.store.store import Store

WIDE = {"width": 1280, "height": 820}
SEARCH = "/search?" + urlencode({"q": "Esker lang:en -filter:retweets"})


class Shot(NamedTuple):
    """One picture."""

    name: str
    path: str
    ready: str
    """A selector that is there once the view is whole."""
    options: dict[str, Any] = {"viewport": WIDE}  # noqa: RUF012 - never changed


def _answer(question: Question) -> str:
    return "/?" + urlencode({"q": question.text, "as_of": question.as_of // 1_000_000})


SHOTS = (
    Shot("page-now", "/", ".trends a"),
    Shot("page-answer", _answer(QUESTIONS[2]), ".evidence:not([hidden])"),
    Shot("page-search", SEARCH, ".counted svg", {"viewport": WIDE, "color_scheme": "dark"}),
    Shot("page-story", "/story/esker-2026-03-17?as_of=2026-03-18T20:00:00Z", ".timeline li"),
    Shot("page-places", "/places", "#map a"),
    Shot("page-brief", "/brief?topic=Port+Esker&since=24h&as_of=2026-03-18T20:00:00Z", "#brief article"),
    Shot("page-alerts", "/alerts", "#feed .entry", {"viewport": WIDE, "color_scheme": "dark"}),
    Shot(
        "page-phone",
        _answer(QUESTIONS[4]),
        ".evidence:not([hidden])",
        {"viewport": PHONE, "locale": "fr-FR", "has_touch": True},
    ),
)


def take(browser: Any, url: str, folder: Path) -> None:
    """Each view as a reader sees it first; in an answer the first citation is pointed at."""
    for shot in SHOTS:
        tab = Tab(browser, url, **shot.options)
        page = tab.open(shot.path)
        page.wait_for_selector(shot.ready, timeout=120_000)
        page.wait_for_selector("#ingest:not([hidden])")
        if "answer" in shot.name:
            page.locator("a.cite").first.hover()
            page.locator(".source.lit .name").wait_for()
        page.wait_for_timeout(300)
        target = folder / f"{shot.name}.png"
        page.screenshot(path=target)
        print(f"{target}  {target.stat().st_size // 1000} kB")
        tab.context.close()


def _with_alerts(data: Path) -> Path:
    """The store of the demo: its alerts are there before the sample."""
    store = Store.open(data)
    for settings in ALERTS:
        Alerts(store).add(**settings)
    store.close()
    return fill(data)


def main() -> int:
    if reason := missing():
        print(f"screenshots: {reason}", file=sys.stderr)
        return 1
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2] / "docs/images"
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as room,
        Running(_with_alerts(Path(room) / "store")) as server,
        chromium() as browser,
    ):
        take(browser, server.url, folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
