"""Numbers and what they count."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trinch.answers.quantities import figures, numbers, value_of


def read(text: str) -> list[tuple[str, float, str]]:
    return [(f.quantity, f.value, f.firm) for f in figures(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("At least 87 dead in collapse", [("dead", 87, "exact")]),
        ("Collapse kills 100, injures 700", [("dead", 100, "exact"), ("injured", 700, "exact")]),
        ("82 people have died and 700 have been injured", [("dead", 82, "exact"), ("injured", 700, "exact")]),
        ("Toll tops 1,000", [("dead", 1000, "over")]),
        ("Toll nears 600", [("dead", 600, "near")]),
        ("Toll from the big storm in the north rises to 91", [("dead", 91, "exact")]),
        ("Death toll passes 400; 149 still missing", [("dead", 400, "over"), ("missing", 149, "exact")]),
        ("500 feared dead", [("dead", 500, "feared")]),
        ("al menos 82 muertos y 600 heridos", [("dead", 82, "exact"), ("injured", 600, "exact")]),
        ("le bilan passe à 11 morts, deux disparus", [("dead", 11, "exact"), ("missing", 2, "exact")]),
        ("Fire kills 8 as collapse toll hits 912", [("dead", 8, "exact"), ("dead", 912, "exact")]),
        ("1.127 morti", [("dead", 1127, "exact")]),
        ("Rescuers find 2 more bodies", []),
        ("An 8-storey building fell", []),
        ("Ann Lee, 8, dies in fire", []),
        ("a magnitude 7.9 quake, many dead", []),
        ("killed in 2013", []),
        ("40% of victims", []),
    ],
)
def test_known_sentences(text: str, expected: list[tuple[str, float, str]]) -> None:
    assert read(text) == expected


def test_a_unit_of_the_question_is_counted() -> None:
    unit = frozenset({"home", "homes"})
    assert [f.value for f in figures("Fire destroys 346 homes", unit)] == [346]
    assert figures("32,000 flee homes", unit) == ()
    assert figures("Fire destroys 346 homes") == ()


def test_numbers_compare_across_spellings() -> None:
    assert numbers("1,127 and 3.5 and 10") == {"1127", "3.5", "10"}
    assert value_of("1,127") == value_of("1.127") == value_of("1127") == 1127
    assert value_of("seven") == 7
    assert value_of("v7") is None


@given(
    st.integers(2, 9_999_999),
    st.sampled_from(["{} dead", "kills {}", "toll hits {}", "{} morts", "{} muertos"]),
)
def test_any_number_is_read_back(value: int, pattern: str) -> None:
    if 1900 <= value <= 2100:
        return
    for written in (str(value), f"{value:,}"):
        assert [f.value for f in figures(pattern.format(written))] == [value]


@given(st.text(max_size=300))
def test_offsets_point_at_the_number(text: str) -> None:
    for figure in figures(text):
        assert value_of(text[figure.start : figure.end].lower()) == figure.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Nobody is missing any more", ["missing"]),
        ("search ends, no one still missing", ["missing"]),
        ("Everyone has been accounted for", ["missing"]),
        ("no deaths or injuries reported", ["dead", "injured"]),
        ("plus aucun disparu", ["missing"]),
        ("Plus personne n'est recherché", ["missing"]),
        ("Il n'y a pas de blessés", ["injured"]),
        ("no hay desaparecidos", ["missing"]),
        ("niemand wird mehr vermisst", ["missing"]),
        ("keine Verletzten", ["injured"]),
        ("non ci sono dispersi", ["missing"]),
        ("nenhum desaparecido", ["missing"]),
        ("no other injuries", []),
        ("no serious injuries", []),
        ("Nobody at our schools was hurt", []),
        ("Nobody knows how many died", []),
        ("no more bodies found", []),
    ],
)
def test_nobody_is_a_count(text: str, expected: list[str]) -> None:
    assert [(f.quantity, f.value) for f in figures(text)] == [(quantity, 0) for quantity in expected]
