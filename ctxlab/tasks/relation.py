"""Relation extraction between the entities of a document, whose mentions are given or found by another run.

Shape legend: L tokens of a document, W tokens of a window, B windows of a batch, D hidden size, S width of an entity's
state, E entities, R relations.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch

from ctxlab.core.added_modules import attach
from ctxlab.core.architecture import hidden_size, installed, note_installed
from ctxlab.core.errors import UserError
from ctxlab.core.model import TASK_MODULE
from ctxlab.core.shape import LabelledSpan, Shape
from ctxlab.core.task import Loss
from ctxlab.core.task_hooks import FindMentions
from ctxlab.core.types import NO_LABEL, Document, Encoded, IntArray, Merged, Prediction
from ctxlab.tasks.forms.base import BaseTask
from ctxlab.tasks.forms.mention_labels import (
    Annotations,
    Tokens,
    by_document,
    enclosed,
    mention_labels,
    word_marks,
)
from ctxlab.tasks.forms.pair_classifier import Entities, PairClassifier, adaptive_threshold, related
from ctxlab.tasks.records.mentions import Answer, Fact, fact_hashes
from ctxlab.tasks.records.relation_records import RelationReader, check_known, merged, relation_line
from ctxlab.tasks.text.subwords import frame, needs_leading_space, split_words
from ctxlab.text.language import checked
from ctxlab.text.units import words

UNKNOWN = ("refuse", "miss")
"""Values of ``task.unknown_labels``: how gold relations without an output of the model are handled."""


class Relation(BaseTask):
    """Predicts all relations of each pair of entities, by an adaptive threshold.

    Source: ATLOP (Zhou et al. 2021, arXiv:2010.11304): a mention is the state of its first token, an entity the
    logsumexp of its mentions, a pair is scored by a grouped bilinear form, and an extra class learns the threshold of
    each pair, above which relations are predicted. Deviations:

    - No localised context pooling, as fast attention returns no weights. So a pair is represented by its two entities
      only, and the bilinear form is computed without a vector for each pair.
    - A mention's state is projected before mentions are pooled, so that little is stored per token.
    - The type of an entity is added to its state, and scores have a bias for the types of head and tail and one for the
      distance between their nearest mentions (the paper has none of these).
    - With ``markers=false`` mentions have no marker tokens; the paper has an asterisk on both sides, and
      ``knowledge=markers`` writes their types too.
    - All relations above the threshold are predicted; the paper's code predicts at most four. ``threshold_shift`` moves
      the threshold, as after short training it is too high: most pairs have no relation.

    Mentions are pooled across the windows of a document: all of them in prediction, and in training those in the same
    forward pass, where a mention in two overlapping windows counts twice. A mention is seen when its first token is. A
    pair with an entity without a seen mention is excluded from the loss and gets no relation.
    """

    name = "relation"
    record_fields = (("entities", "relations"), ("sents", "vertexSet"))
    head = "states"
    kinds = frozenset({"encoder"})
    metric = "relations"
    primary_metric = "f1"
    shape = Shape("tokens", sentences="sentence_starts", starts=("global_words",), entities="entities", typed=True)
    encloses_mentions = True
    relates = True

    def __init__(
        self,
        labels: Sequence[str] | None = None,
        tokens_field: str = "tokens",
        text_field: str = "text",
        entities_field: str = "entities",
        relations_field: str = "relations",
        width: int = 256,
        block: int = 64,
        markers: bool = False,
        unknown_labels: str = "refuse",
        threshold_shift: float = 0.0,
        mentions: str | None = None,
        language: str | None = None,
    ) -> None:
        """Check and store the options.

        Args:
            labels: All relations; None learns them from the training documents.
            tokens_field: Field of a record with its words.
            text_field: Field with plain text, for prediction.
            entities_field: Field with its entities.
            relations_field: Field with its relations.
            width: Width of an entity's state.
            block: Width of the blocks of the bilinear form; divides ``width``.
            markers: Whether an asterisk is inserted before and after every mention.
            unknown_labels: Gold relations with a label that is not in training: ``refuse`` or ``miss``.
            threshold_shift: Score above its pair's threshold that a relation needs.
            mentions: Directory of a run of ``task=ner`` that finds entities; None where records have them.
            language: Two-letter code for language-specific rules; None guesses from the script.
        """
        if unknown_labels not in UNKNOWN:
            raise UserError(f"task.unknown_labels={unknown_labels} is not one of {', '.join(UNKNOWN)}.")
        if block < 1 or width < 1 or width % block:
            raise UserError(f"task.block={block} does not divide task.width={width}: give a divisor, such as {width}.")
        super().__init__([] if labels is None else _checked_labels(labels))
        self.language = checked(language)
        self._reader = RelationReader(tokens_field, entities_field, relations_field, text_field)
        self._relations_field, self.mentions_run = relations_field, mentions
        self._find: FindMentions | None = None
        self._found: dict[int, list[dict[str, Any]]] = {}
        self._width, self._block, self.markers = width, block, markers
        self._unknown_labels, self._threshold_shift = unknown_labels, threshold_shift
        self._types: list[str] | None = None
        self._facts: IntArray | None = None
        self._annotations = Annotations()
        self._module: PairClassifier | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without weights, for processes that tokenize."""
        return {**self.__dict__, "_module": None, "_annotations": Annotations(), "_find": None, "_found": {}}

    @property
    def encode_options(self) -> tuple[Any, ...]:
        """Return what is written around mentions."""
        return (self.markers,) if self.enclose is None else (self.markers, self.enclose.key)

    def parse(self, record: Mapping[str, Any], origin: str, *, gold: bool) -> Document:
        """Check words, entities and relations of a record; with ``gold=False`` no relations are needed."""
        finds = self.mentions_run is not None
        fields = self._reader.read(record, origin, gold=gold, finds=finds)
        if gold:
            fields["key"] = self._annotations.remember(fields, origin)
        return Document(str(record.get("id", origin)), fields, origin)

    def take_mentions(self, find: FindMentions) -> None:
        """Find entities by ``find`` where documents have none, and where they are scored beside given ones."""
        self._find = find

    def collect(self, documents: Sequence[Document]) -> None:
        """Find the entities of all documents that lack them or have gold relations."""
        if self._find is None:
            return
        wanted = [one for one in documents if "entities" not in one.fields or "relations" in one.fields]
        if (self.markers or self.enclose is not None) and any("relations" in one.fields for one in wanted):
            raise UserError(
                "task.mentions cannot be scored beside given entities by a run that writes markers around these: "
                "predict with it, or train with task.markers=false and without knowledge=markers."
            )
        spans = self._find([one.fields["tokens"] for one in wanted])
        for one, found in zip(wanted, spans, strict=True):
            self._found[id(one)] = merged(one.fields["tokens"], found)

    def expand(self, document: Document) -> list[Document]:
        """Return the document, with the entities that were found in it: its own, or beside given ones."""
        found = self._found.pop(id(document), None)
        if found is None:
            return [document]
        name = "found" if "entities" in document.fields else "entities"
        return [replace(document, fields={**document.fields, name: found})]

    def labelled_spans(self, document: Document) -> list[LabelledSpan]:
        """Return the mentions of all entities in order, which may overlap, with the types of their entities."""
        found = [
            LabelledSpan(start, end, entity["type"])
            for entity in document.fields["entities"]
            for start, end in entity["mentions"]
        ]
        return sorted(found, key=lambda span: (span.start, span.end))

    def renew(self, document: Document) -> Document:
        """Return a changed document with the key under which the loss finds its entities."""
        if "key" not in document.fields:
            return document
        key = self._annotations.remember(document.fields, document.origin)
        return replace(document, fields={**document.fields, "key": key})

    def learn_labels(self, documents: Sequence[Document]) -> None:
        """Fix relations (unless ``labels`` were given), entity types, and the facts of the training documents.

        Raises:
            UserError: The training documents have no relation.
        """
        self._types = sorted({entity["type"] for document in documents for entity in document.fields["entities"]})
        hashes = {h for document in documents for fact in document.fields["relations"]
                  for h in fact_hashes(document.fields, fact)}  # fmt: skip
        self._facts = np.array(sorted(hashes), dtype=np.int64)
        if self.labels:
            return
        self.labels = sorted({label for document in documents for _, _, label in document.fields["relations"]})
        if not self.labels:
            raise UserError(
                f"The {len(documents)} training documents have no relation: check '{self._relations_field}'."
            )

    def check_labels(self, documents: Sequence[Document]) -> None:
        """Raise UserError for gold relations without an output of the model, or note that they count as missed."""
        missed = check_known(
            documents, self.labels, field=self._relations_field, refuses=self._unknown_labels == "refuse"
        )
        if missed:
            self.notes.append(
                f"{missed} of the relations of {len(documents)} documents have a label that is not in training, "
                "and count as missed."
            )

    def install(self, model: Any) -> None:
        """Attach the pair classifier; the config of a checkpoint has the types and the number of facts of training."""
        saved = installed(model.config, "task")
        if self._types is None:
            self._types = list(saved.get("types", ()))
            self._facts = np.zeros(saved.get("facts", 0), dtype=np.int64)
        assert self._facts is not None
        # The first row is for types that do not occur in training.
        sizes = (hidden_size(model), self._width, self._block, len(self._types) + 1, len(self.labels))
        self._module = PairClassifier(*sizes, torch.from_numpy(self._facts.copy())).train(model.training)
        attach(model, TASK_MODULE, self._module)
        note_installed(model.config, "task", {"types": self._types, "facts": len(self._facts)})

    @property
    def classifier(self) -> Any:
        """Return the ``PairClassifier`` of the installed model."""
        assert self._module is not None
        return self._module

    def encode(self, documents: Sequence[Document], tokenizer: Any) -> list[Encoded]:
        """Return whole documents as token ids; the label of a mention's first token is its document's key and word.

        With ``markers`` there is an asterisk before and after every mention, which belongs to the word next to it, and
        with ``enclose`` what that writes.
        """
        before, after = frame(tokenizer)
        leading_space = needs_leading_space(tokenizer)
        encoded = []
        for document in documents:
            subwords = split_words(tokenizer, document.fields["tokens"], leading_space=leading_space)
            input_ids, word_ids = subwords.input_ids, subwords.word_ids
            if self.markers or self.enclose is not None:
                around = partial(self._around, tokenizer, leading_space=leading_space)
                input_ids, word_ids = enclosed(input_ids, word_ids, document.fields["entities"], around)
            labels = mention_labels(word_ids, document.fields)
            encoded.append(
                Encoded(
                    input_ids,
                    word_ids,
                    labels=labels,
                    before=before,
                    after=after,
                    marks=word_marks(word_ids, document.fields),
                )
            )
        return encoded

    def _around(self, tokenizer: Any, kind: str, *, leading_space: bool) -> tuple[Tokens, Tokens]:
        """Return the tokens before and after the mentions of an entity of type ``kind``: an asterisk by default."""
        if self.enclose is None:
            mark = tokenizer("*", add_special_tokens=False, verbose=False)["input_ids"][-1:]
            return tuple(mark), tuple(mark)
        before, after = (
            tuple(split_words(tokenizer, words(text), leading_space=leading_space).input_ids.tolist()) if text else ()
            for text in self.enclose(kind)
        )
        return before, after

    def loss(self, outputs: torch.Tensor, labels: torch.Tensor) -> Loss:
        """Return the adaptive-threshold loss summed over pairs of seen entities, in fp32.

        Outputs (B, W, D), labels (B, W).
        """
        found = labels != NO_LABEL
        states = self._mentions(outputs[found])  # (N, S)
        total = states.sum() * 0.0
        pairs = 0
        for key, rows, places in by_document(labels[found].tolist()):
            known = self._annotations[key]
            entities, numbers = self._entities(states[rows], places, known.owners, known.types)
            apart = ~torch.eye(len(numbers), dtype=torch.bool, device=states.device)
            gold = self._gold(known.relations, numbers).to(states.device)
            total = total + adaptive_threshold(self.classifier(entities)[apart], gold[apart])
            pairs += int(apart.sum())
        return Loss(total, total.new_tensor(float(pairs)))

    def _entities(
        self, states: torch.Tensor, places: Sequence[int], owners: Mapping[int, Sequence[int]], types: Sequence[str]
    ) -> tuple[Entities, list[int]]:
        """Pool mentions to entities; returns these and their indices in the document.

        Args:
            states: (N, S) states of mentions.
            places: (N,) first word of each mention.
            owners: First word of a mention to the entities that it belongs to.
            types: Type of each entity of the document.
        """
        mentions = [(row, entity) for row, place in enumerate(places) for entity in owners[place]]
        numbers = sorted({entity for _, entity in mentions})
        index = {entity: i for i, entity in enumerate(numbers)}
        rows = torch.tensor([row for row, _ in mentions], device=states.device)
        own = torch.tensor([index[entity] for _, entity in mentions], device=states.device)
        known = {name: i for i, name in enumerate(self._types or (), start=1)}
        kinds = torch.tensor([known.get(types[entity], 0) for entity in numbers], device=states.device)
        starts = torch.tensor([places[row] for row, _ in mentions], device=states.device)
        pooled: Entities = self.classifier.pool(states[rows], own, starts, kinds)
        return pooled, numbers

    def _gold(self, relations: Sequence[Fact], numbers: Sequence[int]) -> torch.Tensor:
        """Return (E, E, R) bool: the gold relations between the entities with indices ``numbers``."""
        index = {entity: i for i, entity in enumerate(numbers)}
        known = {label: i for i, label in enumerate(self.labels)}
        gold = torch.zeros(len(numbers), len(numbers), len(self.labels), dtype=torch.bool)
        for head, tail, label in relations:
            if head in index and tail in index and label in known:
                gold[index[head], index[tail], known[label]] = True
        return gold

    def reduce_outputs(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Project hidden states (B, W, D) to mention states (B, W, S)."""
        del labels
        return self._mentions(outputs)

    def _mentions(self, outputs: torch.Tensor) -> torch.Tensor:
        """Project hidden states (…, D) to (…, S) in the precision of the weights: fp32, or fp64 in some checks."""
        mentions: torch.Tensor = self.classifier.mention(outputs.to(self.classifier.bias.dtype))
        return mentions

    @torch.inference_mode()
    def decode(self, document: Document, encoded: Encoded, merged: Merged) -> Prediction:
        """Return the ``Answer`` from all mentions; ``seen`` is for each gold relation whether both entities were seen.

        An entity is seen where one of its mentions is.
        """
        gold = document.fields.get("relations", ())
        relations, scores, seen = self._between(document.fields["entities"], encoded, merged)
        found = document.fields.get("found")
        beside = None if found is None else tuple(self._between(found, encoded, merged)[0])
        known = tuple(self._is_known(document, fact) for fact in gold)
        answer = Answer(tuple(relations), tuple(scores), known, beside)
        return Prediction(document.id, answer, [head in seen and tail in seen for head, tail, _ in gold])

    def _between(
        self, entities: Sequence[Mapping[str, Any]], encoded: Encoded, merged: Merged
    ) -> tuple[list[Fact], list[float], set[int]]:
        """Return the relations between entities with their scores, and the entities that were seen."""
        first = np.flatnonzero(np.diff(encoded.word_ids, prepend=-1))
        owners: dict[int, list[int]] = {}
        for index, entity in enumerate(entities):
            for start, _ in entity["mentions"]:
                if merged.seen[first[start]]:
                    owners.setdefault(start, []).append(index)
        if not owners:
            return [], [], set()
        device = self.classifier.bias.device
        states = torch.from_numpy(merged.outputs[first[list(owners)]]).to(device)
        pooled, numbers = self._entities(states, list(owners), owners, [entity["type"] for entity in entities])
        return (*self._above(pooled, numbers), {entity for own in owners.values() for entity in own})

    def _above(self, entities: Entities, numbers: Sequence[int]) -> tuple[list[Fact], list[float]]:
        """Return the relations that score above the threshold of their pair, and their scores minus the threshold."""
        found = related(self.classifier, entities, shift=self._threshold_shift)
        relations = [(numbers[head], numbers[tail], self.labels[label]) for head, tail, label, _ in found]
        return relations, [score for *_, score in found]

    def _is_known(self, document: Document, fact: Fact) -> bool:
        """Whether the model's training documents have the fact between entities of the same names."""
        known = self.classifier.facts.cpu().numpy()
        hashes = np.fromiter(fact_hashes(document.fields, fact), dtype=np.int64)
        places = np.searchsorted(known, hashes)
        return bool((known[np.minimum(places, len(known) - 1)] == hashes).any()) if len(known) else False

    def record(self, document: Document, prediction: Prediction) -> dict[str, Any]:
        """Return the entities with the name of their first mention, and the relations by their indices."""
        return relation_line(document, prediction.answer)


def _checked_labels(labels: Sequence[str]) -> list[str]:
    given = list(labels)
    if not given or len(set(given)) != len(given) or not all(isinstance(name, str) and name for name in given):
        raise UserError(f"task.labels={given} is empty, repeats a relation or has one without a name: list each once.")
    return given
