"""Documents whose words, tags and places are known by hand."""

from typing import Any

from ctxlab.core.augmentation import Augmentation, changed
from ctxlab.core.task import Task
from ctxlab.core.types import Document
from ctxlab.tasks.classification import Classification
from ctxlab.tasks.ner import NER
from ctxlab.tasks.nli import NLI
from ctxlab.tasks.qa import QA
from ctxlab.tasks.relation import Relation
from ctxlab.tasks.summarization import Summarization
from ctxlab.tasks.translation import Translation

NAMES = {"PER": ("Ann Lee", "Bob", "Carla von Holt"), "LOC": ("Port Brisk", "Rome", "Oslo")}
"""Names by type, of one to three words."""

SENTENCES = (
    "the <PER> said that the big house in <LOC> was empty .",
    "it rained often and the streets were dark .",
    "<PER> quickly bought a large ship from <PER> .",
    "nobody answered the letter about the storm .",
    "in <LOC> the frightened children found an old lamp .",
)


def tagged(index: int, sentences: int = 6) -> dict[str, Any]:
    """A record for named entities; another one for each index."""
    tokens, tags, starts = list[str](), list[str](), list[int]()
    for place in range(sentences):
        starts.append(len(tokens))
        for number, word in enumerate(SENTENCES[(index + place) % len(SENTENCES)].split()):
            label = word.strip("<>")
            name = NAMES[label][(index + place + number) % 3].split() if label in NAMES else [word]
            tokens += name
            tags += [f"B-{label}", *[f"I-{label}"] * (len(name) - 1)] if label in NAMES else ["O"]
    return {
        "id": f"d{index}",
        "tokens": tokens,
        "tags": tags,
        "sentence_starts": starts,
        "global_words": [0, starts[1]],
    }


def related(index: int) -> dict[str, Any]:
    """A record for relations: the mentions of ``tagged``, each an entity, and relations between neighbours."""
    record = tagged(index)
    spans = NER().labelled_spans(NER().parse(record, "", gold=True))
    entities = [{"type": span.label, "mentions": [[span.start, span.end]]} for span in spans]
    facts = [{"head": place, "tail": place + 1, "label": "knows"} for place in range(len(spans) - 1)]
    return {**{k: record[k] for k in ("id", "tokens", "sentence_starts")}, "entities": entities, "relations": facts}


def written(index: int) -> str:
    """The text of ``tagged``."""
    return " ".join(tagged(index)["tokens"])


def asked(index: int) -> dict[str, Any]:
    """A record with a question, whose answer is the last name of the text."""
    text, record = written(index), tagged(index)
    span = NER().labelled_spans(NER().parse(record, "", gold=True))[-1]
    start = len(" ".join([*record["tokens"][: span.start], ""]))
    answer = " ".join(record["tokens"][span.start : span.end])
    assert text[start:].startswith(answer)
    return {
        "id": f"d{index}", "contexts": [text, "Another text begins here ."],
        "question": "who ?", "answers": [{"text": answer, "answer_start": start, "context": 0}],
    }  # fmt: skip


def ner(count: int = 4) -> tuple[NER, list[Document]]:
    task = NER()
    return task, [task.parse(tagged(index), f"line {index}", gold=True) for index in range(count)]


def relations(count: int = 4) -> tuple[Relation, list[Document]]:
    task = Relation()
    return task, [task.parse(related(index), f"line {index}", gold=True) for index in range(count)]


def questions(count: int = 4) -> tuple[QA, list[Document]]:
    task = QA()
    parsed = [task.parse(asked(index), f"line {index}", gold=True) for index in range(count)]
    return task, [one for document in parsed for one in task.expand(document)]


def texts(count: int = 4) -> tuple[Classification, list[Document]]:
    task = Classification()
    records = [{"id": f"d{i}", "text": written(i), "label": "ab"[i % 2]} for i in range(count)]
    return task, [task.parse(record, f"line {i}", gold=True) for i, record in enumerate(records)]


def premises(count: int = 4) -> tuple[NLI, list[Document]]:
    task = NLI()
    records = [
        {"id": f"d{i}", "premise": written(i), "hypothesis": "it rained .", "label": "ab"[i % 2]} for i in range(count)
    ]
    return task, [task.parse(record, f"line {i}", gold=True) for i, record in enumerate(records)]


def summaries(count: int = 4) -> tuple[Summarization, list[Document]]:
    task = Summarization()
    records = [{"id": f"d{i}", "document": written(i), "summary": "it rained ."} for i in range(count)]
    return task, [one for i, record in enumerate(records) for one in task.expand(task.parse(record, f"{i}", gold=True))]


def translations(count: int = 4) -> tuple[Translation, list[Document]]:
    task = Translation()
    records = [{"id": f"d{i}", "source": written(i), "target": "es regnete ."} for i in range(count)]
    return task, [task.parse(record, f"line {i}", gold=True) for i, record in enumerate(records)]


OF_ALL = {
    "ner": ner, "relation": relations, "qa": questions, "classification": texts, "nli": premises,
    "summarization": summaries, "translation": translations,
}  # fmt: skip
"""Task → its documents."""


def learned(augmentation: Augmentation, task: Task, documents: list[Document]) -> Augmentation:
    augmentation.learn(documents, task)
    return augmentation


def all_changed(augmentation: Augmentation, task: Task, documents: list[Document], epoch: int = 0) -> list[Document]:
    """The documents as an epoch sees them, after the augmentation has learned from them."""
    learned(augmentation, task, documents)
    return [changed(augmentation, document, task, 1, epoch) for document in documents]
