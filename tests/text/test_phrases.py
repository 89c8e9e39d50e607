"""Known sequences of words in documents, against trying every place."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctxlab.text.phrases import Phrases

UNTIMED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

WORDS = st.lists(st.sampled_from("ab"), max_size=7)
ENTRIES = st.frozensets(st.lists(st.sampled_from("ab"), min_size=1, max_size=3).map(tuple), max_size=4)


@UNTIMED
@given(ENTRIES, WORDS)
def test_every_occurrence_is_found_in_order(entries, words):
    places = [range(start, end) for start in range(len(words)) for end in range(len(words), start, -1)]
    expected = [place for place in places if tuple(words[place.start : place.stop]) in entries]
    assert list(Phrases(entries).occurrences(words)) == expected


@UNTIMED
@given(ENTRIES, ENTRIES, WORDS)
def test_the_longest_from_left_to_right(entries, among, words):
    expected, place = [], 0
    while place < len(words):
        ends = [end for end in range(place + 1, len(words) + 1) if tuple(words[place:end]) in entries & among]
        if ends:
            expected.append(range(place, ends[-1]))
        place = max(ends, default=place + 1)
    assert list(Phrases(entries).longest(words, among)) == expected
    assert list(Phrases(entries & among).longest(words)) == expected
