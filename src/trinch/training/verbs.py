"""What each verb of `trinch train` does, from settings to files.

Owns the order of preparing, training and measuring, and who of many processes prepares. Does not print.
"""

import statistics
from pathlib import Path

import msgspec
import torch
import torch.distributed as dist

from trinch.model.checkpoint import save
from trinch.model.grok import Grok
from trinch.model.tokenizer import Tokenizer
from trinch.training.chat import DPO, Shuffled, conversation_rows, preference_rows
from trinch.training.checkpoint import Checkpoints, complete
from trinch.training.data import IGNORE, Corpus, Tell, prepare, strike_out
from trinch.training.engine import Engine
from trinch.training.evaluate import baselines, bits_per_byte
from trinch.training.log import read_log
from trinch.training.loop import model_config, model_state, train
from trinch.training.measure import peak_flops, run_row, write_rows
from trinch.training.objective import NextToken
from trinch.training.parallel import World, start
from trinch.training.settings import Mesh, Settings, SettingsError, write_settings
from trinch.training.source import visible_posts


def corpus_of(settings: Settings, world: World, tell: Tell) -> Corpus:
    """The run's prepared data: made by the lead process where they are not there yet, else struck clean.

    Everyone waits for the lead. Raises SettingsError or ValueError when there is nothing to train on.
    """
    folder = Path(settings.out) / "data"
    if world.rank == 0:
        if not (folder / "data.json").exists():
            prepare(visible_posts(settings.data.path, settings.data.until), settings.data, folder, tell)
        elif settings.data.path:
            struck = strike_out(folder, visible_posts(settings.data.path, settings.data.until))
            if struck:
                tell(f"{struck} posts are no longer visible and were struck out of the data")
        write_settings(settings, Path(settings.out) / "settings.json")
    if world.size > 1:
        dist.barrier()
    return Corpus(folder, settings.sequence)


def pretrain(settings: Settings, tell: Tell) -> None:
    """Prepare if need be, and train to the end."""
    world = start(settings)
    try:
        train(settings, world, corpus_of(settings, world, tell), tell)
    finally:
        world.close()


def measure(settings: Settings, table: Path, tell: Tell, warm: int = 3) -> None:
    """Time steps of the run as it would be, without checkpoints, and append one row to a CSV table.

    The first `warm` steps do not count; the row holds the median of the others.
    """
    world = start(settings)
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
        corpus = Corpus(base / "data", settings.sequence)
        data = Shuffled(conversation_rows(file, corpus.tokenizer, settings.sequence), settings)
        if world.rank == 0:
            _begin(settings, base)
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
        corpus = Corpus(base / "data", settings.sequence)
        data = Shuffled(preference_rows(file, corpus.tokenizer, settings.sequence), settings, together=2)
        if world.rank == 0:
            _begin(settings, base)
        tell(f"{len(data.inputs) // 2} pairs")
        train(settings, world, corpus, tell, data, newest(base), DPO(data, beta, settings.batch // 2))
    finally:
        world.close()


def _begin(settings: Settings, base: Path) -> None:
    """A fine-tuned run's folder: its settings, and the data it is measured on."""
    out = Path(settings.out)
    out.mkdir(parents=True, exist_ok=True)
    if not (out / "data").exists():
        (out / "data").symlink_to((base / "data").resolve())
    write_settings(settings, out / "settings.json")


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
    corpus = Corpus(run / "data", settings.sequence)
    loss = NextToken(settings.z_loss)
    engine = Engine(model, World(Mesh(shard=1), torch.device("cpu")), settings, loss)
    scores = {f"bits per byte, {k}": v for k, v in baselines(corpus, settings.evaluate_sequences).items()}
    scores["bits per byte, model"] = bits_per_byte(engine, corpus, settings)
    if harness:
        from trinch.training.harness import harness_scores

        scores |= harness_scores(model, tokenizer, corpus, run / "tasks")
    return scores
