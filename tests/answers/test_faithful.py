"""The check of rewrites: nothing added, nothing turned, and what is kept is said by the quote."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.answers.fake import FERRY
from trinch.answers.quantities import numbers
from trinch.answers.verify.rewording import faithful

KEPT = [
    ("BREAKING: ferry Aurelia hits pier at Port Halden", "The ferry Aurelia hit the pier at Port Halden."),
    ("Coast guard confirms 9 dead", "The coast guard confirmed 9 dead."),
    ("11 dead in Port Halden", "11 are dead in Port Halden."),
    ("Four dead, 30 injured in ferry accident", "4 dead and 30 injured in the ferry accident."),
    ("Engine failure likely cause, investigators say", "Investigators say that engine failure is the likely cause."),
    ("According to the owner, nobody was aboard", "Nobody was aboard, according to the owner."),
    ("Fire destroys the old mill, taking three homes", "Fire destroyed the old mill."),
    ("Storm knocks out power in Orsk, 14,000 homes dark", "Storm knocks out power in Orsk."),
    ("Mayor Lena Orsk, who is 52, resigns over audit", "Mayor Lena Orsk, who is 52, resigns over audit."),
    ("#Larkfield water is safe", "Larkfield water is safe."),
    ("1,127 dead in factory collapse", "1127 dead in factory collapse"),
    ("Police say 4 people were hurt", "Police said that four people were hurt."),
]  # fmt: skip

REFUSED = [
    ("At least 4 dead after ferry accident", "4 dead after ferry accident."),
    ("4 dead after ferry accident", "At least 4 dead after ferry accident."),
    ("4 dead after ferry accident", "40 dead after ferry accident."),
    ("4 dead after ferry accident", "4 people dead after ferry accident."),
    ("Whales stranded, 11 dead", "Whales stranded, 11 people dead."),
    ("Ferry sinks near Orsk", "Ferry did not sink near Orsk."),
    ("Captain was not arrested", "Captain was arrested."),
    ("Nobody was hurt in the fire", "Somebody was hurt in the fire."),
    ("Halden beats Orsk in the final", "Orsk beats Halden in the final."),
    ("Dahl accuses Berg of theft", "Berg accuses Dahl of theft."),
    ("Dahl arrested in Orsk", "Berg arrested in Orsk."),
    ("Engine failure likely cause of accident", "Engine failure cause of accident."),
    ("Two may have died in the fire", "Two have died in the fire."),
    ("Police say 4 people were hurt", "4 people were hurt."),
    ("4 people were hurt, police say", "4 people were hurt."),
    ("Witness: police fired first", "Police fired first."),
    ("Mayor resigned, he says", "He says mayor resigned."),
    ("Is the dam about to break?", "The dam is about to break."),
    ("Is the dam broken?", "Is the dam broken."),
    ("Dam broken in Orsk", "Dam broken in Orsk?"),
    ("The dam 'broke' in Orsk", "The dam broke in Orsk."),
    ("9 missing since the storm, 9 found safe", "9 missing since the storm."),
    ("Suspect held in Orsk jail, pending trial", "Suspect held in Orsk jail."),
    ("Ferry sank off Orsk, taking 40 years to find", "Ferry sank off Orsk."),
    ("If it rains in Orsk, 300 homes flood", "In Orsk, 300 homes flood."),
    ("Nearly all of the crew survived, 2 hurt", "Nearly all of the crew survived."),
    ("The mayor, 2 aides hurt", "The mayor and 2 aides hurt and more."),
    ("US troops leave Orsk today", "Us troops leave Orsk today."),
    ("Man stabs, police say", "Man stabbed, police say."),
    ("Few survived the crash", "A few survived the crash."),
    ("Plan A failed in Orsk", "Plan failed in Orsk."),
    ("Temperature –5 in Orsk tonight", "Temperature 5 in Orsk tonight."),
    ("Temperature -5 in Orsk tonight", "Temperature, 5 in Orsk tonight."),
    ("Ferry sinks near Orsk", "Ferry sinks near Orsk. Berg did it."),
    ("Ferry sinks near Orsk", "Ferry sinks near Orsk [1]"),
    ("Ferry sinks near Orsk", "**Ferry** sinks near Orsk"),
    ("Ferry sinks near Orsk", "Ferry sinks near Оrsk"),  # a Cyrillic letter
    ("Dahl owns the bank in Orsk", "Dahl owned the bank in Orsk."),
    ("Dahl shoots Berg in Orsk, portraying a killer", "Dahl shoots Berg in Orsk."),
    ("Ferry sinks", "Ferry sinks"),  # too short to be a sentence
    ("", ""),
]  # fmt: skip


@pytest.mark.parametrize(("quote", "rewrite"), KEPT)
def test_what_says_the_same_is_kept(quote: str, rewrite: str) -> None:
    assert faithful(rewrite, quote, "en")


@pytest.mark.parametrize(("quote", "rewrite"), REFUSED)
def test_what_says_more_or_other_is_refused(quote: str, rewrite: str) -> None:
    assert not faithful(rewrite, quote, "en")


def test_in_languages_without_lists_only_the_same_words_pass() -> None:
    quote = "BREAKING: pożar w Orsku, 40 osób rannych"
    assert faithful(
        "Breaking: pożar w Orsku, 40 osób rannych.", "Breaking: pożar w Orsku, 40 osób rannych", "pl"
    )
    assert not faithful("Pożar w Orsku, 40 osób rannych.", quote, "pl")
    assert not faithful("Ten pożar w Orsku.", "10 pożar w Orsku", "pl"), "`ten` is a number in English only"
    assert faithful("Le pont est fermé, selon la préfecture.", "Selon la préfecture, le pont est fermé", "fr")
    assert not faithful("Le pont est fermé.", "Selon la préfecture, le pont est fermé", "fr")


TEXTS = [hit.text for hit in FERRY if hit.lang == "en" and len(hit.text.split()) > 4]
WORD = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)


@given(st.sampled_from(TEXTS), st.integers(0, 30), WORD)
def test_no_word_can_be_slipped_in(quote: str, at: int, word: str) -> None:
    pieces = quote.split()
    pieces.insert(min(at, len(pieces)), word)
    if word.lower() not in {"a", "an", "the", "that", "is", "are", "and"}:
        assert not faithful(" ".join(pieces), quote, "en")


@given(st.sampled_from(TEXTS), st.lists(st.integers(0, 40), max_size=6), st.randoms())
def test_whatever_passes_holds_only_words_of_the_quote_in_their_order(
    quote: str, dropped: list[int], rng: object
) -> None:
    pieces = [piece for i, piece in enumerate(quote.split()) if i not in dropped]
    sentence = " ".join(pieces)
    if faithful(sentence, quote, "en"):
        assert numbers(sentence) <= numbers(quote)
        assert not re.search(r"\bsays?\b", quote) or re.search(r"\bsays?\b", sentence), "who says so is kept"
        for bound in ("At least", "more than", "likely", "confirms"):
            assert bound not in quote.split(", ")[0] or bound in sentence


@given(st.text(max_size=200), st.text(max_size=200), st.sampled_from(["en", "fr", "ja", ""]))
def test_nothing_a_post_or_a_model_writes_breaks_it(quote: str, sentence: str, lang: str) -> None:
    assert faithful(sentence, quote, lang) in (True, False)


@given(st.text(alphabet=st.sampled_from("ab1,.:;!-—()'\"? \u0301#live"), max_size=300))
def test_rows_of_punctuation_take_no_time_and_a_quote_passes_for_itself(text: str) -> None:
    plain = " ".join(text.split())
    faithful(plain, plain, "en")
    words = "one two three " + plain
    assert faithful(words, words, "en")
