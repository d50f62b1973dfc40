"""Searching: the index never changes the answer, and every operator means what docs/search.md says."""

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tantivy import Query

from trinch.posts import schema as ev
from trinch.posts.schema import Post
from trinch.posts.times import now
from trinch.store.budget import Budget
from trinch.store.query import OPERATORS, QueryError, parse
from trinch.store.query_eval import Candidate, matches
from trinch.store.store import Store
from trinch.store.text_index import Found

NOON = 1_366_000_000_000_000  # 2013-04-15T04:26:40Z
MINUTE = 60_000_000


def created(id: str, text: str, at: int = NOON, **more: object) -> ev.Created:
    given: dict[str, object] = {"lang": "en", "author": "ann", "author_id": "1", "created_at": at} | more
    return ev.Created(at=at, network="x", post=Post(network="x", id=id, text=text, **given))  # type: ignore[arg-type]


def ingested(tmp_path: Path, events: Sequence[ev.Event]) -> Store:
    store = Store.open(tmp_path)
    store.ingest(events)
    store.catch_up()
    return store


POSTS = [
    created("1", "Storm warnings for the harbour tonight #Storm", NOON, likes=150, urls=("https://news.example.org/2013/storm",)),
    created("2", "The harbour is calm, no storm at all @bob", NOON + MINUTE, author="bob", author_id="2", reply_to="1", reply_to_author="ann", conversation_id="1"),
    created("3", "RT @ann: Storm warnings for the harbour tonight", NOON + 2 * MINUTE, author="cat", author_id="3", repost_of="1"),
    created("4", "Élections : les tempêtes au port", NOON + 3 * MINUTE, lang="fr", media=("image",), likes=3),
    created("5", "東京で大きな嵐", NOON + 4 * MINUTE, lang="ja", author="kei", author_id="5"),
    created("6", "Buy $TSLA now! 🚀 don't wait", NOON + 5 * MINUTE, quote_of="4", author_verified=True, reposts=64),
]  # fmt: skip

