"""What a machine has, against the system's own tools."""

import os

import torch

from ctxlab.runtime import machine


def test_memory_is_at_most_that_of_the_machine_and_of_the_container(tmp_path, monkeypatch):
    cpu = torch.device("cpu")
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < machine.memory_bytes(cpu) <= whole
    limit, none = tmp_path / "memory.max", tmp_path / "none"
    limit.write_text("12345678\n")
    none.write_text("max\n")
    monkeypatch.setattr(machine, "CGROUP_LIMITS", (str(none), str(limit), str(tmp_path / "absent")))
    assert machine.memory_bytes(cpu) == 12345678


def test_machines_with_other_threads_differ():
    assert f"{torch.get_num_threads()} threads" in machine.description(torch.device("cpu"))
