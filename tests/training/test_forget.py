"""What is erased or hidden while a run is under way leaves what it reads and what lies on disk within a
second; looked at from outside, in real runs."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from trinch.cli.train import train
from trinch.posts import schema as ev
from trinch.store.log import Log
from trinch.training.batch_order import rows
from trinch.training.data import IGNORE, Corpus
from trinch.training.document_spans import PAD_TOKEN, read_spans

from .conftest import SECOND, environment, made_up_posts
from .test_kill import wait_for

BATCH, SEQUENCE = 16, 32
NOW = 1_800_000_000 * SECOND
SETTINGS: dict[str, Any] = {
    "batch": BATCH, "sequence": SEQUENCE, "steps": 5000, "evaluate_every": 5, "evaluate_sequences": 4,
    "checkpoint_every": 4,
}  # fmt: skip
SAY = """
import sys, time, msgspec
from pathlib import Path
from trinch.store.log import Log
from trinch.posts.schema import Event
done = Log(Path(sys.argv[1]) / "ocean.db").append(msgspec.json.decode(sys.argv[2], type=list[Event]))
print(time.time(), done.accepted)
"""
STOP = """
import sys
from trinch.training.erasure import Erasures
from trinch.training.parallel import start
from trinch.training.settings import Settings
world = start(Settings(device="cpu"))
try:
    with Erasures(world, {}, (sys.argv[1] + "/nowhere", ""), 0) as erasures, erasures.synchronized():
        pass
except RuntimeError as error:
    print(error, flush=True)
world.close()
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    log = Log(tmp_path / "store" / "ocean.db")
    log.append([ev.Created(at=p.created_at, network="x", post=p) for p in made_up_posts(120)])
    log.close()
    return tmp_path / "store"


def say(store: Path, events: Sequence[ev.Event]) -> float:
    """Append from another process; when it was acknowledged."""
    arguments = [sys.executable, "-c", SAY, str(store), msgspec.json.encode(list(events)).decode()]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, env=environment())
    when, accepted = done.stdout.split()
    assert int(accepted) == len(events)
    return float(when)


def begin(folder: Path, settings: Path, mesh: dict[str, int]) -> subprocess.Popen[bytes]:
    processes = int(np.prod(list(mesh.values())))
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    script = str(Path(__file__).with_name("record_batches.py"))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return subprocess.Popen(
        [sys.executable, *torchrun, script, str(settings), str(folder)],
        stdout=subprocess.DEVNULL, stderr=open(folder / ".errors", "wb"), env=environment(),
    )  # fmt: skip


def end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(60)


def taken(folder: Path) -> Iterator[tuple[int, int, float, Any, Any]]:
    """(step, part, when, inputs, targets) of every batch of every process."""
    for path in sorted(folder.glob("*.npz")):
        step, part, _ = map(int, path.stem.split("-"))
        with np.load(path) as saved:
            yield step, part, float(saved["now"]), saved["inputs"], saved["targets"]


class Prepared:
    """The data of a run as they were prepared, and where each post stands in them."""

    def __init__(self, run: Path, store: Path, copy: Path) -> None:
        shutil.copytree(run / "data", copy)
        self.folder, self.now = copy, run / "data"
        log = Log(store / "ocean.db")
        self.place = {e.event.post.id: e.seq for e in log.read(0) if isinstance(e.event, ev.Created)}
        log.close()

    def ids(self, name: str) -> list[str]:
        """Posts of one file, in its order."""
        of = {place: id for id, place in self.place.items()}
        return [of[place] for place in read_spans(self.folder / name)["place"].tolist()]

    def covered(self, name: str, ids: Sequence[str]) -> Any:
        """For each token of a file, whether it is of one of these posts."""
        spans = read_spans(self.folder / name)
        out = np.zeros(len(self.tokens(self.folder, name)), bool)
        for span in spans[np.isin(spans["place"], [self.place[id] for id in ids])]:
            out[span["start"] : span["start"] + span["length"]] = True
        return out

    def tokens(self, folder: Path, name: str) -> Any:
        corpus = Corpus(folder, SEQUENCE)
        return np.array(corpus.train.tokens if name == "train.bin" else corpus.held_out.tokens)

    def only_gone(self, ids: Sequence[str]) -> bool:
        """Whether on disk, now, exactly these posts are overwritten."""
        return all(
            np.array_equal(
                self.tokens(self.now, name),
                np.where(self.covered(name, ids), PAD_TOKEN, self.tokens(self.folder, name)),
            )
            for name in ("train.bin", "held_out.bin")
        )

    def hits(self, step: int, part: int, parts: int, ids: Sequence[str]) -> Any:
        """Which of the sequence + 1 tokens of a batch's rows are of these posts."""
        covered = self.covered("train.bin", ids)
        count = (len(covered) - 1) // SEQUENCE
        mine = rows(0, step, BATCH, count).reshape(parts, -1)[part]
        return covered[mine[:, None] * SEQUENCE + np.arange(SEQUENCE + 1)]


