"""What the machine has: memory, and a description by which measurements on it can be told from others."""

import platform
from contextlib import suppress
from pathlib import Path

import torch

CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Files with the memory limit of a container, of both versions of control groups."""


def memory_bytes(device: torch.device) -> int | None:
    """Return the memory of a GPU, or of the machine or container; None where it cannot be told."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    found = [amount for amount in (_machine(), *map(_number, CGROUP_LIMITS)) if amount]
    return min(found, default=None)


def description(device: torch.device) -> str:
    """Return processor or GPU, instruction set and number of threads."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        if names:
            return f"{names[0]}, {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"
    return f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"


def available_bytes() -> int | None:
    """Return the memory that programs can still use, on the machine as a whole; None where it cannot be told."""
    return _of_meminfo("MemAvailable")


def _machine() -> int | None:
    return _of_meminfo("MemTotal")


def _of_meminfo(name: str) -> int | None:
    with suppress(OSError):
        for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
            if line.startswith(f"{name}:"):
                return int("".join(letter for letter in line if letter.isdecimal())) * 1024
    return None


def _number(path: str) -> int | None:
    with suppress(OSError, ValueError):
        return int(Path(path).read_text(encoding="utf-8"))
    return None
