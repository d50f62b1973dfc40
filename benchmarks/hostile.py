"""`python -m benchmarks.hostile DATA`: what one client waits for while another floods the server with hostile queries.

Serves the store in DATA with two keys. One sends `--flood` queries at once, each made to evaluate as many posts as it
can; the other searches ten times a second. Prints its waiting times alone and during the flood.
"""

import argparse
import asyncio
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx

from benchmarks.machine import percentile
from trinch.server.http.keys import Keys

HOSTILE = [
    '-(-"zzzqqq nothing")',
    '-zzz -qqq -"a b"',
    '-filter:links -"x y" -"the of"',
    'min_faves:1 -"a" -"no such phrase here"',
    '"the" "a" "of" "to" -"zz qq"',
    '-(-(-(-(-"q w" -"e r"))))',
]
HONEST = ["ferry", "storm harbour", "election results", "fire"]


async def honest(client: httpx.AsyncClient) -> float:
    """One search; milliseconds."""
    started = time.perf_counter()
    (await client.get("/v1/search", params={"q": random.choice(HONEST)})).raise_for_status()
    return (time.perf_counter() - started) * 1000


async def flood(url: str, key: str, number: int) -> Counter[str]:
    """The hostile queries, all at once; how they ended."""
    limits = httpx.Limits(max_connections=number)
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, limits=limits, timeout=600) as client:

        async def one(n: int) -> str:
            reply = await client.get("/v1/search", params={"q": HOSTILE[n % len(HOSTILE)], "limit": 100})
            partial = reply.status_code == 200 and reply.json()["partial"]
            return f"{reply.status_code}{' partial' if partial else ''}"

        return Counter(await asyncio.gather(*(one(n) for n in range(number))))


async def measure(url: str, key: str, flood_key: str, number: int) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=600) as client:
        alone = [await honest(client) for _ in range(50)]
        command = [
            sys.executable,
            "-m",
            "benchmarks.hostile",
            url,
            "--flood",
            str(number),
            "--key",
            flood_key,
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            other.stdout.readline()  # it is about to begin
            during = []
            while other.poll() is None:
                during.append(await honest(client))
                await asyncio.sleep(0.1)
            ends = other.stdout.read().strip()
    for name, waits in (("alone", alone), (f"during {number} hostile queries", during)):
        numbers = ", ".join(f"p{p} {percentile(waits, p / 100):.0f} ms" for p in (50, 95, 99))
        print(f"{name}: {len(waits)} searches, {numbers}")
    print(f"the hostile ones ended with {ends}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile", description=__doc__.splitlines()[0])
    parser.add_argument("data", help="folder of a store")
    parser.add_argument("--flood", type=int, default=1000)
    parser.add_argument("--key", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.key:  # the flooding process
        print("begin", flush=True)
        print(dict(asyncio.run(flood(given.data, given.key, given.flood))))
        return
    data = Path(given.data)
    made = [Keys(data).add(name, ["read"]) for name in ("honest", "hostile")]
    key, flood_key = (token for _, token in made)
    command = [
        sys.executable,
        "-m",
        "trinch.cli.main",
        "serve",
        "--no-listen",
        "--port",
        "0",
        "--rate",
        "1000000",
    ]
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(
            [*command, "--data", str(data)], stderr=log, env=os.environ | {"COLUMNS": "200"}
        ) as server,
    ):
        try:
            asyncio.run(measure(_address(log), key, flood_key, given.flood))
        finally:
            server.terminate()
            for one, _ in made:
                Keys(data).revoke(one.id)


def _address(log: "tempfile._TemporaryFileWrapper[str]") -> str:
    while True:
        log.seek(0)
        if found := re.search(r"http://\S+:\d+", log.read()):
            return found.group()
        time.sleep(0.1)


if __name__ == "__main__":
    main()
