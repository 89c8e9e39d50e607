"""Jobs survive the end of a server, and their documents do not stay on disk."""

import json
import time

import pytest

from ctxlab.core.errors import UserError
from ctxlab.serving import jobs
from ctxlab.serving.pool import Pool
from ctxlab.serving.settings import Elastic, JobSettings
from tests.serving.fake import KEEP, ask, echo, get, running
from tests.serving.test_pool import wait_for

BODY = b'{"text": "canary"}'


def post(found, **headers):
    answer = ask(found, "/v1/jobs", BODY, **headers)
    assert answer.status == 202
    assert answer.headers["Location"] == json.loads(answer.text)["url"]
    return answer.headers["Location"]


def status(found, url):
    return json.loads(get(found, url).text)["status"]


def files(tmp_path):
    return {path.name: path.read_bytes() for path in (tmp_path / "jobs").iterdir() if path.name != "lock"}


def test_a_job_is_answered_and_its_document_removed(tmp_path):
    with running(tmp_path) as found:
        url = post(found)
        wait_for(lambda: status(found, url) == "done")
        assert json.loads(get(found, url).text)["answer"] == {"record": {"size": len(BODY)}}
        (name,) = files(tmp_path)
        assert name.endswith(".answer")
        assert b"canary" not in files(tmp_path)[name]
        assert ask(found, url, None, "DELETE").status == 204
        assert (get(found, url).status, files(tmp_path)) == (404, {})
        answer = ask(found, "/v1/documents", BODY, Prefer="respond-async")
        assert (answer.status, answer.headers["Preference-Applied"]) == (202, "respond-async")


def test_jobs_are_answered_by_the_next_server(tmp_path):
    with running(tmp_path, lambda _: KEEP) as found:
        urls = [post(found) for _ in range(5)]
        refused = ask(found, "/v1/jobs", BODY)
        assert (refused.status, refused.headers["Retry-After"]) == (429, "5")
        wait_for(lambda: len(found.workers.asked) == jobs.AT_ONCE)  # the others wait on disk
        assert ask(found, urls[0], None, "DELETE").status == 204
    assert len(files(tmp_path)) == 4
    assert all(content.endswith(BODY) for content in files(tmp_path).values())
    (tmp_path / "jobs" / f"{'x' * 22}.job.tmp").write_bytes(b"half")
    with running(tmp_path) as found:
        assert get(found, urls[0]).status == 404
        for url in urls[1:]:
            wait_for(lambda url=url: status(found, url) == "done")
        assert all(name.endswith(".answer") for name in files(tmp_path))
    with running(tmp_path) as found:  # answers are there after another start too
        assert json.loads(get(found, urls[1]).text)["answer"] == {"record": {"size": len(BODY)}}
        assert found.workers.asked == []


def test_a_refused_job_says_why_and_a_late_one_is_forgotten(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "LOOK_SECONDS", 0.02)
    with running(tmp_path, lambda _: (422, {"error": "No."}), kept_seconds=0.5) as found:
        url = post(found)
        wait_for(lambda: status(found, url) != "waiting")
        assert json.loads(get(found, url).text).items() >= {"status": "refused", "code": 422, "error": "No."}.items()
        wait_for(lambda: get(found, url).status == 404)
        assert files(tmp_path) == {}


def test_a_job_survives_its_worker(tmp_path):
    with running(tmp_path, lambda _: KEEP) as found:
        url = post(found)
        wait_for(lambda: found.workers.asked)
        found.workers.answer = echo
        found.workers.kill(1)
        wait_for(lambda: status(found, url) == "done")


def test_two_servers_do_not_share_a_folder(tmp_path):
    with running(tmp_path), pytest.raises(UserError, match="is used by another server"):
        jobs.Jobs(JobSettings(tmp_path / "jobs", 1, 1.0), Pool(Elastic(1, 1, 1.0)))
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be used"):
        jobs.Jobs(JobSettings(tmp_path / "file", 1, 1.0), Pool(Elastic(1, 1, 1.0)))


def test_a_damaged_file_is_left_alone(tmp_path, caplog):
    (tmp_path / "jobs").mkdir()
    path = tmp_path / "jobs" / f"{'x' * 22}.job"
    path.write_bytes(b"\x00\x00\x00\x10\x00\x00\x00\x10half")
    with running(tmp_path) as found:
        assert get(found, f"/v1/jobs/{'x' * 22}").status == 404
        time.sleep(0.05)
    assert path.exists()
    assert "is damaged and is left alone" in caplog.text
