"""Candidates are checked before anything runs: what only training tells apart is not one computation."""

import json

import hydra
import pytest
from hydra.core.hydra_config import HydraConfig

from ctxlab.command.compose import VERSION_BASE, compose, register
from ctxlab.config.catalogue import conf_dir
from ctxlab.optim.tuning.lora import Lora
from ctxlab.workbench.candidates import Candidate, CandidatesCommand, candidates
from ctxlab.workbench.comparing import candidate_checks
from ctxlab.workbench.parts import make_parts
from tests.workbench.planning.test_measuring import SMALL


def candidate(tmp_path, *words):
    name = " ".join(words)
    return Candidate(name, name, words=words, parts=make_parts(compose("train", [*SMALL, *words]), tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (("strategy=chunk", "context=2000"), ("strategy=truncate", "context=2000"), True),
        (("strategy=chunk", "tuning=full"), ("strategy=chunk", "tuning=lora"), False),  # LoRA changes nothing at first
        (("strategy=chunk", "averaging=none"), ("strategy=chunk", "averaging=ema"), False),
        (("strategy=chunk", "optimizer.lr=1e-4"), ("strategy=chunk", "optimizer.lr=1e-3"), False),
        (("strategy=chunk", "objective=rdrop"), ("strategy=chunk", "objective=standard"), False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_only_what_reads_alike_and_trains_alike_is_one_computation(first, second, same, tmp_path, monkeypatch):
    monkeypatch.setattr(candidate_checks, "_work", lambda *_: None)
    given = ("model.trained_length=2000",) if same else ()
    found, _ = candidate_checks.check([candidate(tmp_path, *words, *given) for words in (first, second)])
    assert [one.refused for one in found] == ["", ""]
    assert bool(found[1].same_as) == same


@pytest.mark.by_default(2)
@pytest.mark.parametrize(
    ("axes", "titles"),
    [
        ({"tuning": ["full", "lora"]}, ["tuning=full", "tuning=lora"]),
        ({"context.length": ["512"], "tuning": ["full", "head"]},
         ["longformer at 512, tuning=full", "longformer at 512, tuning=head"]),
        ({"strategy": ["chunk", "dense"]}, ["chunk at 4,096", "dense at 4,096"]),
        ({}, ["longformer at 4,096"]),
    ],
    ids=lambda value: " ".join(value),
)  # fmt: skip
def test_a_title_says_what_differs(axes, titles, tmp_path):
    command = CandidatesCommand(flags=(), shared=("task=ner", "model=tiny_bert", "tracking=none"), axes=axes)
    register()
    with hydra.initialize_config_dir(str(conf_dir()), version_base=VERSION_BASE):
        found = candidates(command, tmp_path, least=1)
    assert [one.title for one in found] == titles


EXPERIMENTS = {
    "plain": "{}",
    "adapted": "defaults: [{override /tuning: lora}]",
    "questions": "defaults: [{override /task: qa}]",
    "shorter": "data: {words_per_document: 50}",
}


def test_experiments_differ_in_anything_but_task_and_documents(tmp_path, monkeypatch):
    """Options of a folder of the user's: candidates need not be a grid."""
    folder = tmp_path / "conf" / "experiment"
    folder.mkdir(parents=True)
    for name, text in EXPERIMENTS.items():
        (folder / f"{name}.yaml").write_text(f"# @package _global_\n{text}\n")
    words = ["model=tiny_bert", "tracking=none", f"hydra.searchpath=[file://{folder.parent}]"]
    axes = f"++candidates={{+experiment:{json.dumps(list(EXPERIMENTS))}}}"
    register()
    with hydra.initialize_config_dir(str(conf_dir()), version_base=VERSION_BASE):
        given = hydra.compose(config_name="compare", overrides=[*words, axes], return_hydra_config=True)
        monkeypatch.setattr(HydraConfig.instance(), "cfg", given)  # as within a command
        plain, adapted, questions, shorter = candidates(CandidatesCommand.of(given), tmp_path)
    assert (plain.key, adapted.key) == ("longformer-4096-experiment=plain", "longformer-4096-experiment=adapted")
    assert plain.title == "plain"
    assert isinstance(adapted.parts.tuning, Lora)
    same = "a comparison needs the same for all candidates."
    assert questions.refused == f"its task is another than that of plain: {same}"
    assert shorter.refused == f"its data is another than that of plain: {same}"
