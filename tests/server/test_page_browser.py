"""The page in a real Chromium: asking, citations, the time slider, what vanishes, languages, sizes, keys, hostile posts."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.server import browser as chrome
from tests.server.browser import DELETE, PHONE, TOLL_PATH
from tests.server.conftest import Opener, Starter
from tests.server.running import fill

pytestmark = pytest.mark.skipif(bool(chrome.missing()), reason=chrome.missing())

TOLL = "How many people died in the Port Esker explosion?"
THEN = "2026-03-18T20:00:00Z"


def test_asking_streams_an_answer_with_its_outcome_time_and_citations(tab: Opener) -> None:
    one = tab()
    one.context.add_init_script(
        """window.seen = [];
        new MutationObserver((changes) => {
          for (const change of changes) for (const node of change.addedNodes)
            if (node.nodeType === 1 && node.matches("li.claim") && node.closest("[aria-busy]")) window.seen.push(node.innerText);
        }).observe(document, {childList: true, subtree: true});"""
    )
    page = one.open()
    assert page.evaluate("document.activeElement.id") == "q"
    answer = one.ask("What happened in Port Esker?")
    said = answer.locator(".said").all_inner_texts()
    assert said
    assert len(page.evaluate("window.seen")) == len(said), "claims must appear before the answer is whole"
    assert answer.locator(".outcome strong").inner_text() == "Answer"
    assert re.search(r"as of \d+ \w+ \d{4}, \d\d:\d\d UTC", answer.locator(".outcome").inner_text())
    assert answer.locator("a.cite").first.inner_text() == "1"
    assert "q=What+happened+in+Port+Esker" in page.url
    answer.locator(".evidence:not([hidden])").wait_for()
    counts = answer.locator(".evidence dd").all_inner_texts()
    assert int(counts[0]) > 1
    assert int(counts[1]) > int(counts[0])
    bars = answer.locator(".evidence rect.bar")
    heights = [float(bar.get_attribute("height")) for bar in bars.all()]
    assert len(heights) > 5
    assert max(heights) == 62
    assert "post" in bars.first.locator("title").text_content()
    assert page.locator("#volume i").count() == sum(height > 0 for height in heights)
    assert page.locator("#status").inner_text().startswith("Answer. ")


def test_what_the_server_rendered_and_what_the_script_builds_are_the_same(tab: Opener, browser: Any) -> None:
    """The same question with and without JavaScript, and streamed."""

    def shown(page: Any) -> list[str]:
        article = page.locator("article.answer")
        return [
            *article.locator(".said, .post, .by, .claims .meta").all_inner_texts(),
            article.locator("h2").inner_text(),
        ]

    plain = tab(java_script_enabled=False)
    rendered = shown(plain.open(TOLL_PATH))
    scripted = tab()
    page = scripted.open(TOLL_PATH)
    scripted.answered()
    page.wait_for_selector(".evidence:not([hidden])")
    assert shown(page) == rendered
    page.evaluate("document.querySelector('#answers').replaceChildren()")
    scripted.ask(TOLL)
    page.wait_for_selector(".evidence:not([hidden])")
    assert shown(page) == rendered


def test_a_citation_shows_its_post_with_the_quote_marked(tab: Opener) -> None:
    one = tab()
    page = one.open(TOLL_PATH)
    answer = one.answered()
    cite, quote = answer.locator("a.cite").first, answer.locator(".said").first.inner_text()
    cite.hover()
    card = page.locator(".card")
    assert card.locator("mark").inner_text() == quote
    assert quote in card.locator(".post").inner_text()
    assert cite.get_attribute("aria-expanded") == "true"
    card.locator(".name").wait_for()  # the look-up of the post adds its author's full name
    card.hover()
    page.mouse.move(5, 5)
    card.wait_for(state="detached")
    cite.click()
    page.mouse.move(5, 5)
    page.wait_for_timeout(400)
    assert card.count() == 1, "a click keeps it open"
    page.locator("h2").first.click()
    assert card.count() == 0


def test_the_dial_asks_again_as_of_its_time(tab: Opener) -> None:
    one = tab()
    page = one.open(TOLL_PATH)
    first = one.answered().locator(".said").all_inner_texts()
    slider = page.locator("#moment")
    box = slider.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 17 / 48, box["y"] + box["height"] / 2)
    one.until("document.querySelector('.outcome time')?.textContent.includes('17 March')")
    answer = one.answered()
    chosen = page.locator("#moment-text").inner_text()
    assert re.fullmatch(r"17 March 2026, 1[67]:\d\d UTC", chosen)
    assert chosen in answer.locator(".outcome").inner_text()
    assert "3 people have died" in answer.inner_text()
    assert answer.locator(".said").all_inner_texts() != first
    assert all("17 March" in text for text in answer.locator(".claims time").all_inner_texts())
    assert "as_of=2026-03-17T1" in page.url
    slider.press("End")
    one.until("document.querySelector('#moment-text').textContent === 'now'")
    assert slider.get_attribute("aria-valuetext") == "now"
    one.until("!location.search.includes('as_of')")
    one.answered()
    page.go_back()
    one.until("location.search.includes('as_of=2026-03-17T1')")
    assert chosen in one.answered().locator(".outcome").inner_text()


def test_a_follow_up_is_understood_in_its_conversation(tab: Opener) -> None:
    one = tab()
    page = one.open("/?q=What+happened+in+Port+Esker%3F&as_of=" + THEN)
    one.answered()
    page.fill("#f", "How many died?")
    page.press("#f", "Enter")
    page.wait_for_selector("article.answer:nth-of-type(2):not([aria-busy])")
    last = page.locator("article.answer").last
    assert last.locator("p.asked").inner_text() == "Understood as: How many died? Port Esker"
    assert "10" in last.locator(".said").first.inner_text()
    assert "earlier=What+happened" in page.url
    page.reload()
    assert "Understood as" in one.answered().inner_text()


def test_history_stays_in_this_browser(tab: Opener) -> None:
    one = tab()
    page = one.open(TOLL_PATH)
    one.answered()
    page.click("#history-open")
    assert page.locator("#past a").all_inner_texts() == [TOLL]
    stored = page.evaluate("JSON.stringify(localStorage)")
    assert "prefecture" not in stored, "no post is kept"
    page.locator("#past a").click()
    one.answered()
    page.click("#history-open")
    page.click("#forget")
    assert page.locator("#past").inner_text() == "Nothing asked yet."
    assert page.evaluate("localStorage.getItem('trinch.history')") == "[]"


def test_a_follow_up_is_at_hand_and_goes_on_from_the_last_answer(tab: Opener) -> None:
    one = tab()
    page = one.open()
    one.ask("What happened in Port Esker?")

    def follow(question: str) -> Any:
        box = page.locator("#f").bounding_box()
        assert box["y"] + box["height"] <= page.viewport_size["height"]  # without scrolling
        page.fill("#f", question)
        page.press("#f", "Enter")
        one.until(f"document.querySelector('article:last-of-type h2').textContent === {question!r}")
        return one.answered()

    answer = follow("Who won the regatta at Tallow Point?")
    assert answer.locator(".outcome strong").inner_text() == "Not enough evidence"
    answer = follow("and how many were injured?")
    assert "Port Esker" in answer.locator(".asked").inner_text()
    assert "31" in answer.locator(".claims").inner_text()


def test_no_evidence_and_a_bad_question(tab: Opener) -> None:
    one = tab()
    page = one.open()
    answer = one.ask("Who won the regatta at Tallow Point?")
    assert answer.locator(".outcome strong").inner_text() == "Not enough evidence"
    assert answer.locator(".claim").count() == 0
    assert page.locator("#followup").is_hidden()
    answer = one.ask("since:nowhere what happened")
    assert "since:" in answer.locator(".problem").inner_text()
    one.complaints.clear()  # the browser reports the 400 on its console


def test_a_post_deleted_by_another_process_vanishes_from_the_open_page(
    tab: Opener, serving: Starter, tmp_path: Path
) -> None:
    data = fill(tmp_path / "store")
    own = serving(data)
    one = tab(own.url)
    page = one.open(TOLL_PATH)
    answer = one.answered()
    claims = answer.locator(".claim")
    before, quote = claims.count(), answer.locator(".said").first.inner_text()
    key = claims.first.get_attribute("data-key")
    answer.locator("a.cite").first.click()
    page.wait_for_selector(".card .name")
    page.evaluate(
        """(quote) => { const look = () => document.body.innerText.includes(quote)
             ? setTimeout(look, 20) : (window.gone = Date.now() / 1000); look(); }""",
        quote,
    )
    page.wait_for_timeout(300)
    done = subprocess.run(
        [sys.executable, "-c", DELETE, str(data), key], capture_output=True, text=True, check=True
    )
    one.until("window.gone", 5)
    took = page.evaluate("window.gone") - float(done.stdout)
    print(f"vanished {took:.2f} s after the deletion was acknowledged")
    assert took < 1.5
    assert claims.count() == before - 1
    assert page.locator(f".card[data-of='{key}']").count() == 0
    assert quote not in page.content()
    assert "deleted" in page.locator(".gone").inner_text()
    assert "deleted" in page.locator("#status").inner_text()
    page.click(".again")
    one.answered()
    assert key not in page.content(), "others may have pasted the same words; the post itself is gone"
    assert quote not in page.evaluate("JSON.stringify([localStorage, sessionStorage])")


DRINK = """
import sys, time
from trinch.store.store import Store
from trinch.posts.schema import Created, Post
store = Store.open(sys.argv[1])
for i in range(100):
    at = time.time_ns() // 1000
    post = Post(network="live", id=str(i), created_at=at, text=f"wave {i}", lang=["en", "fr"][i % 4 == 0], author="sea")
    store.ingest([Created(at=at, network="live", post=post)])
    time.sleep(0.05)
