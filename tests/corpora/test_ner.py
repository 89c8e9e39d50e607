import hashlib
import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxlab.core.errors import UserError
from ctxlab.corpora.grammar.draw import Draw
from ctxlab.corpora.grammar.names import names, split_of
from ctxlab.corpora.grammar.naming import AMBIGUOUS, DEFINING, FORMS, KINDS, TYPES
from ctxlab.corpora.grammar.prose import FILLERS, LISTS, exactly
from ctxlab.data.sources.generated import Generated
from ctxlab.tasks.ner import NER
from ctxlab.tasks.records.bio import repair, spans


def load(split="train", seed=1, **options):
    return [record.fields for record in Generated(**options).load("ner", split, seed)]


@pytest.fixture(scope="module")
def corpus():
    return {split: load(split) for split in ("train", "validation", "test")}


def sentences(document):
    starts = [*document["sentence_starts"], len(document["tokens"])]
    return [range(a, b) for a, b in pairwise(starts)]


def test_default_sizes(corpus):
    assert [len(corpus[s]) for s in ("train", "validation", "test")] == [40, 8, 8]
    assert {len(d["tokens"]) for documents in corpus.values() for d in documents} == {3000}


def test_records_are_complete(corpus):
    for document in corpus["train"]:
        assert len(document["tags"]) == len(document["tokens"])
        assert repair(document["tags"]) == (document["tags"], 0)
        assert document["sentence_starts"][0] == 0
        for sentence in sentences(document):
            assert len(sentence) >= 2
            assert document["tokens"][sentence[-1]] in (".", '"') or document["tokens"][sentence[-2]] == "."
            assert document["tokens"][sentence[0]][0] in '"' or document["tokens"][sentence[0]][0].isupper()
        NER().parse(document, "here", gold=True)


def test_types_and_multi_word_names(corpus):
    found = Counter()
    long = Counter()
    for document in corpus["train"]:
        for span in spans(document["tags"]):
            found[span.type] += 1
            long[span.type] += span.end - span.start > 1
    assert set(found) == set(TYPES)
    assert min(found.values()) > 0.1 * found.total()
    assert all(long[kind] > 0.1 * found[kind] for kind in TYPES)


def test_filler_is_varied(corpus):
    tokens = [token for document in corpus["train"] for token in document["tokens"]]
    shapes = Counter(" ".join(d["tokens"][i] for i in s) for d in corpus["train"] for s in sentences(d))
    assert len(set(tokens)) > 1000
    assert shapes.most_common(1)[0][1] < 0.01 * shapes.total()
    capital_outside = [t for d in corpus["train"] for t, g in zip(d["tokens"], d["tags"], strict=True) if g == "O"]
    assert {"Monday", "God", "Latin", "Captain"} <= set(capital_outside)


def lexicon():
    texts = [*FILLERS, *AMBIGUOUS, *DEFINING, *(f for forms in FORMS.values() for f in forms)]
    texts += [k for kinds in KINDS.values() for k in kinds] + [e for entries in LISTS.values() for e in entries]
    return {word.lower() for text in texts for word in re.findall(r"[\w-]+", text)}


def test_names_belong_to_one_split_whatever_the_sizes(corpus):
    pools = {split: set(names(split)) for split in corpus}
    assert all(len(pool) > 5000 for pool in pools.values())
    assert not pools["train"] & pools["validation"]
    assert not pools["train"] & pools["test"]
    assert not pools["validation"] & pools["test"]
    assert not {name.lower() for pool in pools.values() for name in pool} & lexicon()
    # By a hash that no later change of the lists can move.
    value = int(hashlib.sha256(b"Velmar").hexdigest()[:2], 16) * 100 // 256
    assert split_of("Velmar") == ("train" if value < 60 else "validation" if value < 80 else "test")
    for split, documents in corpus.items():
        others = set().union(*(pool for other, pool in pools.items() if other != split))
        assert not {token for document in documents for token in document["tokens"]} & others


def pattern(templates):
    """The templates as a regular expression, written without the generator's own code."""

    def expand(text):
        parts = re.split(r"(<\w+>)", text)
        return "".join(
            "(?:" + "|".join(expand(e) for e in LISTS[p[1:-1]]) + ")"
            if p[1:-1] in LISTS
            else "<x>"
            if p == "<x>"
            else "(?:.+)"
            if p == "<type>"
            else re.escape(p)
            for p in parts
        )

    return re.compile("|".join(f"(?:{expand(t)})" for t in templates), re.IGNORECASE)


def check_ambiguous(document):
    """Every probe has exactly one defining sentence at its distance, and nothing else about it in the document."""
    tokens, tags = document["tokens"], document["tags"]
    asking, defining = pattern(AMBIGUOUS), pattern(DEFINING)
    kinds = {" ".join(k.split()): kind for kind in TYPES for k in KINDS[kind]}
    places = {start: s for s in sentences(document) for start in s}
    for probe in document["probes"]:
        name = tokens[probe["start"]]
        mentions = [i for i, token in enumerate(tokens) if token == name]
        assert len(mentions) == 2
        (other,) = set(mentions) - {probe["start"]}
        assert abs(other - probe["start"]) == probe["distance"]
        asked = " ".join("<x>" if i == probe["start"] else tokens[i] for i in places[probe["start"]])
        told = " ".join("<x>" if i == other else tokens[i] for i in places[other])
        assert re.fullmatch(asking, asked.replace(" an ", " a ")), asked
        assert re.fullmatch(defining, told), told
        kind = next(kind for text, kind in kinds.items() if told.endswith(f" {text} ."))
        assert tags[probe["start"]] == tags[other] == f"B-{kind}"


