"""stub"""


def generate(*, split, seed, documents, words_per_document, ambiguous_share, evidence_distance):
    w = ["one two three .", "four five .", "six seven eight nine ."]
    return [
        {
            "id": f"g-{split}-{seed}-{i}",
            "source": " ".join(w[(i + j) % 3] for j in range(words_per_document // 4)),
            "target": " ".join(w[(i + j) % 3].upper() for j in range(words_per_document // 4)),
        }
        for i in range(documents)
    ]
