"""What each verb of `trinch train` does, from settings to files.

Owns the order of preparing, training and measuring, and who of many processes prepares. Does not print.
"""

import json
import statistics
import tempfile
from pathlib import Path

import msgspec
import torch

from trinch.model.grok import Grok
from trinch.model.load import save
from trinch.model.tokenizer import Tokenizer
from trinch.training.checkpoint import Checkpoints, complete
from trinch.training.data import IGNORE, Corpus, Tell, prepare, strike_out
from trinch.training.evaluate import baselines, bits_per_byte, held_out_batch
from trinch.training.finetune import DPO, Rows, Shuffled, conversation_rows, preference_rows
from trinch.training.loop import model_config, model_state, train
from trinch.training.losses import NextToken
from trinch.training.metrics_log import read_log
from trinch.training.parallel import World, start
from trinch.training.post_source import Placed, Source
from trinch.training.runs_table import write_rows
from trinch.training.settings import Mesh, Settings, SettingsError, write_settings
from trinch.training.step import Engine
from trinch.training.throughput import peak_flops, run_row


def corpus_of(settings: Settings, world: World, tell: Tell) -> Corpus:
    """The run's prepared data: made by the lead process where they are not there yet, else struck clean.

    Everyone waits for the lead. Raises SettingsError or ValueError when there is nothing to train on.
    """
    folder, of = Path(settings.out) / "data", (settings.data.path, settings.data.until)
    following, position = False, 0
    if world.rank == 0:
        if settings.data.path or not (folder / "data.json").exists():
            with Source(*of) as source:
                # Noted first: what is said meanwhile is heard when training starts.
                following, position = source.log is not None, source.position
                _prepared(settings, source, folder, tell)
        noted = Path(settings.out) / "settings.json"
        if not noted.exists():  # so that `forget` finds the source; once it goes, the run notes its own
            write_settings(settings, noted)
    following, position = world.share((following, position))
    return Corpus(folder, settings.sequence, of if following else None, position)


def _prepared(settings: Settings, source: Source, folder: Path, tell: Tell) -> None:
    if not (folder / "data.json").exists():
        prepare(source.posts(), settings.data, folder, tell)
        return
    until = json.loads((folder / "data.json").read_text("utf-8"))["settings"]["until"]
    if until != settings.data.until:
        raise SettingsError(
            f"{folder} was prepared with data.until = {until!r}, and this run has {settings.data.until!r}; "
            f"use the same, or another folder with out"
        )
    if struck := strike_out(folder, source):
        tell(f"{struck} posts are no longer visible and were struck out of the data")


def _sourced(settings: Settings) -> Settings:
    """Settings that name the source of posts: the one that the run had, where they name none."""
    run = Path(settings.out)
    if settings.data.path or not ((run / "settings.json").exists() and (run / "data").exists()):
        return settings
    data = msgspec.structs.replace(settings.data, path=settings_of(run).data.path)
    return msgspec.structs.replace(settings, data=data)


def forget(run: Path) -> int:
    """Strike out of a run's data what is no longer visible; returns how many posts. Raises SettingsError
    where its source is not there."""
    settings = settings_of(run)
    with Source(settings.data.path, settings.data.until) as source:
        return strike_out(run / "data", source)


def pretrain(settings: Settings, tell: Tell) -> None:
    """Prepare if need be, and train to the end."""
    settings, world = _sourced(settings), start(settings)
    try:
        train(settings, world, corpus_of(settings, world, tell), tell)
    finally:
        world.close()


def measure(settings: Settings, table: Path, tell: Tell, warm: int = 3) -> None:
    """Time steps of the run as it would be, without checkpoints, and append one row to a CSV table.

    The first `warm` steps do not count; the row holds the median of the others.
    """
    settings, world = _sourced(settings), start(settings)
    try:
        corpus = corpus_of(settings, world, tell)
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
        train(trial, world, corpus, tell)
        if world.rank == 0:
            rows = read_log(out)[warm:]
            speed = statistics.median(row["tokens_per_s"] for row in rows)
            memory = max(row["memory_gb"] for row in rows)
            seconds = settings.batch * settings.sequence / speed
            peak = peak_flops(settings, world.device)
            config = model_config(settings, corpus.tokenizer.vocab_size)
            note = f"median of {len(rows)} steps; {memory:.2f} GB per process; peak {peak / 1e12:.3f} TFLOP/s"
            write_rows(table, [run_row(settings, config, world.shape, world.size, seconds, peak, note)])
            tell(f"{seconds:.4f} s a step, {speed:,.0f} tokens/s: row added to {table}")
    finally:
        world.close()


