"""``ctxlab compress``: a run as any other, its table, healing by the original, adapters, and what is refused."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from ctxlab.cli import main
from ctxlab.training import checkpoint
from tests.stages.conftest import result, train

SMALL = ("strategy=chunk", "context=64", "data.documents=4", "data.validation_documents=3", "data.test_documents=1",
         "data.words_per_document=60", "data.evidence_distance=[16]", "data_seed=1", "optimizer.lr=1e-2",
         "trainer.tokens_per_step=256", "model.hidden_size=16", "model.num_layers=3", "model.vocabulary=letters",
         "trainer.max_steps=8")  # fmt: skip


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("original") / "run"
    assert train(folder, *SMALL) == 0
    return folder


@pytest.fixture(scope="module")
def made(original, tmp_path_factory):
    """Runs compressed by each mechanism, the first of them healed."""
    folder = tmp_path_factory.mktemp("compressed")
    for name, steps in (("layers", ["healing.steps=2"]), ("share", ["healing.steps=0"]), ("int8", [])):
        assert compress(folder / name, original, f"compression={name}", *steps) == 0
    return folder


def compress(folder, run, *words):
    return main(["compress", f"run={run}", *words, f"hydra.run.dir={folder}"])


def table(folder):
    return {row["model"].split(" ")[0]: row for row in result(folder)["breakdowns"]["validation"]["compression"]}


def weights(run, file="model.safetensors"):
    return load_file(checkpoint.find(run, "best") / file)


def test_the_table_has_the_original_and_what_was_made(original, made):
    found = table(made / "layers")
    assert list(found) == ["original", "compressed", "healed"]
    assert found["original"]["f1"] == result(original)["metrics"]["validation"]["f1"]
    assert found["healed"]["f1"] == result(made / "layers")["metrics"]["validation"]["f1"]
    assert found["original"]["parameters"] == result(original)["cost"]["parameters"]
    assert found["healed"]["parameters"] == result(made / "layers")["cost"]["parameters"]
    layer = 12 * 16**2 + 13 * 16
    assert found["original"]["parameters"] - found["healed"]["parameters"] == layer
    for name, folder in (("original", original), ("healed", made / "layers")):
        size = (checkpoint.find(folder, "best") / "model.safetensors").stat().st_size
        assert found[name]["MB of weights"] == size / 1e6
    assert found["original"]["speed"] == found["original"]["agreement"] == 1
    assert all(row["low"] <= row["f1"] <= row["high"] for row in found.values())
    note = next(note for note in result(made / "layers")["notes"] if note.startswith("Compressed from"))
    assert note == (
        "Compressed from run/step-00000008: 2 of 3 layers (0, 1), then trained for 2 steps with it as teacher."
    )


def test_agreement_is_that_of_the_predictions(original, made):
    def tags(folder):
        lines = (folder / "predictions" / "validation.jsonl").read_text().splitlines()
        return [tag for line in lines for tag in json.loads(line)["tags"]]

    pairs = list(zip(tags(original), tags(made / "layers"), strict=True))
    same = sum(one == other for one, other in pairs) / len(pairs)
    assert table(made / "layers")["healed"]["agreement"] == pytest.approx(same)


def test_healing_moves_the_weights_towards_the_original(made):
    first = load_file(made / "layers" / "checkpoints" / "step-00000000" / "model.safetensors")
    healed = weights(made / "layers")
    assert first.keys() == healed.keys()
    assert any(not torch.equal(first[name], healed[name]) for name in first)
    assert checkpoint.find(made / "layers", "best").name == "step-00000002"
    lines = [json.loads(line) for line in (made / "layers" / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == 2


@pytest.mark.by_default(1)
@pytest.mark.parametrize("name", ["layers", "share", "int8"])
def test_it_is_used_as_any_other_run(name, made, tmp_path):
    run = made / name
    assert main(["eval", f"run={run}", "split=test", f"hydra.run.dir={tmp_path / 'eval'}"]) == 0
    assert result(tmp_path / "eval")["metrics"]["test"] == result(run)["metrics"]["test"]
    (tmp_path / "in.jsonl").write_text('{"id": "a", "tokens": ["Ada", "went", "home"]}\n')
    words = [f"input={tmp_path / 'in.jsonl'}", f"output={tmp_path / 'out.jsonl'}"]
    assert main(["predict", f"run={run}", *words, f"hydra.run.dir={tmp_path / 'predict'}"]) == 0
    assert len(json.loads((tmp_path / "out.jsonl").read_text())["tags"]) == 3


@pytest.mark.by_default(1)
@pytest.mark.parametrize("name", ["layers", "share", "int8"])
def test_verify_passes(name, made, tmp_path):
    words = ["documents=1", "blocks=2", "tokens=4"]
    assert main(["verify", f"run={made / name}", *words, f"hydra.run.dir={tmp_path / 'verify'}"]) == 0
    assert result(tmp_path / "verify")["passed"]


@pytest.mark.slow
def test_it_trains_on_and_keeps_its_shape(made, tmp_path, capsys):
    for name in ("layers", "share"):
        assert main(["train", f"start={made / name}", *SMALL[:9], "tracking=none", "trainer.max_steps=2",
                     f"hydra.run.dir={tmp_path / name}"]) == 0  # fmt: skip
        assert result(tmp_path / name)["cost"]["parameters"] == result(made / name)["cost"]["parameters"]
        assert weights(tmp_path / name).keys() == weights(made / name).keys()
        shutil.rmtree(tmp_path / name / "predictions")
    capsys.readouterr()
    assert main(["train", f"start={made / 'int8'}", *SMALL[:9], f"hydra.run.dir={tmp_path / 'no'}"]) == 2
    assert (
        "have 8 bits and cannot be trained: begin with the run that it was made from, run/" in capsys.readouterr().err
    )


def test_the_card_says_what_the_library_cannot_load(made):
    for name, found in (("layers", False), ("share", True), ("int8", True)):
        card = (checkpoint.find(made / name, "best") / "README.md").read_text()
        assert ("**cannot load these weights**" in card) is found
        config = json.loads((checkpoint.find(made / name, "best") / "config.json").read_text())
        note = config["ctxlab"]["compression"]
        assert note["made_from"] == "run/step-00000008"
        assert note["steps"][0].startswith(f"{name}: ")


def test_a_second_mechanism_follows_the_first(made, tmp_path):
    assert compress(tmp_path / "twice", made / "layers", "compression=vocabulary") == 0
    config = json.loads((checkpoint.find(tmp_path / "twice", "best") / "config.json").read_text())
    assert [step.split(":")[0] for step in config["ctxlab"]["compression"]["steps"]] == ["layers", "vocabulary"]
    found = table(tmp_path / "twice")
    assert found["compressed"]["agreement"] > 0.9
    assert found["compressed"]["parameters"] < found["original"]["parameters"]


@pytest.mark.slow
def test_adapters_are_merged(tmp_path):
    assert train(tmp_path / "lora", *SMALL, "tuning=lora", "trainer.max_steps=3") == 0
    words = ("compression=ffn", "compression.share=0.02", "healing.steps=0", "sample_documents=1")
    assert compress(tmp_path / "made", tmp_path / "lora", *words) == 0
    merged, found = weights(tmp_path / "lora"), weights(tmp_path / "made")
    assert merged.keys() == found.keys()
    name = "bert.encoder.layer.0.attention.self.query.weight"
    assert torch.equal(merged[name], found[name])
    assert not (checkpoint.find(tmp_path / "made", "best") / "tuning.safetensors").exists()
    assert main(["eval", f"run={tmp_path / 'made'}", "split=test", f"hydra.run.dir={tmp_path / 'eval'}"]) == 0


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["compression.layers=3"], "compression.layers=3 keeps all: the model of this run has 3; give at most 2."),
        (["compression=heads", "compression.share=2"], "compression.share=2 is out of range"),
        (["compression=int8", "healing.steps=5"], "healing.steps=5 has nothing to do after compression=int8"),
        (["compression=sparse"], "there is no compression 'sparse'"),
        (["healing.steps=-1"], "healing.steps=-1 is too small"),
        (["objective=fgm"], "objective=fgm cannot be changed"),
        (["trainer.processes=2"], "ctxlab compress uses one process"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_no_directory(words, sentence, original, tmp_path, capsys):
    assert compress(tmp_path / "no", original, *words) == 2
    printed = capsys.readouterr().err
    assert sentence in " ".join(printed.split())
    assert "Traceback" not in printed
    assert not (tmp_path / "no").exists()


def test_a_run_is_needed(tmp_path, capsys):
    assert main(["compress", f"hydra.run.dir={tmp_path / 'no'}"]) == 2
    assert "ctxlab compress needs a run: add run=<directory of a training run>." in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


def test_a_run_without_a_checkpoint_is_refused(original, tmp_path, capsys):
    shutil.copytree(original, tmp_path / "failed", ignore=shutil.ignore_patterns("checkpoints", "*.json"))
    assert compress(tmp_path / "no", tmp_path / "failed") == 2
    assert "has no valid checkpoint" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()
