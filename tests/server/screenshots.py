"""Takes the README's screenshots from the real page playing our own sample.

python -m tests.server.screenshots [FOLDER]     (docs/images by default; needs playwright and Chromium)
"""

import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.server.browser import PHONE, Tab, chromium, missing
from tests.server.running import Running, fill
from trinch.simulator.sample import QUESTIONS, Question

WIDE = {"width": 1200, "height": 800}


def _path(question: Question) -> str:
    return "/?" + urlencode({"q": question.text, "as_of": question.as_of // 1_000_000})


def take(browser: Any, url: str, folder: Path) -> None:
    """Four views: the empty page, an answer with an open citation in light and in dark, a phone in French."""
    toll, french = QUESTIONS[2], QUESTIONS[4]
    looks: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("page-home", "/", {"viewport": WIDE}),
        ("page-answer", _path(toll), {"viewport": WIDE}),
        ("page-dark", _path(QUESTIONS[0]), {"viewport": WIDE, "color_scheme": "dark"}),
        ("page-phone", _path(french), {"viewport": PHONE, "locale": "fr-FR", "has_touch": True}),
    )
    for name, path, options in looks:
        tab = Tab(browser, url, **options)
        page = tab.open(path)
        page.wait_for_selector("#live:not([hidden])")
        if path != "/":
            answer = tab.answered()
            answer.locator(".evidence:not([hidden])").wait_for()
            cite = answer.locator("a.cite").nth(0 if "has_touch" in options else 1)
            cite.tap() if "has_touch" in options else cite.hover()
            page.locator(".card .name").wait_for()
        page.wait_for_timeout(200)
        target = folder / f"{name}.png"
        page.screenshot(path=target)
        print(f"{target}  {target.stat().st_size // 1000} kB")
        tab.context.close()


def main() -> int:
    if reason := missing():
        print(f"screenshots: {reason}", file=sys.stderr)
        return 1
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2] / "docs/images"
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as room,
        Running(fill(Path(room) / "store")) as server,
        chromium() as browser,
    ):
        take(browser, server.url, folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
