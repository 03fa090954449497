"""What `mlcroissant` makes of the descriptions of exports: each must be valid, and its records and pictures are
those of `rows.jsonl`, as far as it reads them. One line of JSON: rows by file and set of records."""

import json
import logging
import sys
from pathlib import Path

import mlcroissant
from PIL import Image

# It has much to say of what is only recommended.
logging.disable(logging.WARNING)
root = Path(sys.argv[1])
rows = [json.loads(line) for line in (root / "rows.jsonl").read_bytes().split(b"\n") if line]
by_hash = {row["sha256"]: row for row in rows}


def pixels(image):
    return image.convert("RGB").size, image.convert("RGB").tobytes()


expected_pixels = {row["sha256"]: pixels(Image.open(root / "pictures" / Path(row["file_name"]).name)) for row in rows}
found = {}
for file in sorted(root.glob("*/croissant*.json")):
    name = f"{file.parent.name}/{file.name}"
    dataset = mlcroissant.Dataset(jsonld=str(file))
    found[name] = {}
    images = set()
    for records in dataset.metadata.record_sets:
        try:
            read = list(dataset.records(records.uuid))
        except mlcroissant.GenerationError:
            # It reads archives only where their hashes are known, and no JSON in them.
            found[name][records.uuid] = None
            continue
        for record in read:
            fields = {key.split("/")[1]: value for key, value in record.items()}
            if "sha256" in fields:
                row = by_hash[fields["sha256"].decode()]
                assert fields["label"].decode() == row["label"], (name, fields)
                assert fields["url"].decode() == row["url"] and fields["width"] == row["width"], (name, fields)
                license = fields["license"] and fields["license"].decode()
                assert license == row["license"], (name, fields)
                if "image" in fields:
                    assert pixels(fields["image"]) == expected_pixels[row["sha256"]], (name, fields)
            elif "image" in fields:
                images.add(pixels(fields["image"]))
        found[name][records.uuid] = len(read)
    assert not images or images == set(expected_pixels.values()), name
print(json.dumps(found))
