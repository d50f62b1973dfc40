"""Back up a whole store, bring it back, check and repair it: the log and the alerts together, the index of terms."""

from contextlib import nullcontext
from pathlib import Path

from trinch.alerts import backup as alerts
from trinch.alerts.database import FILE
from trinch.store import maintenance
from trinch.store.database import DATABASE, StoreError
from trinch.store.log import Log
from trinch.store.maintenance import Report
from trinch.stories import term_index


def backup(data: Path, destination: Path) -> tuple[int, int]:
    """Copy a store, also one in use, to a new folder. Returns the number of events and of alerts. Raises StoreError."""
    events = maintenance.backup(data, destination)
    try:
        return events, alerts.backup(data, destination)
    except StoreError:  # half a backup must not be taken for one
        for name in (DATABASE, FILE):
            (destination / name).unlink(missing_ok=True)
        raise


def restore(folder: Path, data: Path, replace: bool = False) -> tuple[int, int]:
    """Bring a store back from a backup. Returns the number of events and of alerts.

    A store that is there is replaced only if `replace` is set, and kept beside the new one. Raises StoreError, and
    AlertsRunning where the backup has alerts and another process runs those of `data`."""
    with alerts.held(data) if (folder / FILE).exists() else nullcontext():
        events = maintenance.restore(folder, data, replace)
        log = Log(data / DATABASE)
        try:
            return events, alerts.restore(folder, data, log)
        finally:
            log.close()


def check(data: Path) -> Report:
    """Read every event, index file and alert, and report what is damaged, missing or of another store."""
    report = maintenance.check(data)
    report.problems = [*report.problems, *alerts.check(data), *term_index.check(data)]
    return report


def repair(data: Path) -> Report:
    """Check, then build again what is damaged; a damaged log and damaged alerts are kept beside the new ones. Raises
    StoreError, and AlertsRunning where another process runs alerts that are damaged."""
    report = maintenance.repair(data)
    if damaged := alerts.check(data):
        report.problems = [*report.problems, *damaged]
        report.repaired = [*report.repaired, alerts.repair(data)]
    if damaged := term_index.check(data):
        report.problems = [*report.problems, *damaged]
        report.repaired = [*report.repaired, term_index.discard(data)]
    return report
