"""Five well-known tutorial samples as they are commonly printed, beside the same settings in ctxlab.

Each printed sample is a plain loop over Transformers with the fault that it is known for; both sides read the same
documents of the built-in corpora, train for as many epochs in batches of as many windows at the same learning rate,
and are scored on the same documents. See docs/tutorials.md.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from seqeval.metrics import f1_score
from seqeval.scheme import IOB2
from transformers import (
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2ForQuestionAnswering,
    GPT2LMHeadModel,
)

from ctxlab.core.result import read
from ctxlab.data.sources.generated import Generated
from ctxlab.models.minilm import MiniLM
from scripts.bench.timing import ctxlab, row

RATE, BATCH, EPOCHS = 5e-4, 16, 5
"""MiniLM needs a higher rate than the 2e-5 of the tutorials' models; both sides use this one."""

Batch = Mapping[str, torch.Tensor]
Fields = Mapping[str, Any]


def measure(_: Path) -> list[dict[str, Any]]:
    """Return the rows of all samples."""
    torch.manual_seed(0)
    samples = (tagging, classification, question_answering, language_modelling, long_bert)
    return [one for sample in samples for one in sample()]


def tagging() -> list[dict[str, Any]]:
    """Tagging at 128 tokens: the tag of word i on subword token i, padding as ``O``, accuracy over all of them."""
    corpus = Generated(documents=160, test_documents=40, words_per_document=90, ambiguous_share=0.0)
    train, test = _records(corpus, "ner")
    names = sorted({tag for one in train for tag in one["tags"]}, key=lambda tag: (tag != "O", tag))
    tokenizer, weights = _minilm()
    model = AutoModelForTokenClassification.from_pretrained(weights, num_labels=len(names))

    def encoded(records: Sequence[Fields]) -> Batch:
        found = _padded(tokenizer, [" ".join(one["tokens"]) for one in records], 128)
        tags = [[names.index(tag) for tag in one["tags"]][:128] for one in records]
        return {**found, "labels": torch.tensor([row + [0] * (128 - len(row)) for row in tags])}

    _train(model, encoded(train))
    given, right = _outputs(model, encoded(test)).argmax(-1), encoded(test)["labels"]
    answers = [[names[n] for n in line[: len(one["tags"])]] for one, line in zip(test, given.tolist(), strict=True)]
    strict = f1_score([list(one["tags"]) for one in test], answers, mode="strict", scheme=IOB2, zero_division=0)
    found = _corrected("tagging", "ner", corpus)
    return [
        row("tagging as printed: accuracy that it reports", float((given == right).float().mean())),
        row("… strict F1 of the same answers", float(strict)),
        row("… ctxlab train +experiment=tutorial_tagging: strict F1", found["f1"]),
    ]


def classification() -> list[dict[str, Any]]:
    """Classification at 512 tokens: the rest is cut off, and gradients are never cleared."""
    corpus = Generated(documents=64, test_documents=40, words_per_document=700, ambiguous_share=0.0)
    train, test = _records(corpus, "classification")
    names = sorted({one["label"] for one in train})
    tokenizer, weights = _minilm()

    def encoded(records: Sequence[Fields]) -> Batch:
        found = _padded(tokenizer, [one["text"] for one in records], 512)
        return {**found, "labels": torch.tensor([names.index(one["label"]) for one in records])}

    rows = []
    for what, clears in (("gradients never cleared", False), ("gradients cleared, cut at 512 tokens", True)):
        model = AutoModelForSequenceClassification.from_pretrained(weights, num_labels=len(names))
        _train(model, encoded(train), clears=clears)
        rows.append(row(f"classification, {what}: accuracy", _accuracy(model, encoded(test))))
    found = _corrected("classification", "classification", corpus)
    return [*rows, row("… ctxlab train +experiment=tutorial_classification", found["accuracy"])]


def question_answering() -> list[dict[str, Any]]:
    """Question answering at 256 tokens: the answer is at the same place in every text."""
    corpus = Generated(documents=64, test_documents=32, words_per_document=150)
    train, test = _records(corpus, "qa")
    tokenizer, _ = _minilm()
    model = GPT2ForQuestionAnswering(_tiny_gpt2(len(tokenizer)))

    def encoded(records: Sequence[Fields]) -> Batch:
        asked = [f"{question['question']} {one['context']}" for one in records for question in one["questions"]]
        found = _padded(tokenizer, asked, 256)
        same = torch.ones(len(asked), dtype=torch.long)
        return {**found, "start_positions": same, "end_positions": 3 * same}

    loss = _train(model, encoded(train))
    starts = _outputs(model, encoded(test), "start_logits").argmax(-1)
    found = _corrected("qa", "qa", corpus)
    return [
        row("question answering as printed: training loss at the end", loss),
        row("… questions that it answers with tokens 1 to 3", float((starts == 1).float().mean())),
        row("… ctxlab train +experiment=tutorial_qa: F1 of answers (random weights)", found["f1"]),
    ]


