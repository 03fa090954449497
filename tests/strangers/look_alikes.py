"""Pictures with copies of each that were changed in the ways of the web, and pictures that look alike and are others.

Writes them into the folder that it is given, and a line of JSON for each: `file`, the `scene` that it is of, the `kind`
of change, and hashes of the library `imagehash` in hexadecimal, by their names."""

import json
import random
import sys
from pathlib import Path

import imagehash
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

SCENES = 24
WIDTH, HEIGHT = 640, 480


def colour(chance):
    return tuple(chance.randrange(256) for _ in range(3))


def ground(chance):
    """A sky and a ground, or a wall, none of one colour."""
    left, right = Image.linear_gradient("L").resize((WIDTH, HEIGHT)), Image.radial_gradient("L").resize((WIDTH, HEIGHT))
    mask = chance.choice([left, right, left.rotate(180), ImageOps.flip(right)])
    return Image.composite(Image.new("RGB", (WIDTH, HEIGHT), colour(chance)), Image.new("RGB", (WIDTH, HEIGHT), colour(chance)), mask)


def shapes(image, chance, count, largest=0.3):
    draw = ImageDraw.Draw(image)
    for _ in range(count):
        wide, high = chance.uniform(0.03, largest) * WIDTH, chance.uniform(0.03, largest) * HEIGHT
        x, y = chance.uniform(-0.1, 1) * WIDTH, chance.uniform(-0.1, 1) * HEIGHT
        box = (x, y, x + wide, y + high)
        what = chance.randrange(4)
        if what == 0:
            draw.ellipse(box, fill=colour(chance))
        elif what == 1:
            draw.rectangle(box, fill=colour(chance))
        elif what == 2:
            draw.polygon([(x, y + high), (x + wide / 2, y), (x + wide, y + high)], fill=colour(chance))
        else:
            draw.line((x, y, x + wide, y + high), fill=colour(chance), width=chance.randrange(3, 18))
    return image


def grain(image, chance, strength):
    noise = Image.effect_noise(image.size, strength)
    return Image.merge("RGB", [Image.blend(band, noise, 0.12) for band in image.split()])


def scene(number):
    chance = random.Random(number)
    image = shapes(ground(chance), chance, chance.randrange(15, 45))
    return grain(image.filter(ImageFilter.GaussianBlur(1)), chance, 40)


def others(number):
    """Two that look alike and are not the same: what stands in one place stands elsewhere in the other."""
    for side in (0, 1):
        chance = random.Random(1000 + number)
        image = shapes(ground(chance), chance, 12, 0.2)
        # As two photographs of one place, or two cards of one printer.
        chance = random.Random(2000 + 2 * number + side)
        yield shapes(image, chance, 6, 0.25)


def watermark(image):
    marked = image.copy()
    draw = ImageDraw.Draw(marked, "RGBA")
    for row in range(0, HEIGHT, 160):
        draw.text((60, row + 40), "© PICTURES FOR SALE", fill=(255, 255, 255, 110), font_size=44)
    return marked


def crop(image, percent):
    across, down = round(image.width * percent / 200), round(image.height * percent / 200)
    return image.crop((across, down, image.width - across, image.height - down))


def scaled(image, factor):
    return image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS)


def noisy(image, strength):
    noise = Image.effect_noise(image.size, strength).convert("RGB")
    return Image.blend(image, noise, 0.25)


def gamma(image, power):
    return image.point([round(255 * (value / 255) ** power) for value in range(256)] * 3)


# Name, what is done, and how it is written.
CHANGES = [
    *((f"JPEG {quality}", lambda image: image, ("jpg", {"quality": quality})) for quality in (95, 75, 50, 20, 10, 5)),
    ("WebP 40", lambda image: image, ("webp", {"quality": 40})),
    *(
        (f"size × {name}", lambda image, factor=factor: scaled(image, factor), ("jpg", {"quality": 90}))
        for name, factor in (("2", 2), ("1/2", 0.5), ("1/4", 0.25), ("1/8", 0.125))
    ),
    *((f"noise {strength}", lambda image, strength=strength: noisy(image, strength), ("png", {})) for strength in (30, 80)),
    *(
        (f"blur {radius}", lambda image, radius=radius: image.filter(ImageFilter.GaussianBlur(radius)), ("png", {}))
        for radius in (2, 6)
    ),
    *((f"gamma {power}", lambda image, power=power: gamma(image, power), ("png", {})) for power in (0.5, 2.0)),
    ("grey", lambda image: image.convert("L"), ("png", {})),
    ("more contrast", lambda image: ImageEnhance.Contrast(image).enhance(1.6), ("png", {})),
    ("watermark", watermark, ("jpg", {"quality": 85})),
    *(
        (f"{name} border", lambda image, fill=fill: ImageOps.expand(image, 60, fill), ("jpg", {"quality": 85}))
        for name, fill in (("white", "white"), ("black", "black"))
    ),
    *((f"crop {percent} %", lambda image, percent=percent: crop(image, percent), ("png", {})) for percent in (2, 5, 10)),
    ("mirrored", ImageOps.mirror, ("png", {})),
    ("turned", lambda image: image.rotate(90, expand=True), ("png", {})),
]

folder = Path(sys.argv[1])


def tell(image, of, kind, extension, options):
    file = folder / f"{of}-{kind.replace(' ', '-').replace('/', '-')}.{extension}"
    image.save(file, **options)
    with Image.open(file) as image:
        hashes = {
            "imagehash.phash": str(imagehash.phash(image)),
            "imagehash.dhash": str(imagehash.dhash(image)),
        }
    print(json.dumps({"file": file.name, "scene": of, "kind": kind, "hashes": hashes}))


for number in range(SCENES):
    image = scene(number)
    tell(image, f"scene-{number:02}", "original", "png", {})
    for kind, change, (extension, options) in CHANGES:
        tell(change(image), f"scene-{number:02}", kind, extension, options)
    for side, image in enumerate(others(number)):
        tell(image, f"other-{number:02}-{side}", "original", "png", {})
