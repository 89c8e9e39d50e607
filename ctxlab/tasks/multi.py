"""Several tasks over one body: each batch is for one of them, and each has a head of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ctxlab.core.architecture import note_installed
from ctxlab.core.data import Record, Source
from ctxlab.core.errors import UserError
from ctxlab.core.task import HeadOf, Loss, Task
from ctxlab.core.task_hooks import Original
from ctxlab.core.types import Document, Encoded, IntArray, Merged, Prediction, Window
from ctxlab.tasks.forms.base import BaseTask
from ctxlab.tasks.records.member_records import PARTS, PROBES, kept_fields, member_names, merged_records
from ctxlab.text.language import checked

MEMBER = "member"
"""Field of a document with the name of the member that it is for, and of a prediction."""

OWN_CORPUS = frozenset({"topic", "sentiment"})
"""Members that the built-in corpus of the task itself is for; those of the others are the corpora of their tasks."""

HEADS = frozenset({"token_classification", "sequence_classification"})
"""Heads that share a body."""

ANSWERS_TOKENS = "token_classification"
"""Head that is asked where a pass names no member, because it has an output for every token."""

POOLS = "sequence_classification"
"""Head that the model is built with if there is one: some architectures pool within the body for it."""


@dataclass(frozen=True, slots=True)
class MemberAnswer:
    """The answer of one member, and how it is scored."""

    member: str
    metric: str
    primary: str
    lower_is_better: bool
    answer: Any


class Multi(BaseTask):
    """Learns several tasks with one model: hard sharing of all parameters but the heads (Caruana 1997,
    doi:10.1023/A:1007379606734).

    Every step is for one member, which is drawn by ``weights``; its loss is the member's own. A record is for the
    member that its ``member_field`` names, else for all of which it has gold. A document is read once for each of them.
    """

    name = "multi"
    metric = "multi"
    primary_metric = "mean"

    def __init__(
        self,
        members: Mapping[str, Any],
        weights: Mapping[str, float] | None = None,
        member_field: str = MEMBER,
        language: str | None = None,
    ) -> None:
        """Check and store the options.

        Args:
            members: The tasks, by name.
            weights: How often batches of a member are drawn; 1 for members that are not named.
            member_field: Field of a record with the name of its member, or a list of names.
            language: Two-letter code for language-specific rules; None guesses from the script.

        Raises:
            UserError: Members need different kinds of model, or a weight is not above 0.
        """
        super().__init__()
        if not members:
            raise UserError("task.members is empty: name some, as in task=multi task/members=[ner,classification].")
        self.members: dict[str, Task] = dict(members)
        self.shares = _checked_weights(weights or {}, list(self.members))
        self._member_field = member_field
        self.language = checked(language)
        self.kinds = _common_kinds(self.members)

    def _take_members(self, members: Mapping[str, Task]) -> None:
        """Adopt members in their final form; their notes are those of the task."""
        self.members = dict(members)
        for member in self.members.values():
            member.notes = self.notes
        goals = [member.lower_is_better for member in self.members.values()]
        self.lower_is_better = all(goals)
        heads = [member.head for member in self.members.values()]
        self.head = ANSWERS_TOKENS if ANSWERS_TOKENS in heads else heads[0]
        self._take_names()

    def _take_names(self) -> None:
        """Name all outputs, each with its member."""
        self.labels = [f"{name}: {label}" for name, one in self.members.items() for label in one.labels]

    def for_kind(self, kind: str) -> Any:
        """Return the task with its members in their forms for this kind of model.

        Raises:
            UserError: A member answers with something else than labels or a number.
        """
        if kind not in self.kinds:
            return self
        formed = {name: member.for_kind(kind) for name, member in self.members.items()}
        for name, member in formed.items():
            if member.head not in HEADS or member.generates or member.gathers or member.compares:
                raise UserError(
                    f"task.members.{name} (task={member.name}) does not answer with labels or a number from a head of "
                    "its own, which members of task=multi do: use ner, classification, nli or regression."
                )
        self._take_members(formed)
        return self

    def part(self, member: int) -> Task:
        """Return a member by its number."""
        return list(self.members.values())[member]

    def _own(self, document: Document) -> Task:
        return self.members[document.fields[MEMBER]]

    @property
    def _heads(self) -> list[HeadOf]:
        return [HeadOf(name, one.head, one.labels) for name, one in self.members.items()]

    @property
    def built(self) -> HeadOf:
        """Return the head that the model is built with: one that pools, if there is any."""
        return next((one for one in self._heads if one.head == POOLS), self._heads[0])

    @property
    def joined(self) -> Sequence[HeadOf]:
        """Return the heads of all members, where there are several."""
        return self._heads if len(self.members) > 1 else ()

    @property
    def encode_options(self) -> tuple[Any, ...]:
        """Return what determines the encoding of each member's documents."""
        return tuple((n, one.name, list(one.labels), *one.encode_options) for n, one in self.members.items())

    def take_note(self, note: Mapping[str, Any]) -> None:
        """Adopt the labels of a checkpoint's members.

        Raises:
            UserError: It has other members.
        """
        names = list(note.get("members", ()))
        if names != list(self.members):
            raise UserError(
                f"The checkpoint has the members {', '.join(names) or '(none)'}, not {', '.join(self.members)}: leave "
                "task/members= out, so that they are the run's own."
            )
        for member, labels in zip(self.members.values(), note["labels"], strict=True):
            member.labels = list(labels)
        self._take_names()

    def take_labels(self, names: Sequence[str]) -> None:
        """Refuse a model that was trained elsewhere: it lacks the heads."""
        del names
        raise UserError(
            "task=multi has a head for each member, which needs training: add run=<directory of a training run>."
        )

    def load(self, source: Source, split: str, seed: int) -> list[Record] | None:
        """Return the records of a split, each with what every member takes from it."""
        found = {}
        for name, member in self.members.items():
            corpus = self.name if source.invented and name in OWN_CORPUS else member.name
            found[name] = source.load(corpus, split, seed)
        if all(records is None for records in found.values()):
            return None
        return merged_records(found, self._gold_fields, self._member_field)

    @property
    def _gold_fields(self) -> dict[str, Sequence[str]]:
        return {name: member.gold_fields for name, member in self.members.items()}

    def admit(self, records: Sequence[Record], *, gold: bool) -> list[Record]:
        """Return the records with the parts that their members admit; those without any are left out."""
        whole = [one if PARTS in one.fields else self._divided(one, gold=gold) for one in records]
        kept: list[dict[str, Any]] = [{} for _ in whole]
        for name, member in self.members.items():
            places = [i for i, one in enumerate(whole) if name in one.fields[PARTS]]
            parts = [replace(whole[i], fields=whole[i].fields[PARTS][name]) for i in places]
            if not parts:
                continue
            place_of = {id(part): i for i, part in zip(places, parts, strict=True)}
            for part in member.admit(parts, gold=gold):
                kept[place_of[id(part)]][name] = part.fields
        return [
            replace(one, fields={**one.fields, PARTS: parts}) for one, parts in zip(whole, kept, strict=True) if parts
        ]

    def _divided(self, record: Record, *, gold: bool) -> Record:
        """Return a record that no source has divided with the parts of its members; of all where it names none."""
        if gold:
            return merged_records({name: [record] for name in self.members}, self._gold_fields, self._member_field)[0]
        names = member_names(record, self._member_field, list(self.members))
        parts = dict.fromkeys(names or self.members, record.fields)
        return replace(record, fields={**kept_fields(record), PARTS: parts})

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Check the part of each member; raises UserError as the member does."""
        if PARTS not in record:
            record = self._divided(Record(dict(record), origin), gold=gold).fields
        fields = {}
        for name, part in record[PARTS].items():
            probes = part.get(PROBES)
            own = {**part, PROBES: probes.get(name, [])} if isinstance(probes, Mapping) else part
            fields[name] = dict(self.members[name].parse(own, origin, gold=gold).fields)
        return Document(str(record.get("id", origin)), {PARTS: fields}, origin)

    def collect(self, documents: Sequence[Document]) -> None:
        """Let each member collect what it needs of its records."""
        for name, member in self.members.items():
            member.collect([_part(document, name) for document in documents if name in document.fields[PARTS]])

    def expand(self, document: Document) -> list[Document]:
        """Return the documents of every member that the record is for."""
        return [
            replace(one, id=f"{name}/{one.id}", fields={**one.fields, MEMBER: name})
            for name in document.fields[PARTS]
            for one in self.members[name].expand(_part(document, name))
        ]

    def _of(self, name: str, documents: Sequence[Document]) -> list[Document]:
        return [_inner(document) for document in documents if document.fields[MEMBER] == name]

    def learn_labels(self, documents: Sequence[Document]) -> None:
        """Fix the labels of each member from its training documents.

        Raises:
            UserError: A member has none.
        """
        for name, member in self.members.items():
            own = self._of(name, documents)
            if not own:
                raise UserError(
                    f"No training document is for the member {name}: give records with {_fields(member)}, or leave it "
                    "out of task/members=[…]."
                )
            member.learn_labels(own)
        self._take_names()

    def check_labels(self, documents: Sequence[Document]) -> None:
        """Check the gold of each member."""
        for name, member in self.members.items():
            member.check_labels(self._of(name, documents))

    def prepare(self, tokenizer: Any) -> None:
        """Let each member read what it needs."""
        for member in self.members.values():
            member.prepare(tokenizer)

    def install(self, model: Any) -> None:
        """Note the members and their labels in the config, from which a checkpoint is read again."""
        note = {"members": list(self.members), "labels": [list(one.labels) for one in self.members.values()]}
        note_installed(model.config, "task", note)

    def encode(self, documents: Sequence[Document], tokenizer: Any) -> list[Encoded]:
        """Return whole documents as their members encode them."""
        found: dict[int, Encoded] = {}
        for number, (name, member) in enumerate(self.members.items()):
            places = [i for i, document in enumerate(documents) if document.fields[MEMBER] == name]
            own = member.encode([_inner(documents[i]) for i in places], tokenizer) if places else []
            found |= {i: replace(one, member=number) for i, one in zip(places, own, strict=True)}
        return [found[i] for i in range(len(documents))]

    def resample(self, encoded: Encoded, seed: int) -> Encoded:
        """Return a training document as its member does."""
        return self.part(encoded.member).resample(encoded, seed)

    def training_windows(self, encoded: Encoded, read: Any) -> list[Window]:
        """Return the windows of a training document as its member does."""
        return self.part(encoded.member).training_windows(encoded, read)

    def gold_labels(self, encoded: Encoded) -> IntArray:
        """Return the gold of the document's member."""
        return self.part(encoded.member).gold_labels(encoded)

    def loss(self, outputs: torch.Tensor, labels: torch.Tensor) -> Loss:
        """Return the loss of the first member; those of the others are ``part(…).loss``."""
        return self.part(0).loss(outputs, labels)

    def reduce_outputs(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Reduce outputs as the first member does; the others are ``part(…).reduce_outputs``."""
        return self.part(0).reduce_outputs(outputs, labels)

    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """Return the answer of the document's member, as a ``MemberAnswer``."""
        own = self._own(document)
        found = own.decode(_inner(document), encoded, merged)
        answer = MemberAnswer(
            document.fields[MEMBER],
            metric=own.metric,
            primary=own.primary_metric,
            lower_is_better=own.lower_is_better,
            answer=found.answer,
        )
        return replace(found, id=document.id, answer=answer)

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """Return the member's line, with its name."""
        inner = _inner(document)
        line = self._own(document).record(inner, replace(prediction, id=inner.id, answer=prediction.answer.answer))
        return {"id": line["id"], MEMBER: document.fields[MEMBER], **line}

    def relocated(self, line: dict[str, Any], document: Document, original: Original) -> dict[str, Any]:
        """Return a line with the characters of the original, as the member does."""
        return self._own(document).relocated(line, _inner(document), original)


def _part(document: Document, name: str) -> Document:
    """Return what one member takes from a parsed record."""
    more = {key: value for key, value in document.fields.items() if key != PARTS}
    return replace(document, fields={**more, **document.fields[PARTS][name]})


def _inner(document: Document) -> Document:
    """Return a document as its member made it."""
    return replace(document, id=document.id.removeprefix(f"{document.fields[MEMBER]}/"))


def _fields(member: Task) -> str:
    return f"the field {' or '.join(member.gold_fields)}" if member.gold_fields else "its fields"


def _checked_weights(weights: Mapping[str, float], names: Sequence[str]) -> list[float]:
    """Return the weight of each member.

    Raises:
        UserError: One is not above 0, or for no member.
    """
    for name, weight in weights.items():
        if name not in names:
            raise UserError(f"task.weights.{name} is for no member: the members are {', '.join(names)}.")
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < np.inf:
            raise UserError(
                f"task.weights.{name}={weight} is not a number above 0: give one, or leave {name} out of "
                "task/members=[…]."
            )
    return [float(weights.get(name, 1.0)) for name in names]


def _common_kinds(members: Mapping[str, Task]) -> frozenset[str]:
    """Return the kinds of model that all members work with.

    Raises:
        UserError: There is none.
    """
    common = frozenset.intersection(*(frozenset(one.kinds) for one in members.values()))
    if not common:
        each = ", ".join(f"{name} {' or '.join(sorted(one.kinds))}" for name, one in members.items())
        raise UserError(f"task.members need different kinds of model ({each}): choose members that share one.")
    return common
