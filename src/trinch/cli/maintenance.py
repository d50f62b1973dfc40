"""Commands that keep a store sound: check, rebuild, backup, restore, erase, retain."""

from pathlib import Path

import click

from trinch.cli import console
from trinch.cli.options import data_option, json_option


@click.command()
@click.option(
    "--repair", is_flag=True, help="Build again what is damaged; a damaged log and damaged alerts are kept."
)
@data_option
@json_option
def check(repair: bool, data: Path, as_json: bool) -> None:
    """Read the whole store and report what is damaged, missing or of another store.

    Exit status 1 if anything is wrong and was not repaired.

    \b
    Example:
      trinch check
      trinch check --repair
    """
    from trinch.service import backup as maintenance

    report = maintenance.repair(data) if repair else maintenance.check(data)
    if as_json:
        console.print_json(report)
    else:
        for problem in report.problems:
            click.echo(f"{problem.file}: {problem.what}; {problem.advice}", err=True)
        for line in report.repaired:
            click.echo(line)
        click.echo(
            f"{report.events:,} events read, {report.erased:,} of them erased; {report.indexed:,} posts indexed"
        )
    raise SystemExit(1 if report.problems and not report.repaired else 0)


@click.command()
@data_option
def rebuild(data: Path) -> None:
    """Build the index again from the log.

    \b
    Example:
      trinch rebuild
    """
    from trinch.store import maintenance

    _need_store(data)
    click.echo(f"{maintenance.rebuild(data):,} posts indexed")


@click.command()
@click.argument("destination", type=click.Path(file_okay=False, path_type=Path))
@data_option
def backup(destination: Path, data: Path) -> None:
    """Copy the store, also while it is in use, to the new folder DESTINATION, and read the copy back.

    The log, the rejected input and the alerts are copied, with the signing secrets of these; keys and indexes are not.

    \b
    Example:
      trinch backup /mnt/backup/2026-11-28
    """
    from trinch.service import backup as backups

    events, alerts = backups.backup(data, destination)
    click.echo(f"{events:,} events and {alerts:,} alerts copied and read back")


@click.command()
@click.argument("backup_folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--replace",
    is_flag=True,
    help="Replace the store that is there; its log and alerts are kept beside the new ones.",
)
@data_option
def restore(backup_folder: Path, replace: bool, data: Path) -> None:
    """Bring the store back from a backup, also while it is in use. A backup with alerts needs them stopped.

    \b
    Example:
      trinch restore /mnt/backup/2026-11-28
    """
    from trinch.service import backup as backups

    events, alerts = backups.restore(backup_folder, data, replace)
    click.echo(f"{events:,} events and {alerts:,} alerts restored")


@click.command()
@click.option("--id", "id", help="One post, by its id or network:id, with all its versions.")
@click.option("--author", help="All posts of a handle or author id.")
@click.option("--query", help="All posts that match a query (docs/search.md).")
@click.option("--dry-run", is_flag=True, help="List what would be erased; change nothing.")
@data_option
@json_option
def erase(
    id: str | None, author: str | None, query: str | None, dry_run: bool, data: Path, as_json: bool
) -> None:
    """Erase posts for good: from the log, the index files and the rejected input. Ends with a certificate.

    The ids stay barred, so that late copies do not come back. Training runs: trinch train forget.

    \b
    Example:
      trinch erase --author ann --dry-run
      trinch erase --id x:1724551110972145667
    """
    from trinch.store import erase as erasing
    from trinch.store.query import QueryError
    from trinch.store.store import Store

    if sum(bool(given) for given in (id, author, query)) != 1:
        console.fail("give exactly one of --id, --author and --query", 2)
    _need_store(data)
    try:
        certificate = erasing.erase(
            Store.open(data), id=id or "", author=author or "", query=query or "", dry_run=dry_run
        )
    except QueryError as error:
        console.fail(str(error), 2)
    if as_json:
        console.print_json(certificate)
    else:
        console.summary(console.fields(certificate))
    if certificate.files_with_text:
        console.fail("these files still contain the text: " + ", ".join(certificate.files_with_text), 1)
    raise SystemExit(0 if certificate.ids else 1)


@click.command()
@click.option(
    "--days", type=click.FloatRange(min=0), help="Keep posts so many days after they were ingested."
)
@click.option(
    "--gigabytes", type=click.FloatRange(min=0), help="Keep the newest posts up to so many GB on disk."
)
@click.option("--network", default="", help="The rule is about this network only.")
@click.option("--query", default="", help="The rule is about posts that match a query only (docs/search.md).")
@click.option("--forever", is_flag=True, help="Remove the rule about this network and query.")
@click.option(
    "--hidden-days", type=click.FloatRange(min=0),
    help="Erase the text of protected, suspended or withheld posts after so many days; 30 by default.",
)  # fmt: skip
@click.option(
    "--now", "at_once", is_flag=True, help="Apply the rules now; else a running store does so once a day."
)
@data_option
@json_option
def retain(
    days: float | None, gigabytes: float | None, network: str, query: str, forever: bool,
    hidden_days: float | None, at_once: bool, data: Path, as_json: bool,
) -> None:  # fmt: skip
    """Set how long posts are kept, and list the rules with the number of posts that each would remove now.

    Without options it only lists. What is removed is certified in erasures.jsonl.

    \b
    Example:
      trinch retain --days 30
      trinch retain --days 7 --network bluesky --query "-min_faves:1"
      trinch retain --gigabytes 50 --now
    """
    import msgspec

    from trinch.posts.times import now
    from trinch.store import erase as erasing
    from trinch.store import retention
    from trinch.store.query import QueryError
    from trinch.store.store import Store

    _need_store(data)
    settings = retention.load(data)
    try:
        if days is not None or gigabytes is not None:
            settings = retention.set_rule(data, retention.Rule(days, gigabytes, network, query))
        elif forever:
            kept = tuple(rule for rule in settings.rules if (rule.network, rule.query) != (network, query))
            settings = retention.save(data, msgspec.structs.replace(settings, rules=kept))
        elif network or query:
            console.fail("give --days, --gigabytes or --forever with --network and --query", 2)
    except (retention.RetentionError, QueryError) as error:
        console.fail(str(error), 2)
    if hidden_days is not None:
        settings = retention.save(data, msgspec.structs.replace(settings, hidden_days=hidden_days))
    store = Store.open(data)
    store.catch_up()
    rows = [(rule, len(seqs)) for rule, seqs in retention.due(store.log, store.index, data, now())]
    if at_once:
        erasing.purge(store)
    store.close()
    if as_json:
        console.print_json([{"rule": rule, "removed" if at_once else "due": number} for rule, number in rows])
    else:
        console.table("", ("rule", "posts removed" if at_once else "posts due"), rows)


def _need_store(data: Path) -> None:
    if not (data / "ocean.db").exists():
        console.fail(f"there is no store in {data} yet; ingest first: trinch ingest FILE, or trinch demo", 1)
