"""``ctxlab serve privacy=model``: what is personal is in no answer, log, figure, error or file."""

import json
import time

import pytest

from tests.stages.test_serve import ask, server

MAIL, CARD = "canary7f3a@example.com", "4111 1111 1111 1111"
TEXT = f"Ada of Port Ada wrote to {MAIL} and paid with {CARD}. " * 4
RECORD = {"id": MAIL, "text": TEXT}


def personal(text):
    return [one for one in (MAIL, "canary7f3a", CARD) if one in text]


@pytest.fixture(scope="module")
def served(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("private") / "server"
    words = ["privacy=model", f"privacy.run={trained}", "privacy.style=mask"]
    with server(trained, folder, *words) as found:
        yield found


def test_answers_name_places_of_the_original_and_have_nothing_personal(served):
    tensor = {"name": "documents", "shape": [1], "datatype": "BYTES", "data": [json.dumps(RECORD)]}
    answers = {
        "/v1/documents": ask(served, RECORD),
        "/v1/documents/stream": ask(served, RECORD, "/v1/documents/stream"),
        "/v1/explain": ask(served, {**RECORD, "explanation": "gradient"}, "/v1/explain"),
        "infer": ask(served, {"inputs": [tensor]}, "/v2/models/run/infer"),
    }
    assert {path: (status, personal(text)) for path, (status, text) in answers.items()} == dict.fromkeys(
        answers, (200, [])
    )
    record = json.loads(answers["/v1/documents"][1])["record"]
    places = {(one["kind"], TEXT[one["start_char"] : one["end_char"]]) for one in record["protected"]}
    assert {("EMAIL", MAIL), ("CARD", CARD)} <= places
    assert {kind for kind, _ in places} > {"EMAIL", "CARD"}  # names, which the run finds
    assert "X" * len(MAIL) in " ".join(record["tokens"])
    assert json.loads(answers["/v1/explain"][1])["record"] == record


def test_jobs_errors_figures_and_files_have_nothing_personal(served):
    url = json.loads(ask(served, RECORD, "/v1/jobs")[1])["url"]
    while (job := json.loads(ask(served, None, url, "GET", "")[1]))["status"] == "waiting":
        time.sleep(0.02)
    assert (job["status"], personal(json.dumps(job))) == ("done", [])
    refused = [
        ask(served, {"tokens": [MAIL, {MAIL: CARD}]}),
        ask(served, {"text": TEXT, MAIL: MAIL}),
        ask(served, {**RECORD, "explanation": MAIL}, "/v1/explain"),
        ask(served, {**RECORD, "explained": MAIL}, "/v1/explain"),
        ask(served, None, f"/v1/jobs/{MAIL}", "GET", ""),
    ]
    assert [status for status, _ in refused] == [422, 422, 422, 422, 404]
    assert not personal("".join(text for _, text in refused))
    assert not personal(ask(served, None, "/metrics", "GET", "")[1])
    files = [path for path in [*served.folder.rglob("*"), served.log] if path.is_file()]
    assert len(files) > 3
    assert not [path for path in files if personal(path.read_bytes().decode(errors="replace"))]
