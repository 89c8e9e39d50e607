"""From token states to scores of relations between entities.

Shape legend: N mentions, E entities, D hidden size, S width of an entity's state, K blocks of b places (S = K · b),
R relations.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

NUM_DISTANCES = 32
"""Number of distance buckets: powers of two, head first or tail first."""

MENTIONS_AT_ONCE = 1024
"""Number of mentions of a long document whose distances to all others are in memory at once."""

HEADS_AT_ONCE = 64
"""Number of entities of a long document that are scored as heads at once."""

BIAS_SCALE = 10.0
"""Biases are stored divided by this factor, so that they learn fast at the learning rate of a pretrained encoder."""


@dataclass(frozen=True, slots=True, eq=False)
class Entities:
    """The entities of one document of which a mention was seen."""

    states: torch.Tensor
    """(E, S)"""
    types: torch.Tensor
    """(E,)"""
    distances: torch.Tensor
    """(E, E) distance bucket from head to tail."""

    def __len__(self) -> int:
        return len(self.types)


class PairClassifier(torch.nn.Module):
    """Pools mentions to entities and scores pairs by a grouped bilinear form (Zhou et al. 2021, section 3.1).

    Deviations are listed in ``tasks.relation.Relation``.
    """

    facts: torch.Tensor
    """Sorted hashes of the facts in the training documents (``records.mentions.fact_hashes``); a saved buffer."""

    def __init__(self, hidden_size: int, width: int, block: int, num_types: int, num_labels: int, facts: torch.Tensor):
        """Create the layers, with random weights.

        Args:
            hidden_size: Width of the model's states.
            width: Width of an entity's state (S).
            block: Width of the blocks of the bilinear form (b); divides ``width``.
            num_types: Entity types.
            num_labels: Relations (R).
            facts: Sorted hashes of the facts in the training documents.
        """
        super().__init__()
        self.mention = torch.nn.Linear(hidden_size, width)
        self.types = torch.nn.Embedding(num_types, width)
        self.head, self.tail = torch.nn.Linear(width, width), torch.nn.Linear(width, width)
        num_blocks = width // block
        bound = (width * block) ** -0.5
        self.bilinear = torch.nn.Parameter(
            torch.empty(num_blocks, block, block, num_labels + 1).uniform_(-bound, bound)
        )
        self.bias = torch.nn.Parameter(torch.zeros(num_labels + 1))
        self.type_bias = torch.nn.Parameter(torch.zeros(num_types, num_types, num_labels + 1))
        self.distance_bias = torch.nn.Parameter(torch.zeros(NUM_DISTANCES, num_labels + 1))
        self.register_buffer("facts", facts)

    def pool(self, mentions: torch.Tensor, owners: torch.Tensor, starts: torch.Tensor, types: torch.Tensor) -> Entities:
        """Pool mentions to entities by logsumexp, a smooth maximum.

        Args:
            mentions: (N, S) states of mentions.
            owners: (N,) entity of each mention.
            starts: (N,) first word of each mention.
            types: (E,) type of each entity.
        """
        index, shape = owners[:, None].expand_as(mentions), (len(types), mentions.shape[1])
        top = mentions.new_full(shape, -torch.inf).scatter_reduce(0, index, mentions.detach(), "amax")
        total = mentions.new_zeros(shape).scatter_add(0, index, (mentions - top[owners]).exp())
        return Entities(total.log() + top + self.types(types), types, distances(starts, owners, len(types)))

    def forward(self, entities: Entities, heads: slice = slice(None)) -> torch.Tensor:
        """Score some entities as heads and all as tails: (E', E, R + 1), the first score being the threshold's.

        The head is multiplied by the bilinear form first, so that no tensor has both E' · E pairs and the form's size.
        """
        num_blocks, block = self.bilinear.shape[:2]
        left = torch.tanh(self.head(entities.states[heads])).view(-1, num_blocks, block)  # (E', K, b)
        right = torch.tanh(self.tail(entities.states))  # (E, S)
        mixed = torch.einsum("ekb,kbcr->ekcr", left, self.bilinear).flatten(1, 2)  # (E', S, R + 1)
        bias = self.type_bias[entities.types[heads]][:, entities.types] + self.bias  # (E', E, R + 1)
        bias = bias + self.distance_bias[entities.distances[heads]]
        return torch.einsum("esr,fs->efr", mixed, right) + BIAS_SCALE * bias


def distances(starts: torch.Tensor, owners: torch.Tensor, num_entities: int) -> torch.Tensor:
    """Return (E, E) distance bucket between the nearest mentions of two entities.

    A bucket is twice the number of binary digits of the distance, plus one where the tail comes first.

    Args:
        starts: (N,) first word of each mention.
        owners: (N,) entity of each mention.
        num_entities: E.
    """
    largest = torch.iinfo(starts.dtype).max
    by_head = starts.new_full((num_entities, len(starts)), largest)
    for heads, own in zip(starts.split(MENTIONS_AT_ONCE), owners.split(MENTIONS_AT_ONCE), strict=True):
        apart = starts[None, :] - heads[:, None]  # (chunk of mentions, N)
        coded = 2 * apart.abs() + (apart < 0)  # the lowest bit is the direction
        by_head.scatter_reduce_(0, own[:, None].expand_as(coded), coded, "amin")
    columns = owners[None, :].expand_as(by_head)
    nearest = by_head.new_full((num_entities, num_entities), largest).scatter_reduce(1, columns, by_head, "amin")
    digits = torch.frexp((nearest // 2).double())[1].long()
    return (2 * digits + nearest % 2).clamp(max=NUM_DISTANCES - 1)


def adaptive_threshold(scores: torch.Tensor, gold: torch.Tensor) -> torch.Tensor:
    """Sum the loss of pairs, by which gold relations score above the threshold and all others below it.

    Source: Zhou et al. 2021, equation 6.

    Args:
        scores: (P, R + 1), the threshold's score first.
        gold: (P, R) bool.
    """
    threshold, rest = scores[:, :1], scores[:, 1:]
    above = torch.cat([threshold, rest.masked_fill(~gold, -torch.inf)], dim=1).logsumexp(dim=1, keepdim=True)
    below = torch.cat([threshold, rest.masked_fill(gold, -torch.inf)], dim=1).logsumexp(dim=1, keepdim=True)
    return F.relu(above - rest).masked_fill(~gold, 0).sum() + (below - threshold).sum()


def related(classifier: PairClassifier, entities: Entities, shift: float) -> list[tuple[int, int, int, float]]:
    """Return head, tail, relation and score minus threshold of each relation that is above the threshold of its pair.

    Args:
        classifier: Scores the pairs.
        entities: The E entities of a document.
        shift: What a score must be above the threshold.
    """
    found = []
    for start in range(0, len(entities), HEADS_AT_ONCE):
        scores = classifier(entities, slice(start, start + HEADS_AT_ONCE))  # (heads, E, R + 1)
        margin = (scores[..., 1:] - scores[..., :1]).cpu()  # (heads, E, R)
        for head, tail, label in (margin > shift).nonzero().tolist():
            if start + head != tail:
                found.append((start + head, tail, label, float(margin[head, tail, label])))
    return found
