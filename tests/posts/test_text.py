"""Folding, tokens, stems, and that queries meet documents."""

import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from trinch.posts.text import (
    MAX_TOKEN,
    STEMMED,
    fold,
    phrase_terms,
    query_terms,
    stem,
    terms,
    tokens,
)

# Plain text() hardly ever draws what the tokenizer cares about.
signs = "#@$'’.,-_ ẞİйёの港한สดहि👩🏽🇫\u200d\ufe0f\u0301\u0306\ud800"
pieces = st.sampled_from([*signs, "http://", "www.", "RT ", "l'", "C++", "1,0", "42", "ﬁ", "#Ab1"])
texts = st.lists(st.one_of(pieces, st.text(max_size=8)), max_size=12).map("".join)
languages = st.sampled_from([*STEMMED, "und", "ja", "tlh", ""])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ask @Nasa about #Mars2020, buy $TSLA!", ["ask", "@nasa", "about", "#mars2020", "buy", "$tsla"]),
        ("@alice.bsky.social wrote", ["@alice.bsky.social", "wrote"]),
        ("mail bob@example.com", ["mail", "bob", "example", "com"]),
        ("see https://t.co/a#b?c=1 or www.x.com/y", ["see", "or"]),
        ("#1 of $100", ["1", "of", "100"]),
        ("don't stop: people's rights, it’s O'Brien", ["dont", "stop", "people", "rights", "it", "obrien"]),
        ("l'eau, l’État, qu'il, dell'arte", ["eau", "etat", "il", "arte"]),
        ("1,021 dead, 3.5 km, 3,5 km, 1.234.567", ["1021", "dead", "3.5", "km", "3.5", "km", "1234567"]),
        ("at 12:30 on 2013-04-15", ["at", "12", "30", "on", "2013", "04", "15"]),
        ("C++ and C# on an F-16, COVID-19", ["c++", "and", "c#", "on", "an", "f", "16", "covid", "19"]),
        ("U.S. and U.N. agree.", ["us", "and", "un", "agree"]),
        ("snake_case __init__", ["snake", "case", "init"]),
        ("Élections naïve Straße Ærø", ["elections", "naive", "strasse", "aero"]),
        ("ＦＵＬＬ ｗｉｄｔｈ ＃ｔａｇ", ["full", "width", "#tag"]),
        ("東京タワー #東京", ["東", "京", "タ", "ワ", "ー", "#東京"]),
        ("서울에서", ["서", "울", "에", "서"]),
        ("สวัสดี", ["ส", "วั", "ส", "ดี"]),
        ("مُحَمَّد محـمد", ["محمد", "محمد"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("Подъём, йод", ["подъем", "йод"]),
        ("👩‍👩‍👧‍👦👍🏽❤️", ["👩‍👩‍👧‍👦", "👍", "❤"]),
        ("🇫🇷🇩🇪 go", ["🇫🇷", "🇩🇪", "go"]),
        ("詳細はhttps://t.co/abc123をご覧", ["詳", "細", "は", "を", "ご", "覧"]),
        ("ดูhttps://t.co/abcที่นี่", ["ดู", "ที่", "นี่"]),
        ("رابطhttps://t.co/x1 نص", ["رابط", "نص"]),
        ("see https://t.co/abc,trawler", ["see", "trawler"]),
        ("@busan_port에서 请看@renminwang关", ["@busan_port", "에", "서", "请", "看", "@renminwang", "关"]),
        ("٢٠٢٣ ۱۲ २०२३ ١٬٠٢١", ["2023", "12", "2023", "1021"]),
        ("کشتی كشتي", ["كشتي", "كشتي"]),
        ("İstanbul'da Ankara’nın 1980'de", ["istanbul", "ankara", "1980"]),
        ("Hawai'i we've Qur'an", ["hawaii", "weve", "quran"]),
        ("#ドラゴン・クエスト #สวัสดี", ["#ドラゴン・クエスト", "#สวัสดี"]),
        ("", []),
        ("... !!! -- '", []),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


@pytest.mark.parametrize(
    ("text", "lang", "expected"),
    [
        ("Runners at #BostonMarathon", "en", ["runner", "at", "boston", "marathon", "#bostonmarathon"]),
        ("$TSLA falls", "en", ["tsla", "fall", "$tsla"]),
        ("#prayforboston now", "und", ["prayforboston", "now", "#prayforboston"]),
        ("les élections", "fr", ["le", "elect"]),
        ("elections", "ja", ["elections"]),
        ("@runners ran 1,021 km", "en", ["@runners", "ran", "1021", "km"]),
    ],
)
def test_terms(text: str, lang: str, expected: list[str]) -> None:
    assert terms(text, lang) == expected


@given(texts)
def test_tokens_are_bounded_and_hold_no_space(text: str) -> None:
    for token in tokens(text):
        assert 1 <= len(token) <= MAX_TOKEN
        assert not any(c.isspace() for c in token)


@given(texts)
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(texts)
@example("http://´ẞ")
def test_tokens_do_not_depend_on_case_or_composition(text: str) -> None:
    # A few signs fold to a space and an accent (a lone ¨): an address is one only as far as they stand for themselves.
    assume(len(fold(text).split()) == len(text.split()) or not re.search(r"https?://|www\.", fold(text)))
    assert tokens(fold(text)) == tokens(text)


@given(texts, languages)
def test_terms_hold_every_tag_and_every_plain_token(text: str, lang: str) -> None:
    indexed = terms(text, lang)
    assert all(term and not any(c.isspace() for c in term) for term in indexed)
    for token in tokens(text):
        assert stem(token, lang) in indexed or token in indexed


@given(texts, languages)
def test_a_query_word_finds_itself_in_any_language(text: str, lang: str) -> None:
    indexed = set(terms(text, lang))
    for token in tokens(text):
        assert indexed.intersection(query_terms(token))


def test_a_query_finds_other_forms_of_the_word() -> None:
    for query, text, lang in [
        ("election", "elections", "en"),
        ("elections", "l'élection", "fr"),
        ("noticia", "las noticias", "es"),
        ("выборы", "выборами", "ru"),
        ("Häuser", "das Haus", "de"),
    ]:
        (word,) = tokens(query)
        assert set(terms(text, lang)).intersection(query_terms(word)), (query, text)


def test_phrases_find_tags_and_plain_words_alike() -> None:
    def runs(words: tuple[str, ...], document: list[str]) -> bool:
        n = len(words)
        return any(tuple(document[i : i + n]) == words for i in range(len(document)))

    document = terms("Pray for #BostonMarathon runners", "en")
    for phrase in ["boston marathon runners", "for #BostonMarathon", "Pray for Boston"]:
        assert any(runs(words, document) for words in phrase_terms(phrase)), phrase
    assert not any(runs(words, document) for words in phrase_terms("marathon boston"))
    assert phrase_terms("...") == ()


def test_the_cache_of_stems_is_bounded() -> None:
    from trinch.posts.text import _Stems

    cache = _Stems("english")
    cache.ROOM = 100
    for i in range(1_000):
        assert cache[f"{chr(97 + i % 26)}{'ab' * (i // 26)}ings"]
    assert len(cache) <= 100
