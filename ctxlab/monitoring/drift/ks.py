"""The test of Kolmogorov and Smirnov on every so many documents."""

from scipy.stats import ks_2samp

from ctxlab.core.monitoring import Reference, State
from ctxlab.monitoring.charts.windows import Windows, compared


class Ks(Windows):
    """The largest difference of the distribution functions of a figure, with its exact p-value by scipy.

    It compares figures; predicted labels have no order, and are left to ``drift=psi`` and ``drift=cusum``.
    """

    def compare(self, values: State, reference: Reference, probability: float) -> list[tuple[str, float, float, str]]:
        """Test each figure; the probability is shared among them (Bonferroni). The value is 1 - p."""
        names = compared(values, reference)
        found = []
        for name in names:
            test = ks_2samp(reference.figures[name], values[name])
            if test.pvalue < probability / len(names):
                sentence = f"{name}: distributed otherwise (D = {test.statistic:.2f}, p = {test.pvalue:.1e})"
                found.append((name, 1 - float(test.pvalue), 1 - probability / len(names), sentence))
        return found
