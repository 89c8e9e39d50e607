"""Groups that a key or another group implies: ``data.train_file`` implies ``data=files``, as its YAML declares."""

from collections.abc import Sequence

from hydra.core.override_parser.types import Override

from ctxlab.command.overrides import find, plain_text
from ctxlab.config import catalogue


def implied(overrides: Sequence[Override], replayed: Sequence[Override] = ()) -> list[str]:
    """Return group choices to add before ``overrides``, unless they or the earlier run already have them."""
    added: dict[str, str] = {}
    declared = catalogue.implied()
    for override in overrides:
        if override.key_or_group not in declared or override.is_delete():
            continue
        group, option = declared[override.key_or_group]
        before = find(replayed, group)
        if find(overrides, group) or (before and plain_text(before) == option):
            continue
        added.setdefault(group, option)
    return [f"{group}={option}" for group, option in added.items()]
