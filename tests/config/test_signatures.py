"""Signatures read from sources; those of the imported classes are the oracle."""

import inspect

import pytest

from ctxlab.config import catalogue, signatures
from ctxlab.config.build import locate

TARGETS = sorted(
    {
        target
        for group in catalogue.groups()
        for option in catalogue.options(group)
        if (target := catalogue.read(catalogue.option_file(group, option)).get("_target_"))
    }
)


def test_annotations_are_those_of_the_imported_class():
    """For every component; annotations that name classes of libraries or of ctxlab are left to the import."""
    num_read = 0
    for target in TARGETS:
        module, _, name = target.rpartition(".")
        read = signatures.annotations(module, name)
        parameters = inspect.signature(locate(target), eval_str=True).parameters
        read = {key: value for key, value in read.items() if key in parameters}
        assert read == {key: parameters[key].annotation for key in read}, target
        assert name in signatures.classes(module)
        num_read += len(read)
    assert num_read > len(TARGETS)


@pytest.mark.parametrize("target", ["ctxlab.nowhere.Nothing", "ctxlab.optim.tuning.full.Other"])
def test_an_unknown_class_has_no_signature(target):
    module, _, name = target.rpartition(".")
    assert signatures.annotations(module, name) == {}
