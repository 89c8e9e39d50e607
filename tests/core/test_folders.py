"""Folders with a manifest: a single changed byte is detected; hashlib is the oracle of checksums."""

import hashlib
import json

import pytest

from ctxlab.core.folders import MANIFEST, checksums, fault, is_whole, sha256, write_whole


def fill(folder):
    (folder / "weights").write_bytes(b"\x00\x01")
    (folder / "in").mkdir()
    (folder / "in" / "text").write_text("content")


@pytest.fixture
def whole(tmp_path):
    write_whole(tmp_path / "x", fill)
    return tmp_path / "x"


def test_the_manifest_holds_the_sums_of_all_other_files(whole):
    sums = json.loads((whole / MANIFEST).read_text())
    assert sums == checksums(whole) == {
        "weights": hashlib.sha256(b"\x00\x01").hexdigest(), "in/text": hashlib.sha256(b"content").hexdigest()
    }  # fmt: skip
    assert sha256(whole / "weights", sync=True) == sums["weights"]
    assert fault(whole) is None
    assert is_whole(whole)


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda folder: (folder / "weights").write_bytes(b"\x00\x03"), "weights"),
        (lambda folder: (folder / "in" / "text").unlink(), "in/text"),
        (lambda folder: (folder / MANIFEST).write_text("{"), "manifest"),
        (lambda folder: (folder / MANIFEST).unlink(), "manifest"),
    ],
)
def test_damage_is_named(whole, spoil, named):
    spoil(whole)
    assert named in fault(whole)
    assert not is_whole(whole)


def test_an_existing_folder_is_replaced_completely(whole):
    write_whole(whole, lambda folder: (folder / "other").write_text("new"))
    assert {path.name for path in whole.iterdir()} == {"other", MANIFEST}


def test_a_failed_write_leaves_the_old_folder(whole):
    def fail(folder):
        fill(folder)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        write_whole(whole, fail)
    assert is_whole(whole)
    assert [path.name for path in whole.parent.iterdir()] == ["x"]