def test_ambiguous_names_have_one_defining_sentence(corpus):
    for documents in corpus.values():
        for document in documents[:8]:
            assert document["probes"]
            check_ambiguous(document)


def test_kinds_of_the_types_do_not_overlap():
    everything = [kind for kinds in KINDS.values() for kind in kinds]
    assert len(set(everything)) == len(everything)


def test_share_distances_and_types_are_as_asked(corpus):
    probes = [(p, d) for d in corpus["train"] for p in d["probes"]]
    mentions = sum(tag[0] == "B" for d in corpus["train"] for tag in d["tags"])
    assert len(probes) / (mentions - len(probes)) == pytest.approx(0.1, abs=0.01)
    asked = Counter(min((16, 64, 256, 1024), key=lambda d: abs(d - p["distance"])) for p, _ in probes)
    assert min(asked.values()) > 0.8 * max(asked.values())
    near = [abs(min((16, 64, 256, 1024), key=lambda d: abs(d - p["distance"])) - p["distance"]) for p, _ in probes]
    assert np.quantile(near, 0.95) <= 8
    types = Counter(d["tags"][p["start"]] for p, d in probes)
    assert len(types) == 4
    # Chi-squared with 3 degrees of freedom exceeds 16.3 once in a thousand.
    assert sum((n - len(probes) / 4) ** 2 / (len(probes) / 4) for n in types.values()) < 16.3


def test_the_sentence_of_an_ambiguous_mention_says_nothing_of_its_type():
    frames = {kind: Counter() for kind in TYPES}
    before = Counter()
    for document in load(documents=300, words_per_document=300, ambiguous_share=1.0, evidence_distance=[40]):
        places = {start: s for s in sentences(document) for start in s}
        for probe in document["probes"]:
            kind = document["tags"][probe["start"]][2:]
            s = places[probe["start"]]
            frames[kind][(len(s), probe["start"] - s[0], document["tokens"][s[-2]] == '"')] += 1
            before[kind] += document["tokens"].index(document["tokens"][probe["start"]]) < probe["start"]
    totals = {kind: counts.total() for kind, counts in frames.items()}
    assert min(totals.values()) > 500
    for frame in set().union(*frames.values()):
        shares = [frames[kind][frame] / totals[kind] for kind in TYPES]
        assert max(shares) - min(shares) < 0.06
    assert all(0.4 < before[kind] / totals[kind] < 0.6 for kind in TYPES)


def test_options_for_a_small_corpus_of_short_documents():
    documents = load(documents=50, words_per_document=100, ambiguous_share=1.0, evidence_distance=[40])
    assert np.mean([len(d["probes"]) for d in documents]) >= 5
    distances = [p["distance"] for d in documents for p in d["probes"]]
    assert min(distances) >= 30
    assert max(distances) <= 60
    assert np.mean(distances) == pytest.approx(40, abs=5)
    for document in documents:
        check_ambiguous(document)
        assert sum(tag[0] == "B" for tag in document["tags"]) == 2 * len(document["probes"])


@settings(max_examples=60, deadline=None)
@given(
    words=st.integers(20, 400),
    share=st.sampled_from([0.0, 0.05, 0.1, 0.5, 1.0]),
    distance=st.lists(st.integers(1, 300), min_size=1, max_size=4),
    seed=st.integers(-5, 2**64),
)
def test_any_size_ends_and_is_exact(words, share, distance, seed):
    options = {"documents": 2, "words_per_document": words, "ambiguous_share": share, "evidence_distance": distance}
    if share and min(distance) + 24 > words:
        with pytest.raises(UserError, match="fits"):
            load(seed=seed, **options)
        return
    for document in load(seed=seed, **options):
        assert len(document["tokens"]) == len(document["tags"]) == words
        check_ambiguous(document)


@given(length=st.integers(2, 60), seed=st.integers(0, 1000))
def test_sentences_of_exact_length(length, seed):
    words = exactly(length, Draw(seed, "train", 0))
    assert len(words) == length
    assert words[-1] == "."


def test_max_documents_and_bad_options():
    assert len(load(max_documents=3, words_per_document=60)) == 3
    for options, says in [
        ({"documents": 0}, "documents=0"),
        ({"words_per_document": 5}, "words_per_document=5"),
        ({"ambiguous_share": 1.5}, "ambiguous_share=1.5"),
        ({"evidence_distance": []}, "evidence_distance"),
        ({"evidence_distance": [0]}, "evidence_distance"),
    ]:
        with pytest.raises(UserError, match=says):
            Generated(**options)


def test_a_task_without_a_grammar_names_the_nearest():
    with pytest.raises(UserError, match=r"task=nre; the nearest is ner \(there are: .*ner"):
        Generated().load("nre", "train", 1)
    with pytest.raises(UserError, match="no generated corpus"):
        Generated().load("_names", "train", 1)
