"""Training beside the stock ``transformers.Trainer``: speed, what each lever is worth, peak memory, macro F1.

    python benchmarks/training.py                     # speed: one epoch over 256 posts, six minutes of one core
    python benchmarks/training.py --accuracy 320      # macro F1 after three epochs over so many posts
    python benchmarks/training.py --gradients         # a step with PyTorch's gradient of attention and with ours

The peer is ``AutoModelForSequenceClassification`` on the same encoder with the Trainer's defaults: attention dropout
.1, fp32, random order, padding to the longest post, glibc's allocator; its optimiser is fused AdamW as ours. Posts,
window, batch, learning rate and epochs are the same. Every trainer is a process of its own with one thread and works
only when it is its turn; processor seconds are counted, which other work on the machine changes little. Writing
checkpoints and evaluating are not counted.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

MAX_TOKENS, BATCH_SIZE, LEARNING_RATE, EPOCHS = 256, 16, 1e-4, 3
STEPS_PER_TURN = 2
LENGTHS, N_TURNS = (24, 64, 128, 192, 256, 512), 6
STOCK, OURS = "stock Trainer", "ours"
LEVERS = {
    "attention dropout 0": "with attention dropout .1",
    "bf16": "in fp32",
    "gradient of attention": "with PyTorch's gradient of attention",
    "keeping freed memory": "with glibc's settings",
    "lengths grouped, padded to eights": "in random order, padded to the longest",
}
CONFIG = "pipelines/configs/reddit2013.yaml"


def prepare_posts() -> None:
    """Prepare the Reddit posts, unless that is done."""
    from rich.console import Console

    from pipelines.run import run_stages

    run_stages(load_settings(), ("prepare",), Console(stderr=True, quiet=True))


def load_posts() -> tuple[Any, Any, Any]:
    """Load training posts in a drawn order, validation posts and the taxonomy."""
    from pipelines.artifacts import RunFolder
    from screening.data.preparation import load_split
    from screening.taxonomy import load_taxonomy

    folder = RunFolder(load_settings().run_dir)
    train = load_split(folder.split("train")).sample(frac=1, random_state=0)
    return train, load_split(folder.split("validation")), load_taxonomy(load_settings().data.taxonomy)


def load_settings(**training: Any) -> Any:
    """Load the shipped configuration with fields of its training section replaced."""
    from screening.config import load_config

    overrides = [f"training.{name}={value}" for name, value in training.items()]
    return load_config(CONFIG, ["name=training-benchmark", f"model.max_tokens={MAX_TOKENS}", *overrides])


def train_stock(posts: Any, taxonomy: Any, folder: Path, *callbacks: Any, epochs: int) -> Callable[[Any], Any]:
    """Train the way the library's documentation shows, and return a function from posts to logits."""
    from datasets import Dataset
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
    )

    from screening.models.encoder import locate_embedded_encoder

    source = locate_embedded_encoder()
    tokenizer = AutoTokenizer.from_pretrained(source)

    def tokenize(posts: Any) -> Any:
        encoded = tokenizer(posts["text"].tolist(), truncation=True, max_length=MAX_TOKENS)
        return Dataset.from_dict({**encoded, "labels": taxonomy.encode(posts["label"])})

    trainer = Trainer(
        model=AutoModelForSequenceClassification.from_pretrained(source, num_labels=len(taxonomy.names)),
        args=TrainingArguments(
            output_dir=str(folder),
            num_train_epochs=epochs,
            per_device_train_batch_size=BATCH_SIZE,
            learning_rate=LEARNING_RATE,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        ),
        train_dataset=tokenize(posts),
        data_collator=DataCollatorWithPadding(tokenizer),
        callbacks=list(callbacks),
    )
    trainer.train()
    return lambda posts: trainer.predict(tokenize(posts)).predictions


def train_ours(
    posts: Any, taxonomy: Any, folder: Path, *callbacks: Any, epochs: int, without: str = ""
) -> Callable[[Any], Any]:
    """Train as ``screening train`` does, without one lever if asked, and return a function from posts to logits."""
    from screening.inference.forward import compute_logits
    from screening.training.fitting import fit_classifier

    config = load_settings(
        epochs=epochs,
        early_stopping_patience=epochs,
        batch_size=BATCH_SIZE,
        ema_decay="null",  # the peer averages no weights
        learning_rate=LEARNING_RATE,
        save_every_steps=10**6,
        n_threads=1,
    )
    if without == "attention dropout 0":
        config = config.model_copy(update={"model": config.model.model_copy(update={"attention_dropout": 0.1})})
    if without:
        leave_out(without)
    precision = "fp32" if without == "bf16" else "bf16"
    validation = posts.head(BATCH_SIZE)  # the epoch is not chosen: every one is trained
    fitted = fit_classifier(config, taxonomy, posts, validation, folder, precision=precision, callbacks=callbacks)

    def predict(posts: Any) -> Any:
        texts = posts["text"].tolist()
        return compute_logits(
            fitted.classifier, fitted.tokenizer, texts, max_tokens=MAX_TOKENS, long_posts="cut"
        ).logits

    return predict


