"""Groups that a key or another group implies: who gives ``data.train_file`` means ``data=files``."""

from collections.abc import Sequence

from hydra.core.override_parser.types import Override

from ctxlab.command.overrides import find, plain_text

IMPLIED = {
    "data.train_file": ("data", "files"),
    "data.validation_file": ("data", "files"),
    "data.test_file": ("data", "files"),
    "data.path": ("data", "hub"),
    "model.path": ("model", "pretrained"),
    "probe": ("task", "probe"),
}
"""Key or group → the group and the option that has it."""


def implied(overrides: Sequence[Override], replayed: Sequence[Override] = ()) -> list[str]:
    """Group choices to add in front of ``overrides``; none where they, or the run they start from, say so already."""
    added: dict[str, str] = {}
    for override in overrides:
        if override.key_or_group not in IMPLIED or override.is_delete():
            continue
        group, option = IMPLIED[override.key_or_group]
        before = find(replayed, group)
        if find(overrides, group) or (before and plain_text(before) == option):
            continue
        added.setdefault(group, option)
    return [f"{group}={option}" for group, option in added.items()]
