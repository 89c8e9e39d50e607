"""Names in other programs for keys and options of ``conf/``.

They are never accepted silently: the error message gives the name to use here.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Key:
    """The key here for a key of another program."""

    name: str
    """Key or group, as on the command line."""
    value: Callable[[str], str] = str
    """Converts the value that was written into the value to write."""
    note: str = ""
    """A clause on what differs."""


WINDOW = 512
"""Tokens per example when a batch size is converted to ``trainer.tokens_per_step``."""


def _tokens(documents: str) -> str:
    return str(int(documents) * WINDOW) if documents.isdecimal() else "<tokens>"


_STEP = Key(
    "trainer.tokens_per_step", _tokens, f"a step is counted in tokens, here as that many windows of {WINDOW} tokens"
)
_CONTEXT = Key("context")
_EPOCHS = Key("trainer.max_epochs")
_STEPS = Key("trainer.max_steps")
_EVALUATE = Key("trainer.eval_every_steps", lambda _: "<steps>", "evaluations are counted in optimizer steps")
_WARMUP = Key("scheduler.warmup_share", lambda _: "<share>", "a fraction of the budget, from 0 to below 1")
_ACCUMULATE = Key(
    "trainer.tokens_per_forward", lambda _: "<tokens>", "a step longer than one forward pass accumulates gradients"
)
_MODEL = Key("model.path")
_FILE = Key("data.train_file")
_FOLDER = Key("hydra.run.dir")
_PRECISION = Key("trainer.precision")
_WANDB = Key("tracking", lambda value: "none" if value.casefold() in ("false", "no", "off", "0", "null") else "wandb")

KEYS = {
    "batch": _STEP,
    "batch_size": _STEP,
    "bs": _STEP,
    "train_batch_size": _STEP,
    "per_device_train_batch_size": _STEP,
    "per_device_eval_batch_size": Key("trainer.tokens_per_forward", _tokens, "a pass is counted in tokens"),
    "gradient_accumulation_steps": _ACCUMULATE,
    "grad_accum": _ACCUMULATE,
    "accumulate_grad_batches": _ACCUMULATE,
    "context_length": _CONTEXT,
    "context_window": _CONTEXT,
    "ctx": _CONTEXT,
    "max_len": _CONTEXT,
    "max_length": _CONTEXT,
    "max_seq_len": _CONTEXT,
    "max_seq_length": _CONTEXT,
    "max_source_length": _CONTEXT,
    "model_max_length": _CONTEXT,
    "seq_len": _CONTEXT,
    "sequence_length": _CONTEXT,
    "block_size": _CONTEXT,
    "epoch": _EPOCHS,
    "epochs": _EPOCHS,
    "n_epochs": _EPOCHS,
    "num_epochs": _EPOCHS,
    "num_train_epochs": _EPOCHS,
    "iterations": _STEPS,
    "max_iters": _STEPS,
    "num_steps": _STEPS,
    "num_train_steps": _STEPS,
    "steps": _STEPS,
    "train_steps": _STEPS,
    "time": Key("trainer.max_seconds"),
    "eval_every": Key("trainer.eval_every_steps"),
    "eval_every_epochs": _EVALUATE,
    "eval_steps": Key("trainer.eval_every_steps"),
    "eval_strategy": _EVALUATE,
    "evaluation_strategy": _EVALUATE,
    "val_check_interval": _EVALUATE,
    "logging_steps": Key("trainer.log_every_steps"),
    "save_steps": Key("trainer.save_every_steps"),
    "save_total_limit": Key("trainer.keep_checkpoints"),
    "early_stopping": Key("trainer.early_stopping_patience", lambda _: "<evaluations>"),
    "patience": Key("trainer.early_stopping_patience"),
    "lr_rate": Key("optimizer.lr"),
    "learning_rate": Key("optimizer.lr"),
    "wd": Key("optimizer.weight_decay"),
    "adam_epsilon": Key("optimizer.eps"),
    "lr_schedule": Key("scheduler"),
    "lr_scheduler": Key("scheduler"),
    "lr_scheduler_type": Key("scheduler"),
    "schedule": Key("scheduler"),
    "warmup": _WARMUP,
    "warmup_ratio": Key("scheduler.warmup_share"),
    "warmup_steps": _WARMUP,
    "grad_clip": Key("trainer.clip_norm"),
    "gradient_clip_val": Key("trainer.clip_norm"),
    "max_grad_norm": Key("trainer.clip_norm"),
    "amp": Key("trainer.precision", lambda _: "bf16"),
    "bf16": Key("trainer.precision", lambda _: "bf16"),
    "fp16": Key("trainer.precision", lambda _: "fp16"),
    "dtype": _PRECISION,
    "mixed_precision": _PRECISION,
    "torch_dtype": _PRECISION,
    "cuda": Key("trainer.device", lambda _: "cuda"),
    "gpu": Key("trainer.device", lambda _: "cuda"),
    "gradient_checkpointing": Key("trainer.activation_checkpointing"),
    "workers": Key("trainer.num_workers"),
    "dataloader_num_workers": Key("trainer.num_workers"),
    "checkpoint_path": _MODEL,
    "model_id": _MODEL,
    "model_name": _MODEL,
    "model_name_or_path": _MODEL,
    "pretrained": _MODEL,
    "dataset": Key("data.path"),
    "dataset_name": Key("data.path"),
    "corpus": _FILE,
    "input_file": _FILE,
    "train": _FILE,
    "train_data": _FILE,
    "train_path": _FILE,
    "dev_file": Key("data.validation_file"),
    "eval_file": Key("data.validation_file"),
    "valid_file": Key("data.validation_file"),
    "val_file": Key("data.validation_file"),
    "test_data": Key("data.test_file"),
    "max_samples": Key("data.max_documents"),
    "max_train_samples": Key("data.max_documents"),
    "output_dir": _FOLDER,
    "output_folder": _FOLDER,
    "save_dir": _FOLDER,
    "random_seed": Key("seed"),
    "report_to": Key("tracking"),
    "logger": Key("tracking"),
    "use_wandb": _WANDB,
    "wandb": _WANDB,
    "wandb_project": Key("tracking.project"),
    "doc_stride": Key("strategy.reading.overlap_tokens", str, "neighbouring windows share that many tokens"),
    "overlap": Key("strategy.reading.overlap_tokens"),
    "attention_window": Key("strategy.attention.window", str, "tokens on each side, so half of a two-sided window"),
    "window_size": Key("strategy.attention.window", str, "tokens on each side"),
    "max_new_token": Key("task.decoding.max_new_tokens"),
    "max_target_length": Key("task.decoding.max_new_tokens"),
    "few_shot": Key("shots"),
    "num_fewshot": Key("shots"),
    "resume_from": Key("resume"),
    "resume_from_checkpoint": Key("resume"),
}
"""Foreign key → key or group here; ``batch-size`` and ``Batch_Size`` are looked up as ``batch_size``."""

OPTIONS = {
    "data": {"file": "files", "local": "files", "synthetic": "generated", "huggingface": "hub", "hf": "hub"},
    "optimizer": {"adam": "adamw", "adam_w": "adamw", "adamw_torch": "adamw"},
    "scheduler": {"none": "constant", "warmup": "linear", "cosine_annealing": "cosine"},
    "strategy": {
        "sliding_window": "longformer",
        "sliding": "chunk",
        "split": "chunk",
        "windows": "chunk",
        "stride": "chunk",
        "truncation": "truncate",
        "cut": "truncate",
        "rope": "yarn",
        "recurrent_memory": "rmt",
        "streaming_llm": "streaming",
        "xl": "transformer_xl",
    },
    "strategy/attention": {"dense": "full", "none": "full", "sdpa": "full", "sliding_window": "local"},
    "strategy/curriculum": {"none": "constant"},
    "strategy/positions": {"none": "keep", "rope": "yarn", "pi": "linear"},
    "strategy/reading": {"none": "chunk", "windows": "chunk"},
    "task": {
        "causal_lm": "lm",
        "chat": "dialogue",
        "chatbot": "dialogue",
        "clm": "lm",
        "cls": "classification",
        "conversation": "dialogue",
        "emotion": "classification",
        "emotion_recognition": "classification",
        "entailment": "nli",
        "intent": "classification",
        "intent_classification": "classification",
        "intent_detection": "classification",
        "language_model": "lm",
        "language_modeling": "lm",
        "masked_lm": "mlm",
        "mnli": "nli",
        "mt": "translation",
        "named_entity_recognition": "ner",
        "next_token": "lm",
        "question_answering": "qa",
        "reading_comprehension": "qa",
        "recommender": "recommendation",
        "relation_extraction": "relation",
        "ir": "retrieval",
        "routing": "classification",
        "search": "retrieval",
        "sentiment": "classification",
        "sentiment_analysis": "classification",
        "sequence_classification": "classification",
        "spam": "classification",
        "squad": "qa",
        "summary": "summarization",
        "summarisation": "summarization",
        "tagging": "ner",
        "text_classification": "classification",
        "text_generation": "generation",
        "token_classification": "ner",
        "topic": "classification",
        "translate": "translation",
    },
    "tracking": {"false": "none", "no": "none", "off": "none", "disabled": "none", "tb": "tensorboard"},
}
"""Group → foreign option → option here."""

_EMOTION, _INTENT, _ROUTING, _SENTIMENT = (
    f"data.corpus={name} is its built-in corpus" for name in ("emotion", "intent", "routing", "sentiment")
)

NOTES = {
    "task": {
        "emotion": _EMOTION,
        "emotion_recognition": _EMOTION,
        "intent": _INTENT,
        "intent_classification": _INTENT,
        "intent_detection": _INTENT,
        "routing": _ROUTING,
        "sentiment": _SENTIMENT,
        "sentiment_analysis": _SENTIMENT,
    }
}
"""Group → foreign option → a clause on what else belongs to it here."""

PATHS = {"model": "model.path", "data": "data.path"}
"""Groups → the key for a folder, or for a name on a hub."""

FILES = {"data": "data.train_file"}
"""Groups → the key for a file."""
