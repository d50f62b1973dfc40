"""`trinch verify`: whether sentences follow from the posts they cite."""

import json
import sys

import click

from trinch.cli import console


@click.command()
def verify() -> None:
    """Say for each sentence on standard input whether the posts it cites support it.

    One JSON object a line: {"sentence", "lang", "posts": [{"text", "author", "created_at", "lang"}]}; of a post only
    the text is needed, and the language of the sentence is identified where it is missing. Prints one object a line in
    the same order: {"supported", "score", "reason"}. A line that cannot be read gets {"supported": false} with the
    reason, and the exit status is 1.

    \b
    Example:
      trinch verify < sentences.jsonl
      echo '{"sentence": "The bridge is closed.", "posts": [{"text": "Bridge closed"}]}' | trinch verify
    """
    from trinch.service.verify import verify_line

    unread = 0
    for number, line in enumerate(sys.stdin.buffer, 1):
        if not line.strip():
            continue
        try:
            verdict = verify_line(line)
        except ValueError as error:
            unread += 1
            verdict = {"supported": False, "score": 0.0, "reason": f"line {number} cannot be read: {error}"}
        click.echo(json.dumps(verdict, ensure_ascii=False))
    if unread:
        console.fail(f"{unread} lines could not be read", 1)
