"""When an alert may be delivered: digests, quiet hours, and the cap per hour."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from trinch.alerts.types import HOUR, Alert, parse_duration, parse_quiet


def due(alert: Alert, first: int, sent: Sequence[int]) -> int:
    """When a delivery may begin whose first firing was at `first`; `sent` are the times of the last deliveries.

    A digest ends with a full period (counted from 1970, UTC). The cap counts the hour before."""
    moment = first
    if alert.digest:
        period = parse_duration(alert.digest)
        moment = (first // period + 1) * period
    if len(sent) >= alert.cap:
        moment = max(moment, sorted(sent)[-alert.cap] + HOUR)
    return _after_quiet(alert, moment)


def _after_quiet(alert: Alert, moment: int) -> int:
    """The time itself, or the end of the quiet hours that it is in."""
    if not alert.quiet:
        return moment
    start, end = parse_quiet(alert.quiet)
    there = datetime.fromtimestamp(moment / 1e6, UTC).astimezone(ZoneInfo(alert.zone))
    minute = there.hour * 60 + there.minute
    is_quiet = start <= minute < end if start < end else minute >= start or minute < end
    if not is_quiet:
        return moment
    morning = there.replace(hour=end // 60, minute=end % 60, second=0, microsecond=0)
    if minute >= end:
        morning += timedelta(days=1)
    return max(moment, int(morning.timestamp() * 1e6))
