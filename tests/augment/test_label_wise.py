"""Words of the same label, counted by hand."""

from collections import Counter

from ctxlab.augment.label_wise import LabelWise
from ctxlab.core.augmentation import changed
from tests.augment.documents import learned
from tests.augment.test_mention_swap import documents


def test_words_are_drawn_from_those_of_the_same_tag_as_often_as_they_occur():
    task, trained = documents()
    augmentation = learned(LabelWise(dose=1.0), task, trained)
    words = {
        tag: Counter(w for d in trained for w, t in zip(d.fields["tokens"], d.fields["tags"], strict=True) if t == tag)
        for tag in ("O", "B-P", "I-P", "B-L")
    }
    seen = [Counter() for _ in trained[0].fields["tokens"]]
    for epoch in range(1500):
        new = changed(augmentation, trained[0], task, 1, epoch).fields
        assert new["tags"] == trained[0].fields["tags"]
        for place, word in enumerate(new["tokens"]):
            seen[place][word] += 1
    for counts, own, tag in zip(seen, trained[0].fields["tokens"], trained[0].fields["tags"], strict=True):
        others = Counter({word: number for word, number in words[tag].items() if word != own})
        if not others:  # Rome and Lee are alone
            assert set(counts) == {own}
            continue
        assert set(counts) == set(others)
        for word, number in others.items():
            share = number / others.total()
            assert abs(counts[word] / 1500 - share) < 4.5 * (share * (1 - share) / 1500) ** 0.5 + 1e-9
