"""Evidence at ten depths: a run that loses the end, or the middle, is found; one that reads all passes."""

import pytest

from ctxlab.audit.position import Position
from ctxlab.core.audit import LINES, Verdict
from ctxlab.core.types import Document
from tests.audit.simulated import LABELS, Simulated, noisy

SENTENCES = 20


def documents(count, seed=0):
    found = []
    for index in range(count):
        label = LABELS[(index + seed) % 2]
        evidence = f"The answer of case {seed} {index} is {label} ."
        others = [f"Sentence number {n} says nothing ." for n in range(SENTENCES - 1)]
        text = " ".join([*others[:4], evidence, *others[4:]])
        start = text.index(evidence)
        probes = [{"start": start, "end": start + len(evidence), "distance": 0}]
        found.append(Document(f"d{index}", {"text": text, "gold": (label,), "probes": probes}, f"line {index}"))
    return found


def losing(lost):
    """A run that is at chance where the evidence is at a depth that is ``lost``, else right but for some noise."""

    def answer(document, draw):
        text = document.fields["text"]
        depth = text[: text.index("The answer of")].count(" .") / (SENTENCES - 1)
        return LABELS[int(draw.integers(2))] if lost(depth) else noisy(0.1)(document, draw)

    return answer


def check(answer, seed=0, count=30, **options):
    return Position(**options).check(Simulated(documents(count, seed), answer, seed))


@pytest.mark.parametrize(
    ("lost", "contrast"),
    [(lambda depth: depth > 0.6, "trend from beginning to end"),
     (lambda depth: 0.3 < depth < 0.75, "ends against middle")],
    ids=["end", "middle"],
)  # fmt: skip
def test_a_run_that_loses_a_part_is_found_by_the_contrast_for_it(lost, contrast):
    finding = check(losing(lost))
    assert finding.verdict is Verdict.FOUND
    assert [one.name for one in finding.compared if one.is_found] == [contrast]


def test_a_run_that_reads_everything_passes():
    found = [check(noisy(0.2), seed, 20).verdict for seed in range(5)]
    assert found.count(Verdict.FOUND) <= 1


def test_a_trend_is_the_slope_of_the_line_through_ten_depths():
    finding = check(losing(lambda depth: False), depths=10)
    table = finding.tables[0]
    assert table.drawn == LINES
    assert [row[0] for row in table.rows] == ["0%", "11%", "22%", "33%", "44%", "56%", "67%", "78%", "89%", "100%"]
    values = [row[2] for row in table.rows]
    places = [n / 9 - 0.5 for n in range(10)]
    slope = sum(p * v for p, v in zip(places, values, strict=True)) / sum(p * p for p in places)
    assert finding.compared[0].first == pytest.approx(slope)
    assert finding.compared[1].difference == pytest.approx(
        sum(values[i] for i in (0, 1, 8, 9)) / 4 - sum(values[i] for i in (3, 4, 5, 6)) / 4
    )


def test_documents_without_evidence_or_too_short_are_named():
    plain = [Document(f"d{n}", {"text": "Rain . Sun . Fog .", "gold": ("no",)}, "") for n in range(20)]
    assert Position().check(Simulated(plain, noisy(0.1))).verdict is Verdict.NOT_APPLICABLE
    few = check(noisy(0.1), depths=40)
    assert few.verdict is Verdict.TOO_LITTLE
    assert "audit.position.depths" in few.sentence
    mixed = Position().check(Simulated([*documents(12), *plain[12:]], noisy(0.1)))
    assert mixed.notes == ["8 documents whose evidence is unknown, or that are too short, are left out."]
    with pytest.raises(ValueError, match="depths=3 has no middle"):
        Position(depths=3)
