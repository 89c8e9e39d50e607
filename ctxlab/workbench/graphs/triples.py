"""The entities and relations of predicted documents, as nodes and edges of a graph."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Node:
    """An entity of one document; entities of different documents are different nodes, whatever their names."""

    id: str
    """Unique in the graph: the document's id and the entity's index in it."""
    name: str
    type: str
    """Empty where it is not known."""
    document: str


@dataclass(frozen=True, slots=True)
class Edge:
    """A relation."""

    head: str
    """Id of a node."""
    tail: str
    label: str
    score: float
    """Above the threshold of the pair."""


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes and edges in the order of the documents."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def graph_of(lines: Iterable[Mapping[str, Any]]) -> Graph:
    """Return the graph of records of ``task=relation``, as ``ctxlab predict`` writes them.

    Documents with the same id are told apart by their order.
    """
    nodes: list[Node] = []
    edges: list[Edge] = []
    times: dict[str, int] = {}
    for line in lines:
        document = str(line["id"])
        times[document] = times.get(document, 0) + 1
        own = document if times[document] == 1 else f"{document} ({times[document]})"
        ids = [f"{own}#{index}" for index in range(len(line["entities"]))]
        nodes += [
            Node(one, entity["name"], entity["type"], document)
            for one, entity in zip(ids, line["entities"], strict=True)
        ]
        edges += [Edge(ids[one["head"]], ids[one["tail"]], one["label"], one["score"]) for one in line["relations"]]
    return Graph(tuple(nodes), tuple(edges))
