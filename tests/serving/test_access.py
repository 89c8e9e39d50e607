"""Keys and quotas at a real server, whose workers have no model."""

import json
import threading

import pytest

from ctxlab.serving import access, keys
from ctxlab.serving.access import Bucket
from tests.serving.fake import KEEP, ask, echo, get, running


def write(path, *made):
    path.write_text("")
    path.chmod(0o600)
    for key in made:
        keys.add(path, key)


@pytest.fixture
def two(tmp_path):
    """A file with two keys, and what their clients send."""
    made = [
        keys.made("alice", ["infer"], {"documents_per_minute": 3}),
        keys.made("root", ["admin"], {"tokens_per_minute": 25}),
    ]
    write(tmp_path / "keys", *(key for key, _ in made))
    return tmp_path / "keys", *(f"Bearer {secret}" for _, secret in made)


def test_a_bucket_fills_by_its_number_each_minute():
    bucket = Bucket(60)
    now = bucket._at
    bucket.take(60)
    assert bucket.wait_seconds(now) == pytest.approx(1)
    bucket.take(30)
    assert bucket.wait_seconds(now + 10) == pytest.approx(21)
    assert bucket.wait_seconds(now + 31) == 0
    bucket.wait_seconds(now + 10_000)
    bucket.take(60)
    assert bucket.wait_seconds(now + 10_000) > 0  # it holds a minute's worth only


def test_scopes_and_unknown_keys(tmp_path, two):
    path, alice, root = two
    with running(tmp_path, keys=path) as found:
        wrong = alice[:30] + ("b" if alice[30] == "a" else "a") + alice[31:]  # the form of a key, and a known id
        unknown = alice.replace("ctxlab_", "ctxlab_f")
        for header in ("", "Basic x", "Bearer x", alice[:-1], wrong, unknown, f"{root}x"):
            answer = ask(found, Authorization=header)
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
            assert "ctxlab_" not in answer.text
        assert ask(found, Authorization=alice).status == 200
        assert ask(found, Authorization=alice).status == 200
        refused = get(found, "/metrics", Authorization=alice)
        assert (refused.status, "scope metrics" in refused.text) == (403, True)
        assert get(found, "/v1/status", Authorization=alice).status == 403
        refused = ask(found, "/v1/explain", Authorization=alice)
        assert (refused.status, "scope explain" in refused.text) == (403, True)
        for path in ("/metrics", "/v1/status", "/v1/model", "/v2/models/run"):
            assert get(found, path, Authorization=root).status == 200
            assert get(found, path).status == 401
        for path in ("/", "/v2", "/v2/health/live", "/v2/health/ready", "/openapi.json"):
            assert get(found, path).status == 200


def test_quotas_of_documents_and_tokens(tmp_path, two):
    path, alice, root = two
    with running(tmp_path, keys=path) as found:
        statuses = [ask(found, Authorization=alice).status for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
        refused = ask(found, "/v1/jobs", Authorization=alice)
        assert (refused.status, 1 <= int(refused.headers["Retry-After"]) <= 21) == (429, True)
        assert "its documents of this minute" in refused.text
        # documents of 10 tokens, see FIGURES, whatever was guessed from their bytes: 25 are used up by the third
        assert [ask(found, Authorization=root).status for _ in range(4)] == [200, 200, 200, 429]


def test_a_key_cannot_fill_the_queue_of_the_others(tmp_path, two):
    path, _, root = two
    kept = keys.made("bob", ["infer"], {})
    keys.add(path, kept[0])
    bob = f"Bearer {kept[1]}"
    with running(tmp_path, lambda _: KEEP, keys=path, max_waiting_per_key=2) as found:
        threads = [threading.Thread(target=ask, args=(found,), kwargs={"Authorization": bob}) for _ in range(2)]
        for thread in threads:
            thread.start()
        while len(found.workers.asked) < 2:
            pass
        refused = ask(found, Authorization=bob)
        assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
        found.workers.answer = echo
        assert ask(found, Authorization=root).status == 200
        assert {frame.header["key"] for frame in found.workers.asked} == {kept[0].id, root[7:].split("_")[1]}
        found.stop.signal_number = 15
        for thread in threads:
            thread.join(30)


def test_a_removed_key_is_refused_and_a_faulty_file_changes_nothing(tmp_path, two, monkeypatch):
    monkeypatch.setattr(access, "LOOK_SECONDS", 0.0)
    path, alice, root = two
    with running(tmp_path, keys=path) as found:
        assert get(found, "/v1/model", Authorization=alice).status == 200
        path.write_text("{")
        assert get(found, "/v1/model", Authorization=alice).status == 200
        write(path, keys.made("other", ["infer"], {})[0])
        assert get(found, "/v1/model", Authorization=alice).status == 401
        assert get(found, "/v1/model", Authorization=root).status == 401


def test_a_job_is_its_key_s_alone(tmp_path, two):
    path, alice, root = two
    with running(tmp_path, keys=path) as found:
        job = json.loads(ask(found, "/v1/jobs", Authorization=alice).text)["url"]
        assert get(found, job, Authorization=root).status == 404
        assert ask(found, job, None, "DELETE", Authorization=root).status == 404
        assert get(found, job).status == 401
        assert get(found, job, Authorization=alice).status == 200
        mode = [file.stat().st_mode & 0o077 for file in (tmp_path / "jobs").iterdir() if file.name != "lock"]
        assert mode == [0] * len(mode) != []
