"""The command `trinch`: one module for each group of verbs, each a thin layer over one room.

Exit status: 0 success, 1 ran without a result, 2 wrong usage. Libraries that are slow to import, and optional ones,
are imported inside the verbs, so that `trinch --help` needs neither.
"""

import os
import sqlite3
from typing import Any

import click

import trinch
from trinch.cli import console
from trinch.cli.alerts import alerts
from trinch.cli.ask import ask
from trinch.cli.brief import brief
from trinch.cli.config import apply, config
from trinch.cli.counts import counts
from trinch.cli.demo import demo
from trinch.cli.export import export
from trinch.cli.group import CommandGroup
from trinch.cli.ingest import ingest
from trinch.cli.listen import listen
from trinch.cli.maintenance import backup, check, erase, rebuild, restore, retain
from trinch.cli.model import model
from trinch.cli.models import models
from trinch.cli.plan import plan
from trinch.cli.search import search
from trinch.cli.serve import keys, mcp, serve
from trinch.cli.stats import stats
from trinch.cli.stories import stories, story, trends
from trinch.cli.train import train
from trinch.cli.verify import verify
from trinch.errors import TrinchError

# Our matrices are small: more numpy threads would only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


class Main(CommandGroup):
    """The outermost group; reports an error of the disk, the database or Trinch in one line, with exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        apply(ctx)
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # click ends quietly: the reader of our output has closed it
        except sqlite3.Error as error:
            from trinch.store.database import explain

            console.fail(explain(error), 1)
        except (OSError, TrinchError) as error:
            console.fail(str(error), 1)


@click.group(cls=Main, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(trinch.__version__, prog_name="trinch")
def main() -> None:
    """Ingest posts, search them, and ask questions that are answered in exact, cited quotes.

    Exit status: 0 success, 1 ran without a result, 2 wrong usage.

    \b
    Example:
      trinch ingest posts.jsonl.zst
      trinch ask what happened at the harbour
    """


for command in (
    ingest,
    listen,
    search,
    ask,
    stories,
    story,
    trends,
    brief,
    alerts,
    verify,
    counts,
    export,
    stats,
    demo,
    serve,
    keys,
    config,
    mcp,
    plan,
    model,
    models,
    train,
):
    main.add_command(command)
for command in (check, rebuild, backup, restore, erase, retain):
    main.add_command(command)


if __name__ == "__main__":
    main()
