"""Help: every option and key from its own file, in 80 columns."""

import re

import pytest

from ctxlab.command import help as help_pages
from ctxlab.command import screen
from ctxlab.config import catalogue

STAGES = ("train", "eval", "predict", "verify")


@pytest.fixture
def lines(ctxlab, monkeypatch):
    """Help in a terminal of 80 columns, as lines."""
    monkeypatch.setenv("COLUMNS", "80")

    def shown(*words):
        outcome = ctxlab(*words)
        assert (outcome.status, outcome.err) == (0, "")
        found = outcome.out.splitlines()
        # The name of a test's own temporary folder is no part of it; a command may be one long word.
        assert [line for line in found if len(line) > 80 and not line.endswith("\\") and " run=" not in line] == []
        return found

    return shown


def joined(lines):
    """The text without its line breaks."""
    return re.sub(r"\s+", " ", " ".join(lines))


def test_the_overview_lists_every_stage_with_its_first_line(lines, ctxlab):
    shown = lines("--help")
    for stage in STAGES:
        first = catalogue.summary(catalogue.option_file("", stage))
        assert f" {stage} {first} " in joined(shown)
    assert lines() == lines("-h") == lines("help") == shown


@pytest.mark.by_default(1)
@pytest.mark.parametrize("stage", STAGES)
def test_the_short_help_names_every_option_and_its_own_keys(lines, stage):
    shown = lines(stage, "--help")
    assert lines("help", stage) == shown
    text = joined(shown)
    for group in ("task", "strategy", "strategy/reading", "context"):
        for option in catalogue.options(group):
            assert re.search(rf"[ *]{option}[ ,]", text)
    assert "*longformer" in text
    assert f"stage={stage} " in text
    assert " seed=1 " in text
    assert "trainer.max_steps=null" in text
    assert "--help all" in text
    assert len(shown) < len(lines(stage, "--help", "all")) / 2


def test_chosen_options_show_what_they_are_their_keys_and_comments(lines):
    shown = lines("train", "task=qa", "strategy=yarn", "--help")
    text = joined(shown)
    for option in (("task", "qa"), ("strategy/positions", "yarn")):
        for key in catalogue.keys(catalogue.option_file(*option)):
            if key.name != "name" and key.value:
                assert f"{option[0].replace('/', '.')}.{key.name}=" in text
                assert key.comment in text
    assert catalogue.summary(catalogue.option_file("task", "qa")) in text
    assert "strategy/positions=yarn" in text
    assert "trainer." not in text
    assert lines("help", "train", "task=qa", "strategy=yarn") == shown


def test_a_part_that_is_chosen_beside_its_preset_shows_its_own_keys(lines):
    text = joined(lines("train", "strategy=longformer", "strategy/reading=truncate", "--help"))
    assert "strategy.reading.keep=head" in text
    assert "strategy.reading.overlap_tokens" not in text
    assert "strategy/attention=local" in text
    assert "strategy/reading=truncate;" in text


def test_a_group_shows_its_options_and_a_key_itself(lines):
    text = joined(lines("train", "strategy/memory", "optimizer.lr=3", "--help"))
    for option in catalogue.options("strategy/memory"):
        assert f"{option} {catalogue.summary(catalogue.option_file('strategy/memory', option))}" in text
    assert "optimizer.lr=5.0e-4 peak learning rate" in text
    assert "weight_decay" not in text


def test_everything_is_everything(lines):
    text = joined(lines("train", "--help", "all"))
    for key, entry in catalogue.tree("train").items():
        if entry.value and not key.endswith(".name"):
            assert f" {key}=" in text
            assert entry.comment in text
    for group in ("task", "model", "strategy/attention"):
        for option in catalogue.options(group):
            assert f"{option} {catalogue.summary(catalogue.option_file(group, option))}" in text


def test_help_for_an_option_that_is_not_there(ctxlab):
    refused = ctxlab("train", "task=NER", "--help")
    assert refused.status == 2
    assert "write task=ner" in refused.err


@pytest.mark.parametrize(
    "words",
    [
        ["completion", "--help"],
        ["help", "completion"],
        ["strategies", "-h"],
        ["help", "strategies"],
        ["help", "runs"],
        ["doctor", "--help"],
    ],
)
def test_commands_that_are_no_stages_have_help_too(lines, words):
    name = next(word for word in words if word in help_pages.COMMANDS)
    assert lines(*words)[0].startswith(f"ctxlab {name} ")


def test_help_for_a_stage_that_is_not_there(ctxlab):
    refused = ctxlab("help", "trian")
    assert refused.status == 2
    assert "did you mean 'train'?" in refused.err


@pytest.mark.parametrize(("columns", "widest"), [("20", 60), ("72", 72), ("500", 100)])
def test_text_is_as_wide_as_the_terminal_within_reason(monkeypatch, columns, widest):
    monkeypatch.setenv("COLUMNS", columns)
    shown = screen.two_columns([("name", "word " * 100), ("a_long_name_that_has_a_line_of_its_own" * 2, "word")])
    assert max(len(line) for line in shown if "word" in line) in range(widest - 5, widest + 1)


def test_no_word_of_a_comment_is_lost():
    comment = "a comment of several words that go over more than one line, and a-word-with-hyphens at its end " * 3
    shown = screen.two_columns([("key=value", comment), ("other", "")])
    assert joined(shown).strip() == f"key=value {comment}other"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "gbk"])
def test_a_terminal_that_lacks_letters_gets_them_spelled(monkeypatch, encoding):
    import io
    import sys

    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    with screen.forgiving():
        for stream in (sys.stdout, sys.stderr):
            stream.write("документ 文書 · … → é \udcff")
            stream.flush()
    shown = sys.stdout.buffer.getvalue().decode(encoding)
    assert shown.endswith(r"\udcff")
    for letters in ("文書", "é", "документ"):
        assert letters in shown or letters.encode("ascii", "backslashreplace").decode() in shown
    if encoding == "ascii":
        assert " - ... -> " in shown
    assert sys.stdout.errors == "strict"


def test_keys_of_a_stage_alone_are_shown_whole():
    shown = help_pages.stage("compare")
    for key in ("budget.seconds=null", "budget.flops=null", "limit.memory=null", "seeds=3", "margin=0.01"):
        assert key in shown
    assert "model.dropout" not in shown


def test_a_stage_and_a_group_may_have_one_name():
    shown = help_pages.stage("sweep")
    for part in ("context_length, *learning_rate", "sweep.n_trials=null", "sweep.workers=1", "sweep.study=null"):
        assert part in shown
    assert "sweep.smallest=context.length" in help_pages.stage("sweep", ["sweep=context_length"])


def test_every_stage_is_listed_under_a_known_heading():
    """Read line by line: a heading is a line that is not indented."""
    under, heading = {}, ""
    for line in help_pages.overview().splitlines():
        heading = line if line and not line.startswith(" ") else heading
        if line.startswith("  ") and line[2] != " ":
            under.setdefault(line.split()[0], heading)
    assert {under[stage] for stage in catalogue.stages()} <= set(help_pages.HEADINGS)
    assert (under["train"], under["compare"], under["predict"], under["doctor"]) == help_pages.HEADINGS