"""


def test_the_live_view_shows_what_is_being_drunk(tab: Opener, serving: Starter, tmp_path: Path) -> None:
    own = serving(tmp_path / "store")
    one = tab(own.url)
    page = one.open()
    page.wait_for_selector("#live:not([hidden])")
    assert page.locator("#ticker").inner_text() == "Not ingesting · 0 posts"
    assert page.locator("#moment").count() == 0, "an empty store has no first day"
    writer = subprocess.Popen([sys.executable, "-c", DRINK, str(own.data)])
    page.wait_for_selector("#live.on")
    page.click("#live summary")
    page.wait_for_selector(".languages li")
    assert "Ingesting" in page.locator("#ticker").inner_text()
    one.until("parseFloat(document.querySelector('#gauges dd').textContent) > 5")
    assert page.locator(".languages li").first.inner_text().startswith("English")
    assert page.locator(".spark polyline").get_attribute("points")
    assert float(page.locator("#gauges dd").nth(1).inner_text()) < 5
    writer.wait()


def test_in_french(tab: Opener) -> None:
    one = tab(locale="fr-FR")
    page = one.open()
    assert page.locator("html").get_attribute("lang") == "fr"
    answer = one.ask("Quelle est la situation à Port-Esker ?")
    assert answer.locator(".outcome strong").inner_text() == "Réponse"
    answer.locator(".evidence:not([hidden])").wait_for()
    assert "auteurs indépendants" in answer.inner_text()
    assert "mars 2026" in answer.inner_text()
    page.click("#language")
    page.wait_for_selector("html[lang=en]")
    assert "independent authors" in one.answered().locator(".evidence:not([hidden])").inner_text()
    page.goto(one.url)
    assert page.locator("html").get_attribute("lang") == "en", "the choice is remembered"


def test_on_a_phone(tab: Opener) -> None:
    one = tab(viewport=PHONE, has_touch=True, is_mobile=True)
    for path in ("/", TOLL_PATH):
        page = one.open(path)
        page.wait_for_selector("#live:not([hidden])")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    answer = one.answered()
    answer.locator("a.cite").first.tap()
    card = page.locator(".card")
    box = card.bounding_box()
    assert box["width"] == PHONE["width"]
    assert round(box["y"] + box["height"]) == PHONE["height"], "it lies at the bottom, under the thumb"
    card.locator(".shut").tap()
    assert card.count() == 0


def test_by_keyboard_alone(tab: Opener) -> None:
    one = tab()
    page = one.open()
    press = page.keyboard.press
    page.keyboard.type(TOLL)
    press("Enter")
    one.answered()
    page.wait_for_selector("#followup:not([hidden])")

    def focus(script: str = "el => el.id || el.className || el.tagName") -> Any:
        return page.evaluate(f"({script})(document.activeElement)")

    for _ in range(12):
        press("Tab")
        if focus() == "cite":
            break
    assert focus() == "cite"
    card = page.locator(".card")
    assert card.count() == 1, "focus shows the post"
    described = page.locator("a.cite").first.get_attribute("aria-describedby")
    assert page.locator(f"#{described} mark").count() == 1
    press("Enter")
    card.locator(".name").wait_for()
    before = focus("el => el.dataset.key")
    press("Tab")
    assert focus("el => el.closest('.card') !== null")
    press("Escape")
    assert card.count() == 0
    assert focus("el => el.dataset.key") == before
    page.focus("#moment")
    press("PageDown")
    one.until("location.search.includes('as_of=')")
    one.answered()
    page.locator(".skip").focus()
    assert page.locator(".skip").bounding_box()["y"] >= 0
    press("Enter")
    assert focus() == "answers"


def test_dark_and_light(tab: Opener) -> None:
    one = tab(color_scheme="dark")
    page = one.open()

    def brightness() -> float:
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3

    assert brightness() < 60
    page.click("#theme")
    assert brightness() > 200
    page.reload()
    assert brightness() > 200, "the choice is remembered"
    assert page.locator("#theme").inner_text() == "Dark"


@pytest.mark.parametrize("look", ["home", "answer", "dark", "phone", "history"])
def test_axe_finds_nothing(tab: Opener, look: str) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="needs axe-playwright-python"
    ).Axe()
    options: dict[str, Any] = {
        "dark": {"color_scheme": "dark"},
        "phone": {"viewport": PHONE, "locale": "fr-FR"},
    }
    one = tab(**options.get(look, {}))
    page = one.open("/" if look == "home" else TOLL_PATH)
    page.wait_for_selector("#live:not([hidden])")
    if look != "home":
        one.answered().locator(".evidence:not([hidden])").wait_for()
        page.locator("a.cite").first.click()
        page.locator(".card .name").wait_for()
    if look == "history":
        page.click("#history-open")
    page.click("#live summary") if look == "home" else None
    page.wait_for_timeout(100)
    found = axe.run(page)
    assert found.violations_count == 0, found.generate_report()
