"""The map of places and its list, in a real Chromium."""

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.server import browser as chrome
from tests.server.conftest import Opener

pytestmark = pytest.mark.skipif(bool(chrome.missing()), reason=chrome.missing())


def test_places_are_circles_and_a_list_and_lead_to_their_posts(tab: Opener) -> None:
    one = tab()
    page = one.open("/places?q=Esker")
    page.wait_for_selector("#map a")
    listed = page.locator("#places li")
    total = int(page.locator("#total").inner_text().split()[0])
    assert total == sum(int(count.split()[0]) for count in page.locator("#places b").all_inner_texts())
    assert total == sum(int(count.split()[0].rsplit(": ")[-1]) for count in _counts(page))
    assert one.axe() == ""
    names = [name.inner_text() for name in page.locator("#places a").all()]
    assert "Port Esker" in names
    assert "Saint-Lunec" in names
    circles = page.locator("#map a").count()
    assert circles < listed.count(), "places that would overlap are one circle"
    for _ in range(6):
        page.click("[data-zoom=in]")
    assert page.locator("#map svg").get_attribute("viewBox") != "-1800 -900 3600 1800"
    page.click("[data-zoom=world]")
    assert page.locator("#map svg").get_attribute("viewBox") == "-1800 -900 3600 1800"
    page.click("[data-zoom=all]")
    assert page.locator("#map a").count() == circles
    circle = page.locator("#map a[aria-label*='places around']").first
    label = circle.get_attribute("aria-label")
    circle.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".counted:not([hidden])")
    query = parse_qs(urlsplit(page.url).query)["q"][0]
    assert query.startswith("Esker geocode:")
    one.until("/^\\d+ post/.test(document.querySelector('#total').textContent)")
    assert page.locator("#total").inner_text() == label.rsplit(": ", 1)[1], (
        "the search holds what the circle counts"
    )
    page.go_back()
    page.wait_for_selector("#places a")
    page.get_by_role("link", name="Saint-Lunec").click()
    page.wait_for_selector(".entry")
    assert parse_qs(urlsplit(page.url).query)["q"] == ['Esker place:"Saint-Lunec"']
    assert page.locator(".entry .by", has_text="Saint-Lunec").count() >= 1


def _counts(page: object) -> list[str]:
    return [circle.get_attribute("aria-label").rsplit(": ", 1)[1] for circle in page.locator("#map a").all()]  # type: ignore[attr-defined]


def test_without_places_that_is_said_and_a_bad_query_is_explained(tab: Opener) -> None:
    one = tab()
    page = one.open("/places?q=nobodywritesthis")
    page.wait_for_selector("text=No post here says where it was written")
    assert page.locator("#zoom").is_hidden()
    page.goto(one.url + "/places?q=since:nowhere")
    page.wait_for_selector("#total >> text=since:")
    one.complaints[:] = [text for text in one.complaints if "400" not in text]
