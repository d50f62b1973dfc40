"""Answers in a real Chromium: asking, citations, the as-of time, what vanishes, languages, sizes, what can be done with one."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

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
    page = one.open("/?q=hello")
    one.answered()
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
    heights = [float(bar.get_attribute("height")) for bar in answer.locator(".evidence .bar-of").all()]
    assert len(heights) > 5
    assert max(heights) == 78
    assert "post" in answer.locator(".evidence g title").first.text_content()
    assert "A sample" in answer.locator(".evidence .note").inner_text(), "what was read is no census"
    assert "2026" in answer.locator(".evidence .axis").inner_text()
    assert page.locator("#status").inner_text().startswith("Answer. ")


def test_what_the_server_rendered_and_what_the_script_builds_are_the_same(tab: Opener, browser: Any) -> None:
    """The same question with and without JavaScript, and streamed."""

    def shown(page: Any) -> list[str]:
        article = page.locator("article.answer")
        return [
            *article.locator(".said, .post, .by, .claims .meta").all_inner_texts(),
            article.locator("h1").inner_text(),
        ]

    plain = tab(java_script_enabled=False)
    rendered = shown(plain.open(TOLL_PATH))
    scripted = tab()
    page = scripted.open(TOLL_PATH)
    scripted.answered()
    page.wait_for_selector(".evidence:not([hidden])")
    assert shown(page) == rendered


def test_a_citation_lights_up_its_source_and_covers_nothing(tab: Opener) -> None:
    one = tab()
    page = one.open(TOLL_PATH)
    answer = one.answered()
    cite, quote = answer.locator("a.cite").first, answer.locator(".said").first.inner_text()
    cite.hover()
    source = page.locator(".source.lit")
    assert source.locator("mark").inner_text() == quote
    source.locator(".name").wait_for()  # the look-up of the post adds its author's full name
    assert page.locator(".card").count() == 0
    page.keyboard.press("Tab")
    cite.click()
    assert page.evaluate("document.activeElement.classList.contains('source')")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.className") == "cite", "Escape goes back to the sentence"


def test_any_minute_can_be_chosen(tab: Opener) -> None:
    one = tab()
    page = one.open(TOLL_PATH)
    first = one.answered().locator(".said").all_inner_texts()
    page.click("#asof summary")
    page.fill("#asof-time", "2026-03-17T16:41")
    page.press("#asof-time", "Tab")
    one.until("document.querySelector('.outcome time')?.textContent.includes('17 March 2026, 16:41 UTC')")
    answer = one.answered()
    assert page.locator("#asof-text").inner_text() == "17 March 2026, 16:41 UTC"
    assert "3 people have died" in answer.inner_text()
    assert answer.locator(".said").all_inner_texts() != first
    assert all("17 March" in text for text in answer.locator(".claims time").all_inner_texts())
    assert "as_of=2026-03-17T16%3A41%3A00Z" in page.url
    page.locator("#asof-steps button", has_text="now").click()
    one.until("!location.search.includes('as_of')")
    assert page.locator("#asof-text").inner_text() == "now"
    one.answered()
    page.go_back()
    one.until("location.search.includes('as_of=2026-03-17T16')")
    assert "16:41" in one.answered().locator(".outcome").inner_text()
    page.locator(".evidence svg").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    one.until("!location.search.includes('16%3A41')")
    assert "17 March 2026" in one.answered().locator(".outcome").inner_text(), "a bar of the chart is a time"


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
    page = one.open("/?q=What+happened+in+Port+Esker%3F")
    one.answered()

    def follow(question: str) -> Any:
        box = page.locator("#f").bounding_box()
        assert box["y"] + box["height"] <= page.viewport_size["height"]  # without scrolling
        page.fill("#f", question)
        page.press("#f", "Enter")
        one.until(f"document.querySelector('article:last-of-type :is(h1, h2)').textContent === {question!r}")
        return one.answered()

    answer = follow("Who won the regatta at Tallow Point?")
    assert answer.locator(".outcome strong").inner_text() == "Not enough evidence"
    answer = follow("and how many were injured?")
    assert "Port Esker" in answer.locator(".asked").inner_text()
    assert "31" in answer.locator(".claims").inner_text()


def test_no_evidence_and_a_bad_question(tab: Opener) -> None:
    one = tab()
    page = one.open("/?q=hello")
    one.answered()
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
    page.wait_for_selector(".source.lit .name")
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
    assert page.locator(f"[data-key='{key}']").count() == 0
    assert quote not in page.content()
    assert "deleted" in page.locator(".gone").inner_text()
    assert "deleted" in page.locator("#status").inner_text()
    page.click(".again")
    one.answered()
    assert key not in page.content(), "others may have pasted the same words; the post itself is gone"
    assert quote not in page.evaluate("JSON.stringify([localStorage, sessionStorage])")


def test_in_french(tab: Opener) -> None:
    one = tab(locale="fr-FR")
    page = one.open("/?q=Quelle+est+la+situation+%C3%A0+Port-Esker+%3F")
    assert page.locator("html").get_attribute("lang") == "fr"
    answer = one.answered()
    assert answer.locator(".outcome strong").inner_text() == "Réponse"
    answer.locator(".evidence:not([hidden])").wait_for()
    assert "auteurs indépendants" in answer.inner_text()
    assert "mars 2026" in answer.inner_text()
    page.click("#language")
    page.wait_for_selector("html[lang=en]")
    assert "independent authors" in one.answered().locator(".evidence:not([hidden])").inner_text()
    page.goto(one.url + "/live")
    assert page.locator("html").get_attribute("lang") == "en", "the choice is remembered"


def test_on_a_phone_a_card_opens_below_its_sentence(tab: Opener) -> None:
    one = tab(viewport=PHONE, has_touch=True, is_mobile=True)
    page = one.open(TOLL_PATH)
    answer = one.answered()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    answer.locator("a.cite").first.tap()
    card, said = page.locator(".card").bounding_box(), answer.locator(".said").first.bounding_box()
    assert card["y"] >= said["y"] + said["height"], "it covers no sentence"
    assert answer.locator("a.cite").first.get_attribute("aria-expanded") == "true"
    page.locator(".card .shut").tap()
    assert page.locator(".card").count() == 0


def test_by_keyboard_alone(tab: Opener) -> None:
    one = tab()
    page = one.open("/live")
    press = page.keyboard.press
    page.wait_for_selector("#help-open:not([hidden])")
    press("?")
    page.wait_for_selector("#help[open]")
    press("Escape")
    press("/")
    assert page.evaluate("document.activeElement.id") == "q"
    page.goto(one.url + "/?q=hello")
    one.answered()
    press("/")
    page.keyboard.type(TOLL)
    press("Enter")
    one.until(f"document.querySelector('article h1')?.textContent === {TOLL!r}")
    one.answered()
    page.wait_for_selector("#followup:not([hidden])")
    page.evaluate("document.activeElement.blur()")
    press("j")
    assert page.evaluate("document.activeElement.className") == "cite", "j goes to the first sentence"
    assert page.locator(".source.lit").count() == 1, "focus shows the post"
    press("Enter")
    assert page.evaluate("document.activeElement.classList.contains('source')")
    press("Escape")
    assert page.evaluate("document.activeElement.className") == "cite"
    page.locator(".skip").focus()
    assert page.locator(".skip").bounding_box()["y"] >= 0
    press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


@pytest.mark.parametrize(
    ("question", "selector"),
    [
        ("Timeline of the Port Esker explosion", "ol.claims.dated .at"),
        ("What do people think about the Port Esker explosion?", ".positions li i"),
        ("Compare the Port Esker harbour and the ferry", "table.sides th"),
    ],
)
def test_a_task_is_laid_out_as_what_it_is(tab: Opener, question: str, selector: str) -> None:
    one = tab()
    one.open("/?" + urlencode({"q": question, "as_of": THEN}))
    answer = one.answered()
    assert answer.locator(selector).count() >= 1
    assert answer.locator(".claim").count() >= 2
    assert answer.locator(".claim a.cite").count() >= 2


def test_what_can_be_done_with_an_answer(tab: Opener) -> None:
    one = tab(permissions=["clipboard-read", "clipboard-write"])
    page = one.open(TOLL_PATH)
    answer = one.answered()
    quote, address = (
        answer.locator(".said").first.inner_text(),
        answer.locator(".source a").first.get_attribute("href"),
    )
    answer.get_by_role("button", name="Copy", exact=True).click()
    one.until("document.querySelector('#status').textContent.startsWith('Copied')")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert f"{quote} [1]" in copied
    assert address in copied
    answer.get_by_role("button", name="Not useful").click()
    assert answer.get_by_role("button", name="Not useful").get_attribute("aria-pressed") == "true"
    kept = page.evaluate("localStorage.getItem('trinch.feedback')")
    assert TOLL in kept
    assert quote not in kept, "no post is kept"
    answer.locator(".questions a").first.wait_for()
    assert "Port Esker" in answer.locator(".questions a").first.inner_text()
    answer.get_by_role("button", name="Embed").click()
    code = page.locator("dialog[open] textarea").input_value()
    assert re.fullmatch(
        r'<iframe src="http://[^"]+signature=[0-9a-f]{64}" title="[^"]+" width="600" height="500" loading="lazy"></iframe>',
        code,
    )


def test_an_embedded_answer_loses_what_is_deleted(tab: Opener, serving: Starter, tmp_path: Path) -> None:
    data = fill(tmp_path / "store")
    own = serving(data)
    made = own.post("/page/embed", json={"question": TOLL, "as_of": THEN}).json()["path"]
    one = tab(own.url)
    one.context.clear_cookies()  # as in a frame of another site
    page = one.open(made)
    claims = one.answered().locator(".claim")
    before, key = claims.count(), claims.first.get_attribute("data-key")
    page.wait_for_timeout(500)
    subprocess.run([sys.executable, "-c", DELETE, str(data), key], capture_output=True, check=True)
    one.until(f"document.querySelectorAll('.claim').length === {before - 1}", 30)
    assert key not in page.content()
    page.reload()
    one.answered()
    assert key not in page.content()


def test_dark_and_light(tab: Opener) -> None:
    one = tab(color_scheme="dark")
    page = one.open("/live")

    def brightness() -> float:
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3

    assert brightness() < 60
    page.click("#theme")
    assert brightness() > 200
    page.reload()
    assert brightness() > 200, "the choice is remembered"
    assert page.locator("#theme").inner_text() == "Dark"


@pytest.mark.parametrize("look", ["answer", "dark", "phone", "history"])
def test_axe_finds_nothing(tab: Opener, look: str) -> None:
    options: dict[str, Any] = {
        "dark": {"color_scheme": "dark"},
        "phone": {"viewport": PHONE, "locale": "fr-FR"},
    }
    one = tab(**options.get(look, {}))
    page = one.open(TOLL_PATH)
    one.answered().locator(".evidence:not([hidden])").wait_for()
    page.locator("a.cite").first.click()
    page.locator(".name").first.wait_for()
    if look == "history":
        page.click("#history-open")
    else:
        page.click("#asof summary")
    page.wait_for_timeout(100)
    assert one.axe() == ""
