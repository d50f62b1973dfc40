"""The command `trinch`: one module for each group of verbs, each a thin layer over one room.

Exit status: 0 success, 1 ran without a result, 2 wrong usage. A command's module is imported when it is used, and libraries
that are slow to import, or optional, within it, so that `trinch --help` imports little more than click.
"""

import os
import sqlite3
from typing import Any

import click

import trinch
from trinch.cli.group import LazyGroup
from trinch.errors import TrinchError

# Our matrices are small: more numpy threads would only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

_COMMANDS = {
    "ingest": (
        "ingest",
        "Ingest files of posts: JSON of X, Bluesky, Mastodon, Reddit, Telegram or Trinch, feeds, tables; also compressed.",
    ),
    "listen": ("listen", "Ingest live sources until interrupted."),
    "search": ("search", "Find posts with the operators of X's search box."),
    "ask": (
        "ask",
        "Answer a question in exact quotes from posts: cited, dated, with the number of independent authors.",
    ),
    "stories": (
        "stories",
        "List what is posted about more than before, grouped by happening, most newsworthy first.",
    ),
    "story": ("stories", "Show one story with its timeline: a line for each development, cited."),
    "trends": (
        "stories",
        "List the tags, words, names and links that are used more than on ordinary days, and the story behind each.",
    ),
    "brief": (
        "brief",
        "Write a brief: what happened since a time, grouped by topic, and what of it is new.",
    ),
    "alerts": (
        "alerts",
        "Save searches and topics that say when new posts match, burst, form a story, move a number, deny, or stay away.",
    ),
    "verify": ("verify", "Say for each sentence on standard input whether the posts it cites support it."),
    "counts": (
        "counts",
        "Count the posts that match a query (see trinch search) by minute, hour or day; without QUERY, all posts.",
    ),
    "places": (
        "places",
        "List the places where the posts that match a query were written, as far as their authors shared them.",
    ),
    "export": (
        "export",
        "Write all visible posts that match a query (see trinch search), with all their fields; without QUERY, all posts.",
    ),
    "stats": (
        "stats",
        "Show what the store holds: posts by network, language and day; how far each index is behind; sizes on disk.",
    ),
    "demo": (
        "demo",
        "Ingest the live Bluesky stream, or our own sample where it cannot be reached, and ask questions.",
    ),
    "serve": (
        "serve",
        "Serve the API, MCP at /mcp and the web page at /, ingest live sources, and deliver alerts.",
    ),
    "node": (
        "node",
        "Hold some partitions of a cluster: apply their events from NATS JetStream, answer coordinators.",
    ),
    "keys": ("serve", "Create, list and revoke API keys."),
    "config": ("config", "Show the settings of trinch.toml and of the environment."),
    "mcp": (
        "serve",
        "Offer search, fetch and ask to an assistant over standard input and output (Model Context Protocol).",
    ),
    "plan": ("plan", "Plan training and serving on thousands of GPUs: layout, time, failures, power, cost."),
    "model": ("model", "Inspect, check and convert Grok models."),
    "models": (
        "models",
        "List and get language models that write answers in this process (needs trinch[local]).",
    ),
    "train": ("train", "Train a Grok on the posts of a store; the same command resumes."),
    "check": ("maintenance", "Read the whole store and report what is damaged, missing or of another store."),
    "rebuild": ("maintenance", "Build the index again from the log."),
    "backup": (
        "maintenance",
        "Copy the store, also while it is in use, to the new folder DESTINATION, and read the copy back.",
    ),
    "restore": ("maintenance", "Bring the store back from a backup, also while it is in use."),
    "erase": ("maintenance", "Erase posts for good: from the log, the index files and the rejected input."),
    "retain": (
        "maintenance",
        "Set how long posts are kept, and list the rules with the number of posts that each would remove now.",
    ),
}
"""(module, summary) of each command; a test compares the summaries with the commands' own."""


class Main(LazyGroup):
    """The outermost group; reports an error of the disk, the database or Trinch in one line, with exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        from trinch.cli import console
        from trinch.cli.config import apply

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


@click.group(
    cls=Main,
    table=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(trinch.__version__, prog_name="trinch")
def main() -> None:
    """Ingest posts, search them, and ask questions that are answered in exact, cited quotes.

    Exit status: 0 success, 1 ran without a result, 2 wrong usage.

    \b
    Example:
      trinch ingest posts.jsonl.zst
      trinch ask what happened at the harbour
    """


if __name__ == "__main__":
    main()
