"""A damaged checkpoint is found, named, and never used."""

import random
import shutil

import pytest

from ctxlab.core.folders import MANIFEST, fault
from ctxlab.training import checkpoint
from tests.training.runs import make_job

FLIPS, CUTS = 200, 50


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A run directory with two checkpoints."""
    folder = tmp_path_factory.mktemp("damage") / "run"
    make_job(folder, "trainer.max_steps=2", "trainer.save_every_steps=1", "trainer.keep_checkpoints=2").run()
    return folder


@pytest.mark.by_default("latest")
@pytest.mark.parametrize("pointer", ["latest", "best"])
def test_every_flipped_bit_and_every_cut_is_found_and_the_last_whole_checkpoint_is_used(
    saved, tmp_path, pointer, promise
):
    run = tmp_path / "run"
    shutil.copytree(saved, run)
    first, last = checkpoint.names(run)
    checkpoint.write_pointer(run, pointer, last)
    folder, draw = run / checkpoint.FOLDER / last, random.Random(0)
    files = sorted(path for path in folder.iterdir() if path.is_file())
    assert {path.name for path in files} >= {"model.safetensors", "optimizer.safetensors", "state.json", MANIFEST}
    for number in range(FLIPS + CUTS):
        path = files[number % len(files)]
        whole = path.read_bytes()
        place = draw.randrange(len(whole))
        if number < FLIPS:
            damaged = bytearray(whole)
            damaged[place] ^= 1 << draw.randrange(8)
        else:
            damaged = whole[:place]
        path.write_bytes(damaged)
        problem = fault(folder)
        assert problem is not None, (path.name, place)
        if path.name != MANIFEST:
            assert path.name in problem
        assert checkpoint.find(run, pointer).name == checkpoint.latest_valid(run).name == first
        path.write_bytes(whole)
    assert fault(folder) is None
    assert checkpoint.find(run, pointer).name == last
    if pointer == "latest":
        promise(
            "a damaged checkpoint is never used",
            f"{FLIPS} flipped bits and {CUTS} cuts over every file of a checkpoint",
            f"{FLIPS + CUTS} of {FLIPS + CUTS} found and named, the one before used",
        )
