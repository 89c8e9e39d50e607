"""Probes: for each, a solver that reads only text and question finds the answers."""

import cProfile
import pstats
import re
import statistics
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxlab.config import catalogue
from ctxlab.core.errors import UserError
from ctxlab.corpora.probe import probes
from ctxlab.data.sources.generated import Generated

LENGTHS = {"variable_tracking": 96, "key_resolution": 128, "frequent_words": 96, "needle": 128}
"""Shortest length of those that do not fit into 64 words."""

WORD = re.compile(r"\w+|[^\w\s]")


def made(name, documents=1, split="train", seed=1, **options):
    counts = dict.fromkeys(("documents", "validation_documents", "test_documents"), documents)
    source = Generated(**counts, probe={"name": name, **options})
    return [record.fields for record in source.load("probe", split, seed)]


def assigned(text, question):
    value = question.split()[-1].rstrip("?")
    found = {}
    for name, source in re.findall(r"VAR (\w+) = (?:VAR )?(\w+)\.", text):
        found[name] = found.get(source, source)
    return [name for name, final in found.items() if final == value]


def evaluated(text):
    """Replace the innermost brackets by their values until a digit is left."""
    rules = {"MIN": min, "MAX": max, "MED": lambda v: int(statistics.median(v)), "SM": lambda v: sum(v) % 10}
    while "[" in text:
        text = re.sub(
            r"\[(\w+) ([\d ]+) \]", lambda found: str(rules[found[1]](list(map(int, found[2].split())))), text
        )
    return [text]


def most_common(text, question):
    count = int(re.search(r"\d+", question)[0])
    ranked = Counter(text.split()).most_common(count + 1)
    assert len(ranked) == count or ranked[count - 1][1] > ranked[count][1]
    return [word for word, _ in ranked[:count]]


def numbers_of(text, question):
    asked = re.split(r", | and ", re.search(r"of (.*)\?", question)[1])
    return [value for name in asked for value in re.findall(rf"number of {name} is (\d+)\.", text)]


KINDS = {
    "person": "schoolmaster|painter|carpenter|wife|lawyer|poet|doctor|sailor|widow|teacher|beggar|brother|nurse|farmer",
    "organisation": "company|firm|bank|society|party|house|union|charity|club",
    "place": "town|village|island|valley|river|province|lake|city|desert|hill|bay|country",
    "ship": "schooner|brig|ship|steamer|frigate|boat|ferry|tug|barque|barge|lifeboat|yacht",
}


def kind_of(text, question):
    name = question.split()[-1].rstrip("?")
    (told,) = re.findall(rf"{name}(?:, of course,)? (?:is|was|has always been) (?:only )?((?:an?|the) .*?)\.", text)
    order = ("organisation", "person", "ship", "place")  # "a shipping company", "a firm of lawyers"
    found = [kind for kind in order if re.search(rf"\b({KINDS[kind]})\b", told)]
    return found[:1]


SOLVERS = {
    "passkey": lambda text, question: re.findall(r"The key is (\d+)\.", text),
    "needle": numbers_of,
    "variable_tracking": assigned,
    "common_words": most_common,
    "frequent_words": most_common,
    "listops": lambda text, question: evaluated(text),
    "associative_recall": lambda text, question: re.findall(rf"\b{question.split()[-1][:-1]} (\d)", text),
    "selective_copy": lambda text, question: [re.findall(r"\d", text)[int(re.search(r"\d+", question)[0]) - 1]],
    "key_resolution": kind_of,
}
OPTIONS = {"needle": [{"kind": kind} for kind in ("single", "multi_key", "multi_value", "multi_query")]}
PLACED = ("passkey", "needle", "variable_tracking", "associative_recall", "selective_copy", "key_resolution")


def test_every_probe_has_a_solver_and_a_configuration():
    assert probes() == sorted(SOLVERS) == catalogue.options("probe")


