"""What others make of exports that are split, each in a folder of its own: pictures by part and label for each reader,
as one line of JSON."""

import json
import sys
from collections import Counter
from pathlib import Path

import mlcroissant
from datasets import load_dataset

root = Path(sys.argv[1])
found = {}


def count(name, parts):
    found[name] = {
        part: dict(sorted(Counter(record["label"] for record in records).items())) for part, records in parts.items()
    }


for name, arguments in (
    ("imagefolder", {"path": "imagefolder", "data_dir": str(root / "folder")}),
    ("folder", {"path": str(root / "folder")}),
    ("parquet", {"path": str(root / "parquet")}),
    ("jsonl", {"path": "json", "data_files": str(root / "jsonl/data.jsonl")}),
):
    loaded = load_dataset(**arguments)
    if name == "jsonl":
        loaded = {part: loaded["train"].filter(lambda record: record["split"] == part) for part in loaded["train"].unique("split")}
    else:
        for part, records in loaded.items():
            assert all(record["split"] == part and record["image"].size for record in records), (name, part)
    count(name, loaded)
loaded = load_dataset(str(root / "webdataset"))
count("webdataset", {part: [sample["json"] for sample in samples] for part, samples in loaded.items()})
def text(value):
    return value.decode() if isinstance(value, bytes) else value


for name in ("folder", "parquet", "jsonl"):
    described = mlcroissant.Dataset(jsonld=str(root / name / "croissant.json"))
    parts = {}
    for record in described.records("records"):
        fields = {key.split("/")[1]: value for key, value in record.items()}
        parts.setdefault(fields["split"].decode(), []).append({"label": fields["label"].decode()})
    count(f"croissant {name}", parts)
    names = [text(record["splits/split_name"]) for record in described.records("splits")]
    assert sorted(names) == sorted(parts), names
print(json.dumps(found))
