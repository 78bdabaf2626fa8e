"""Settings of a phase in the Trainer's own terms."""

from pathlib import Path

import torch
from transformers import TrainingArguments

from screening.training.phases import Phase
from screening.training.processes import count_posts_per_process


def build_arguments(phase: Phase, folder: Path, precision: str, n_steps: int) -> TrainingArguments:
    """Build a phase's arguments; ``n_steps`` is the number of its optimiser steps, checkpoints go to ``folder``."""
    settings, seed = phase.config.training, phase.config.seed
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=count_posts_per_process(settings.batch_size),
        per_device_eval_batch_size=count_posts_per_process(settings.batch_size),
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        warmup_steps=round(settings.warmup_fraction * n_steps),
        lr_scheduler_type=settings.scheduler,
        max_grad_norm=settings.gradient_clip,
        optim="adamw_torch_fused",
        use_cpu=not torch.cuda.is_available(),  # without it, bf16 is refused on a CPU that has it
        bf16=precision == "bf16",
        seed=seed,
        data_seed=seed,
        run_name=phase.title,
        eval_strategy="epoch",
        save_strategy="steps",
        save_steps=settings.save_every_steps,
        save_total_limit=2,
        logging_strategy="steps",
        logging_steps=min(20, n_steps // settings.epochs),  # at least one line per epoch
        report_to=[],
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_pin_memory=torch.cuda.is_available(),
        disable_tqdm=True,
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # without torchrun one GPU: the Trainer would give each a whole batch
    return arguments