@pytest.mark.long
def test_what_is_erased_while_training_is_trained_on_no_more(store: Path, tmp_path: Path) -> None:
    run, folder, mesh = tmp_path / "run", tmp_path / "batches", {"tensor": 2}
    settings = tmp_path / "settings.json"
    data = {"path": str(store), "vocabulary": 320}
    settings.write_text(json.dumps(SETTINGS | {"out": str(run), "mesh": mesh, "data": data}))
    process = begin(folder, settings, mesh)
    assert wait_for(lambda: len(list(folder.glob("*.npz"))) > 10, process), (folder / ".errors").read_text()
    prepared = Prepared(run, store, tmp_path / "as-prepared")
    old, new = prepared.ids("train.bin"), prepared.ids("held_out.bin")
    posts = {post.id: post for post in made_up_posts(120)}
    author = posts[old[50]].author_id
    edited = msgspec.structs.replace(posts[old[80]], text="It says something else by now.")
    acknowledged = say(
        store,
        [
            ev.Deleted(at=NOW, network="x", id=old[5]),
            ev.Deleted(at=NOW, network="x", id=new[2]),
            ev.Hidden(at=NOW, network="x", id=old[30], reason="withheld"),
            ev.AccountGone(at=NOW, network="x", author_id=author),
            ev.Edited(at=posts[old[80]].created_at + 1, network="x", post=edited),
        ],
    )
    gone = [old[5], new[2], old[30], old[80], *(id for id in [*old, *new] if posts[id].author_id == author)]
    time.sleep(max(0.0, acknowledged + 1.0 - time.time()))
    assert prepared.only_gone(gone), "on disk within a second of the acknowledgement, and nothing else moved"
    # On, until every sequence was read once more.
    epoch = len(prepared.covered("train.bin", gone)) // SEQUENCE // BATCH + 2
    since = len(list(folder.glob("*-0.npz")))
    assert wait_for(lambda: len(list(folder.glob("*-0.npz"))) > since + epoch, process)
    hidden_again = say(store, [ev.Restored(at=NOW + 1, network="x", id=old[30], reason="withheld")])
    end(process)

    original = Corpus(prepared.folder, SEQUENCE)
    seen: dict[tuple[int, int], Any] = {}
    before = after = 0
    for step, part, when, inputs, targets in taken(folder):
        hits = prepared.hits(step, part, 1, gone)
        clean, wanted = original.batch(0, BATCH, step)
        if when > acknowledged + 1:
            assert (inputs[hits[:, :-1]] == PAD_TOKEN).all(), f"step {step} read what was erased"
            assert (targets[hits[:, 1:]] == IGNORE).all()
            after += hits.any()
        elif when < acknowledged - 0.5:
            assert np.array_equal(inputs, clean)
            before += hits.any()
        assert np.array_equal(inputs[~hits[:, :-1]], clean[~hits[:, :-1]]), "all else is as it was"
        assert np.array_equal(targets[~hits[:, 1:]], wanted[~hits[:, 1:]])
        other = seen.setdefault((step, part), inputs)
        assert np.array_equal(inputs, other), "both processes read the same"
    assert before, "the posts had been trained on"
    assert after, "and would have been again"
    assert hidden_again > acknowledged

    # Erased while nothing runs: the next start, on another layout, reads none of it.
    gone.append(old[95])
    say(store, [ev.Deleted(at=NOW, network="x", id=old[95])])
    mesh = {"shard": 2}
    settings.write_text(json.dumps(SETTINGS | {"out": str(run), "mesh": mesh, "data": data}))
    process = begin(folder, settings, mesh)
    assert wait_for(lambda: len(list(folder.glob("*-1.npz"))) > epoch, process), (
        folder / ".errors"
    ).read_text()
    end(process)
    assert prepared.only_gone(gone)
    hit = 0
    for step, part, _, inputs, targets in taken(folder):
        hits = prepared.hits(step, part, 2, gone)
        assert (inputs[hits[:, :-1]] == PAD_TOKEN).all()
        assert (targets[hits[:, 1:]] == IGNORE).all()
        hit += hits.any()
    assert hit
    assert min(step for step, *_ in taken(folder)) >= 4, "it was a resumed run"