def leave_out(lever: str) -> None:
    """Put the stock part in the place of ours; dropout and precision are settings."""
    from torch.utils.data import RandomSampler
    from transformers import DataCollatorWithPadding

    from screening.training import fitting, trainer

    if lever == "gradient of attention":
        fitting.matrix_gradient = lambda _: nullcontext()  # type: ignore[assignment]
    if lever == "keeping freed memory":
        fitting.keep_freed_memory = lambda: False
    if lever == "lengths grouped, padded to eights":

        def build_collator(tokenizer: Any, _max_tokens: int) -> Callable[[list[dict[str, Any]]], Any]:
            pad = DataCollatorWithPadding(tokenizer)
            return lambda rows: pad([{name: row[name] for name in ("input_ids", "labels")} for row in rows])

        fitting.PaddingCollator = build_collator  # type: ignore[misc,assignment]
        trainer.LengthGroupedEpochSampler = lambda lengths, *_, **__: RandomSampler(lengths)  # type: ignore


def work(name: str, n_posts: int, reports_to: int) -> None:
    """Be one trainer: wait for a turn, take some steps, say how much was read and in what time."""
    from transformers import TrainerCallback

    class Turns(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
            self.n_posts = self.n_tokens = 0
            model.register_forward_pre_hook(self.count, with_kwargs=True)
            self.take("ready")

        def count(self, module: Any, args: Any, inputs: dict[str, Any]) -> None:
            self.n_posts += len(inputs["attention_mask"])
            self.n_tokens += int(inputs["attention_mask"].sum())

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step % STEPS_PER_TURN == 0:
                seconds = {"processor": time.process_time() - self.began[0], "wall": time.monotonic() - self.began[1]}
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
                self.take(json.dumps({**seconds, "posts": self.n_posts, "tokens": self.n_tokens, "peak": peak}))

        def take(self, report: str) -> None:
            os.write(reports_to, f"{report}\n".encode())
            if not sys.stdin.readline():
                os._exit(0)  # the last turn is over
            self.n_posts = self.n_tokens = 0
            self.began = time.process_time(), time.monotonic()

    train_with(name, n_posts, 1, Turns())


def train_with(name: str, n_posts: int, epochs: int, *callbacks: Any) -> tuple[Callable[[Any], Any], Any, Any]:
    """Train one of the variants; return what predicts, and the posts that were not trained on."""
    train, validation, taxonomy = load_posts()
    posts = train.head(n_posts)
    with tempfile.TemporaryDirectory() as folder:
        if name == STOCK:
            predict = train_stock(posts, taxonomy, Path(folder), *callbacks, epochs=epochs)
        else:
            lever = name.removeprefix("without ")
            without = lever if lever in LEVERS else ""
            predict = train_ours(posts, taxonomy, Path(folder), *callbacks, epochs=epochs, without=without)
    return predict, validation, taxonomy


def start(*arguments: str, **streams: Any) -> subprocess.Popen[str]:
    """Start this script as another process of one thread."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TRANSFORMERS_VERBOSITY": "error"}
    command = [sys.executable, __file__, *arguments]
    return subprocess.Popen(command, env=environment, text=True, **streams)  # noqa: S603  this script, no shell


def compare_speed(n_posts: int) -> None:
    """Let all variants take turns until each has read the same posts once, then print the table."""
    names = [STOCK, OURS, *(f"without {lever}" for lever in LEVERS)]
    workers, reports = {}, {}
    for name in names:
        reading, writing = os.pipe()
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "pass_fds": (writing,)}
        workers[name] = start("--worker", name, "--reports-to", str(writing), "--posts", str(n_posts), **streams)
        os.close(writing)
        reports[name] = os.fdopen(reading)
    for name in names:
        assert reports[name].readline() == "ready\n", name
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(n_posts // BATCH_SIZE // STEPS_PER_TURN):
        for name, worker in workers.items():
            assert worker.stdin
            worker.stdin.write("\n")
            worker.stdin.flush()
            turns[name].append(json.loads(reports[name].readline()))
    for worker in workers.values():
        worker.communicate()
    print_speed(turns)


def print_speed(turns: dict[str, list[dict[str, float]]]) -> None:
    """Print posts and tokens per processor second, the ratio to the peer, and what each lever is worth."""

    def rate(name: str, unit: str, clock: str = "processor") -> float:
        return sum(turn[unit] for turn in turns[name]) / sum(turn[clock] for turn in turns[name])

    n_steps = len(turns[OURS]) * STEPS_PER_TURN
    print(
        f"\n{n_steps} steps of {BATCH_SIZE} posts each, in turns of {STEPS_PER_TURN}; load {os.getloadavg()[0]:.1f}\n"
    )
    print("| | posts/s | tokens/s | beside stock | beside ours | peak memory, GiB |\n|---|---|---|---|---|---|")
    for name in turns:
        posts, tokens = rate(name, "posts"), rate(name, "tokens")
        beside = f"{tokens / rate(STOCK, 'tokens'):.2f} | {tokens / rate(OURS, 'tokens'):.2f}"
        words = name if name in (STOCK, OURS) else f"ours {LEVERS[name.removeprefix('without ')]}"
        print(f"| {words} | {posts:.2f} | {tokens:,.0f} | {beside} | {turns[name][-1]['peak']:.2f} |")
    wall = rate(OURS, "tokens", "wall") / rate(STOCK, "tokens", "wall")
    print(f"\nBy the clock on the wall, ours beside stock: {wall:.2f}")


def compare_accuracy(n_posts: int) -> None:
    """Train the peer and ours to the end, one after the other, and print macro F1 on validation with processor time."""
    print(f"{n_posts} posts, {EPOCHS} epochs\n\n| | validation macro F1 | processor, s |\n|---|---|---|", flush=True)
    for name in (STOCK, OURS):
        process = start("--train", name, "--accuracy", str(n_posts), stdout=subprocess.PIPE)
        found = process.communicate()[0].splitlines()[-1]
        print(f"| {name} | {found} |", flush=True)


def train_and_score(name: str, n_posts: int) -> None:
    """Train one variant and print its macro F1."""
    from sklearn.metrics import f1_score

    predict, validation, taxonomy = train_with(name, n_posts, EPOCHS)
    seconds = time.process_time()
    y_true = taxonomy.encode(validation["label"])
    macro_f1 = f1_score(y_true, predict(validation).argmax(axis=1), average="macro")
    print(f"{macro_f1:.3f} (n = {len(validation)}) | {seconds:,.0f}")


def compare_gradients() -> None:
    """Print the time of a step with PyTorch's gradient of attention and with ours, in turns, by batch shape."""
    import torch

    from screening.allocator import keep_freed_memory
    from screening.models.attention import matrix_gradient
    from screening.models.classifier import RiskClassifier

    torch.set_num_threads(1)
    keep_freed_memory()
    classifier, _ = RiskClassifier.from_encoder("all-MiniLM-L6-v2", ("one", "other"), max_tokens=max(LENGTHS))
    classifier.train()
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=LEARNING_RATE, fused=True)

    def time_step(n_tokens: int) -> float:
        input_ids = torch.randint(1_000, 20_000, (BATCH_SIZE, n_tokens))
        attention_mask = torch.ones_like(input_ids)
        attention_mask[::2, -n_tokens // 8 :] = 0
        began = time.process_time()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = classifier(input_ids=input_ids, attention_mask=attention_mask).logits
        logits.float().square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        return time.process_time() - began

    print("| tokens | PyTorch's gradient, s | ours, s | ratio |\n|---|---|---|---|")
    for n_tokens in LENGTHS:
        time_step(n_tokens)
        usual, ours = 0.0, 0.0
        for _ in range(N_TURNS):
            usual += time_step(n_tokens)
            with matrix_gradient(classifier):
                ours += time_step(n_tokens)
        print(f"| {n_tokens} | {usual / N_TURNS:.2f} | {ours / N_TURNS:.2f} | {usual / ours:.2f} |", flush=True)


def main() -> None:
    """Print the table that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=256, help=f"a multiple of {BATCH_SIZE * STEPS_PER_TURN}")
    parser.add_argument("--accuracy", type=int, metavar="POSTS")
    parser.add_argument("--gradients", action="store_true")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--reports-to", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--train", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        return work(arguments.worker, arguments.posts, arguments.reports_to)
    if arguments.train:
        return train_and_score(arguments.train, arguments.accuracy)
    if arguments.gradients:
        return compare_gradients()
    prepare_posts()
    if arguments.accuracy:
        return compare_accuracy(arguments.accuracy)
    return compare_speed(arguments.posts)


if __name__ == "__main__":
    main()
