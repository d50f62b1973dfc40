"""Alerts for Python programs: `trinch.open(folder).alerts`."""

import asyncio
from typing import Any

import msgspec

from trinch.alerts.types import AlertError, AlertSettings
from trinch.service import alerts
from trinch.store.store import Store


class Alerts:
    """The alerts of an open store, in the shapes of /v1/alerts."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, query: str = "", **settings: Any) -> dict[str, Any]:
        """Save an alert for posts that are ingested from now on; the settings are the fields of POST /v1/alerts.

        Raises AlertError."""
        try:
            given = msgspec.convert({"query": query} | settings, AlertSettings)
        except msgspec.ValidationError as error:
            reason, _, place = str(error).partition(" - at `$.")
            raise AlertError(place.rstrip("`") or "query", reason) from None
        return alerts.add_alert(self._store, given)

    def list(self) -> list[dict[str, Any]]:
        """All alerts, the oldest first."""
        found: list[dict[str, Any]] = alerts.list_alerts(self._store)["alerts"]
        return found

    def show(self, id: str) -> dict[str, Any] | None:
        """One alert with its last firings; None where there is none."""
        return alerts.show_alert(self._store, id)

    def test(self, id: str, *, send: bool = True, allow_private: bool = False) -> dict[str, Any] | None:
        """What an alert matched in the last day and, with `send`, what became of a test delivery; None where there is no
        such alert. `allow_private` lets webhooks go to private addresses."""
        found = alerts.preview_alert(self._store, id)
        if found is None:
            return None
        sent = asyncio.run(alerts.send_test(self._store.data, id, None, allow_private)) if send else []
        return found | {"deliveries": sent}

    def remove(self, id: str) -> bool:
        """Remove an alert; False where there is none."""
        return alerts.remove_alert(self._store.data, id)

    def run(self, seconds: float | None = None, *, allow_private: bool = False) -> None:
        """Match and deliver for so many seconds, or until interrupted. Raises AlertsRunning where another process does."""
        asyncio.run(alerts.run_for(self._store.data, seconds, allow_private))
