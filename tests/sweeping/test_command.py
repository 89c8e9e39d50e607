"""Commands of trials: what is shared, what is their own, and paths that Hydra reads unchanged."""

from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser

from ctxlab.sweeping import command
from ctxlab.sweeping.space import read_space


def test_keys_of_the_sweep_are_not_passed_on():
    words = [
        "task=ner",
        "sweep=optimizer",
        "sweep.n_trials=3",
        "seed=4",
        "+experiment=ner_reach",
        "trainer.max_steps=3",
    ]
    assert command.shared([*words, "margin=0.1", "folds=3"]) == [
        "task=ner",
        "+experiment=ner_reach",
        "trainer.max_steps=3",
    ]


def test_a_trial_has_its_point_and_the_seeds_that_the_space_does_not_search():
    space, _ = read_space({"seed": {"choice": [1, 2]}, "context": {"choice": [512]}})
    folder = Path("/a b/it's/0001")
    words = command.trial_words(
        flags=["--config-dir", "own"],
        shared=["task=ner"],
        space=space,
        point={"seed": "2", "context": "512"},
        fixed={"seed": 1, "data_seed": 1},
        folder=folder,
    )
    assert words[:-1] == ["train", "--config-dir", "own", "task=ner", "data_seed=1", "seed=2", "context=512"]
    for word in (words[-1], command.resumed_words([], folder)[-1]):
        assert OverridesParser.create().parse_override(word).value() == str(folder)
