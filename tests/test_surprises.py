"""docs/surprises.md names tests and files that exist."""

import re

import pytest

from ctxlab.config import catalogue

ROOT = catalogue.conf_dir().parent
PAGE = (ROOT / "docs" / "surprises.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("named", sorted(set(re.findall(r"`((?:tests|ctxlab)/[\w/.:]+)`", PAGE))))
def test_the_test_for_each_surprise_exists(named):
    file, _, test = named.partition("::")
    source = (ROOT / file).read_text(encoding="utf-8")
    assert f"def {test}(" in source or not test


def test_every_surprise_names_its_test():
    for line in re.findall(r"^- (?:.|\n(?!- |\n|#))*", PAGE, re.MULTILINE):
        assert re.search(r"`tests/|`make bench", line), line
