"""Rotary positions through the real command: they take effect, reload without ctxlab, and what cannot work is
refused."""

import pytest
from transformers import AutoModelForTokenClassification

from ctxlab.cli import main
from ctxlab.core.errors import UserError
from ctxlab.core.model import ModelFacts
from ctxlab.core.strategy import Strategy
from ctxlab.models.tiny_llama import TinyLlama
from ctxlab.optim.tuning.full import Full as Tuned
from ctxlab.strategies.attention.full import Full
from ctxlab.strategies.curriculum.constant import Constant
from ctxlab.strategies.memory.none import NoMemory
from ctxlab.strategies.positions.dynamic_ntk import DynamicNtk
from ctxlab.strategies.positions.keep import Keep
from ctxlab.strategies.positions.tile import Tile
from ctxlab.strategies.positions.yarn import Yarn
from ctxlab.strategies.reading.chunk import Chunk
from ctxlab.tasks.ner import NER
from ctxlab.workbench.assemble import assemble
from ctxlab.workbench.fit import check_fit
from tests.stages.conftest import SMALL, result, train

LONG = ("model=tiny_llama", "context=2048", "data.documents=2", "data.validation_documents=1", "data.test_documents=1",
        "data.words_per_document=1500", "trainer.max_steps=1", "trainer.tokens_per_step=2048")  # fmt: skip


@pytest.fixture(scope="module")
def yarn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("yarn") / "run"
    assert train(folder, *LONG, "strategy=yarn") == 0
    return folder


def saved(folder):
    return AutoModelForTokenClassification.from_pretrained(folder / result(folder)["checkpoint"])


def test_yarn_trains_at_twice_the_length_and_reloads_alone(yarn):
    found = result(yarn)
    assert (found["strategy"], found["context_length"], found["coverage"]["test"]["tokens"]) == ("yarn", 2048, 1.0)
    model = saved(yarn)
    assert model.config.rope_parameters["rope_type"] == "yarn"
    assert model.config.max_position_embeddings == 2048
    assert model.model.rotary_emb.attention_scaling == pytest.approx(1.0693147, abs=1e-7)  # 0.1 · ln 2 + 1


@pytest.mark.slow
def test_a_checkpoint_reads_at_its_length_further_and_resumes(yarn, tmp_path):
    for name, words in (("same", ()), ("further", ("context=3000",)), ("kept", ("strategy=chunk",))):
        assert main(["eval", f"run={yarn}", *words, f"hydra.run.dir={tmp_path / name}"]) == 0
        assert result(tmp_path / name)["coverage"]["validation"]["tokens"] == 1.0
    assert main(["train", f"resume={yarn}"]) == 0
    assert result(yarn)["resumed_from"] == "step-00000001"


@pytest.mark.by_default(1)
@pytest.mark.parametrize(
    ("options", "rope_type", "reach"),
    [
        (("strategy=interpolation",), "linear", 2048),
        (("strategy=ntk",), "default", 2048),
        (("strategy=longrope",), "longrope", 2048),
        (("strategy=chunk", "strategy/positions=dynamic_ntk"), "dynamic", 1024),
        (("strategy=chunk", "strategy/positions=yarn", "strategy.positions.factor=4"), "yarn", 4096),
    ],
)
def test_every_part_trains_past_the_trained_length(options, rope_type, reach, tmp_path):
    assert train(tmp_path / "run", *LONG, *options) == 0
    config = saved(tmp_path / "run").config
    assert (config.rope_parameters["rope_type"], config.max_position_embeddings) == (rope_type, reach)


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("model=tiny_bert", "strategy=yarn"), ("positions=yarn", "learned", "strategy/positions=tile")),
        (("model=tiny_bert", "strategy=ntk", "context=256"), ("positions=ntk", "learned", "strategy/positions=tile")),
        (("model=tiny_llama", "strategy=dense"), ("positions=tile", "rotary", "strategy/positions=yarn")),
        (("model=tiny_llama", "strategy=yarn", "strategy.positions.factor=0.5"), ("factor=0.5", "1 or more")),
        (("model=tiny_llama", "strategy=yarn", "strategy.positions.factor=1.5"), ("factor=1.5", "2 or more")),
        (("model=tiny_llama", "strategy=chunk", "strategy/positions=dynamic_ntk", "strategy.positions.factor=x"),
         ("strategy.positions.factor=x", "number")),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_with_what_does(options, parts, refused, tmp_path):
    keys = {option.split("=")[0] for option in options} | {"context"}
    words = [word for word in SMALL if word.split("=")[0] not in keys]
    context = () if any(option.startswith("context") for option in options) else ("context=2048",)
    error = refused(["train", *words, *options, *context, f"hydra.run.dir={tmp_path / 'run'}"])
    assert all(part in error for part in parts), error
    assert error.count(". ") == 0, error


class Late(TinyLlama):
    """A model source that changes the config after building the model, as many scripts do."""

    def build(self, head, labels, configure=None):
        model = super().build(head, labels)
        configure(model.config)
        return model


@pytest.mark.parametrize("part", [Yarn(), DynamicNtk()])
def test_the_fit_is_judged_on_the_model_as_it_was_trained(part):
    model, before = assemble(strategy(part), TinyLlama(), NER(["PER"]), Tuned(), 2048)
    assert (before.positions, before.trained_length) == ("rotary", 1024)
    assert model.config.ctxlab["positions"]["length"] == 2048
    with pytest.raises(UserError, match="is not active in this llama"):
        assemble(strategy(part), Late(), NER(["PER"]), Tuned(), 2048)


def strategy(positions):
    return Strategy("mine", Chunk(), positions, Full(), NoMemory(), Constant())


def facts(positions, trained):
    return ModelFacts("encoder", positions, trained, 2, 16)


@pytest.mark.parametrize("part", [Tile(), Yarn(), DynamicNtk()])
def test_relative_positions_need_nothing_and_take_nothing(part):
    with pytest.raises(UserError, match=r"works at any length.*use strategy/positions=keep"):
        check_fit(strategy(part), facts("relative", None), 4096)
    check_fit(strategy(Keep()), facts("relative", None), 1_000_000)


def test_a_table_part_may_come_along_where_a_rotary_model_needs_no_extension():
    check_fit(strategy(Tile()), facts("rotary", 512), 512)
    with pytest.raises(UserError, match="positions=tile"):
        check_fit(strategy(Tile()), facts("rotary", 512), 513)


def test_parts_are_named_as_on_the_command_line():
    with pytest.raises(UserError, match="strategy/positions=dynamic_ntk extends rotary positions"):
        check_fit(strategy(DynamicNtk()), facts("learned", 512), 1024)
