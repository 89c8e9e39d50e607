"""Next and masked tokens through the real command, against the plain library model."""

import json
import math

import pytest
import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer

from ctxlab.cli import main
from ctxlab.core.types import NO_LABEL, Document
from ctxlab.tasks import mlm
from tests.pictures import drawn
from tests.stages.conftest import result, train

LM = ("task=lm", "model=tiny_llama", "strategy=chunk")
MLM = ("task=mlm", "model=tiny_bert", "strategy=longformer")
TASKS = {"llama": LM, "gpt2": ("task=lm", "model=tiny_gpt2", "strategy=chunk"), "bert": MLM}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("language")
    for name, options in TASKS.items():
        assert train(folder / name, *options) == 0
    return folder


def write(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def evaluated(run, folder, *options):
    """``result.json`` of an evaluation in fp32."""
    assert main(["eval", f"run={run}", *options, f"hydra.run.dir={folder}"]) == 0
    return result(folder)


def plain(run, loader=AutoModelForCausalLM):
    folder = sorted((run / "checkpoints").iterdir())[-1]
    return loader.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)


@pytest.mark.covering
@pytest.mark.parametrize("name", ["llama", "gpt2"])
@pytest.mark.parametrize("context", [64, 256])
def test_figures_are_those_of_the_plain_model(name, context, runs, tmp_path):
    """The plain model on each window by itself, for a document of 150 words and one of a single window."""
    texts = ["The old captain sold rope, and it rained. " * 12, "Nothing stirred."]
    file = write(tmp_path / "a.jsonl", *({"text": text} for text in texts))
    found = evaluated(runs / name, tmp_path / "e", f"data.validation_file={file}", f"context={context}")
    model, tokenizer = plain(runs / name)
    nll, tokens, characters, right = 0.0, 0, 0, 0
    for text in texts:
        encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        ids, ends = torch.tensor(encoded["input_ids"]), [end for _, end in encoded["offset_mapping"]]
        for start in range(0, len(ids), context - 1):
            window = torch.cat([torch.tensor([tokenizer.cls_token_id]), ids[start : start + context - 1]])
            with torch.no_grad():
                logits = model(window[None]).logits[0, 1:]
            gold = ids[start + 1 : start + len(window)]
            nll += F.cross_entropy(logits[: len(gold)], gold, reduction="sum").item()
            right += (logits[: len(gold)].argmax(-1) == gold).sum().item()
        tokens, characters = tokens + len(ids) - 1, characters + ends[-1] - ends[0]
    metrics = found["metrics"]["validation"]
    assert metrics["perplexity"] == pytest.approx(math.exp(nll / tokens), rel=1e-5)
    assert metrics["bits_per_character"] == pytest.approx(nll / math.log(2) / characters, rel=1e-5)
    assert metrics["accuracy"] == pytest.approx(right / tokens)
    assert found["coverage"]["validation"] == {"tokens": 1.0, "labels": 1.0, "characters": 1.0}