def language_modelling() -> list[dict[str, Any]]:
    """Language modelling at 4,096 tokens: the model has 1,024 positions."""
    model = GPT2LMHeadModel(_tiny_gpt2(1000))
    tokens = torch.zeros(1, 4096, dtype=torch.long)
    try:
        model(input_ids=tokens, labels=tokens)
        fails = 0.0
    except IndexError:
        fails = 1.0
    corpus = Generated(documents=16, test_documents=2, words_per_document=1500)
    found = _corrected("lm", "lm", corpus, "trainer.max_epochs=1", "trainer.tokens_per_step=16384")
    return [
        row("language modelling as printed: ends in an IndexError (1 = yes)", fails),
        row("… ctxlab train +experiment=tutorial_lm: bits per character", found["bits_per_character"]),
    ]


def long_bert() -> list[dict[str, Any]]:
    """A BERT with random weights on long texts: it is asked without being trained."""
    corpus = Generated(documents=64, test_documents=40, words_per_document=700, ambiguous_share=0.0)
    train, test = _records(corpus, "classification")
    names = sorted({one["label"] for one in train})
    tokenizer, _ = _minilm()
    config = BertConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=2048,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=128,
        id2label=dict(enumerate(names)),
    )
    model = BertForSequenceClassification(config)
    found = _padded(tokenizer, [one["text"] for one in test], 2048)
    batch = {**found, "labels": torch.tensor([names.index(one["label"]) for one in test])}
    after = _corrected("long_bert", "classification", corpus, "trainer.tokens_per_step=16384")
    return [
        row(f"random BERT as printed: accuracy (chance {1 / len(names):.2f})", _accuracy(model, batch)),
        row("… ctxlab train +experiment=tutorial_long_bert: accuracy", after["accuracy"]),
    ]


def _records(corpus: Generated, task: str) -> tuple[list[Fields], list[Fields]]:
    """Return the training and the test records, those that the command makes with the same options."""
    return [one.fields for one in corpus.load(task, "train", 1)], [one.fields for one in corpus.load(task, "test", 1)]


def _corrected(sample: str, task: str, corpus: Generated, *options: str) -> Mapping[str, float]:
    """Return the figures of the sample's experiment on the same records."""
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for name, records in zip(("train_file", "test_file"), _records(corpus, task), strict=True):
            file = Path(folder) / f"{name}.jsonl"
            file.write_text("".join(f"{json.dumps(dict(one), ensure_ascii=False)}\n" for one in records))
            files.append(f"data.{name}={file}")
        run = Path(folder) / "run"
        ctxlab(
            "train", f"+experiment=tutorial_{sample}", f"optimizer.lr={RATE}", *files, *options,
            "tracking=none", f"hydra.run.dir={run}",
        )  # fmt: skip
        return read(run).metrics["test"]


def _minilm() -> tuple[Any, Path]:
    weights = MiniLM().weights()
    return AutoTokenizer.from_pretrained(weights), weights


def _tiny_gpt2(vocabulary: int) -> GPT2Config:
    return GPT2Config(vocab_size=vocabulary, n_positions=1024, n_embd=64, n_layer=2, n_head=2)


def _padded(tokenizer: Any, texts: Sequence[str], length: int) -> Batch:
    """Return the first ``length`` tokens of each text, padded to that length."""
    found = tokenizer(texts, padding="max_length", truncation=True, max_length=length, return_tensors="pt")
    return {name: found[name] for name in ("input_ids", "attention_mask")}


def _batches(data: Batch, order: torch.Tensor) -> Iterator[Batch]:
    for rows in order.split(BATCH):
        yield {name: values[rows] for name, values in data.items()}


def _train(model: Any, data: Batch, *, clears: bool = True) -> float:
    """Train as the tutorials do; return the last loss."""
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0)
    loss = torch.zeros(())
    for _ in range(EPOCHS):
        for batch in _batches(data, torch.randperm(len(data["input_ids"]))):
            loss = model(**batch).loss
            loss.backward()
            optimizer.step()
            if clears:
                optimizer.zero_grad()
    return loss.item()


@torch.no_grad()
def _outputs(model: Any, data: Batch, name: str = "logits") -> torch.Tensor:
    """Return an output of the model for every record."""
    model.eval()
    parts = [model(**batch)[name] for batch in _batches(data, torch.arange(len(data["input_ids"])))]
    return torch.cat(parts)


def _accuracy(model: Any, data: Batch) -> float:
    return float((_outputs(model, data).argmax(-1) == data["labels"]).float().mean())
