"""The dictionary of training mentions, against cases by hand and against a tagger that tries every place."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctxlab.tasks.records.bio import repair, spans
from ctxlab.tasks.records.mention_dictionary import MentionDictionary, learn_mentions

UNTIMED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def told(text: str) -> tuple[list[str], list[str]]:
    """Words and tags of ``Ada/B-PER met Bo/B-PER``."""
    pairs = [(*word.split("/"), "O")[:2] for word in text.split()]
    return [word for word, _ in pairs], [tag for _, tag in pairs]


@pytest.mark.parametrize(
    ("training", "text", "tags"),
    [
        (["Ada/B-PER met Bo/B-PER"], "Bo saw Ada and ada", "B-PER O B-PER O O"),
        # The longest first, and nothing overlaps it.
        (["New/B-LOC York/I-LOC", "York/B-ORG Times/I-ORG"], "New York Times", "B-LOC I-LOC O"),
        (["New/B-LOC York/I-LOC Sun/B-ORG", "New/B-ORG York/I-ORG Sun/I-ORG"], "New York Sun", "B-ORG I-ORG I-ORG"),
        # The most frequent type; of equals, the first in the alphabet.
        (["Ada/B-PER Ada/B-LOC Ada/B-PER"], "Ada", "B-PER"),
        (["Ada/B-PER Ada/B-LOC"], "Ada", "B-LOC"),
        # As often no mention as one: kept. More often: not.
        (["May/B-PER May"], "May", "B-PER"),
        (["May/B-PER May may May"], "May", "O"),
        (["the/B-PER boy/I-PER", "the boy 's/B-PER", "the boy"], "the boy 's", "O O B-PER"),
        # Within a longer mention is no mention of its own.
        (["York/B-LOC", "New/B-LOC York/I-LOC", "New/B-LOC York/I-LOC"], "York New York", "O B-LOC I-LOC"),
        (["nothing here"], "nothing", "O"),
    ],
)  # fmt: skip
def test_cases_by_hand(training, text, tags):
    assert learn_mentions(map(told, training)).tags(text.split()) == tags.split()


WORDS = st.text("abc", max_size=8)
TAGS = st.lists(st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"]), min_size=8, max_size=8)
DOCUMENT = st.builds(lambda words, tags: (list(words), repair(tags[: len(words)])[0]), WORDS, TAGS)


@UNTIMED
@given(st.lists(DOCUMENT, max_size=3), WORDS)
def test_it_is_what_trying_every_place_gives(training, words):
    assert learn_mentions(training).tags(list(words)) == slow(training, list(words))


def slow(training, words):
    """The definition, word by word: no index, every substring."""
    seen = [(tuple(w[i:j]), {s.type for s in spans(t) if (s.start, s.end) == (i, j)})
            for w, t in training for i in range(len(w)) for j in range(i + 1, len(w) + 1)]  # fmt: skip
    tags, place = [], 0
    while place < len(words):
        for end in range(len(words), place, -1):
            types = [found for phrase, found in seen if phrase == tuple(words[place:end])]
            counts = Counter(name for found in types for name in found)
            if counts and 2 * counts.total() >= len(types):
                best = sorted(counts, key=lambda name: (-counts[name], name))[0]
                tags += [f"B-{best}"] + [f"I-{best}"] * (end - place - 1)
                place = end
                break
        else:
            tags.append("O")
            place += 1
    return tags


def test_adjacent_entries_stay_apart():
    assert MentionDictionary({("a",): "X"}).tags(["a", "a"]) == ["B-X", "B-X"]
