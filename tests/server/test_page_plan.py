"""The view Plan in a real Chromium: by slider and keyboard, pinned plans, the address, the report, on a phone."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.server import browser as chrome
from tests.server.browser import PHONE, Tab
from tests.server.conftest import Opener

pytestmark = pytest.mark.skipif(bool(chrome.missing()), reason=chrome.missing())

GROK = "/plan?model=grok-1&gpu=H100-SXM-80GB&gpus=20k&tokens=10T"


def _ready(tab: Tab) -> None:
    tab.until("document.querySelector('#plan-result:not([aria-busy]) .tiles')")


def _tile(tab: Tab, name: str) -> str:
    found: str = tab.page.locator(".tiles div", has_text=name).locator("dd").inner_text()
    return found


def test_a_plan_moves_with_its_inputs_and_is_its_address(tab: Opener) -> None:
    one = tab()
    page = one.open("/plan")
    _ready(one)
    assert "grok-1 on 20,000 H100-SXM-80GB: 10T tokens in " in page.locator("#plan-headline").inner_text()
    before = _tile(one, "Power")
    page.locator("[data-for=gpus]").focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    one.until("document.querySelector('#in-gpus').value !== '20000'")
    one.until("document.querySelector('#plan-headline').textContent.includes("
              "Number(document.querySelector('#in-gpus').value).toLocaleString('en'))")  # fmt: skip
    assert _tile(one, "Power") != before
    page.select_option("#goal", "days")
    page.fill("#in-days", "30")
    one.until("document.querySelector('#plan-headline').textContent.endsWith('in 30 days')")
    _ready(one)
    given = parse_qs(urlsplit(page.url).query)
    assert given["days"] == ["30"]
    assert "tokens" not in given
    shown = page.locator("#plan-shown").inner_text()
    again = tab()
    again.open(f"/plan?{urlsplit(page.url).query}")
    _ready(again)
    assert again.page.locator("#plan-shown").inner_text() == shown, "the address holds every input"
    assert one.axe() == ""


def test_plans_are_pinned_compared_and_removed(tab: Opener) -> None:
    one = tab()
    page = one.open(GROK)
    _ready(one)
    page.click("#pin")
    page.wait_for_selector("#plan-table td")
    page.select_option("#in-gpu", "B200")
    one.until("document.querySelector('#plan-table th:nth-child(2)').textContent.includes('B200')")
    page.click("#pin")
    one.until("document.querySelectorAll('#plan-table thead th').length === 3")
    assert "H100" in page.locator("#plan-table thead th").nth(1).inner_text()
    difference = page.locator("#plan-table tbody tr").first.locator("td").nth(1).inner_text()
    assert difference.endswith("%"), "days on H100 against the present"
    assert "+" in difference
    assert one.axe() == ""
    other = tab()
    other.open(f"/plan?{urlsplit(page.url).query}")
    other.until("document.querySelectorAll('#plan-table thead th').length === 3")
    other.page.get_by_role("button", name="Use grok-1, 20,000 H100-SXM-80GB").click()
    other.until("document.querySelector('#plan-headline').textContent.includes('H100')")
    for left in ("2", "0"):
        other.page.locator("#plan-table button", has_text="Remove").first.click()
        other.until(f"document.querySelectorAll('#plan-table thead th').length === {left} || {left} === 0")
    other.until("document.querySelector('#compared').hidden")
    assert "pin=" not in other.page.url


def test_a_pasted_configuration_and_what_cannot_be_planned(tab: Opener) -> None:
    one = tab()
    page = one.open(GROK)
    _ready(one)
    page.select_option("#in-model", "")
    page.fill("#in-config", "{no json")
    one.until("document.querySelector('#plan-problem').textContent.includes('not JSON')")
    page.fill("#in-config", '{"model_type": "llama", "num_hidden_layers": 32, "hidden_size": 4096, "vocab_size": 32000,'
              '"num_attention_heads": 32, "intermediate_size": 11008, "max_position_embeddings": 4096}')  # fmt: skip
    one.until("document.querySelector('#plan-headline').textContent.startsWith('the model on 20,000')")
    assert page.locator("#plan-problem").is_hidden()
    page.fill("#in-gpus", "<img src=x onerror=alert(1)>")
    one.until("document.querySelector('#plan-problem').textContent.includes('is not a number')")
    page.fill("#in-gpus", "2000000")
    one.until("document.querySelector('#plan-problem').textContent.includes('1000000')")
    assert page.locator("#report").is_disabled()
    one.complaints[:] = [text for text in one.complaints if "400" not in text]


@pytest.mark.long
def test_the_report_is_saved(tab: Opener) -> None:
    pytest.importorskip("matplotlib", reason="the report needs the extra plan")
    one = tab(accept_downloads=True)
    page = one.open(GROK.replace("20k", "512"))
    _ready(one)
    with page.expect_download(timeout=120_000) as downloaded:
        page.click("#report")
    assert downloaded.value.suggested_filename == "plan.html"
    assert "grok-1 on 512" in Path(downloaded.value.path()).read_text()


def test_on_a_phone_in_french_and_dark(tab: Opener) -> None:
    one = tab(viewport=PHONE, has_touch=True, is_mobile=True, locale="fr-FR", color_scheme="dark")
    page = one.open(GROK + "&pin=model%3Dgrok-1%26gpus%3D10k%26tokens%3D10T")
    _ready(one)
    page.wait_for_selector("#plan-table td")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], "no sideways scroll"
    assert "Temps utile" in page.locator(".tiles").inner_text()
    assert "20\u202f000" in page.locator("#plan-headline").inner_text()
    assert one.axe() == ""
