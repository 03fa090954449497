"""What Pillow says of each picture below the folders: a line of JSON for each file, with its format by its
first bytes, and why it cannot be shown whole, if it cannot. Only the first frame counts, as browsers show it
when a later one is broken."""

import json
import os
import sys
import warnings

from PIL import Image

warnings.simplefilter("ignore")
Image.MAX_IMAGE_PIXELS = None


def kind(head):
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    return None


def wrong(path):
    try:
        with Image.open(path) as image:
            image.load()
    except Exception as error:  # whatever it is, it shows nothing
        return f"{type(error).__name__}: {error}"
    return None


for folder in sys.argv[1:]:
    for at, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(at, name)
            with open(path, "rb") as file:
                format = kind(file.read(16))
            if format:
                print(json.dumps({"path": path, "format": format, "wrong": wrong(path)}), flush=True)
