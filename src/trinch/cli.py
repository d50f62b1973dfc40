"""The front door: `trinch VERB …`. Thin: each verb parses its options, calls one room and prints.

Exit status everywhere: 0 success, 1 ran but not what you hoped, 2 wrong usage.
Rooms are imported inside the verbs, so that `trinch --help` stays instant and optional extras optional.
"""

import click

import trinch


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(trinch.__version__, prog_name="trinch")
def main() -> None:
    """Drink the ocean of posts; ask it anything; get answers that quote their sources."""
