"""The grammar of queries: evidence at its distance, in the relevant document alone, and rivals."""

import re

import pytest

from ctxlab.corpora.grammar.names import names
from ctxlab.corpora.retrieval import DOCUMENTS
from ctxlab.data.sources.generated import Generated


def records(**options):
    counts = dict.fromkeys(("documents", "validation_documents", "test_documents"), 25)
    given = {"words_per_document": 200, "evidence_distance": [20, 120], "ambiguous_share": 0.0} | options
    return [one.fields for one in Generated(**counts, **given).load("retrieval", "train", 1)]


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_evidence_is_at_its_distance_and_names_are_where_they_should_be(share):
    found = records(ambiguous_share=share)
    distances = set()
    for record in found:
        texts = {one["id"]: one["text"] for one in record["documents"]}
        assert len(texts) == DOCUMENTS
        (piece,) = record["probes"]
        assert record["relevant"] == [piece["document"]]
        text = texts[piece["document"]]
        (name,) = set(re.findall(r"\w+", record["query"])) & set(names("train"))
        assert name in text[piece["start"] : piece["end"]]
        before = re.findall(
            r"\w+|[^\w\s]", text[: piece["start"] + text[piece["start"] :].index(name)].replace("'s", " s")
        )
        assert len(before) == piece["distance"]
        distances.add(min((20, 120), key=lambda d: abs(d - piece["distance"])))
        assert abs(min((20, 120), key=lambda d: abs(d - piece["distance"])) - piece["distance"]) <= 12
        mentions = [key for key, other in texts.items() if re.search(rf"\b{name}\b", other)]
        assert len(mentions) == (2 if share else 1)
    assert distances == {20, 120}


def test_twenty_records_share_their_documents():
    found = records()
    assert len({str(record["documents"]) for record in found[:DOCUMENTS]}) == 1
    assert found[0]["documents"] != found[DOCUMENTS]["documents"]
    assert len({record["relevant"][0] for record in found}) == len(found)
