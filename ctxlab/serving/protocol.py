"""The Open Inference Protocol, version 2: a request with several documents as a tensor of BYTES, and its answer.

An element that begins with ``{`` is a record in JSON, any other a plain text. Binary tensors are not read.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ctxlab.serving.body import parse
from ctxlab.serving.refusal import Refusal

INPUT, OUTPUT, BYTES = "documents", "answers", "BYTES"

ENVELOPE = ("id", "inputs", "outputs", "parameters")
TENSOR = ("name", "shape", "datatype", "data", "parameters")


def records(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the records of a request.

    Raises:
        Refusal: It is not a request of the protocol, or asks for something else than documents.
    """
    _only(body, ENVELOPE, "request")
    if not isinstance(body.get("id", ""), str):
        raise Refusal(400, "The id of the request is not a text.")
    tensor = _single(body.get("inputs"), INPUT, "inputs")
    if body.get("outputs") is not None:
        _single(body["outputs"], OUTPUT, "outputs")
    _only(tensor, TENSOR, "input")
    if tensor.get("datatype") != BYTES:
        raise Refusal(400, f"The datatype of the input is not {BYTES}: documents are texts.")
    data, shape = tensor.get("data"), tensor.get("shape")
    if not isinstance(data, list) or not data or not all(isinstance(one, str) for one in data):
        raise Refusal(400, "The data of the input is not a list of texts: give one for each document.")
    sizes = shape if isinstance(shape, list) and all(type(size) is int for size in shape) else [-1]
    if math.prod(sizes) != len(data) or min(sizes, default=1) < 1:
        raise Refusal(400, f"The shape of the input is not that of its data: give [{len(data)}].")
    return [parse(one.encode("utf-8", "surrogatepass")) if one.lstrip()[:1] == "{" else {"text": one} for one in data]


def answer(name: str, version: str, request: Mapping[str, Any], answers: Sequence[bytes]) -> dict[str, Any]:
    """Return the answer to a request.

    Args:
        name: The model.
        version: Its version.
        request: The request.
        answers: One text for each document.
    """
    texts = [one.decode() for one in answers]
    tensor = {"name": OUTPUT, "datatype": BYTES, "shape": [len(texts)], "data": texts}
    named = {"id": request["id"]} if "id" in request else {}
    return {"model_name": name, "model_version": version, **named, "outputs": [tensor]}


def _only(given: Mapping[str, Any], known: Sequence[str], what: str) -> None:
    if given.keys() - set(known):
        raise Refusal(400, f"The {what} has a field that the protocol does not know: it has {', '.join(known)}.")


def _single(given: Any, name: str, what: str) -> Mapping[str, Any]:
    if isinstance(given, list) and len(given) == 1 and isinstance(given[0], dict) and given[0].get("name") == name:
        found: Mapping[str, Any] = given[0]
        return found
    raise Refusal(400, f"The {what} of the request are not one tensor with the name {name}.")
