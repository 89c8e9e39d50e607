"""Graphs of predicted relations: GraphML by networkx, JSON-LD by the meaning of its context."""

import json
from urllib.parse import unquote

import networkx
import pytest

from ctxlab.workbench.graphs import graphml, jsonld
from ctxlab.workbench.graphs.triples import graph_of

LINES = [
    {
        "id": 'a "1"',
        "entities": [
            {"type": "PER", "name": 'Ann <& "Lee">', "mentions": [[0, 2]]},
            {"type": "", "name": "王伟 \u200d\x07 مريم", "mentions": [[3, 4]]},
            {"type": "works of art", "name": "", "mentions": [[5, 6]]},
        ],
        "relations": [
            {"head": 0, "tail": 1, "label": "born in/near", "score": 1.25},
            {"head": 0, "tail": 1, "label": "knows", "score": 0.5},
            {"head": 0, "tail": 2, "label": "knows", "score": 0.25},
            {"head": 2, "tail": 0, "label": "@id", "score": 2.0},
        ],
    },
    {"id": "b", "entities": [{"type": "PER", "name": "Ann", "mentions": [[0, 1]]}], "relations": []},
    {"id": "b", "entities": [{"type": "PER", "name": "Ann", "mentions": [[0, 1]]}], "relations": []},
]


def test_graphml_is_read_by_networkx(tmp_path):
    file = tmp_path / "graph.graphml"
    file.write_text(graphml.written(graph_of(LINES)), encoding="utf-8")
    graph = networkx.read_graphml(file, force_multigraph=True)
    assert graph.is_directed()
    assert [graph.nodes[node] for node in graph] == [
        {"name": 'Ann <& "Lee">', "type": "PER", "document": 'a "1"'},
        {"name": "王伟 \u200d\ufffd مريم", "document": 'a "1"'} | {"type": ""},
        {"document": 'a "1"', "type": "works of art", "name": ""},
        {"name": "Ann", "type": "PER", "document": "b"},
        {"name": "Ann", "type": "PER", "document": "b"},
    ]
    assert [
        (int(head[1:]), int(tail[1:]), data["label"], data["score"]) for head, tail, data in graph.edges(data=True)
    ] == [
        (0, 1, "born in/near", 1.25),
        (0, 1, "knows", 0.5),
        (0, 2, "knows", 0.25),
        (2, 0, "@id", 2.0),
    ]


def triples(content):
    """Subject, predicate, object of every node, by the rules of JSON-LD for the terms that its context may have.

    Terms are aliases of keywords, IRIs, or IRIs of properties whose values are IRIs; keys that are no terms are IRIs.
    """
    context = content["@context"]

    def iri(name):
        known = context.get(name, name)
        return known["@id"] if isinstance(known, dict) else known

    found = []
    for number, node in enumerate(content["@graph"]):
        by_keyword = {iri(key): value for key, value in node.items()}
        assert all(key.startswith("@") or ":" in key for key in by_keyword)  # everything else would be dropped
        subject = by_keyword.pop("@id", f"_:b{number}")
        for key, value in by_keyword.items():
            if key == "@type":
                found.append((subject, "rdf:type", iri(value)))
            else:
                found += [(subject, key, one["id"] if isinstance(one, dict) else one)
                          for one in (value if isinstance(value, list) else [value])]  # fmt: skip
    return found


def test_json_ld_has_the_triples_and_statements_with_scores():
    text = jsonld.written(graph_of(LINES))
    found = triples(json.loads(text))
    label = "http://www.w3.org/2000/01/rdf-schema#label"
    names = {subject: name for subject, predicate, name in found if predicate == label}
    entity = "urn:ctxlab:entity:"
    own = {(unquote(s.removeprefix(entity)), p, unquote(o.removeprefix(entity))) for s, p, o in found
           if p.startswith("urn:ctxlab:relation:")}  # fmt: skip
    assert {(s, names[p], o) for s, p, o in own} == {
        ('a "1"#0', "born in/near", 'a "1"#1'),
        ('a "1"#0', "knows", 'a "1"#1'),
        ('a "1"#0', "knows", 'a "1"#2'),
        ('a "1"#2', "@id", 'a "1"#0'),
    }
    rdf = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
    said = {}
    for subject, predicate, value in found:
        if subject.startswith("_:"):
            said.setdefault(subject, {})[predicate.removeprefix(rdf)] = value
    assert {(one["subject"], one["predicate"], one["object"]) for one in said.values()} == {
        (s, p, o) for s, p, o in found if p.startswith("urn:ctxlab:relation:")
    }
    assert sorted(one["urn:ctxlab:term:score"] for one in said.values()) == [0.25, 0.5, 1.25, 2.0]
    assert [name for subject, name in names.items() if subject.startswith(entity)] == [
        one["name"] for line in LINES for one in line["entities"]
    ]
    types = {s: names[o] for s, p, o in found if p == "rdf:type" and o.startswith("urn:ctxlab:type:")}
    assert sorted(types.values()) == ["PER", "PER", "PER", "works of art"]
    iris = {part for triple in found for part in triple if str(part).startswith("urn:")}
    assert all(iri.isascii() and not set(iri) & set(' "<>{}|\\^`') for iri in iris)


@pytest.mark.parametrize("writer", [graphml, jsonld])
def test_a_graph_without_anything_is_valid(writer, tmp_path):
    text = writer.written(graph_of([]))
    if writer is jsonld:
        assert json.loads(text)["@graph"] == []
    else:
        (tmp_path / "g").write_text(text)
        assert len(networkx.read_graphml(tmp_path / "g")) == 0
