"""Graphs as GraphML (Brandes et al. 2002), which Gephi, yEd, Cytoscape and networkx read."""

import re
import xml.etree.ElementTree as ET

from ctxlab.workbench.graphs.triples import Graph

NAMESPACE = "http://graphml.graphdrawing.org/xmlns"

NODE_KEYS = {"name": "string", "type": "string", "document": "string"}
EDGE_KEYS = {"label": "string", "score": "double"}
"""Attributes of nodes and edges, and their types."""

FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 has no way to write."""


def written(graph: Graph) -> str:
    """Return the graph as a GraphML document; a character that XML cannot have becomes U+FFFD."""
    root = ET.Element("graphml", xmlns=NAMESPACE)
    for kind, keys in (("node", NODE_KEYS), ("edge", EDGE_KEYS)):
        for name, of in keys.items():
            ET.SubElement(root, "key", {"id": f"{kind}_{name}", "for": kind, "attr.name": name, "attr.type": of})
    inside = ET.SubElement(root, "graph", id="relations", edgedefault="directed")
    numbers = {node.id: f"n{place}" for place, node in enumerate(graph.nodes)}
    for node in graph.nodes:
        _with_data(inside, "node", {"id": numbers[node.id]}, name=node.name, type=node.type, document=node.document)
    for place, edge in enumerate(graph.edges):
        ends = {"id": f"e{place}", "source": numbers[edge.head], "target": numbers[edge.tail]}
        _with_data(inside, "edge", ends, label=edge.label, score=f"{edge.score:g}")
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _with_data(parent: ET.Element, kind: str, attributes: dict[str, str], **data: str) -> None:
    element = ET.SubElement(parent, kind, attributes)
    for name, value in data.items():
        ET.SubElement(element, "data", key=f"{kind}_{name}").text = FORBIDDEN.sub("\ufffd", value)
