"""The commands of `trinch train`: prepare data, train, fine-tune, measure, export, evaluate.

Of several processes, the one of rank 0 prepares the data and the others wait for it. Progress goes to the caller's
`report` function; nothing is printed here.
"""

import json
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import torch

from trinch.model.grok import Grok
from trinch.model.load import save
from trinch.model.tokenizer import Tokenizer
from trinch.posts.wire import UNREADABLE
from trinch.training.checkpoint import Checkpoints, complete
from trinch.training.data import IGNORE, Corpus, Report, prepare, redact_data
from trinch.training.evaluate import bits_per_byte, held_out_batch, ngram_baselines
from trinch.training.finetune import DPO, Rows, ShuffledRows, conversation_rows, preference_rows
from trinch.training.loop import model_config, model_state, never, train
from trinch.training.losses import NextToken
from trinch.training.metrics_log import read_log
from trinch.training.parallel import ProcessMesh, start
from trinch.training.post_source import PlacedPost, PostSource
from trinch.training.runs_table import write_rows
from trinch.training.settings import Mesh, Settings, SettingsError, write_settings
from trinch.training.step import Engine
from trinch.training.throughput import peak_flops, run_row


def prepare_corpus(settings: Settings, world: ProcessMesh, report: Report) -> Corpus:
    """The run's prepared data: made by the lead process where they are not there yet, else redacted.

    Everyone waits for the lead. Raises SettingsError or ValueError when there is nothing to train on.
    """
    folder, of = Path(settings.out) / "data", (settings.data.path, settings.data.until)
    following, position = False, 0
    if world.rank == 0:
        if settings.data.path or not (folder / "data.json").exists():
            with PostSource(*of) as source:
                # Noted first: entries that arrive meanwhile are applied when training starts.
                following, position = source.follows, source.position
                if source.rejected:
                    report(f"{len(source.rejected):,} pieces are no posts, the first: {source.rejected[0]}")
                _prepared(settings, source, folder, report)
        noted = Path(settings.out) / "settings.json"
        if not noted.exists():  # so that `forget` finds the source; the loop writes the full settings later
            write_settings(settings, noted)
    following, position = world.broadcast((following, position))
    return Corpus(folder, settings.sequence, of if following else None, position)


def _prepared(settings: Settings, source: PostSource, folder: Path, report: Report) -> None:
    if not (folder / "data.json").exists():
        prepare(source.posts(), settings.data, folder, report)
        return
    until = json.loads((folder / "data.json").read_text("utf-8"))["settings"]["until"]
    if until != settings.data.until:
        raise SettingsError(
            f"{folder} was prepared with data.until = {until!r}, and this run has {settings.data.until!r}; "
            f"use the same, or another folder with out"
        )
    if redacted := redact_data(folder, source):
        report(f"{redacted} posts are no longer visible and were removed from the data")


def _sourced(settings: Settings) -> Settings:
    """Settings that name the source of posts: the one that the run had, where they name none."""
    run = Path(settings.out)
    if settings.data.path or not ((run / "settings.json").exists() and (run / "data").exists()):
        return settings
    data = msgspec.structs.replace(settings.data, path=run_settings(run).data.path)
    return msgspec.structs.replace(settings, data=data)


def forget(run: Path) -> int:
    """Remove from a run's data the posts that are no longer visible; returns how many. Raises SettingsError
    where its source is not there."""
    settings = run_settings(run)
    with PostSource(settings.data.path, settings.data.until) as source:
        return redact_data(run / "data", source)


def pretrain(settings: Settings, report: Report, stop: Callable[[], bool] = never) -> None:
    """Prepare if need be, and train to the end."""
    settings, world = _sourced(settings), start(settings)
    try:
        train(settings, world, prepare_corpus(settings, world, report), report, stop=stop)
    finally:
        world.close()


def measure(settings: Settings, table: Path, report: Report, warm: int = 3) -> None:
    """Time steps of the run as it would be, without checkpoints, and append one row to a CSV table.

    The first `warm` steps do not count; the row holds the median of the others.
    """
    settings, world = _sourced(settings), start(settings)
    try:
        corpus = prepare_corpus(settings, world, report)
        out = Path(settings.out) / "measured"
        if world.rank == 0:
            (out / "log.jsonl").unlink(missing_ok=True)
        trial = msgspec.structs.replace(
            settings,
            out=str(out),
            steps=max(settings.steps, warm + 1),
            checkpoint_every=0,
            evaluate_sequences=0,
        )
        train(trial, world, corpus, report)
        if world.rank == 0:
            rows = read_log(out)[warm:]
            speed = statistics.median(row["tokens_per_s"] for row in rows)
            memory = max(row["memory_gb"] for row in rows)
            seconds = settings.batch * settings.sequence / speed
            peak = peak_flops(settings, world.device)
            config = model_config(settings, corpus.tokenizer.vocab_size)
            note = f"median of {len(rows)} steps; {memory:.2f} GB per process; peak {peak / 1e12:.3f} TFLOP/s"
            write_rows(table, [run_row(settings, config, world.shape, world.size, seconds, peak, note)])
            report(f"{seconds:.4f} s a step, {speed:,.0f} tokens/s: row added to {table}")
    finally:
        world.close()


def run_settings(run: Path) -> Settings:
    """The settings a run was made with. Raises SettingsError when the folder holds no run."""
    try:
        return msgspec.json.decode((run / "settings.json").read_bytes(), type=Settings)
    except (OSError, *UNREADABLE) as error:
        raise SettingsError(f"{run} is not the folder of a run: {error}") from None


