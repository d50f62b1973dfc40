"""What each verb of `trinch train` does, from settings to files.

Owns the order of preparing, training and measuring, and who of many processes prepares. Does not print.
"""

import statistics
from pathlib import Path

import msgspec
import torch.distributed as dist

from trinch.training.data import Corpus, Tell, prepare, strike_out
from trinch.training.log import read_log
from trinch.training.loop import model_config, train
from trinch.training.measure import peak_flops, run_row, write_rows
from trinch.training.parallel import World, start
from trinch.training.settings import Settings, write_settings
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
