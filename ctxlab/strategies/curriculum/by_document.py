"""Each batch is as long as its documents need."""

from ctxlab.core.strategy import Curriculum


class ByDocument(Curriculum):
    """Documents of like length share a batch, over the whole epoch; batches come in random order.

    The context does not grow: what changes is that no batch is padded to, or planned for, more than its documents
    need. Source: bucketing by length as in Press et al. 2021 (arXiv:2012.15832) and many toolkits; deviation from
    ``constant``, which sorts within pools of some steps only and so keeps more chance in who meets whom.
    """

    sorts = True

    def length(self, progress: float, longest: int) -> int:
        """``longest`` at any progress; shorter documents fill shorter windows."""
        del progress
        return longest