def settings_of(run: Path) -> Settings:
    """The settings a run was made with. Raises SettingsError when the folder holds no run."""
    try:
        return msgspec.json.decode((run / "settings.json").read_bytes(), type=Settings)
    except (OSError, msgspec.MsgspecError) as error:
        raise SettingsError(f"{run} is not the folder of a run: {error}") from None


def newest(run: Path) -> Path:
    """The newest complete checkpoint of a run. Raises SettingsError when there is none."""
    found = complete(run / "checkpoints")
    if not found:
        raise SettingsError(f"{run} has no complete checkpoint yet")
    return found[-1]


def fine_tune(settings: Settings, base: Path, file: Path, tell: Tell) -> None:
    """Supervised fine-tuning of a run's newest checkpoint on a file of conversations."""
    world = start(settings)
    try:
        corpus = _begin(settings, base, world, tell)
        rows = conversation_rows(file, corpus.tokenizer, settings.sequence)
        data = Shuffled(rows, settings, placed=_placed(rows, settings, world, tell))
        tell(f"{len(data.inputs)} rows, {int((data.targets != IGNORE).sum()):,} of the assistant's tokens")
        train(settings, world, corpus, tell, data, newest(base))
    finally:
        world.close()


def prefer(settings: Settings, base: Path, file: Path, beta: float, tell: Tell) -> None:
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
        corpus = _begin(settings, base, world, tell)
        rows = preference_rows(file, corpus.tokenizer, settings.sequence)
        data = Shuffled(rows, settings, together=2, placed=_placed(rows, settings, world, tell))
        tell(f"{len(data.inputs) // 2} pairs")
        train(settings, world, corpus, tell, data, newest(base), DPO(data, beta, settings.batch // 2))
    finally:
        world.close()


def _begin(settings: Settings, base: Path, world: World, tell: Tell) -> Corpus:
    """A fine-tuned run's folder: its settings, and the data it is measured on, which are the base's."""
    out = Path(settings.out)
    if world.rank == 0:
        out.mkdir(parents=True, exist_ok=True)
        if not (out / "data").exists():
            (out / "data").symlink_to((base / "data").resolve())
    return corpus_of(settings, world, tell)


def _placed(rows: Rows, settings: Settings, world: World, tell: Tell) -> dict[str, Placed]:
    """The posts that conversations name and that may still be read; the same for every process."""
    found: dict[str, Placed] = {}
    if world.rank == 0 and rows.named:
        with Source(settings.data.path, settings.data.until) as source:
            found = source.named([name for name, *_ in rows.named])
        lost = len({name for name, *_ in rows.named} - found.keys())
        if lost:
            tell(f"{lost} posts that conversations name are not visible; those conversations are left out")
    return world.share(found)


def load(run: Path) -> tuple[Grok, Tokenizer]:
    """The model of a run's newest checkpoint, whole, on one process, and its tokenizer."""
    settings = settings_of(run)
    tokenizer = Corpus(run / "data", settings.sequence).tokenizer
    model = Grok(model_config(settings, tokenizer.vocab_size))
    Checkpoints(run / "checkpoints").load(newest(run), model_state(model))
    return model.eval(), tokenizer


def export(run: Path, target: Path) -> None:
    """Write a run's newest checkpoint as safetensors, under the names SGLang and vLLM load, with its
    tokenizer."""
    model, tokenizer = load(run)
    target.mkdir(parents=True, exist_ok=True)
    save(model, target, dtype=torch.float32)
    tokenizer.save(target)


def evaluate(run: Path, harness: bool) -> dict[str, float]:
    """Bits per byte of a run's newest checkpoint and of the baselines on held-out posts, lower is better.

    With `harness` also the scores of our small lm-eval tasks. On one process.
    """
    settings = msgspec.structs.replace(settings_of(run), mesh=Mesh(), batch=8, micro_batch=0)
    model, tokenizer = load(run)
    if Path(settings.data.path).exists():
        forget(run)
    corpus = Corpus(run / "data", settings.sequence)
    loss = NextToken(settings.z_loss)
    engine = Engine(model, World(Mesh(shard=1), torch.device("cpu")), settings, loss)
    scores = {f"bits per byte, {k}": v for k, v in baselines(corpus, settings.evaluate_sequences).items()}
    held_out = held_out_batch(corpus, settings.evaluate_sequences)
    scores["bits per byte, model"] = bits_per_byte(engine, corpus, settings, held_out)
    if harness:
        from trinch.training.lm_eval_adapter import harness_scores

        with tempfile.TemporaryDirectory() as tasks:  # they hold posts, which must not stay behind
            scores |= harness_scores(model, tokenizer, corpus, Path(tasks))
    return scores
