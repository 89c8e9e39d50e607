"""Cached folders are created once: complete or absent, even when several processes create them."""

import hashlib
import threading

import pytest

from ctxlab.core.cache import make_once
from ctxlab.core.folders import checksums, fault, is_whole, write_whole


def fill(folder):
    (folder / "a").write_text("content")


def test_an_entry_is_complete_until_a_byte_changes(tmp_path):
    make_once(tmp_path / "x", fill)
    assert is_whole(tmp_path / "x")
    (tmp_path / "x" / "a").write_text("Content")
    assert not is_whole(tmp_path / "x")
    make_once(tmp_path / "x", fill)
    assert is_whole(tmp_path / "x")
    (tmp_path / "x" / "more").write_text("")
    assert not is_whole(tmp_path / "x")


def test_an_absent_entry_is_not_complete(tmp_path):
    assert not is_whole(tmp_path / "x")
    (tmp_path / "x").mkdir()
    assert not is_whole(tmp_path / "x")


def test_what_fails_leaves_nothing(tmp_path):
    def fail(folder):
        fill(folder)
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        make_once(tmp_path / "x", fail)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_leftovers_of_a_killed_process_are_removed(tmp_path):
    (tmp_path / ".saving-x").mkdir()
    (tmp_path / ".saving-x" / "half").write_text("")
    make_once(tmp_path / "x", fill)
    assert {path.name for path in tmp_path.iterdir()} == {".lock", "x"}


def test_one_of_several_processes_does_the_work(tmp_path):
    done = []

    def slowly(folder):
        done.append(folder)
        threading.Event().wait(0.2)  # the others arrive meanwhile
        fill(folder)

    threads = [threading.Thread(target=make_once, args=(tmp_path / "x", slowly)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 1
    assert is_whole(tmp_path / "x")


def nested(folder):
    fill(folder)
    (folder / "in" / "deep").mkdir(parents=True)
    (folder / "in" / "deep" / "b").write_bytes(b"\x00\x01")


def test_folders_in_a_folder_are_under_the_checksums(tmp_path):
    """sha256 of ``content`` and of two bytes, as computed with hashlib."""
    write_whole(tmp_path / "x", nested)
    assert checksums(tmp_path / "x") == {
        name: hashlib.sha256(content).hexdigest() for name, content in (("a", b"content"), ("in/deep/b", b"\x00\x01"))
    }
    assert fault(tmp_path / "x") is None
    assert is_whole(tmp_path / "x")
    (tmp_path / "x" / "in" / "deep" / "b").write_bytes(b"\x00\x03")
    assert fault(tmp_path / "x") == "in/deep/b is damaged (its checksum does not match)"
    (tmp_path / "x" / "in" / "deep" / "b").unlink()
    assert fault(tmp_path / "x") == "in/deep/b is missing"


def test_a_folder_is_replaced_only_by_a_complete_one(tmp_path):
    write_whole(tmp_path / "x", nested)

    def fail(folder):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_whole(tmp_path / "x", fail)
    assert is_whole(tmp_path / "x")
    write_whole(tmp_path / "x", fill)
    assert {path.name for path in (tmp_path / "x").iterdir()} == {"a", "manifest.json"}
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize(("content", "problem"), [("", "damaged"), ("[1]", "damaged"), ("{}", None)])
def test_an_invalid_manifest_is_an_error(tmp_path, content, problem):
    write_whole(tmp_path / "x", fill)
    (tmp_path / "x" / "manifest.json").write_text(content)
    assert fault(tmp_path / "x") == (problem and f"its manifest is {problem}")
    assert not is_whole(tmp_path / "x")