@pytest.mark.by_default(3)
@pytest.mark.parametrize("name", SOLVERS)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(more=st.integers(0, 400), depth=st.floats(0, 1), seed=st.integers(0, 2**32 - 1), data=st.data())
def test_the_answers_are_in_the_text(name, more, depth, seed, data):
    options = data.draw(st.sampled_from(OPTIONS.get(name, [{}])))
    length = LENGTHS.get(name, 64) + more
    places = {"depths": [depth]} if name in PLACED else {}
    (record,) = made(name, seed=seed, lengths=[length], **places, **options)
    assert sorted(SOLVERS[name](record["text"], record["question"])) == sorted(record["answers"])
    num_words = len(record["text"].split() if "[" in record["text"] else WORD.findall(record["text"]))
    around = length - num_words
    assert 16 < around <= 16 + 15
    if name != "key_resolution":  # whose prose has words such as "three-masted"
        assert around <= 16 + len(WORD.findall(record["question"])) + 1
    for (start, end), answer in zip(record["spans"], record["answers"], strict=False):
        if name not in ("common_words", "frequent_words", "key_resolution"):
            assert record["text"][start:end] == answer


@pytest.mark.parametrize("name", PLACED)
@pytest.mark.parametrize("depth", [0.0, 0.3, 0.5, 1.0])
def test_the_evidence_lies_at_its_depth(name, depth):
    """Depth is the share of the other words that come before the evidence, to one word, or to one fact of a pair."""
    options = {"others": 0} if name == "key_resolution" else {}
    for record in made(name, 5, lengths=[200, 333], depths=[depth], **options):
        text, (start, end) = record["text"], record["spans"][0]
        first = text.rfind(".", 0, start) + 1 if "." in text and name != "key_resolution" else start
        if name == "associative_recall":
            first = text.rfind(" ", 0, start - 1) + 1
        sentences = {"needle": 7, "passkey": 5, "variable_tracking": 5 * 6 - 1}
        own = sentences.get(name, len(WORD.findall(text[first:end])))
        before, free = len(WORD.findall(text[:first])), len(WORD.findall(text)) - own
        mention = 14 if name == "key_resolution" else 0  # a sentence that is no filler either
        assert abs(before - depth * free) <= 1.5 + mention
        assert record["depth"] == depth


@pytest.mark.parametrize("name", SOLVERS)
def test_a_sample_depends_on_seed_split_and_index_alone(name):
    lengths = {"lengths": [200]}
    assert made(name, 3, **lengths) == made(name, 3, **lengths)
    assert made(name, 3, **lengths)[:2] == made(name, 2, **lengths)
    others = made(name, 3, split="test", **lengths), made(name, 3, seed=2, **lengths), made(name, 4, **lengths)[1:]
    for other in others:
        assert all(a["text"] != b["text"] for a, b in zip(made(name, 3, **lengths), other, strict=True))


def test_lengths_and_depths_take_turns():
    records = made("passkey", 8, lengths=[64, 128], depths=[0, 1])
    cells = Counter((record["length"], record["depth"]) for record in records)
    assert cells == {(length, depth): 2 for length in (64, 128) for depth in (0, 1)}
    assert len({record["id"] for record in records}) == 8


@pytest.mark.parametrize(
    ("name", "pattern"), [("needle", r"number of (\w+) is"), ("key_resolution", r"What is (\w+)\?")]
)
def test_no_name_occurs_in_two_splits(name, pattern):
    found = {}
    for split in ("train", "validation", "test"):
        records = made(name, 40, split=split, lengths=[128])
        found[split] = {n for r in records for n in re.findall(pattern, f"{r['text']} {r['question']}")}
        assert len(found[split]) > 20
    assert not found["train"] & (found["validation"] | found["test"])


def test_choices_are_the_same_in_every_split_and_hold_the_answer():
    for name in ("passkey", "listops", "associative_recall", "selective_copy", "key_resolution", "needle"):
        records = [r for split in ("train", "test") for r in made(name, 30, split=split, lengths=[200])]
        assert len({tuple(record["choices"]) for record in records}) == 1
        assert all(set(record["answers"]) <= set(record["choices"]) for record in records)
        assert len({record["answers"][0] for record in records}) > 2


