"""A small made-up collection of posts, and runs of one or many processes on it."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.needs_torch import MISSING, SkippedModule
from trinch.posts.jsonl import dump_post
from trinch.posts.schema import Post


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Skip each file of this folder before it is imported, where torch is missing."""
    return SkippedModule.from_parent(parent, path=module_path) if MISSING else None


SECOND = 1_000_000
WHO = [
    "the mayor",
    "a baker",
    "our team",
    "the old ferry",
    "my neighbour",
    "the river",
    "a red kite",
    "the council",
]
DID = ["opened", "lost", "crossed", "praised", "forgot", "painted", "followed", "repaired"]
WHAT = [
    "the bridge",
    "two boats",
    "a long wall",
    "the school",
    "every window",
    "the market",
    "its own shadow",
]
WHEN = [
    "this morning",
    "at noon",
    "after the storm",
    "again",
    "without a word",
    "for the third time",
    "in the rain",
]


def made_up_posts(count: int = 1500, seed: int = 7) -> list[Post]:
    """Posts of a little grammar, one a minute, by 40 people, two thirds English by label."""
    random_ = random.Random(seed)
    posts = []
    for i in range(count):
        name = "".join(random_.choice("bdfgklmnprst") + random_.choice("aeiou") for _ in range(3))
        said = f"{name} saw that " + " and ".join(
            f"{random_.choice(WHO)} {random_.choice(DID)} {random_.choice(WHAT)} {random_.choice(WHEN)}"
            for _ in range(2)
        )
        posts.append(
            Post(
                network="x",
                id=str(i),
                created_at=1_700_000_000 * SECOND + i * 60 * SECOND,
                text=said.capitalize() + random_.choice([".", "!", " #news"]),
                lang=random_.choice(["en", "en", "fr"]),
                author_id=str(random_.randrange(40)),
            )
        )
    return posts


@pytest.fixture(scope="session")
def posts() -> list[Post]:
    return made_up_posts()


@pytest.fixture(scope="session")
def posts_file(posts: list[Post], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("posts") / "posts.jsonl"
    path.write_bytes(b"".join(dump_post(post, post.created_at) + b"\n" for post in posts))
    return path


@pytest.fixture(scope="session")
def data(posts: list[Post], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared data; runs copy it."""
    from trinch.training.data import prepare
    from trinch.training.settings import Data

    folder = tmp_path_factory.mktemp("prepared") / "data"
    prepare(enumerate(posts), Data(vocabulary=320), folder)
    return folder


def command(processes: int, *arguments: str, restarts: int = 0) -> list[str]:
    if processes == 1 and not restarts:
        return [sys.executable, "-m", "trinch.training", *arguments]
    torchrun = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        f"--nproc-per-node={processes}",
    ]
    return [*torchrun, f"--max-restarts={restarts}", "-m", "trinch.training", *arguments]


def environment() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}


def log_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


@pytest.fixture
def settings_file(tmp_path: Path) -> Callable[..., Path]:
    """Write settings for a small run; keyword arguments are top-level values or tables."""

    def write(**values: Any) -> Path:
        number = len(list(tmp_path.glob("settings-*")))
        path = tmp_path / f"settings-{number}.toml"
        base: dict[str, Any] = {
            "batch": 8,
            "sequence": 32,
            "steps": 4,
            "evaluate_sequences": 16,
            "log_every": 1,
        }
        lines = []
        tables = {k: v for k, v in values.items() if isinstance(v, dict)}
        for name, value in (base | {k: v for k, v in values.items() if k not in tables}).items():
            lines.append(f"{name} = {json.dumps(value)}")
        for table, content in tables.items():
            lines += [f"[{table}]", *(f"{k} = {json.dumps(v)}" for k, v in content.items())]
        path.write_text("\n".join(lines))
        return path

    return write


def run(
    processes: int, *arguments: str, restarts: int = 0, timeout: float = 900
) -> subprocess.CompletedProcess[str]:
    """Run the trainer to its end; the test fails with its words if it fails."""
    done = subprocess.run(
        command(processes, *arguments, restarts=restarts),
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done
