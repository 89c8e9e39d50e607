"""``ctxlab verify`` on every preset, on parts without one, and on a run; and the files that it writes."""

import json

import pytest

from ctxlab.cli import main
from ctxlab.config import catalogue
from tests.pictures import drawn
from tests.stages.conftest import SMALL

VERIFY = ("task=ner", "tracking=none", "data.words_per_document=60", "data.validation_documents=2", "data.documents=1",
          "data.test_documents=1", "data.evidence_distance=[20]", "blocks=4", "tokens=6", "documents=1")  # fmt: skip
MODELS = (
    ("model=tiny_bert", "model.trained_length=64", "context=128"),
    ("model=tiny_llama", "model.trained_length=64", "context=128"),
    ("model=tiny_bert", "context=128"),
    ("model=tiny_llama", "context=128"),
)
"""Tried in turn: the first that the strategy fits, beyond the trained length if it can."""

WRITES = (("task=summarization", "model=tiny_t5", "context=128"),)
"""For readings whose windows a decoder reads together."""


def small(choices):
    """Options that reduce the sizes of the chosen parts to a sixteenth, for windows of some dozen tokens."""
    options = []
    for group, option in choices:
        for key, value in catalogue.read(catalogue.option_file(group, option)).items():
            if isinstance(value, int) and value > 16:
                options.append(f"{group.replace('/', '.')}.{key}={value // 16}")
    return options


def verify(folder, capsys, *words, models=MODELS):
    """The result on the first model that fits."""
    refusals = []
    for number, model in enumerate(models):
        capsys.readouterr()
        usual = VERIFY[1:] if model[0].startswith("task=") else VERIFY
        status = main(["verify", *usual, *model, *words, f"hydra.run.dir={folder / str(number)}"])
        if status != 2:
            result = json.loads((folder / str(number) / "result.json").read_text())
            assert status == 0, [(name, result["checks"][name]["detail"]) for name in result["failed"]]
            return result
        refusals.append(capsys.readouterr().err)
    raise AssertionError("".join(refusals))


@pytest.mark.by_default("longformer", "rmt", "sled")
@pytest.mark.parametrize("preset", catalogue.options("strategy"))
def test_every_preset_is_active_on_a_model_that_it_fits(preset, tmp_path, capsys):
    parts = dict(catalogue.defaults(catalogue.option_file("strategy", preset), "strategy"))
    fused = ["strategy.reading.window=32"] if parts["strategy/reading"] == "fused" else []
    result = verify(
        tmp_path, capsys, f"strategy={preset}", *small(parts.items()), *fused, models=WRITES if fused else MODELS
    )
    assert result["strategy"] == preset
    assert result["checks"]["windows apart" if fused else "reaches nothing else"]["passed"]


IN_PRESETS = {
    pair
    for preset in catalogue.options("strategy")
    for pair in catalogue.defaults(catalogue.option_file("strategy", preset), "strategy")
}
BASES = {"reading": "chunk", "positions": "chunk", "attention": "chunk", "memory": "rmt", "curriculum": "chunk"}
OTHERS = [
    (group, option)
    for group in catalogue.groups()
    if group.startswith("strategy/") and group != "strategy/curriculum"
    for option in catalogue.options(group)
    if (group, option) not in IN_PRESETS
]


@pytest.mark.by_default(1)
@pytest.mark.parametrize(("group", "option"), OTHERS)
def test_every_part_without_a_preset_is_active(group, option, tmp_path, capsys):
    base = BASES[group.split("/")[1]]
    verify(tmp_path, capsys, f"strategy={base}", f"{group}={option}", *small([(group, option)]))


@pytest.mark.by_default("local")
@pytest.mark.parametrize("attention", ["full", "local", "strided"])
def test_the_encoder_of_a_t5(attention, tmp_path):
    words = ("model=tiny_t5", "strategy=chunk", f"strategy/attention={attention}", "context=64")
    sizes = small([("strategy/attention", attention)])
    assert main(["verify", *VERIFY, *words, *sizes, f"hydra.run.dir={tmp_path / 'run'}"]) == 0


def test_the_files_that_it_writes(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")  # no name of a check is broken
    run = tmp_path / "run"
    with drawn():
        words = ["verify", *VERIFY, "model=tiny_bert", "strategy=chunk", "context=64", f"hydra.run.dir={run}"]
        assert main(words) == 0
    shown = capsys.readouterr().out
    result, page = json.loads((run / "result.json").read_text()), (run / "report.md").read_text()
    assert (result["passed"], result["failed"], result["strategy"]) == (True, [], "chunk")
    for name, check in result["checks"].items():
        assert check["passed"] in (True, None)
        assert check["proves"].endswith(".")
        assert f"| {name} |" in page
        assert name in shown
    assert "![verify](verify.png)" in page
    assert (run / "verify.png").stat().st_size > 10_000
    assert not (run / "failure.json").exists()


@pytest.mark.slow
def test_a_run_is_verified_under_its_own_strategy_and_another(trained, tmp_path):
    own, other = tmp_path / "own", tmp_path / "other"
    sizes = ("blocks=8", "tokens=12", "documents=1")
    assert main(["verify", f"run={trained}", *sizes, f"hydra.run.dir={own}"]) == 0
    result = json.loads((own / "result.json").read_text())
    assert (result["strategy"], result["context_length"]) == ("longformer", 256)
    words = ("strategy=bigbird", "strategy.attention.window=16", "context=64")
    assert main(["verify", f"run={trained}", *sizes, *words, f"hydra.run.dir={other}"]) == 0


@pytest.mark.slow
def test_a_trained_table_is_not_compared_with_its_initial_rows(tmp_path, capsys):
    run, words = tmp_path / "run", ("model.trained_length=64", "strategy=dense", "context=128")
    given = {word.split("=")[0] for word in words}
    small_run = [word for word in SMALL if word.split("=")[0] not in given]
    assert main(["train", *small_run, *words, f"hydra.run.dir={run}"]) == 0
    verified = tmp_path / "verified"
    command = ["verify", f"run={run}", "blocks=8", "tokens=4", "documents=1", f"hydra.run.dir={verified}"]
    assert main(command) == 0
    checks = json.loads((verified / "result.json").read_text())["checks"]
    assert "training has changed since" in checks["positions"]["detail"]
