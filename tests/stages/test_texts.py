"""Translation and summarization through the real command: train, eval, predict."""

import json

import pytest

from ctxlab.cli import main
from tests.stages.conftest import result, train

SMALL = ("data.documents=3", "data.validation_documents=1", "data.test_documents=1", "data.words_per_document=60",
         "data.evidence_distance=[16]", "data.ambiguous_share=0.5", "trainer.max_steps=1", "context=128",
         "task.decoding.max_new_tokens=24", "model.hidden_size=32", "model.num_layers=1")  # fmt: skip


def write(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.mark.slow
def test_every_query_of_a_document_is_answered_separately(tmp_path):
    run = tmp_path / "run"
    assert train(run, "task=summarization", "model=tiny_llama", "strategy=textrank", *SMALL) == 0
    assert {"overall", "by_length", "by_position"} <= set(result(run)["breakdowns"]["test"])
    record = {"id": "a", "document": "It rained. They left.", "summaries": [{"query": "What?"}, {"query": "Who?"}]}
    source, output = write(tmp_path / "in.jsonl", record), tmp_path / "out.jsonl"
    command = ["predict", f"run={run}", f"input={source}", f"output={output}"]
    assert main([*command, f"hydra.run.dir={tmp_path / 'p'}"]) == 0
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert [(line["id"], line["query"], line["share_read"]) for line in lines] == [
        ("a#1", "What?", 1.0), ("a#2", "Who?", 1.0),
    ]  # fmt: skip


@pytest.mark.by_default(1)
@pytest.mark.parametrize("model", ["tiny_bert", "tiny_gpt2", "tiny_t5"])
def test_what_the_reading_keeps_is_scored_without_a_model(model, tmp_path, monkeypatch):
    monkeypatch.setattr("torch.nn.Module.__call__", None)  # nothing may be run
    options = ("task=summarization", "task.output=extract", f"model={model}", "strategy=textrank",
               "strategy.reading.method=bm25", "context=48", "tracking=none", "data.ambiguous_share=0.0",
               "data.validation_documents=2", "data.words_per_document=200",
               "data.evidence_distance=[16,100]")  # fmt: skip
    assert main(["eval", *options, f"hydra.run.dir={tmp_path / 'e'}"]) == 0
    found = result(tmp_path / "e")
    rows = {row["summary"]: row["rouge1"] for row in found["breakdowns"]["validation"]["overall"]}
    assert rows["the model"] > max(rows["lead"], rows["random"])
    assert found["cost"]["flops"] == 0
    assert found["coverage"]["validation"]["tokens"] < 0.5


@pytest.mark.by_default(1)
@pytest.mark.parametrize(
    ("model", "attention"),
    [("tiny_llama", "full"), ("tiny_llama", "local"), ("tiny_llama", "time_mask"), ("tiny_t5", "full")],
)
def test_generation_counts_as_operations(model, attention, tmp_path):
    flops = []
    for tokens in (1, 9):
        given = ("task=summarization", f"model={model}", "strategy=truncate", f"strategy/attention={attention}",
                 *SMALL[1:5], "context=512", f"task.decoding.max_new_tokens={tokens}", "tracking=none")  # fmt: skip
        assert main(["eval", *given, f"hydra.run.dir={tmp_path / str(tokens)}"]) == 0
        flops.append(result(tmp_path / str(tokens))["cost"]["flops"])
    if attention == "time_mask":  # every token reads the window anew
        assert flops[1] > 4 * flops[0]
    else:
        assert flops[0] < flops[1] < 1.5 * flops[0]


def test_nothing_is_trained_or_verified_where_no_model_is_asked(tmp_path, refused):
    options = ("task=summarization", "task.output=extract", "model=tiny_bert", "strategy=textrank")
    says = refused(["train", *options, f"hydra.run.dir={tmp_path / 't'}"])
    assert "nothing to train" in says
    assert "nothing to verify" in refused(["verify", *options, f"hydra.run.dir={tmp_path / 'v'}"])


def test_a_file_of_another_task_or_with_an_id_twice_is_refused(tmp_path, refused):
    file = write(tmp_path / "qa.jsonl", {"context": "It rained.", "questions": []})
    command = ["eval", "task=summarization", "model=tiny_t5", "strategy=truncate"]
    says = refused([*command, f"data.validation_file={file}", f"hydra.run.dir={tmp_path / 'r'}"])
    assert "task=qa" in says
    assert "qa.jsonl line 1" in says
    twice = write(tmp_path / "twice.jsonl", *[{"id": "a", "document": "It rained.", "summary": "Rain."}] * 2)
    assert "The id 'a'" in refused([*command, f"data.validation_file={twice}", f"hydra.run.dir={tmp_path / 's'}"])
