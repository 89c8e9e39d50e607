"""Prompts with constraints: the record's own text meets them, and each stands where the record says."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ctxlab.data.sources.generated import Generated
from ctxlab.evaluation.metrics.constraints import check
from ctxlab.tasks.generation import Generation


def load(split, seed, **options):
    return [record.fields for record in Generated(**options).load("generation", split, seed)]


@settings(max_examples=40, deadline=None)
@given(
    length=st.integers(60, 400),
    seed=st.integers(0, 1000),
    share=st.sampled_from([0.0, 0.5, 1.0]),
    distances=st.lists(st.sampled_from([1, 4, 16, 30, 64, 200]), min_size=1, max_size=4),
)
def test_texts_meet_their_constraints(length, seed, share, distances):
    options = {"words_per_document": length, "ambiguous_share": share, "evidence_distance": [*distances, 16]}
    records = load("train", seed, documents=2, **options)
    for record in records:
        document = Generation().parse(record, "here", gold=True)
        met = check(document.fields["constraints"], record["text"])
        assert met
        assert all(holds for _, holds in met)
        assert len(met) == len(record["probes"])
        for probe in record["probes"]:
            asked = record["prompt"][probe["start"] : probe["end"]]
            assert asked.startswith(("Use the word", "Write"))
            assert probe["distance"] == len(record["prompt"][probe["end"] :].split())


def test_distances_are_kept():
    """Counted in words and punctuation; the record counts words between white space, of which there are fewer."""
    options = {"words_per_document": 300, "ambiguous_share": 0.0, "evidence_distance": [16, 64, 256]}
    records = load("test", 1, test_documents=20, **options)
    found = [probe["distance"] for record in records for probe in record["probes"]]
    assert all(any(0.6 * far - 4 <= near <= 1.1 * far + 3 for far in (16, 64, 256)) for near in found)
    assert {min((16, 64, 256), key=lambda far: abs(far - near)) for near in found} == {16, 64, 256}