def test_masked_figures_are_those_of_the_plain_model(runs, tmp_path):
    text = "The old captain sold rope, and it rained. " * 8
    file = write(tmp_path / "a.jsonl", {"id": "x", "text": text})
    metrics = evaluated(runs / "bert", tmp_path / "e", f"data.validation_file={file}", "strategy=dense")["metrics"]
    model, tokenizer = plain(runs / "bert", AutoModelForMaskedLM)
    (encoded,) = mlm.MLM().encode([Document("x", {"text": text}, "")], tokenizer)
    ids = torch.tensor([[tokenizer.cls_token_id, *encoded.input_ids, tokenizer.sep_token_id]])
    labels = torch.tensor([[NO_LABEL, *encoded.labels, NO_LABEL]])
    with torch.no_grad():
        loss = F.cross_entropy(model(ids).logits.flatten(0, 1), labels.flatten())
    assert metrics["validation"]["loss"] == pytest.approx(loss.item(), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt2", "bert"])
def test_a_checkpoint_loads_again_with_its_scores(name, runs, tmp_path):
    """Tied embeddings (GPT-2, BERT) are saved once."""
    with drawn():
        found = evaluated(runs / name, tmp_path / "e", "split=test")
    assert found["metrics"]["test"] == result(runs / name)["metrics"]["test"]
    report = (tmp_path / "e" / "report.md").read_text()
    assert "by position in the document" in report
    assert "Words that another sentence determines" in report or name == "bert"
    assert (tmp_path / "e" / "test.png").is_file()


@pytest.mark.slow
def test_a_truncated_evaluation_looks_no_better(runs, tmp_path):
    whole = evaluated(runs / "llama", tmp_path / "w")
    cut = evaluated(runs / "llama", tmp_path / "c", "strategy=truncate", "context=64")
    assert cut["coverage"]["validation"]["labels"] < 0.5
    for metric in ("bits_per_character", "perplexity"):
        assert cut["metrics"]["validation"][metric] > whole["metrics"]["validation"][metric]
    assert any("never read" in note for note in cut["notes"])


@pytest.mark.slow
def test_the_best_checkpoint_has_the_fewest_bits(tmp_path):
    options = ("trainer.max_steps=6", "trainer.eval_every_steps=2", "optimizer.lr=0.01", "scheduler=constant")
    assert train(tmp_path / "run", *LM, *options) == 0
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    bits = [row["bits_per_character"] for row in rows if row["kind"] == "validation"]
    assert len(bits) == 3
    assert bits[-1] < bits[0]
    assert result(tmp_path / "run")["metrics"]["validation"]["bits_per_character"] == pytest.approx(min(bits))


def test_predict_writes_the_perplexity_of_each_document(runs, tmp_path):
    (tmp_path / "novel.txt").write_text("The old captain sold rope.\n\nIt rained.\n")
    output = tmp_path / "out.jsonl"
    command = ["predict", f"run={runs / 'llama'}", f"input={tmp_path / 'novel.txt'}", f"output={output}"]
    assert main([*command, f"hydra.run.dir={tmp_path / 'p'}"]) == 0
    record = json.loads(output.read_text())
    assert record["id"] == "novel"
    assert record["perplexity"] == pytest.approx(math.exp(record["nll"]))
    assert record["asked"] == record["seen"] == record["tokens"] - 1


def test_a_model_is_evaluated_without_training(tmp_path):
    file = write(tmp_path / "a.jsonl", {"text": "The old captain sold rope, and it rained. " * 12})
    command = ["eval", "task=lm", "model=tiny_llama", "strategy=chunk", "context=64", "tracking=none"]
    assert main([*command, f"data.validation_file={file}", f"hydra.run.dir={tmp_path / 'e'}"]) == 0
    found = result(tmp_path / "e")
    assert (found["checkpoint"], found["cost"]["train_tokens"]) == ("tiny_llama", 0)
    assert 500 < found["metrics"]["validation"]["perplexity"] < 5000


@pytest.mark.by_default(1)
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["task=ner", "model=tiny_bert"], "task=ner needs a trained head: add run="),
        (["task=lm", "model=tiny_bert"], "task=lm needs a model of kind decoder"),
        (["task=mlm", "model=tiny_llama", "strategy=chunk"], "task=mlm needs a model of kind encoder"),
        (["task=lm", "model=tiny_llama", "strategy=truncate", "strategy.reading.keep=head_tail"], "reading=chunk"),
    ],
)
def test_what_cannot_work_is_refused(options, says, refused, tmp_path):
    assert says in refused(["eval", *options, "tracking=none", f"hydra.run.dir={tmp_path / 'e'}"])


@pytest.mark.slow
def test_weights_without_the_head_are_refused_without_training(runs, capsys, tmp_path):
    from transformers import BertModel

    folder = tmp_path / "encoder"
    model, tokenizer = plain(runs / "bert", AutoModelForMaskedLM)
    body = BertModel(model.config)
    body.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    command = ["eval", "task=mlm", "model=pretrained", f"model.path={folder}", "tracking=none"]
    assert main([*command, f"hydra.run.dir={tmp_path / 'e'}"]) == 2
    assert "has no masked_lm head for task=mlm" in capsys.readouterr().err


@pytest.mark.by_default(1)
@pytest.mark.parametrize(("attention", "ahead"), [("lsh", True), ("local", False), ("structured", False)])
def test_a_report_says_when_likelihoods_depend_on_later_tokens(attention, ahead, runs, tmp_path):
    found = evaluated(runs / "llama", tmp_path / "e", f"strategy/attention={attention}", "context=256")
    told = [note for note in found["notes"] if "chooses what a token attends to from the whole window" in note]
    assert bool(told) is ahead
    assert ("are too good" in (tmp_path / "e" / "report.md").read_text()) is ahead
