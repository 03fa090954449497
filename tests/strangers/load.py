"""What others read of exports: every format by the libraries that people load it with. The rows that it must
have stand in `rows.jsonl`, the pictures in `pictures`; the answer is one line of JSON, how many rows each
reader found as they should be."""

import csv
import io
import json
import os
import sys
from pathlib import Path

import duckdb
import pandas
import pyarrow.parquet
import webdataset
import yaml
from datasets import load_dataset
from PIL import Image

root = Path(sys.argv[1])
rows = [json.loads(line) for line in (root / "rows.jsonl").read_bytes().split(b"\n") if line]
by_hash = {row["sha256"]: row for row in rows}
found = {}


def pixels(image):
    return image.convert("RGB").size, image.convert("RGB").tobytes()


expected_pixels = {
    row["sha256"]: pixels(Image.open(root / "pictures" / Path(row["file_name"]).name)) for row in rows
}


def same(name, records, lacks=(), order=True):
    """Holds what a reader gives against the rows, all fields but those that it takes away."""
    records = list(records)
    if order:
        assert [record["sha256"] for record in records] == [row["sha256"] for row in rows], name
    assert len({record["sha256"] for record in records}) == len(rows) == len(records), name
    for record in records:
        row = by_hash[record["sha256"]]
        for field in set(row) - set(lacks):
            assert record[field] == row[field], (name, field, record[field], row[field])
        if image := record.get("image"):
            assert pixels(image) == expected_pixels[record["sha256"]], (name, row["file_name"])
    found[name] = len(records)


def plain(value):
    """None instead of what pandas has for it, and lists for its arrays."""
    if isinstance(value, float) and value != value:
        return None
    return value.tolist() if hasattr(value, "tolist") else value


def frame(table):
    return [{key: plain(value) for key, value in record.items()} for record in table.to_dict("records")]


def of_csv(record):
    """A field of CSV is text: none is empty, a list is JSON, numbers are digits."""
    lists = {key: json.loads(record[key]) for key in ("labels", "tags", "consent")}
    numbers = {key: int(record[key]) for key in ("width", "height", "size")}
    texts = {key: value if value not in ("", None) else None for key, value in record.items()}
    return texts | lists | numbers


def image_folder(folder):
    """The rule of torchvision's ImageFolder, by its documentation: classes are the folders, sorted, and their
    files with an extension of pictures are their samples."""
    extensions = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
    classes = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    if not classes:
        raise FileNotFoundError(folder)
    for name in classes:
        files = [
            os.path.join(place, file)
            for place, _, files in sorted(os.walk(os.path.join(folder, name), followlinks=True))
            for file in sorted(files)
            if file.lower().endswith(extensions)
        ]
        if not files:
            raise FileNotFoundError(name)
        yield from ((file, name) for file in files)


# Folders: what is beside the pictures is in nobody's way.
folder = str(root / "folder")
loaded = load_dataset("imagefolder", data_dir=folder, split="train")
same("datasets imagefolder", loaded, lacks=["file_name"], order=False)
same("datasets folder", load_dataset(folder, split="train"), lacks=["file_name"], order=False)
samples = list(image_folder(folder))
for file, name in samples:
    row = by_hash[Path(file).stem]
    assert row["file_name"] == f"{name}/{Path(file).name}", file
    assert pixels(Image.open(file)) == expected_pixels[row["sha256"]], file
found["ImageFolder"] = len(samples)

# Tables with pictures.
same("datasets parquet", load_dataset(str(root / "parquet"), split="train"))
tables = sorted((root / "parquet").glob("*.parquet"))
records = [record for table in tables for record in pyarrow.parquet.read_table(table).to_pylist()]
for record in records:
    image = record.pop("image")
    assert image["path"] == Path(record["file_name"]).name
    record["image"] = Image.open(io.BytesIO(image["bytes"]))
same("pyarrow parquet", records)
table = pandas.concat([pandas.read_parquet(table) for table in tables])
same("pandas parquet", frame(table.drop(columns="image")))
query = duckdb.sql(f"select * exclude (image), octet_length(image.bytes) as bytes from '{root}/parquet/*.parquet'")
records = [dict(zip(query.columns, record)) for record in query.fetchall()]
assert all(record["bytes"] == record["size"] for record in records)
same("duckdb parquet", records)
for table in tables:
    metadata = pyarrow.parquet.read_metadata(table)
    codecs = {metadata.row_group(0).column(index).compression for index in range(metadata.num_columns)}
    assert (metadata.created_by, codecs) == ("PixCrawler", {"UNCOMPRESSED"})

# Archives.
archives = sorted(str(path) for path in (root / "webdataset").glob("*.tar"))


def of_archive(sample):
    images = [value for key, value in sample.items() if isinstance(value, Image.Image)]
    assert len(images) == 1 and sample["json"].pop("key", sample["__key__"]) == sample["__key__"]
    return sample["json"] | {"image": images[0]}


loaded = webdataset.WebDataset(archives, shardshuffle=False).decode("pil")
same("webdataset", map(of_archive, loaded))
loaded = load_dataset(str(root / "webdataset"), split="train")
same("datasets webdataset", map(of_archive, loaded))
beside = sorted((root / "webdataset").glob("*.parquet"))
assert [path.stem for path in beside] == [Path(path).stem for path in archives]
records = [record for table in beside for record in pyarrow.parquet.read_table(table).to_pylist()]
assert [record.pop("key") for record in records] == [f"{index:09}" for index in range(len(rows))]
same("pyarrow webdataset", records)

# Label files.
with open(root / "csv/data.csv", encoding="utf-8", newline="") as file:
    same("csv", [of_csv(record) for record in csv.DictReader(file, strict=True)])
table = pandas.read_csv(root / "csv/data.csv", dtype=str, keep_default_na=False)
same("pandas csv", [of_csv(record) for record in table.to_dict("records")])
same("json", json.loads((root / "json/data.json").read_text(encoding="utf-8")))
same("datasets json", load_dataset(str(root / "json"), split="train"))
same("datasets jsonl", load_dataset(str(root / "jsonl"), split="train"))
text = (root / "yaml/data.yaml").read_text(encoding="utf-8")
same("yaml", yaml.safe_load(text))
same("yaml in C", yaml.load(text, yaml.CSafeLoader))
with open(root / "txt/data.txt", encoding="utf-8", newline="\n") as file:
    lines = [line.rstrip("\n").split("\t") for line in file]
assert lines == [[row["url"], " ".join(row["label"].replace("\t", "\n").split("\n"))] for row in rows]
found["txt"] = len(lines)

# Whom to name. A spreadsheet's apostrophe is before what it would take for a formula.
with open(root / "folder/attribution.csv", encoding="utf-8", newline="") as file:
    named = list(csv.DictReader(file, strict=True))
for record, row in zip(named, rows, strict=True):
    assert record["file"] == row["file_name"] and record["attribution"]
    for field in ("title", "creator", "license", "license_url", "source", "page_url", "url"):
        text = row[field] or ""
        assert record[field] == ("'" + text if text[:1] in "=+-@" and text else text), (field, record)
found["attribution"] = len(named)

# The head of a card.
for card in sorted(root.glob("*/README.md")):
    head = yaml.safe_load(card.read_text(encoding="utf-8").split("---\n")[1])
    assert head["size_categories"] == ["n<1K"], card
found["cards"] = len(list(root.glob("*/README.md")))

print(json.dumps(found))
