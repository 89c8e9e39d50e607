"""Words in other case."""

import pytest

from ctxlab.augment.case import Case
from tests.augment.documents import all_changed, ner


@pytest.mark.parametrize(("to", "write"), [("upper", str.upper), ("lower", str.lower), ("title", str.capitalize)])
def test_at_dose_one_every_word_is_written_so(to, write):
    task, documents = ner()
    for before, after in zip(documents, all_changed(Case(dose=1.0, to=to), task, documents), strict=True):
        assert after.fields["tokens"] == [write(word) for word in before.fields["tokens"]]
        assert after.fields["tags"] == before.fields["tags"]
