"""Configurations that runs have recorded."""

import pytest
from omegaconf import OmegaConf

from ctxlab.config import recorded


def test_it_is_what_the_run_wrote(tmp_path):
    path = tmp_path / "config.yaml"
    OmegaConf.save(OmegaConf.create({"stage": "train", "context": {"length": 512}}), path)
    assert recorded.load(path).context.length == 512


@pytest.mark.parametrize("content", [None, b"[", b"stage: ${absent}\n", b"\xff\xfe\x00", b"a: {b: \n"])
def test_a_damaged_one_is_named(content, tmp_path):
    path = tmp_path / "config.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"config.yaml is missing or damaged"):
        recorded.load(path)


def test_a_list_is_no_configuration(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("- 3\n")
    with pytest.raises(ValueError, match="it has no keys"):
        recorded.load(path)