CASES = [
    ("storm", "1 2 3"),
    ("storm harbour", "1 2 3"),
    ("storms harbours", "1 2 3"),
    ("warning", "1 3"),
    ("+warning", ""),
    ('"storm warnings"', "1 3"),
    ('"warnings storm"', ""),
    ("calm OR tempête", "2 4"),
    ("elections", "4"),
    ("harbour -calm", "1 3"),
    ("harbour -(calm OR RT)", "1"),
    ("#storm", "1"),
    ("@bob", "2"),
    ("@ann", "3"),
    ("$TSLA", "6"),
    ("tsla", "6"),
    ("🚀", "6"),
    ("dont", "6"),
    ("東京", "5"),
    ("京東", ""),
    ("from:bob", "2"),
    ("from:@Ann storm", "1"),
    ("-from:ann", "2 3 5"),
    ("to:ann", "2"),
    ("lang:fr", "4"),
    ("network:X storm", "1 2 3"),
    ("network:bluesky", ""),
    ("-network:x", ""),
    ("-network:bluesky tempêtes", "4"),
    ("since:2013-04-15", "1 2 3 4 5 6"),
    ("until:2013-04-15", ""),
    ("until_time:1366000060", "1"),
    ("since_time:1366000300", "6"),
    ("filter:links", "1"),
    ("filter:media", "4"),
    ("filter:images", "4"),
    ("filter:replies", "2"),
    ("filter:retweets", "3"),
    ("filter:quote", "6"),
    ("filter:hashtags", "1"),
    ("filter:mentions", "2 3"),
    ("filter:verified", "6"),
    ("-filter:retweets storm", "1 2"),
    ("min_faves:3", "1 4"),
    ("min_faves:4", "1"),
    ("min_faves:151", ""),
    ("-min_faves:4 port", "4"),
    ("min_retweets:64", "6"),
    ("conversation_id:1", "1 2"),
    ("quoted_tweet_id:4", "6"),
    ("url:example.org", "1"),
    ("url:news.example.org/2013", "1"),
    ("url:other.org", ""),
    ("within_time:9999d kei", ""),
    ("", "1 2 3 4 5 6"),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return ingested(tmp_path_factory.mktemp("store"), POSTS)


@pytest.mark.parametrize(("query", "ids"), CASES)
def test_operators(store: Store, query: str, ids: str) -> None:
    for sort in ("relevance", "latest"):
        assert sorted(hit.post.id for hit in store.search(query, sort=sort)) == ids.split()


def test_a_word_is_excluded_in_the_form_that_each_language_gives_it(tmp_path: Path) -> None:
    texts = [
        ("en", "the storms"),
        ("en", "a storm"),
        ("it", "storms"),
        ("it", "storm"),
        ("ko", "storms"),
        ("ja", "storm"),
    ]
    store = ingested(tmp_path, [created(f"{n}", text, lang=lang) for n, (lang, text) in enumerate(texts)])
    assert sorted(hit.post.id for hit in store.search("-storms")) == ["3", "5"]
    assert sorted(hit.post.id for hit in store.search("-storm")) == ["2", "4"]


def test_latest_is_newest_first(store: Store) -> None:
    assert [hit.post.id for hit in store.search("storm", sort="latest", limit=2)] == ["3", "2"]


def test_latest_is_newest_first_though_the_index_grows_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search that has to look deeper looks at a newer index."""
    texts = ["red wine and cheese" if n % 3 else "calm and clear" for n in range(80)]
    store = ingested(tmp_path, [created(str(n), text, NOON + n) for n, text in enumerate(texts)])
    look, looked = store.index.search, list[int]()

    def search(query: Query, limit: int, *, latest: bool = False) -> list[Found]:
        if looked:
            store.ingest([created(f"new {len(looked)}", "calm at last", NOON + MINUTE + len(looked))])
            store.catch_up()
        looked.append(limit)
        return look(query, limit, latest=latest)

    monkeypatch.setattr(store.index, "search", search)
    hits = store.search('-"red wine"', sort="latest")
    assert len(looked) > 1
    assert [hit.post.id for hit in hits][:3] == ["new 1", "78", "75"]


def test_as_of_sees_nothing_later(store: Store) -> None:
    found = store.search("harbour", as_of=NOON + MINUTE)
    assert sorted(hit.post.id for hit in found) == ["1", "2"]
    assert store.search("harbour", as_of=NOON - 1) == []
    assert store.search("harbour within_time:1m", as_of=NOON + 90_000_000)[0].post.id == "2"


def test_counts_are_not_known_before_they_were_seen(store: Store) -> None:
    assert store.search("min_faves:3", as_of=NOON + 3 * MINUTE) == []


def test_an_empty_store_finds_nothing(tmp_path: Path) -> None:
    empty = Store.open(tmp_path)
    assert empty.search("anything") == []
    assert empty.retrieve("anything at all") == []
    assert empty.get("1") is None


def test_what_is_deleted_is_gone_before_the_index_knows(tmp_path: Path) -> None:
    store, elsewhere = ingested(tmp_path, POSTS), Store.open(tmp_path)
    assert elsewhere.search("calm")
    store.ingest([ev.Deleted(at=now(), network="x", id="2")])
    for reader in (store, elsewhere):
        assert reader.search("calm") == []
        assert reader.get("2") is None
        assert all(hit.post.id != "2" for hit in reader.retrieve("storm harbour calm"))
    store.catch_up()
    assert store.num_posts == len(POSTS) - 1


def test_an_edit_is_found_by_its_new_words_and_the_old_ones_as_of_then(tmp_path: Path) -> None:
    store = ingested(tmp_path, POSTS)
    calm = msgspec.structs.replace(POSTS[1].post, text="The harbour is wild")
    store.ingest([ev.Edited(at=NOON + 10 * MINUTE, network="x", post=calm)])
    store.catch_up()
    assert [hit.post.text for hit in store.search("wild")] == ["The harbour is wild"]
    assert store.search("calm") == []
    assert [hit.post.id for hit in store.search("calm", as_of=NOON + 9 * MINUTE)] == ["2"]


def test_a_post_that_gathers_likes_passes_the_threshold(tmp_path: Path) -> None:
    store = ingested(tmp_path, POSTS)
    assert store.search("calm min_faves:100") == []
    store.ingest([ev.CountsChanged(at=now(), network="x", id="2", likes=100)])
    store.catch_up()
    assert [hit.post.likes for hit in store.search("calm min_faves:100")] == [100]
    assert store.num_posts == len(POSTS), "indexed anew, not twice"


def test_a_gone_account_is_erased_from_log_and_index(tmp_path: Path) -> None:
    store = ingested(tmp_path, POSTS)
    store.ingest([ev.AccountGone(at=now(), network="x", author_id="2")])
    assert store.search("calm") == []
    store.catch_up()
    assert store.num_posts == len(POSTS) - 1
    assert all(entry.event is None for entry in store.log.read(1, 1)), "its body is empty"


def test_a_gone_account_is_erased_though_the_index_has_not_seen_its_posts(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    store.ingest([*POSTS, ev.AccountGone(at=now(), network="x", author_id="2")])
    store.catch_up()
    assert all(entry.event is None for entry in store.log.read(1, 1)), "its body is empty"
    assert store.num_posts == len(POSTS) - 1


def test_a_gone_account_takes_nobody_else_along(tmp_path: Path) -> None:
    namesake = created("7", "calm, says one whose handle is a number", author="2", author_id="77")
    elsewhere = ev.Created(
        at=NOON, network="y", post=msgspec.structs.replace(POSTS[1].post, network="y", id="8")
    )
    store = ingested(tmp_path, [*POSTS, namesake, elsewhere])
    store.ingest([ev.AccountGone(at=now(), network="x", author_id="2")])
    store.catch_up()
    assert sorted(hit.post.id for hit in store.search("calm")) == ["7", "8"]


@pytest.mark.parametrize("author", ["An Author", " ", "id with\ta tab", "no\x1cbreak\u00a0here"])
def test_odd_names_are_erased_like_others(tmp_path: Path, author: str) -> None:
    store = ingested(tmp_path, [created("1", "odd", author_id=author), created("2", "even", author_id="an")])
    store.ingest([ev.AccountGone(at=now(), network="x", author_id=author)])
    store.catch_up()
    assert [entry.event is None for entry in store.log.read(0, 2)] == [True, False]
    assert store.num_posts == 1


def test_a_late_copy_of_a_gone_accounts_post_is_not_kept(tmp_path: Path) -> None:
    store = ingested(tmp_path, [ev.AccountGone(at=NOON + MINUTE, network="x", author_id="2")])
    late = created("1", "late", NOON, author_id="2")
    assert store.ingest([late]).ignored == 1
    assert store.ingest([ev.Edited(at=NOON, network="x", post=late.post)]).ignored == 1
    assert store.ingest([created("2", "returned", NOON + 2 * MINUTE, author_id="2")]).accepted == 1


def test_the_likes_of_an_edited_post_are_kept_and_found(tmp_path: Path) -> None:
    store = ingested(tmp_path, POSTS)
    store.ingest([ev.CountsChanged(at=now(), network="x", id="2", likes=100, replies=3)])
    plain = msgspec.structs.replace(POSTS[1].post, text="The harbour is wild")
    store.ingest([ev.Edited(at=now(), network="x", post=plain)])
    store.catch_up()
    assert [hit.post.likes for hit in store.search("wild min_faves:100")] == [100]
    counted = msgspec.structs.replace(plain, id="2b", text="The harbour is foul", likes=300)
    store.ingest([ev.Edited(at=now(), network="x", post=counted, replaces=("2",))])
    store.catch_up()
    assert [(h.post.likes, h.post.replies) for h in store.search("foul min_faves:300")] == [(300, 3)]
    store.ingest([ev.CountsChanged(at=now(), network="x", id="2b", likes=1000)])
    store.catch_up()
    assert [hit.post.likes for hit in store.search("foul min_faves:600")] == [1000]


def test_likes_gathered_while_hidden_count_once_it_is_shown_again(tmp_path: Path) -> None:
    store = ingested(tmp_path, POSTS)
    store.ingest([ev.Hidden(at=NOON + 9 * MINUTE, network="x", id="2", reason="withheld")])
    store.ingest([ev.CountsChanged(at=now(), network="x", id="2", likes=100)])
    store.catch_up()
    store.ingest([ev.Restored(at=NOON + 10 * MINUTE, network="x", id="2", reason="withheld")])
    store.catch_up()
    assert [hit.post.id for hit in store.search("calm min_faves:100")] == ["2"]


def test_what_was_not_yet_so_is_excluded_as_of_then_only(tmp_path: Path) -> None:
    store = ingested(tmp_path, [created("1", "quiet")])
    before = now()
    store.ingest([ev.CountsChanged(at=now(), network="x", id="1", likes=1)])
    store.catch_up()
    assert store.search("quiet -filter:has_engagement") == []
    assert len(store.search("quiet -filter:has_engagement", as_of=before)) == 1


def test_a_renamed_account_is_found_by_its_new_handle(tmp_path: Path) -> None:
    store = ingested(tmp_path, POSTS)
    store.ingest([ev.AccountRenamed(at=now(), network="x", author_id="2", author="robert")])
    store.catch_up()
    assert [hit.post.author for hit in store.search("from:robert")] == ["robert"]
    assert store.search("from:bob") == []


def test_retrieval_needs_not_every_word(store: Store) -> None:
    found = [hit.post.id for hit in store.retrieve("what about the storm in the harbour")]
    assert set(found) >= {"1", "2", "3"}
    assert [hit.post.id for hit in store.retrieve("storm harbour", where="from:bob")] == ["2"]


@pytest.mark.parametrize("step", [1, -1, 7], ids=["oldest first", "newest first", "mixed"])
def test_of_posts_with_the_same_words_the_newest_are_retrieved(tmp_path: Path, step: int) -> None:
    """More than are looked at, in whatever order they came; also long after the newest of them."""
    number = 1200
    order = [i * step % number for i in range(number)]
    store = ingested(tmp_path, [created(str(i), f"flood {i}", NOON + i * 30 * MINUTE) for i in order])
    assert sorted(order) == list(range(number))
    for as_of in (None, NOON + number * 30 * MINUTE):
        found = {int(hit.post.id) for hit in store.retrieve("flood", limit=40, as_of=as_of)}
        assert min(found) >= number - 144, "of the last three days"
    past = {int(hit.post.id) for hit in store.retrieve("flood", limit=40, as_of=NOON + 600 * 30 * MINUTE)}
    assert 600 - 144 <= min(past) <= max(past) <= 600
    if step == 1:
        unsorted = store.retrieve("flood", limit=40, newest_first=False)
        assert number - 1 not in {int(hit.post.id) for hit in unsorted}, "by the order of the index alone"


def test_copies_of_a_post_are_found(store: Store) -> None:
    original = store.get("1")
    assert original
    assert {hit.post.id for hit in store.copies(original)} == {"1", "3"}


WORDS = [
    "storm",
    "storms",
    "harbour",
    "élections",
    "elections",
    "#storm",
    "RT",
    "嵐",
    "東京",
    "don't",
    "🚀",
    "@ann",
    "2,000",
]
LEAVES = st.one_of(
    st.sampled_from(WORDS),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(lambda w: f'"{" ".join(w)}"'),
    st.sampled_from(
        ["from:ann", "from:bob", "to:ann", "lang:fr", "filter:links", "filter:replies", "min_faves:3", "min_retweets:1",
         f"since_time:{NOON // 1_000_000 + 90}", f"until_time:{NOON // 1_000_000 + 150}", "url:example.org", "within_time:9000d",
         "since_id:2", "max_id:4"]
    ),
)  # fmt: skip
QUERIES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        inner.map(lambda q: f"-({q})"),
        st.lists(inner, min_size=2, max_size=3).map(lambda qs: "(" + " ".join(qs) + ")"),
        st.lists(inner, min_size=2, max_size=3).map(lambda qs: "(" + " OR ".join(qs) + ")"),
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=QUERIES, as_of=st.one_of(st.none(), st.integers(NOON - MINUTE, NOON + 7 * MINUTE)))
def test_the_index_finds_exactly_what_matches(store: Store, query: str, as_of: int | None) -> None:
    """Against the plainest reference: evaluate every visible post by itself."""
    seqs = [entry.seq for entry in store.log.read(0)]
    visible = store.log.visible(seqs, as_of).values()
    moment = now() if as_of is None else as_of
    expected = {v.post.id for v in visible if matches(parse(query), Candidate(v.post, v.at), moment)}
    assert {hit.post.id for hit in store.search(query, as_of=as_of)} == expected


def test_without_words_the_newest_are_looked_at(tmp_path: Path) -> None:
    store = ingested(tmp_path, [created(str(n), "calm", NOON + n * MINUTE) for n in range(600)])
    for query in ("from:ann", "-storm", "lang:en"):
        assert all(int(hit.post.id) >= 400 for hit in store.search(query, limit=20))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("since_time:99999999999999999999", 0),
        ("until_time:99999999999999999999", 6),
        ("within_time:99999999999999999999d", 6),
        ("since_id:99999999999999999999", 0),
        ("min_faves:99999999999999999999", 0),
    ],
)
def test_numbers_beyond_every_limit_are_understood(store: Store, query: str, found: int) -> None:
    assert len(store.search(query, limit=10**9)) == found


@pytest.mark.timeout(20)  # by the square of its length, each would take hours
@pytest.mark.parametrize(
    "more",
    [
        {"text": "joined\u200d" + "\u200d" * 300_000 + " !"},
        {"text": "joined " + "@" * 100_000 + "#_" * 100_000 + "1." * 100_000},
        {"text": "joined", "urls": ("http://" + "a." * 300_000,)},
    ],
)
def test_posts_made_to_take_forever_do_not(tmp_path: Path, more: dict[str, object]) -> None:
    store = ingested(tmp_path, [created("1", **more)])  # type: ignore[arg-type]  # keyword bag of a test
    assert len(store.search("joined")) == 1


def test_double_negation_uses_the_index(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    look, limits = store.index.search, list[int]()

    def search(query: Query, limit: int, *, latest: bool = False) -> list[Found]:
        found = look(query, limit, latest=latest)
        limits.append(len(found))
        return found

    monkeypatch.setattr(store.index, "search", search)
    assert store.search('-(-"zzzqqq nothing")') == []
    assert limits == [0], "no candidate is evaluated"
    assert len(store.search("-(-(-(-storm)) -calm)", limit=50)) == 3  # storm OR calm


def test_a_search_ends_with_its_budget_and_says_so(store: Store) -> None:
    whole = store.search("storm")
    assert (len(whole), whole.partial) == (3, False)
    with store.within(Budget(0)):
        cut = store.search("storm")
        assert (len(cut), cut.partial) == (0, True)
    with store.within(Budget(10_000)) as budget:
        assert not store.search("storm").partial
        assert not store.retrieve("storm").partial
        assert not budget.is_used_up
    assert not store.search("storm").partial


def test_a_query_of_too_many_parts_is_an_error(store: Store) -> None:
    with pytest.raises(QueryError, match="more than 200"):
        store.search(" ".join(["a"] * 201))


def test_bad_queries_are_errors(store: Store) -> None:
    with pytest.raises(QueryError):
        store.search("(never closed")


def test_every_operator_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "search.md").read_text()
    missing = [name for name in OPERATORS if not re.search(rf"`-?{name}:", text)]
    assert missing == []
