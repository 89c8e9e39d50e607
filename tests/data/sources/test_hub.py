import datetime
import json

import datasets
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value

from ctxlab.core.errors import UserError
from ctxlab.data.sources.hub import Hub

FEATURES = Features(
    {
        "tokens": List(Value("string")),
        "tags": List(ClassLabel(names=["O", "B-X"])),
        "kind": ClassLabel(names=["u", "v"]),
    }
)


@pytest.fixture(autouse=True)
def quiet(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


@pytest.fixture
def folder(tmp_path):
    rows = Dataset.from_dict({"tokens": [["a", "b"], ["c"]], "tags": [[1, 0], [0]], "kind": [1, 0]}, features=FEATURES)
    path = tmp_path / "set"
    DatasetDict({"train": rows, "dev": rows.select([0])}).save_to_disk(str(path))
    return path


def test_class_numbers_become_names(folder):
    first, second = Hub(str(folder)).load("ner", "train", 1)
    assert first.fields == {"tokens": ["a", "b"], "tags": ["B-X", "O"], "kind": "v", "id": "set-train-0"}
    assert second.fields["tags"] == ["O"]


def test_splits_go_by_their_usual_names(folder):
    source = Hub(str(folder), max_documents=1)
    assert len(source.load("ner", "train", 1)) == 1
    assert [r.fields["tokens"] for r in source.load("ner", "validation", 1)] == [["a", "b"]]
    assert source.load("ner", "test", 1) is None


def test_a_folder_of_plain_files(tmp_path):
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "train.jsonl").write_text('{"tokens": ["a"], "tags": ["O"]}\n', encoding="utf-8")
    (record,) = Hub(str(folder)).load("ner", "train", 1)
    assert record.fields["tokens"] == ["a"]


def test_no_code_of_a_data_set_is_run(monkeypatch):
    calls = []
    monkeypatch.setattr(datasets, "load_dataset", lambda *a, **k: calls.append((a, k)) or DatasetDict())
    assert Hub("owner/name", "en").load("ner", "train", 1) is None
    assert calls == [(("owner/name", "en"), {})]


@pytest.mark.parametrize("error", [ConnectionError("no route\nto host"), FileNotFoundError("gone"), RuntimeError("x")])
def test_an_unreachable_hub_is_one_sentence(monkeypatch, error):
    def fail(*_args, **_options):
        raise error

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(UserError, match=r"'owner/name' cannot be loaded.*data\.train_file") as caught:
        Hub("owner/name").load("ner", "train", 1)
    assert "\n" not in str(caught.value)


def test_a_hub_without_a_path_is_refused():
    with pytest.raises(UserError, match=r"data\.path"):
        Hub(None)


def test_a_missing_folder_names_the_nearest_without_asking_the_hub(folder, monkeypatch):
    monkeypatch.setattr(datasets, "load_dataset", lambda *a, **k: pytest.fail("asked the hub"))
    with pytest.raises(UserError, match=r"sett does not exist \(the nearest folder is .*set\)"):
        Hub(f"{folder}t").load("ner", "train", 1)


def test_a_folder_that_is_no_data_set(tmp_path):
    with pytest.raises(UserError, match="does not load as a data set"):
        Hub(str(tmp_path)).load("ner", "train", 1)


DATED = [{"id": 12345678901234567890 + i, "text": "x", "label": f"2024-01-0{i + 1}"} for i in range(2)]


@pytest.mark.parametrize(
    "names",
    [
        {"train": "train.jsonl", "validation": "dev.jsonl"},
        {"train": "data/train-00000-of-00001.json", "validation": "data/validation-00000-of-00001.json"},
        {"train": "train/a.jsonl", "validation": "valid/a.jsonl"},
        {"train": "mine.train.jsonl", "validation": "mine.val.jsonl"},
    ],
)
def test_local_text_files_keep_long_ids_and_dates(tmp_path, names):
    """The library's own JSON reader fails on such ids, and turns such labels into dates."""
    for file in names.values():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("".join(json.dumps(row) + "\n" for row in DATED), encoding="utf-8")
    source = Hub(str(tmp_path))
    for split in names:
        records = source.load("classification", split, 1)
        assert [r.fields for r in records] == [{**row, "id": str(row["id"])} for row in DATED]
    assert source.load("classification", "test", 1) is None


def test_a_folder_of_columns_is_read_as_columns(tmp_path):
    (tmp_path / "train.conll").write_text("Ora B-PER\nran O\n\nTarn B-LOC\n")
    (tmp_path / "dev.iob2").write_text("Tarn B-LOC\n")
    source = Hub(str(tmp_path))
    (record,) = source.load("ner", "train", 1)
    assert record.fields["tokens"] == ["Ora", "ran", "Tarn"]
    assert [one.fields["tags"] for one in source.load("ner", "validation", 1)] == [["B-LOC"]]


def test_shards_of_a_split_are_one(tmp_path):
    for part, row in enumerate(DATED):
        (tmp_path / f"train-{part}.jsonl").write_text(json.dumps(row), encoding="utf-8")
    assert [r.fields["label"] for r in Hub(str(tmp_path)).load("classification", "train", 1)] == [
        "2024-01-01",
        "2024-01-02",
    ]


def test_numbers_that_are_no_class_and_dates_of_the_library(tmp_path):
    features = Features({"kind": ClassLabel(names=["u", "v"]), "day": Value("date32"), "at": Value("timestamp[s]")})
    rows = {
        "kind": [1, -1],
        "day": [datetime.date(2024, 1, 2)] * 2,
        "at": [datetime.datetime(2024, 1, 2), datetime.datetime(2024, 1, 2, 10)],
    }
    DatasetDict({"train": Dataset.from_dict(rows, features=features)}).save_to_disk(str(tmp_path / "set"))
    first, second = (r.fields for r in Hub(str(tmp_path / "set")).load("classification", "train", 1))
    assert (first["kind"], second["kind"]) == ("v", None)
    assert (first["day"], first["at"], second["at"]) == ("2024-01-02", "2024-01-02", "2024-01-02T10:00:00")


def test_formats_of_a_data_set_are_known(tmp_path):
    rows = Dataset.from_dict({"translation": [{"en": "a", "de": "b"}]})
    DatasetDict({"train": rows}).save_to_disk(str(tmp_path / "set"))
    source = Hub(str(tmp_path / "set"))
    (record,) = source.load("translation", "train", 1)
    assert (record.fields["source"], record.fields["target"]) == ("a", "b")
    assert "from en to de" in source.notes[0]
