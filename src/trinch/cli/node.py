"""`trinch node`: a node of a cluster, which holds some partitions of the log."""

import os
from pathlib import Path

import click

from trinch.cli import console
from trinch.cli.options import address_options, data_option


@click.command()
@click.option(
    "--partitions", "wanted", required=True, metavar="RANGE", envvar="TRINCH_PARTITIONS",
    help="Which of the 64 partitions this node holds, such as 0-31, 0-15,40, or 0/3 for the first of three shares; also TRINCH_PARTITIONS.",
)  # fmt: skip
@click.option(
    "--log", "address", metavar="ADDRESS",
    help="NATS server with the log of the cluster, as nats://HOST:4222; also TRINCH_LOG, for addresses with a password.",
)  # fmt: skip
@address_options
@data_option
def node(wanted: str, address: str | None, host: str, port: int, data: Path) -> None:
    """Hold some partitions of a cluster: apply their events from NATS JetStream, answer coordinators.

    Coordinators are `trinch serve --nodes …` (docs/scale-out.md). Both need the same TRINCH_TOKEN. Started again after
    any end, it goes on behind the last event that its store holds.

    \b
    Example:
      trinch node --partitions 0-31 --log nats://10.0.0.5:4222 --data /var/lib/trinch/node-0
    """
    from trinch.server.http.access import access_rules
    from trinch.server.http.keys import Keys
    from trinch.server.run import run
    from trinch.store.cluster.node_store import prepare
    from trinch.store.cluster.partitions import PartitionError, parse_partitions, written

    address = address or os.environ.get("TRINCH_LOG")
    if not address:
        console.fail(
            "name the NATS server with the log of the cluster: --log nats://HOST:4222, or TRINCH_LOG", 2
        )
    os.environ["TRINCH_LOG"] = address
    os.environ.pop("TRINCH_NODES", None)  # searches here are of this folder
    try:
        partitions = parse_partitions(wanted)
        removed = prepare(data, partitions)
        access = access_rules(
            host, bool(Keys(data).all()), rate=100_000.0, token=os.environ.get("TRINCH_TOKEN") or None
        )
    except (PartitionError, ValueError) as error:
        console.fail(str(error), 2)
    if removed:
        console.note(f"{removed:,} posts of partitions that this node does not hold were removed")

    def started(where: str) -> None:
        console.err().print(
            f"[bold]{where}[/]  (partitions {written(partitions)}; store: {data})", soft_wrap=True
        )

    try:
        status = run(data, host, port, access, [], started, node_log=address)
    except OSError as error:
        console.fail(f"cannot listen on {host} port {port}: {error.strerror or error}", 1)
    raise SystemExit(status)
