"""The differences between a resumed run and its checkpoint."""

from ctxlab.training.changes import changes

BEFORE = {"trainer": {"max_steps": 4, "log_every_steps": 2}, "optimizer": {"lr": 0.1, "betas": [0.9, 0.99]}}


def test_equal_values_are_not_mentioned():
    assert changes(BEFORE, BEFORE, 4) == []


def test_differences_are_named_with_their_step_and_both_values():
    now = {"trainer": {"max_steps": None, "log_every_steps": 9}, "optimizer": {"lr": 0.2, "betas": [0.9, 0.99]}}
    (sentence,) = changes(BEFORE, now, 4)
    for words in ("step 4 ", "trainer.max_steps=null (before: 4)", "optimizer.lr=0.2 (before: 0.1)"):
        assert words in sentence
    assert "betas" not in sentence
    assert "log_every_steps" not in sentence  # it moves no figure


def test_a_key_that_the_checkpoint_did_not_know_is_no_change():
    assert changes({"trainer": {}}, BEFORE, 1) == []