def test_conversations_made_from_a_post_go_with_it(store: Path, tmp_path: Path) -> None:
    from trinch.training.actions import _visible_posts, prepare_corpus
    from trinch.training.erasure import Erasures
    from trinch.training.finetune import ShuffledRows, conversation_rows
    from trinch.training.parallel import start
    from trinch.training.settings import Data, Settings

    settings = Settings(
        out=str(tmp_path / "run"), batch=4, sequence=SEQUENCE, device="cpu",
        data=Data(path=str(store), vocabulary=320),
    )  # fmt: skip
    world = start(settings)
    reported: list[str] = []
    corpus = prepare_corpus(settings, world, reported.append)
    say(store, [ev.Deleted(at=NOW, network="x", id="3")])
    file = tmp_path / "talks.jsonl"
    made_from = [["x:1"], ["2"], [], ["x:3"], ["x:1", "never ingested"]]
    talks = [
        {
            "messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": f"answer {i}"}],
            "posts": p,
        }
        for i, p in enumerate(made_from)
    ]
    file.write_text("".join(json.dumps(talk) + "\n" for talk in talks))
    rows_ = conversation_rows(file, corpus.tokenizer, SEQUENCE)
    data = ShuffledRows(rows_, settings, placed=_visible_posts(rows_, settings, world, reported.append))
    assert any("2 posts that conversations name" in line for line in reported)

    def said() -> str:
        return corpus.tokenizer.decode(data.inputs[data.inputs != PAD_TOKEN].tolist())

    def learnt() -> int:
        return int((data.targets != IGNORE).sum())

    assert [f"answer {i}" in said() for i in range(5)] == [True, True, True, False, False]
    with Erasures(world, {"rows": data}, corpus.source, corpus.position) as erasures:
        with erasures.synchronized():
            whole = learnt()
        acknowledged = say(store, [ev.Hidden(at=NOW, network="x", id="1", reason="protected")])
        time.sleep(max(0.0, acknowledged + 1 - time.time()))
        with erasures.synchronized():
            assert [f"answer {i}" in said() for i in range(5)] == [False, True, True, False, False]
            assert 0 < learnt() < whole


def test_a_log_that_cannot_be_read_stops_the_run(store: Path, tmp_path: Path) -> None:
    from trinch.training.erasure import Erasures
    from trinch.training.parallel import start
    from trinch.training.settings import Settings

    world = start(Settings(device="cpu"))
    with (
        Erasures(world, {}, (str(tmp_path / "nowhere"), ""), 0) as erasures,
        pytest.raises(RuntimeError, match="the log of erasures cannot be read"),
        erasures.synchronized(),
    ):
        pass


def test_all_processes_stop_when_the_lead_cannot_read_the_log(tmp_path: Path) -> None:
    lines = tmp_path / "two.py"
    lines.write_text(STOP)
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [sys.executable, *torchrun, str(lines), str(tmp_path)],
        capture_output=True, text=True, timeout=900, env=environment(), check=False,
    )  # fmt: skip
    assert done.stdout.count("the log of erasures cannot be read") == 2, done.stdout + done.stderr[-2000:]


def test_a_run_at_rest_is_cleaned_by_a_command(store: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    arguments = ["--data", str(store), "--out", str(run), "--batch", "4", "--sequence", "16", "--steps", "1"]
    done = CliRunner().invoke(train, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    prepared = Prepared(run, store, tmp_path / "as-prepared")
    gone = [prepared.ids("train.bin")[7], prepared.ids("held_out.bin")[0]]
    say(store, [ev.Deleted(at=NOW, network="x", id=id) for id in gone])
    cleaned = CliRunner().invoke(train, ["forget", str(run)])
    assert "2 posts removed" in cleaned.output
    assert prepared.only_gone(gone)
    again = CliRunner().invoke(train, ["forget", str(run)])
    assert "0 posts removed" in again.output


def test_what_is_erased_during_an_evaluation_is_not_in_the_batch_read_ahead(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trinch.training import loop
    from trinch.training.parallel import start
    from trinch.training.settings import Settings

    folder = tmp_path / "data"
    shutil.copytree(data, folder)
    corpus = Corpus(folder, 16)
    entered: list[int] = []
    targets: list[int] = []
    step = loop.Trainer.step

    class ErasedDuringEvaluation(loop.Erasures):
        """Everything is erased just before the evaluation after step 2, when step 3 has been read ahead."""

        @contextmanager
        def synchronized(self) -> Iterator[bool]:
            entered.append(1)
            self._following = True
            if len(entered) == 3:
                time.sleep(0.2)  # for the thread that reads ahead
                self._found.append(("train", corpus.train.spans()))
            with super().synchronized() as changed:
                yield changed

    def counted(self: Any, number: int, batch: Any, stop: Any) -> Any:
        targets.append(int((batch[1] != IGNORE).sum()))
        return step(self, number, batch, stop)

    monkeypatch.setattr(loop, "Erasures", ErasedDuringEvaluation)
    monkeypatch.setattr(loop.Trainer, "step", counted)
    settings = Settings(
        out=str(tmp_path / "run"), steps=3, batch=2, sequence=16, evaluate_every=2, evaluate_sequences=2
    )
    loop.train(settings, start(settings), corpus, lambda _: None)
    assert targets[0] > 0
    assert targets[2] == 0
