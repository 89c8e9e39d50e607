"""From token states to scores of relations between entities.

Shape legend: N mentions, E entities, D hidden size, S width of an entity's state, K blocks of b places (S = K · b),
R relations.
"""

import torch
import torch.nn.functional as F


class PairClassifier(torch.nn.Module):
    """Mentions pooled to entities, and a grouped bilinear form of two entities (Zhou et al. 2021, section 3.1).

    Deviations are said in ``tasks.relation.Relation``.
    """

    facts: torch.Tensor
    """Hashes of the facts that training stated, sorted (``tasks.mentions.fact_hashes``): they are saved with it."""

    def __init__(self, hidden_size: int, width: int, block: int, num_types: int, num_labels: int, facts: torch.Tensor):
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
        self.register_buffer("facts", facts)

    def pool(self, mentions: torch.Tensor, owners: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
        """Entities (E, S) of mentions (N, S), the entity of each (N,), and the type of each entity (E,).

        The logarithm of the summed exponentials: a smooth maximum, so that the mention that says most decides.
        """
        index, shape = owners[:, None].expand_as(mentions), (len(types), mentions.shape[1])
        top = mentions.new_full(shape, -torch.inf).scatter_reduce(0, index, mentions.detach(), "amax")
        total = mentions.new_zeros(shape).scatter_add(0, index, (mentions - top[owners]).exp())
        return torch.add(total.log() + top, self.types(types))

    def forward(self, heads: torch.Tensor, tails: torch.Tensor) -> torch.Tensor:
        """Scores (E, E', R + 1) of entities (E, S) as heads and (E', S) as tails; the first is the threshold's.

        Head and form are multiplied first, so that nothing as wide as the form is held for a pair.
        """
        num_blocks, block = self.bilinear.shape[:2]
        left = torch.tanh(self.head(heads)).view(-1, num_blocks, block)
        right = torch.tanh(self.tail(tails))
        mixed = torch.einsum("ekb,kbcr->ekcr", left, self.bilinear).flatten(1, 2)
        return torch.einsum("esr,fs->efr", mixed, right) + self.bias


def adaptive_threshold(scores: torch.Tensor, gold: torch.Tensor) -> torch.Tensor:
    """Summed loss of pairs: their relations are to score above the threshold, and all others below it.

    Zhou et al. 2021, equation 6.

    Args:
        scores: (P, R + 1), the threshold's first.
        gold: (P, R) bool.
    """
    threshold, rest = scores[:, :1], scores[:, 1:]
    above = torch.cat([threshold, rest.masked_fill(~gold, -torch.inf)], dim=1).logsumexp(dim=1, keepdim=True)
    below = torch.cat([threshold, rest.masked_fill(gold, -torch.inf)], dim=1).logsumexp(dim=1, keepdim=True)
    return F.relu(above - rest).masked_fill(~gold, 0).sum() + (below - threshold).sum()
