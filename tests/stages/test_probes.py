"""Probes through the real command."""

import json

import pytest

from ctxlab.cli import main
from ctxlab.command.completion import query
from ctxlab.command.compose import compose
from tests.pictures import drawn
from tests.stages.conftest import result, train

TINY = (
    "task=probe", "model.hidden_size=32", "model.num_layers=1", "context=128", "strategy=chunk",
    "probe.lengths=[128,160]", "data.documents=6", "data.validation_documents=4", "data.test_documents=4",
    "trainer.max_steps=2", "trainer.tokens_per_step=1024",
)  # fmt: skip


@pytest.mark.by_default(1)
@pytest.mark.parametrize("probe", ["passkey", "frequent_words"])
def test_probes_of_both_forms_train_and_evaluate(probe, tmp_path):
    with drawn():
        assert train(tmp_path / "run", *TINY, f"probe={probe}") == 0
    found = result(tmp_path / "run")
    assert 0 <= found["metrics"]["test"]["recall"] <= 1
    assert found["primary_metric"] == "recall"
    assert found["coverage"]["test"] == {"tokens": 1.0, "labels": 1.0, "characters": 1.0}
    lengths = found["breakdowns"]["test"]["by_length"]
    assert [row["length"] for row in lengths] == [128, 160]
    assert all(row["length"] / 2 < row["tokens"] < 2 * row["length"] for row in lengths)  # of words that are mostly one
    placed = probe not in ("common_words", "frequent_words", "listops")
    assert ("by_length_and_depth" in found["breakdowns"]["test"]) == placed
    assert (tmp_path / "run" / "test-depth.png").is_file() == placed
    assert ("test-depth.png" in (tmp_path / "run" / "report.md").read_text()) == placed
    lines = (tmp_path / "run" / "predictions" / "test.jsonl").read_text().splitlines()
    assert all(json.loads(line)["answer"] for line in lines)


@pytest.mark.slow
def test_a_checkpoint_is_evaluated_at_other_lengths(tmp_path):
    run = tmp_path / "run"
    assert train(run, *TINY, "probe=variable_tracking") == 0
    command = ["eval", f"run={run}", "split=test", "probe.lengths=[256]", f"hydra.run.dir={tmp_path / 'long'}"]
    assert main(command) == 0
    assert [row["length"] for row in result(tmp_path / "long")["breakdowns"]["test"]["by_length"]] == [256]


@pytest.mark.slow
def test_several_probes_in_one_command(ctxlab):
    outcome = ctxlab("train", "-m", "probe=passkey,common_words", "model=tiny_bert", "context=512")
    assert [(config.task.name, config.data.probe.name, config.task.form) for config, _ in outcome.calls] == [
        ("probe", "passkey", "classification"),
        ("probe", "common_words", "marking"),
    ]


@pytest.mark.slow
def test_the_group_is_known_and_means_the_task():
    choices = compose("train", ["probe=needle"], with_hydra=True).hydra.runtime.choices
    assert (choices["probe"], choices["task"]) == ("needle", "probe")
    assert compose("train", ["task=ner", "probe=needle"], with_hydra=True).hydra.runtime.choices["task"] == "ner"
    assert query("ctxlab train probe=pass") == ["probe=passkey"]
    assert "probe.depths=" in query("ctxlab train probe=needle probe.de")


@pytest.mark.by_default(1)
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["probe=passke"], "there is no probe 'passke'; did you mean 'passkey'?"),
        (
            ["probe=needle", "probe.lengths=[32]"],
            "has 32, and this probe needs 33 words: give at least 33.",
        ),
        (["probe=needle", "probe.depths=[0,2]"], "probe.depths has 2, which is not a relative position"),
        (["probe=needle", "probe.kind=many"], "probe.kind=many is not a kind of needle"),
        (["probe=passkey", "probe.length=[64]"], "probe.length"),
        (["probe=listops", "task.form=marking"], "is not in its text"),
    ],
)
def test_mistakes_are_one_sentence(words, sentence, refused, tmp_path):
    command = ["train", "model=tiny_bert", "tracking=none", "context=128", *words, f"hydra.run.dir={tmp_path / 'r'}"]
    assert sentence in refused(command)


def test_users_own_records(tmp_path):
    records = [
        {"id": str(n), "text": f"It rained. The number is {n}0{n}. Nobody came.", "question": "Which number?",
         "answers": [f"{n}0{n}"]} for n in range(1, 7)
    ]  # fmt: skip
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    given = [option for option in TINY if not option.startswith(("probe.", "data."))]
    file = f"data.train_file={tmp_path / 'train.jsonl'}"
    assert train(tmp_path / "run", *given, file, "task.form=marking") == 0
    assert [row["length"] for row in result(tmp_path / "run")["breakdowns"]["validation"]["by_length"]] == [8]


@pytest.mark.slow
def test_a_tiny_model_from_scratch_finds_the_key_where_the_strategy_reaches_it(tmp_path):
    """At least 0.95 at 512 tokens within 300 seconds on two cores, and chance where the evidence is cut off."""
    command = ["train", "+experiment=passkey_reach", "strategy=dense", "tracking=none"]
    assert main([*command, f"hydra.run.dir={tmp_path / 'run'}"]) == 0
    by_length = {row["length"]: row for row in result(tmp_path / "run")["breakdowns"]["test"]["by_length"]}
    assert by_length[512]["recall"] >= 0.95
    command = ["eval", f"run={tmp_path / 'run'}", "strategy=truncate", "context=128", "split=test"]
    options = ["probe.lengths=[512]", "probe.depths=[0.5,0.75,1]", "data.test_documents=300"]
    assert main([*command, *options, f"hydra.run.dir={tmp_path / 'cut'}"]) == 0
    assert result(tmp_path / "cut")["metrics"]["test"]["recall"] < 0.2


def test_a_decoder_is_asked_without_training(tmp_path):
    options = ["model=tiny_llama", "probe=passkey", "probe.lengths=[64]", "context=256", "data.validation_documents=3",
               "task.shots=1", "data.documents=3", "task.decoding.max_new_tokens=4", "tracking=none"]  # fmt: skip
    assert main(["eval", "strategy=chunk", *options, f"hydra.run.dir={tmp_path / 'e'}"]) == 0
    assert result(tmp_path / "e")["primary_metric"] == "recall"
