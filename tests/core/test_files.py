"""Files are complete or absent, and synced to the disk when the call returns."""

import json
import os
from pathlib import Path

import pytest

from ctxlab.core import files


def test_json_is_written_as_it_is_read(tmp_path):
    files.write_json(tmp_path / "a.json", {"name": "Zoë", "x": 0.1})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"name": "Zoë", "x": 0.1}
    assert "Zoë" in (tmp_path / "a.json").read_text(encoding="utf-8")


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_content_is_synced_before_the_rename_and_the_folder_after_it(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(str(Path(f"/proc/self/fd/{handle}").readlink())))
    files.write_text(tmp_path / "a.txt", "x")
    first, last = synced
    assert first.startswith(str(tmp_path / ".a.txt."))
    assert last == str(tmp_path)
