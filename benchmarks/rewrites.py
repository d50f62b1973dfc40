"""The verifier on sentences that are near copies of a post: how many false ones does it let through, how many true ones
does it keep?

    python -m benchmarks.rewrites [--split test] [--data ../shared/data/social] [--show]

Two sets of pairs (quote, rewrite). By hand: `benchmarks/rewrites_pairs.py`, invented. By rule: every span that could be
quoted of posts of real collections (a thousand posts of each), changed by the rules below, which know nothing of the
word lists of the check. Collections are either for development or for the test, as `DEV` says; a text that occurs in
both is left out of the test.
"""

import argparse
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from benchmarks.rewrites_pairs import DEV as DEV_PAIRS
from benchmarks.rewrites_pairs import TEST as TEST_PAIRS
from trinch.answers.spans import spans
from trinch.answers.verify.reading import CitedText
from trinch.answers.verify.verifier import verify
from trinch.posts.language_id import identify
from trinch.sources.files import Reject, read

DEV = ("crisislex_t26_shared", "rumoureval2017_traindev", "trump_tweets", "xlmt_8lang")
POSTS = 1000


def faithful(sentence: str, quote: str, lang: str) -> bool:
    """Whether the verifier finds a sentence supported by a quote as the only post."""
    return verify(sentence, lang, [CitedText(quote, lang=lang)]).supported


HEDGE = re.compile(
    r"\b(?:reportedly|allegedly|apparently|possibly|probably|perhaps|maybe|likely|unconfirmed|suspected|presumed|"
    r"believed to be|said to be|feared|rumou?red|at least|nearly|almost|about|around|up to|more than|over|some|"
    r"peut-être|au moins|environ|al menos|tal vez|presunto|mindestens|angeblich|vielleicht|almeno|forse)\s+",
    re.IGNORECASE,
)
MODAL = re.compile(r"\b(?:may|might|could|would|should|will|can|must)\s+(?=[a-z])")
NEGATION = re.compile(
    r"\b(?:not|no|never|without|pas|jamais|sin|nunca|nicht|kein\w*|non|não|nem)\s+|n[’']t\b", re.IGNORECASE
)
VERB = re.compile(r"\b(is|are|was|were|has|have|will|can|est|sont|es|son|ist|sind|è|sono|é|são)\b")
SPEAKER = r"[\w’' .-]{2,40}\b(?:says?|said|reports?|reported|tells?|told|claims?|warns?|confirms?|announces?)\b(?: that)?"
ATTRIBUTION = (
    re.compile(rf"^{SPEAKER}:?\s+", re.IGNORECASE),
    re.compile(rf"\s*[,–—-]\s*{SPEAKER}[.!]?$", re.IGNORECASE),
    re.compile(r",?\s*(?:according to|selon|según|laut|secondo|segundo)\s+[^,]+$", re.IGNORECASE),
    re.compile(r"^(?:according to|selon|según|laut|secondo|segundo)\s+[^,]+,\s*", re.IGNORECASE),
    re.compile(
        r"^(?!(?:BREAKING|Breaking|Update|UPDATE|Photos?|PHOTOS?|Videos?|VIDEOS?|JUST|Live|LIVE|News|NEWS|Watch|WATCH)\b)[A-Z][\w’'-]+(?: [A-Z][\w’'-]+){0,2}:\s+"
    ),
)
CONDITION = re.compile(
    r",?\s*\b(?:if|unless|until|except|before|after|while|because)\b[^,.;]*", re.IGNORECASE
)
TRAILING_SPEAKER = re.compile(
    r"^(?P<rest>[^,.;:?!]+), (?P<who>(?!he |she |they |it |i |we |you )[\w’' -]{2,30} (?:say|says|said))[.!]?$",
    re.IGNORECASE,
)
NAME = re.compile(r"(?<=\s)(?!The\b)[A-Z][a-zà-ÿ]{2,}\b")
OPPOSITES = {
    "killed": "injured", "injured": "killed", "dead": "missing", "missing": "found", "arrested": "released",
    "released": "arrested", "rises": "falls", "up": "down", "down": "up", "open": "closed", "closed": "open",
    "won": "lost", "win": "lose", "true": "false", "false": "true", "good": "bad", "more": "fewer", "before": "after",
    "after": "before", "first": "last", "all": "some", "over": "under", "to": "from", "from": "to", "with": "without",
    "he": "she", "she": "he", "against": "for", "alive": "dead", "north": "south", "mort": "blessé", "muertos": "heridos",
}  # fmt: skip
ADDED = (
    "deliberately",
    "again",
    "foreign",
    "not",
    "only",
    "all",
    "two",
    "alleged",
    "Russian",
    "heute",
    "aussi",
)
TAILS = (
    " because of sabotage",
    " in Berlin",
    ", officials confirm",
    " on Monday",
    " and nobody was hurt",
    "?",
    " [1]",
    " (update)",
)

