"""What Hugging Face's `datasets` makes of a folder of `crawl`, as one line of JSON."""

import json
import sys

from datasets import load_dataset

folder = sys.argv[1]
pictures = load_dataset("imagefolder", data_dir=folder, split="train")
columns = sorted(pictures.features)
pictures = pictures.class_encode_column("label")
names = pictures.features["label"].names
labels = sorted(names[picture["label"]] for picture in pictures)
sizes = sorted({picture["image"].size for picture in pictures})
plain = load_dataset(folder, split="train")
print(json.dumps({"columns": columns, "labels": labels, "sizes": sizes, "plain": len(plain)}))
