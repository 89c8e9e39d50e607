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
