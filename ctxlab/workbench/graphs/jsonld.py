"""Graphs as JSON-LD 1.1 (W3C Recommendation, 16 July 2020)."""

import json
from typing import Any
from urllib.parse import quote

from ctxlab.workbench.graphs.triples import Edge, Graph, Node

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
ENTITY, TYPE, RELATION, TERM = (f"urn:ctxlab:{kind}:" for kind in ("entity", "type", "relation", "term"))
"""Beginnings of identifiers; a name follows, percent-encoded, so that any text is a valid IRI."""

CONTEXT: dict[str, Any] = {
    "@version": 1.1,
    "id": "@id",
    "type": "@type",
    "name": f"{RDFS}label",
    "document": f"{TERM}document",
    "subject": {"@id": f"{RDF}subject", "@type": "@id"},
    "predicate": {"@id": f"{RDF}predicate", "@type": "@id"},
    "object": {"@id": f"{RDF}object", "@type": "@id"},
    "score": {"@id": f"{TERM}score", "@type": "http://www.w3.org/2001/XMLSchema#double"},
    "Statement": f"{RDF}Statement",
    "Property": f"{RDF}Property",
    "Class": f"{RDFS}Class",
}
"""Terms of the file."""


def written(graph: Graph) -> str:
    """Return the graph as a JSON-LD document.

    Every relation is a triple of its head, whose property it is, and once more a statement about that triple with the
    score, since a property has no place for one. Types and relations have their names as labels.
    """
    by_head: dict[str, list[Edge]] = {}
    for edge in graph.edges:
        by_head.setdefault(edge.head, []).append(edge)
    terms = [_term(TYPE, "Class", name) for name in sorted({node.type for node in graph.nodes} - {""})]
    terms += [_term(RELATION, "Property", name) for name in sorted({edge.label for edge in graph.edges})]
    entities = [_entity(node, by_head.get(node.id, ())) for node in graph.nodes]
    content = {"@context": CONTEXT, "@graph": [*terms, *entities, *map(_statement, graph.edges)]}
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _iri(kind: str, name: str) -> str:
    return kind + quote(name, safe="")


def _term(kind: str, of: str, name: str) -> dict[str, Any]:
    return {"id": _iri(kind, name), "type": of, "name": name}


def _entity(node: Node, edges: list[Edge] | tuple[()]) -> dict[str, Any]:
    found: dict[str, Any] = {"id": _iri(ENTITY, node.id)}
    if node.type:
        found["type"] = _iri(TYPE, node.type)
    found |= {"name": node.name, "document": node.document}
    for edge in edges:
        found.setdefault(_iri(RELATION, edge.label), []).append({"id": _iri(ENTITY, edge.tail)})
    return found


def _statement(edge: Edge) -> dict[str, Any]:
    return {
        "type": "Statement",
        "subject": _iri(ENTITY, edge.head),
        "predicate": _iri(RELATION, edge.label),
        "object": _iri(ENTITY, edge.tail),
        "score": edge.score,
    }
