"""Retention: how long posts are kept, and their removal by the process that writes the index.

Rules are kept in `retention.json` in the folder of the store. Age counts from ingestion, not from the time that a
post states: clocks of strangers must not decide. What is removed leaves the log, and the index with its next purge;
its id is not barred, and what hides it (a protected account) stays in force.
"""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from tantivy import Query

from trinch.errors import TrinchError
from trinch.posts.times import iso, now
from trinch.store.certificates import Certificate, keep
from trinch.store.log import Log
from trinch.store.query import normalized, parse
from trinch.store.query_compile import all_of
from trinch.store.query_eval import Candidate, matches
from trinch.store.text_index import INDEX, TextIndex

SETTINGS = "retention.json"
"""File name of the rules inside the folder of a store."""

HIDDEN_DAYS = 30.0
"""Days after which the text of posts that are hidden all that time is removed. X and Bluesky let a suspended,
protected or deactivated account return; X keeps a deactivated one for 30 days (help.x.com/managing-your-account)."""

CHUNK = 2000
"""Posts removed in one transaction: others that write wait no longer than that takes."""

_DAY = 86_400 * 1_000_000


class Rule(msgspec.Struct, frozen=True, omit_defaults=True):
    """Keep the posts of a network (empty: all) that match a query (empty: all) so many days or gigabytes."""

    days: float | None = None
    gigabytes: float | None = None
    """Of 10^9 bytes, log and index together; of a part of the store in proportion to its number of posts."""
    network: str = ""
    query: str = ""

    def __str__(self) -> str:
        amount = f"{self.days:g} days" if self.days is not None else f"{self.gigabytes:g} GB"
        parts = [f"network {self.network}"] if self.network else []
        parts += [f"query {self.query}"] if self.query else []
        return f"keep {amount} of {', '.join(parts) or 'all posts'}"


class Settings(msgspec.Struct, frozen=True):
    """What `retention.json` holds."""

    hidden_days: float = HIDDEN_DAYS
    rules: tuple[Rule, ...] = ()


class RetentionError(TrinchError, ValueError):
    """Settings that cannot be used. Nothing is removed."""


def load(data: Path) -> Settings:
    """The settings of a store. Raises RetentionError."""
    path = data / SETTINGS
    if not path.exists():
        return Settings()
    try:
        settings = msgspec.json.decode(path.read_bytes(), type=Settings)
        for rule in settings.rules:
            _check(rule)
    except (msgspec.DecodeError, ValueError) as error:
        raise RetentionError(f"{path} cannot be used, so nothing is removed: {error}") from None
    return settings


def set_rule(data: Path, rule: Rule) -> Settings:
    """Add a rule; it replaces the one for the same network and query. Raises RetentionError or QueryError."""
    _check(rule)
    settings = load(data)
    others = [other for other in settings.rules if (other.network, other.query) != (rule.network, rule.query)]
    return save(data, msgspec.structs.replace(settings, rules=(*others, rule)))


def save(data: Path, settings: Settings) -> Settings:
    """Write the settings; a running indexer reads them before its next removal."""
    temporary = data / f"{SETTINGS}.new"
    temporary.write_bytes(msgspec.json.encode(settings))
    temporary.replace(data / SETTINGS)
    return settings


def _check(rule: Rule) -> None:
    amounts = [amount for amount in (rule.days, rule.gigabytes) if amount is not None]
    if len(amounts) != 1 or not 0 <= amounts[0] < 1e6:
        raise RetentionError("a rule needs either days or gigabytes, a number from 0 to a million")
    parse(rule.query)


def due(log: Log, index: TextIndex, data: Path, moment: int) -> Iterator[tuple[str, list[int]]]:
    """For each rule, the positions of the posts that it removes, oldest first. Raises RetentionError."""
    settings = load(data)
    for rule in settings.rules:
        yield str(rule), _positions(rule, log, index, data, moment)
    oldest = log.last_seq_before(moment - round(settings.hidden_days * _DAY))
    yield f"erase what was hidden {settings.hidden_days:g} days", _hidden_positions(log, index, oldest)


def apply(log: Log, index: TextIndex, data: Path, moment: int | None = None) -> int:
    """Remove from the log what the rules do not keep; the index follows when it reads the log and is purged.

    Returns the number of versions of posts removed. Each removal is certified. Raises RetentionError."""
    total = 0
    for what, seqs in due(log, index, data, now() if moment is None else moment):
        started, removed = time.monotonic(), 0
        for start in range(0, len(seqs), CHUNK):
            removed += log.drop(seqs[start : start + CHUNK])
        if removed:
            certificate = Certificate(
                f"retention: {_without_words(what)}", iso(now()) or "", versions=removed
            )
            certificate.seconds = round(time.monotonic() - started, 3)
            keep(data, certificate)
        total += removed
    for rule in load(data).rules:
        if rule.days is not None and not rule.network and not rule.query:
            log.drop_counts(log.last_seq_before((moment or now()) - round(rule.days * _DAY)))
    return total


def _without_words(rule: str) -> str:
    """A rule as it is certified: the words of a query may be what was to be removed."""
    return rule.partition(" query ")[0] + (" query" if " query " in rule else "")


def _positions(rule: Rule, log: Log, index: TextIndex, data: Path, moment: int) -> list[int]:
    if rule.days is not None:
        return _matching(rule, log, index, log.last_seq_before(moment - round(rule.days * _DAY)))
    assert rule.gigabytes is not None
    found = _matching(rule, log, index, log.last_seq)
    used = log.bytes_used + sum(file.stat().st_size for file in (data / INDEX).rglob("*") if file.is_file())
    share = used * len(found) / max(1, index.count())
    excess = max(0.0, 1 - rule.gigabytes * 1e9 / share) if share else 0.0
    return found[: round(len(found) * excess)]


def _matching(rule: Rule, log: Log, index: TextIndex, last: int) -> list[int]:
    """Positions up to `last` of the posts that a rule is about, hidden or not, in order."""
    if not rule.network and not rule.query:
        return log.posts_through(last)
    node, moment = normalized(parse(rule.query)), now()
    compiled = index.queries.compile(node, moment, log)
    parts: list[Query] = [index.queries.before(last + 1)]
    parts += [index.queries.facet(f"net:{rule.network.lower()}")] if rule.network else []
    parts += [compiled] if compiled is not None else []
    candidates = sorted(index.all_positions(all_of(parts)))
    return [
        version.seq
        for start in range(0, len(candidates), CHUNK)
        for version in sorted(log.versions(candidates[start : start + CHUNK]).values())
        if rule.network in ("", version.post.network)
        and matches(node, Candidate(version.post, version.at), moment)
    ]


def _hidden_positions(log: Log, index: TextIndex, last: int) -> list[int]:
    """Positions of the posts that are hidden, themselves or by their account, since an event up to `last`."""
    posts, accounts = log.hidden_through(last)
    found = set(posts)
    for network, author_id in accounts:
        candidates = index.positions_of_author(network, author_id, log.last_seq + 1)
        found.update(_written_by(log, candidates, network, author_id))
    return sorted(found)


def _written_by(log: Log, candidates: Sequence[int], network: str, author_id: str) -> Iterator[int]:
    for version in log.versions(candidates).values():
        if (version.post.network, version.post.author_id) == (network, author_id):
            yield version.seq