def test_listops_keeps_the_limits_of_long_range_arena():
    for record in made("listops", 20, lengths=[64, 700, 2000]):
        levels = deepest = most = 0
        arguments = []
        for sign in record["text"].split():
            if sign == "]":
                levels -= 1
                most = max(most, arguments.pop())
            else:
                if arguments:
                    arguments[-1] += 1
                if sign.startswith("["):
                    levels += 1
                    arguments.append(0)
                else:
                    assert len(sign) == 1
            deepest = max(deepest, levels)
        assert (deepest <= 9, most <= 10) == (True, True)
        assert len(record["text"].split()) == record["length"] - 21


@pytest.mark.parametrize("count", [1, 2, 3])
def test_other_chains_do_not_touch_the_one_asked_for(count):
    for record in made("variable_tracking", 10, lengths=[256], chains=count, hops=3):
        assert len(record["answers"]) == 4
        assert sorted(assigned(record["text"], record["question"])) == sorted(record["answers"])
        assert len(re.findall("VAR \\w+ =", record["text"])) == 4 * count


@pytest.mark.parametrize("name", SOLVERS)
def test_the_work_grows_with_the_text_and_not_with_its_square(name):
    """Python's own count of calls is the measure: eight times the words, far less than 64 times the calls."""

    def calls(length):
        profile = cProfile.Profile()
        profile.runcall(made, name, 1, lengths=[length])
        return pstats.Stats(profile).total_calls

    made(name, 1, lengths=[512])  # what is made once
    assert calls(4096) < 12 * calls(512)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"name": "passkee"}, "probe.name=passkee is not a probe; did you mean 'passkey'?"),
        (
            {"name": "passkey", "lengths": [20]},
            "probe.lengths has 20, and this probe needs 29 words: give at least 29.",
        ),
        ({"name": "passkey", "depths": [0.5, 1.2]}, "probe.depths has 1.2, which is not a relative position"),
        ({"name": "passkey", "form": "span"}, "probe.form=span"),
        ({"name": "needle", "kind": "multi_valu"}, "did you mean 'multi_value'?"),
        ({"name": "needle", "kind": "multi_value", "form": "classification"}, "use marking"),
        ({"name": "needle", "count": 30}, "probe.values=20 is out of range: give 30 to"),
        ({"name": "listops", "max_levels": 2, "lengths": [512]}, "at most 12 symbols"),
        ({"name": "listops", "max_arguments": 3}, "probe.max_arguments=3"),
        ({"name": "frequent_words", "lengths": [32]}, "this probe needs"),
        ({"name": "frequent_words", "alpha": 1.0}, "probe.alpha=1.0"),
        ({"name": "passkey", "haystack": "hay"}, "probe.haystack=hay is not known: use noise or prose."),
        ({"name": "passkey", "lengths": []}, "probe.lengths=[]"),
        ({"name": "passkey", "lengths": [1 << 21]}, "1,048,576 words at most"),
        ({"name": "passkey", "nonsense": 1}, "has no 'nonsense'"),
    ],
)
def test_bad_options_are_named(options, sentence):
    with pytest.raises(UserError, match=re.escape(sentence)):
        made(**options)


@pytest.mark.parametrize("name", SOLVERS)
def test_the_minimum_length_works_and_one_less_does_not(name):
    with pytest.raises(UserError, match="give at least") as error:
        made(name, lengths=[8])
    least = int(re.search(r"at least (\d+)\.", str(error.value))[1])
    (record,) = made(name, lengths=[least])
    assert sorted(SOLVERS[name](record["text"], record["question"])) == sorted(record["answers"])
    with pytest.raises(UserError, match="give at least"):
        made(name, lengths=[least - 1])


def test_counts_of_the_source():
    probe = {"name": "passkey", "lengths": [64]}
    assert len(Generated(probe=probe).load("probe", "train", 1)) == 2000
    assert len(Generated(documents=3, probe=probe).load("probe", "train", 1)) == 3
    assert len(Generated(max_documents=5, probe=probe).load("probe", "validation", 1)) == 5
    assert len(Generated(words_per_document=100, evidence_distance=[20]).load("ner", "train", 1)) == 40
    with pytest.raises(UserError, match="probe"):
        Generated().load("probe", "train", 1)