Rule = Callable[[str, random.Random, list[str]], str | None]


def _sub(pattern: re.Pattern[str], by: str) -> Rule:
    """Replace one match, chosen at random."""

    def rule(quote: str, rng: random.Random, _: list[str]) -> str | None:
        found = list(pattern.finditer(quote))
        if not found:
            return None
        one = rng.choice(found)
        return f"{quote[: one.start()]}{one.expand(by)}{quote[one.end() :]}".strip()

    return rule


def number(quote: str, rng: random.Random, _: list[str]) -> str | None:
    found = list(re.finditer(r"\d+", quote))
    if not found:
        return None
    one = rng.choice(found)
    new = rng.choice((str(int(one[0]) + 1), f"{one[0]}0", one[0][:-1] or "7"))
    return quote[: one.start()] + new + quote[one.end() :]


def attribution(quote: str, rng: random.Random, _: list[str]) -> str | None:
    cut = [p.sub("", quote, count=1) for p in ATTRIBUTION if p.search(quote)]
    return rng.choice(cut) if cut else None


def roles(quote: str, rng: random.Random, _: list[str]) -> str | None:
    names = list(NAME.finditer(quote))
    pairs = [(a, b) for a in names for b in names if a.end() < b.start() and a[0] != b[0]]
    if not pairs:
        return None
    a, b = rng.choice(pairs)
    return quote[: a.start()] + b[0] + quote[a.end() : b.start()] + a[0] + quote[b.end() :]


def halves(quote: str, _: random.Random, __: list[str]) -> str | None:
    """What is around "in", "by", "with"... exchanged: subject and object, place and thing."""
    match = re.fullmatch(
        r"([\w' ]+) (hits?|by|against|attacks?|accuses?|kills?|beats?|over|supports?|for|from) ([\w' ]+)",
        quote,
    )
    return f"{match[3]} {match[2]} {match[1]}" if match else None


def other_name(quote: str, rng: random.Random, names: list[str]) -> str | None:
    found = list(NAME.finditer(quote))
    if not found:
        return None
    one, new = rng.choice(found), rng.choice(names)
    return None if new == one[0] else quote[: one.start()] + new + quote[one.end() :]


def opposite(quote: str, rng: random.Random, _: list[str]) -> str | None:
    found = [m for m in re.finditer(r"\w+", quote) if m[0].lower() in OPPOSITES]
    if not found:
        return None
    one = rng.choice(found)
    return quote[: one.start()] + OPPOSITES[one[0].lower()] + quote[one.end() :]


def added(quote: str, rng: random.Random, _: list[str]) -> str | None:
    pieces = quote.split(" ")
    pieces.insert(rng.randrange(1, len(pieces)), rng.choice(ADDED))
    return " ".join(pieces)


def tail(quote: str, rng: random.Random, _: list[str]) -> str | None:
    ending = rng.choice(TAILS)
    return None if ending == "?" and "?" in quote else quote.rstrip(".!?… ") + ending


def shuffled(quote: str, rng: random.Random, _: list[str]) -> str | None:
    pieces = quote.split(" ")
    i, j = sorted(rng.sample(range(len(pieces)), 2))
    pieces[i], pieces[j] = pieces[j], pieces[i]
    small = {pieces[i].lower(), pieces[j].lower()} & {"the", "a", "an", "and", "-", "&"}
    return None if small or pieces[i].lower() == pieces[j].lower() else " ".join(pieces)


def question(quote: str, _: random.Random, __: list[str]) -> str | None:
    return quote.replace("?", ".") if "?" in quote else None


FALSE: dict[str, Rule] = {
    "number changed": number,
    "negation dropped": _sub(NEGATION, ""),
    "negation added": _sub(VERB, r"\1 not"),
    "names exchanged": roles,
    "another name": other_name,
    "subject and object exchanged": halves,
    "two words exchanged": shuffled,
    "hedge or bound dropped": _sub(HEDGE, ""),
    "modal dropped": _sub(MODAL, ""),
    "attribution dropped": attribution,
    "condition or clause dropped": _sub(CONDITION, ""),
    "opposite": opposite,
    "word added": added,
    "ending added": tail,
    "question stated as fact": question,
}


def moved(quote: str, _: random.Random, __: list[str]) -> str | None:
    match = TRAILING_SPEAKER.match(quote)
    if not match or NEGATION.search(match["who"]):
        return None
    return f"{match['who'][0].upper()}{match['who'][1:]} {match['rest']}."


