"""Candidates of the same data share their documents."""

from ctxlab.command.compose import compose
from ctxlab.workbench.parts import make_parts
from ctxlab.workbench.planning import session

SMALL = ("model=tiny_bert", "data.documents=2", "data.validation_documents=1", "data.test_documents=0",
         "data.words_per_document=60", "data.evidence_distance=[16]", "tracking=none")  # fmt: skip


def test_documents_are_loaded_once_for_candidates_that_read_the_same(tmp_path):
    def documents(*words):
        parts = make_parts(compose("train", ["task=ner", *SMALL, *words]), tmp_path)
        return session._documents(parts, parts.task)

    try:
        one, same = documents("context=64", "strategy=chunk"), documents("context=128", "strategy=longformer")
        assert same is one
        for words in (("seed=2",), ("data.words_per_document=61",), ("data_seed=3",)):
            other = documents("context=64", "strategy=chunk", *words)
            assert other.train != one.train, words
    finally:
        session._LOADED.clear()
