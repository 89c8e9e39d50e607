"""Tasks through the real command, with any model and strategy: options of a tiny run, and comparison of its output."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ctxlab.cli import main
from ctxlab.config import catalogue
from ctxlab.config.build import locate
from ctxlab.data.sources.generated import Generated

MODELS = {"encoder": "tiny_bert", "decoder": "tiny_llama", "encoder_decoder": "tiny_t5"}
TINY = (
    "tracking=none", "model.hidden_size=32", "model.num_layers=1", "data.documents=2", "data.validation_documents=1",
    "data.test_documents=2", "data.words_per_document=60", "data.evidence_distance=[16]", "data.ambiguous_share=0.5",
    "trainer.max_steps=1", "trainer.tokens_per_step=512", "trainer.precision=fp32", "probe.lengths=[64]",
)  # fmt: skip
CONTEXT = 96
SHORT = {"window": 24, "stride": 16, "reach": 48, "threshold": 48, "keep": 24, "block": 16, "chunk": 16, "base": 24,
         "group": 16, "reference": 48}  # fmt: skip
"""Sizes of attention parts that are made for thousands of tokens."""

PLACES = {"reading": {"window": 40}, "attention": SHORT, "memory": {"num_tokens": 2, "window": 12}}
"""Options of parts, by family, that this context has to be too short for."""

GOLD = {
    "tags",
    "label",
    "labels",
    "score",
    "relations",
    "answers",
    "target",
    "summary",
    "constraints",
    "expression",
    "probes",
    "relevant",
}
"""Fields of records, at any depth, that only an evaluation needs."""


def task_options(task: str) -> list[str]:
    """Short texts and short prompts, where the task has such options."""
    content = catalogue.read(catalogue.option_file("task", task))
    options = ["task.decoding.max_new_tokens=6"] if "decoding" in content else []
    return [*options, "task.instruction="] if "instruction" in content else options


def strategy_options(strategy: str) -> list[str]:
    """Windows of less than a document, where the parts of the preset have such options."""
    options = []
    for group, part in catalogue.defaults(catalogue.option_file("strategy", strategy), "strategy"):
        family = group.removeprefix("strategy/")
        content = catalogue.read(catalogue.option_file(group, part))
        short = PLACES.get(family, {})
        options += [
            f"strategy.{family}.{k}={v}" for k, v in short.items() if isinstance(content.get(k, ""), int | None)
        ]
    return options


def command(task: str, model: str, strategy: str) -> list[str]:
    """``ctxlab train`` of a second."""
    given = [f"task={task}", f"model={model}", f"strategy={strategy}", f"context={CONTEXT}"]
    return ["train", *given, *TINY, *task_options(task), *strategy_options(strategy)]


def form(task: str, kind: str) -> Any:
    """The task's form for models of this kind, with the values of its YAML file."""
    return _built(task).for_kind(kind)


def _built(task: str, **changes: Any) -> Any:
    """The task with the values of its YAML file, and of those of its members."""
    path = catalogue.option_file("task", task)
    content = catalogue.read(path) | changes
    target = content.pop("_target_")
    plain = {key: value for key, value in content.items() if key not in ("name", "defaults") and "${" not in str(value)}
    named = catalogue.lists(path)
    listed = {group: {name: _member(name) for name in named[group]} for group in named}
    return locate(target)(**plain, **listed)


def _member(name: str) -> Any:
    path = catalogue.option_file("task/members", name)
    ((_, task),) = catalogue.defaults(path, "task/members")
    return _built(task, **catalogue.read(path).get("members", {}).get(name, {}))


def supports(task: str, kind: str) -> bool:
    """Whether the task supports models of this kind."""
    return kind in form(task, kind).kinds


def records(task: str) -> list[dict[str, Any]]:
    """The test split of a tiny run, as the generated corpus makes it."""
    probe = catalogue.read(catalogue.option_file("probe", "passkey")) | {"lengths": [64]}
    corpus = Generated(2, 1, 2, words_per_document=60, ambiguous_share=0.5, evidence_distance=[16], probe=probe)
    return [record.fields for record in corpus.load(task, "test", seed=1)]


def without_gold(record: Any) -> Any:
    """The record without its gold answers, as for prediction."""
    if isinstance(record, dict):
        gold = GOLD | ({"text"} if "prompt" in record else set())
        asked = {key: value for key, value in record.items() if key not in gold}
        asked = {key: without_gold(value) for key, value in asked.items()}
        return asked | ({"turns": asked["turns"][:-1]} if "turns" in asked else {})
    return [without_gold(value) for value in record] if isinstance(record, list) else record


def write(path: Path, rows: Sequence[Any]) -> Path:
    """A file of JSON lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def lines(path: Path) -> list[Any]:
    """What a file of JSON lines holds."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def evaluated(run: Path, folder: Path, *options: str) -> Path:
    """The directory of an evaluation of the test split."""
    assert main(["eval", f"run={run}", "split=test", *options, f"hydra.run.dir={folder}"]) == 0
    return folder


def assert_alike(one: Any, other: Any, where: str = "") -> None:
    """Equal at any depth: numbers to 1e-4, everything else exactly."""
    if isinstance(one, float) and isinstance(other, float):
        assert one == pytest.approx(other, rel=1e-4, abs=1e-4), where
    elif isinstance(one, dict) and isinstance(other, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_alike(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list) and isinstance(other, list):
        assert len(one) == len(other), where
        for index, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_alike(a, b, f"{where}[{index}]")
    else:
        assert one == other, where