def shorter(quote: str, _: random.Random, __: list[str]) -> str | None:
    """The last clause left out, where nothing of the above is in it. A person has not looked: not all are faithful."""
    head, comma, last = quote.rpartition(", ")
    bad = (
        HEDGE,
        MODAL,
        NEGATION,
        re.compile(SPEAKER, re.IGNORECASE),
        re.compile(r"according|selon|según|laut|\?", re.IGNORECASE),
    )
    if not comma or len(head.split()) < 5 or len(last.split()) < 3 or any(p.search(last + " ") for p in bad):
        return None
    return head + "."


TRUE: dict[str, Rule] = {
    "repeated, full stop": lambda quote, *_: quote.rstrip(".! ") + ".",
    "hashes dropped": lambda quote, *_: quote.replace("#", "") if "#" in quote else None,
    "articles dropped": lambda quote, *_: re.sub(r"(?<=[a-z] )(?:the|a|an) (?=[a-z])", "", quote) if re.search(r"[a-z] (?:the|a|an) [a-z]", quote) else None,
    "small number as digit": lambda quote, *_: re.sub(r"\b(?:three|four|five|six)\b", lambda m: str(["three", "four", "five", "six"].index(m[0]) + 3), quote) if re.search(r"\b(?:three|four|five|six)\b", quote) else None,
    "attribution moved": moved,
    "last clause dropped": shorter,
}  # fmt: skip


class Line(msgspec.Struct):
    text: str
    lang: str = ""


def quotes(folder: Path, split: str) -> list[tuple[str, str]]:
    """(span, language) of posts of the collections of a split."""
    seen = {text for text, _ in _quotes(folder, "dev")} if split == "test" else set[str]()
    found = {text: lang for text, lang in _quotes(folder, split) if text not in seen}
    return list(found.items())


def _quotes(folder: Path, split: str) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.glob("*.jsonl.zst")):
        if (path.name.removesuffix(".jsonl.zst") in DEV) != (split == "dev"):
            continue
        lines = [item[1] for item in read(path) if not isinstance(item, Reject)]
        for raw in lines[:: max(1, len(lines) // POSTS)]:
            post = msgspec.json.decode(raw, type=Line)
            lang = identify(post.text)
            for span in spans(post.text):
                if len(text := post.text[span.start : span.end]) >= 25 and len(text.split()) >= 5:
                    yield text, lang


def by_rule(found: list[tuple[str, str]], show: int) -> None:
    rng = random.Random(0)
    names = sorted({match for text, _ in found for match in NAME.findall(text)}) or ["Orsk"]
    for title, rules, wrong in (("false", FALSE, True), ("true", TRUE, False)):
        total = passed = 0
        print(f"\n{title} rewrites: {'let through' if wrong else 'kept'}")
        for name, rule in rules.items():
            made, good = 0, list[tuple[str, str]]()
            for text, lang in found:
                other = rule(text, rng, names)
                if other is None or len(other.split()) < 3 or (wrong and _same_words(other, text)):
                    continue
                made += 1
                if faithful(other, text, lang) == wrong:
                    good.append((text, other))
            total, passed = total + made, passed + (len(good) if wrong else made - len(good))
            share = (len(good) if wrong else made - len(good)) / made if made else 0.0
            print(f"  {name:30} {made:6,} pairs  {share:7.2%}")
            for text, other in rng.sample(good, min(show, len(good))):
                print(f"      {text}\n   -> {other}")
        print(f"  {'all':30} {total:6,} pairs  {passed / max(total, 1):7.2%}  ({passed})")


def _same_words(one: str, other: str) -> bool:
    """Whether a rule changed nothing that is a word."""
    return re.findall(r"\w+", one.lower()) == re.findall(r"\w+", other.lower()) and one.count(
        "?"
    ) == other.count("?")


def by_hand(split: str, show: int) -> None:
    pairs = DEV_PAIRS if split == "dev" else TEST_PAIRS
    for wrong in (True, False):
        mine = [pair for pair in pairs if pair[2] != wrong]
        passed = [pair for pair in mine if faithful(pair[1], pair[0], identify(pair[0]))]
        label = "false, let through" if wrong else "true, kept"
        print(f"by hand, {label}: {len(passed)} of {len(mine)}")
        for pair in (passed if wrong else [p for p in mine if p not in passed]) if show else []:
            print(f"      {pair[0]}\n   -> {pair[1]}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--split", choices=["dev", "test"], default="test")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/social"))
    parser.add_argument(
        "--show", type=int, default=0, help="Print so many pairs judged wrongly of each kind."
    )
    options = parser.parse_args()
    by_hand(options.split, options.show)
    if not options.data.is_dir():
        print(f"{options.data} is not there: no pairs by rule")
        return
    found = quotes(options.data, options.split)
    print(f"\n{len(found):,} quotes")
    by_rule(found, options.show)


if __name__ == "__main__":
    main()