def newest_checkpoint(run: Path) -> Path:
    """The newest complete checkpoint of a run. Raises SettingsError when there is none."""
    found = complete(run / "checkpoints")
    if not found:
        raise SettingsError(f"{run} has no complete checkpoint yet")
    return found[-1]


def fine_tune(
    settings: Settings, base: Path, file: Path, report: Report, stop: Callable[[], bool] = never
) -> None:
    """Supervised fine-tuning of a run's newest checkpoint on a file of conversations."""
    world = start(settings)
    try:
        corpus = _begin(settings, base, world, report)
        rows = conversation_rows(file, corpus.tokenizer, settings.sequence)
        data = ShuffledRows(rows, settings, placed=_visible_posts(rows, settings, world, report))
        report(f"{len(data.inputs)} rows, {int((data.targets != IGNORE).sum()):,} of the assistant's tokens")
        train(settings, world, corpus, report, data, newest_checkpoint(base), stop=stop)
    finally:
        world.close()


def preference_tune(
    settings: Settings,
    base: Path,
    file: Path,
    beta: float,
    report: Report,
    stop: Callable[[], bool] = never,
) -> None:
    """Preference tuning (DPO) of a run's newest checkpoint on a file of preferences; `batch` counts
    answers."""
    if settings.batch % 2:
        raise SettingsError(f"batch is {settings.batch}; preferences come in pairs, so it must be even")
    # Pairs must not be torn apart by micro-batches.
    pipelined = settings.mesh.pipeline > 1
    settings = msgspec.structs.replace(
        settings,
        balance=0.0,
        router_z_loss=0.0,
        micro_batch=settings.micro_batch or (2 if pipelined else 0),
    )
    world = start(settings)
    try:
        corpus = _begin(settings, base, world, report)
        rows = preference_rows(file, corpus.tokenizer, settings.sequence)
        data = ShuffledRows(rows, settings, together=2, placed=_visible_posts(rows, settings, world, report))
        report(f"{len(data.inputs) // 2} pairs")
        objective = DPO(data, beta, settings.batch // 2)
        train(settings, world, corpus, report, data, newest_checkpoint(base), objective, stop)
    finally:
        world.close()


def _begin(settings: Settings, base: Path, world: ProcessMesh, report: Report) -> Corpus:
    """A fine-tuned run's folder: its settings, and the data it is measured on, which are the base's."""
    out = Path(settings.out)
    if world.rank == 0:
        out.mkdir(parents=True, exist_ok=True)
        if not (out / "data").exists():
            (out / "data").symlink_to((base / "data").resolve())
    return prepare_corpus(settings, world, report)


def _visible_posts(
    rows: Rows, settings: Settings, world: ProcessMesh, report: Report
) -> dict[str, PlacedPost]:
    """The posts that conversations name and that may still be read; the same for every process."""
    found: dict[str, PlacedPost] = {}
    if world.rank == 0 and rows.named:
        with PostSource(settings.data.path, settings.data.until) as source:
            found = source.named([name for name, *_ in rows.named])
        lost = len({name for name, *_ in rows.named} - found.keys())
        if lost:
            report(f"{lost} posts that conversations name are not visible; those conversations are left out")
    return world.broadcast(found)


def load(run: Path) -> tuple[Grok, Tokenizer]:
    """The model of a run's newest checkpoint, whole, on one process, and its tokenizer."""
    settings = run_settings(run)
    tokenizer = Corpus(run / "data", settings.sequence).tokenizer
    model = Grok(model_config(settings, tokenizer.vocab_size))
    Checkpoints(run / "checkpoints").load(newest_checkpoint(run), model_state(model))
    return model.eval(), tokenizer


def export(run: Path, target: Path) -> None:
    """Write a run's newest checkpoint as safetensors, under the names SGLang loads, with its
    tokenizer."""
    model, tokenizer = load(run)
    target.mkdir(parents=True, exist_ok=True)
    save(model, target, dtype=torch.float32)
    tokenizer.save_for_transformers(target, model.config.max_positions)


def evaluate(run: Path, harness: bool) -> dict[str, float]:
    """Bits per byte of a run's newest checkpoint and of the baselines on held-out posts, lower is better.

    With `harness` also the scores of our small lm-eval tasks. On one process.
    """
    settings = msgspec.structs.replace(run_settings(run), mesh=Mesh(), batch=8, micro_batch=0)
    model, tokenizer = load(run)
    if Path(settings.data.path).exists():
        forget(run)
    corpus = Corpus(run / "data", settings.sequence)
    loss = NextToken(settings.z_loss)
    engine = Engine({0: model}, ProcessMesh(Mesh(shard=1), torch.device("cpu")), settings, loss)
    scores = {
        f"bits per byte, {k}": v for k, v in ngram_baselines(corpus, settings.evaluate_sequences).items()
    }
    held_out = held_out_batch(corpus, settings.evaluate_sequences)
    scores["bits per byte, model"] = bits_per_byte(engine, corpus, settings, held_out)
    if harness:
        from trinch.training.lm_eval_adapter import harness_scores

        with tempfile.TemporaryDirectory() as tasks:  # they hold posts, which must not be left on disk
            scores |= harness_scores(model, tokenizer, corpus, Path(tasks))
    return scores
