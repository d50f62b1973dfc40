"""Live ingest from Kafka, against the mock broker of librdkafka: it speaks Kafka's protocol over TCP, but is no real one.

No Kafka broker could be had here; what a broker does at a failover, with TLS or with credentials, is not tested.
"""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.service.test_listen_http import cursor, texts
from trinch.service.listen import listen
from trinch.sources.registry import open_source
from trinch.store.writer import Totals

pytest.importorskip("aiokafka", reason="aiokafka is not installed")
confluent = pytest.importorskip(
    "confluent_kafka", reason="confluent-kafka, with its mock broker, is not installed"
)


def post(n: int) -> bytes:
    row = {
        "platform": "x",
        "id": str(1_724_551_110_972_145_716 + n),
        "text": f"post {n}",
        "author": "quaywatch",
    }
    return json.dumps(row).encode()


def run(data: Path, address: str, enough: Callable[[Totals], bool]) -> Totals:
    async def listening() -> Totals:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(60, stop.set)
        return await listen(data, open_source(address), stop=stop, until=enough)

    return asyncio.run(listening())


def test_a_topic_is_resumed_behind_what_was_stored(tmp_path: Path) -> None:
    producer: Any = confluent.Producer(
        {"test.mock.num.brokers": 1, "bootstrap.servers": "none", "log_level": 0}
    )
    broker = next(iter(producer.list_topics(timeout=30).brokers.values()))
    address, data = f"kafka://{broker.host}:{broker.port}/posts", tmp_path / "store"
    for n in range(9):
        producer.produce("posts", post(n), partition=n % 3)
    producer.produce("posts", b"{not json", partition=0)
    producer.produce("posts", b"[" + post(20) + b"," + post(21) + b"]", partition=1)
    producer.flush(30)
    totals = run(data, address, lambda totals: totals.read >= 12)
    assert (totals.accepted, totals.rejected, totals.duplicates) == (11, 1, 0)
    assert len(texts(data)) == 11
    stored = json.loads(cursor(data, f"kafka:{broker.host}:{broker.port}/posts") or "{}")
    assert (stored["1"], stored["2"]) == (4, 3)
    producer.produce("posts", post(30), partition=2)
    producer.flush(30)
    totals = run(data, address, lambda totals: totals.accepted >= 1)
    assert (totals.accepted, totals.duplicates) == (1, 0)


@pytest.mark.parametrize(
    "address", ["kafka://", "kafka://host", "kafka:///posts", "kafka://host/a/b", "kafka://host/posts?x=1"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="kafka://HOST"):
        open_source(address)


def test_settings_of_security(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_SASL_MECHANISM", "NONE")
    with pytest.raises(ValueError, match="SCRAM"):
        open_source("kafka://host/posts")
