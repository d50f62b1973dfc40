"""Request counters, and all metrics in the text format of Prometheus (version 0.0.4)."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Upper bounds of the latency buckets, seconds."""

NAMES = {
    "trinch_requests_total": "Requests served, by route, method and status.",
    "trinch_request_seconds": "Time to the end of a response, by route.",
    "trinch_requests_in_flight": "Requests being served now.",
    "trinch_connections": "Connections open now.",
    "trinch_evicted_connections_total": "Connections closed because they were too slow, silent or too many.",
    "trinch_waiting": "Tasks running or waiting, by worker pool (`search`, `answer`, `ingest`).",
    "trinch_events": "Acknowledged events in the log.",
    "trinch_posts": "Searchable posts.",
    "trinch_events_per_second": "Events acknowledged per second, over the last ten.",
    "trinch_behind": "Acknowledged events that are not yet searchable.",
    "trinch_lag_seconds": "How long ago the newest event happened; absent while nothing is ingested.",
    "trinch_source_accepted_total": "Events of a live source that were new, since its process started.",
    "trinch_source_rejected_total": "Frames, lines or pages of a live source that could not be read.",
    "trinch_source_reconnects_total": "Lost connections of a live source, since its process started.",
    "trinch_source_events_per_second": "Events of a live source accepted per second, at its last report.",
    "trinch_source_updated_seconds": "Unix time of the last report of a live source.",
    "trinch_source_lag_seconds": "How long after it happened the newest event of a live source was received.",
    "trinch_model_answers_total": "Answers for which the language model was asked.",
    "trinch_model_tokens_total": "Tokens that the language model wrote.",
    "trinch_model_seconds_total": "Seconds that the language model took.",
    "trinch_model_sentences_total": "Its sentences, by `result`: `written` (shown; of these `repaired` at the second attempt), `dropped`.",
    "trinch_model_errors_total": "Answers at which the language model failed, by `code`.",
    "trinch_model_searches_total": "Searches that the language model made.",
    "trinch_model_limited_total": "Answers made without it because their key had used up its tokens of the day.",
    "trinch_alerts": "Saved alerts.",
    "trinch_alerts_behind": "Acknowledged events that were not matched against the alerts yet.",
    "trinch_alert_matched_total": "Posts that an alert matched, counted for each alert.",
    "trinch_alert_fired_total": "Times that an alert fired.",
    "trinch_alert_overflowed_total": "Firings dropped because more than 10,000 of their alert waited to be delivered.",
    "trinch_alert_deliveries_total": "Attempts to deliver, by `channel` (`webhook`, `email`, or one of a package) and `result`: `delivered`, `retried`, `failed` (for good), `dropped` (its posts were deleted meanwhile).",
    "trinch_alert_deliveries_pending": "Deliveries that are open now.",
    "trinch_child_restarts_total": "Restarts of a child process, by its name.",
}
"""Every metric and its meaning."""


class Metrics:
    """Request counters of one server."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.buckets: Counter[tuple[str, int]] = Counter()
        self.seconds: Counter[str] = Counter()
        self.in_flight = 0

    def served(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one response."""
        self.requests[route, method, status] += 1
        self.buckets[route, bisect_left(BOUNDS, seconds)] += 1
        self.seconds[route] += seconds  # type: ignore[assignment]  # a Counter also sums floats

    def text(self, gauges: Iterable[tuple[str, Mapping[str, str], float]]) -> str:
        """All counters and these gauges (name, labels, value), as text."""
        lines = dict[str, list[str]]()

        def add(name: str, labels: Mapping[str, str], value: float, suffix: str = "") -> None:
            pairs = ",".join(f'{key}="{_escaped(label)}"' for key, label in labels.items())
            shown = f"{{{pairs}}}" if pairs else ""
            lines.setdefault(name, []).append(f"{name}{suffix}{shown} {value:g}")

        for (route, method, status), count in sorted(self.requests.items()):
            served = {"route": route, "method": method, "status": str(status)}
            add("trinch_requests_total", served, count)
        for route, total in sorted(self.seconds.items()):
            cumulative = 0
            for i, bound in enumerate((*map(str, BOUNDS), "+Inf")):
                cumulative += self.buckets[route, i]
                add("trinch_request_seconds", {"route": route, "le": bound}, cumulative, "_bucket")
            add("trinch_request_seconds", {"route": route}, total, "_sum")
            add("trinch_request_seconds", {"route": route}, cumulative, "_count")
        add("trinch_requests_in_flight", {}, self.in_flight)
        for name, labels, value in gauges:
            add(name, labels, value)
        text = []
        for name, written in lines.items():
            kind = (
                "counter"
                if name.endswith("_total")
                else "histogram"
                if name.endswith("request_seconds")
                else "gauge"
            )
            text += [f"# HELP {name} {NAMES[name]}", f"# TYPE {name} {kind}", *written]
        return "\n".join(text) + "\n"


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
