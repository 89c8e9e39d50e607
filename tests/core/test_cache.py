"""Folders that are made once: whole or not there, whoever else makes them."""

import threading
import time

import pytest

from ctxlab.core.cache import is_whole, keep


def fill(folder):
    (folder / "a").write_text("content")


def test_what_is_kept_is_whole_until_a_byte_changes(tmp_path):
    keep(tmp_path / "x", fill)
    assert is_whole(tmp_path / "x")
    (tmp_path / "x" / "a").write_text("Content")
    assert not is_whole(tmp_path / "x")
    keep(tmp_path / "x", fill)
    assert is_whole(tmp_path / "x")
    (tmp_path / "x" / "more").write_text("")
    assert not is_whole(tmp_path / "x")


def test_nothing_there_is_not_whole(tmp_path):
    assert not is_whole(tmp_path / "x")
    (tmp_path / "x").mkdir()
    assert not is_whole(tmp_path / "x")


def test_what_fails_leaves_nothing(tmp_path):
    def fail(folder):
        fill(folder)
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        keep(tmp_path / "x", fail)
    assert [path.name for path in tmp_path.iterdir()] == [".x.lock"]


def test_what_a_killed_process_left_is_swept_up(tmp_path):
    (tmp_path / ".x.writing").mkdir()
    (tmp_path / ".x.writing" / "half").write_text("")
    keep(tmp_path / "x", fill)
    assert {path.name for path in tmp_path.iterdir()} == {".x.lock", "x"}


def test_of_several_one_does_the_work(tmp_path):
    done = []

    def slowly(folder):
        done.append(folder)
        time.sleep(0.2)
        fill(folder)

    threads = [threading.Thread(target=keep, args=(tmp_path / "x", slowly)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 1
    assert is_whole(tmp_path / "x")
