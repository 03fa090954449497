"""Pictures of every kind that Pillow writes, and what Pillow and LittleCMS make of them.

`make FOLDER` writes the pictures. `judge` reads a line of JSON for each picture that was made: `from`, `to`, and the
wish; it prints one with the sizes and modes of both and with the mean of the differences of their channels, alpha
multiplied in, and where there is alpha that of alpha, too.
"""

import io
import json
import os
import struct
import sys

import numpy
from PIL import Image, ImageCms, ImageOps

# A table that was made of a profile beforehand is less exact than the profile.
NOT_OPTIMISED = ImageCms.Flags.NOOPTIMIZE


def profile(space, tags, kind=b"mntr", pcs=b"XYZ ", version=0x02100000):
    """An ICC profile with these tags."""
    at = 128 + 4 + 12 * len(tags)
    table, data = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name + struct.pack(">II", at + len(data), len(content))
        data += content + b"\0" * (-len(content) % 4)
    head = struct.pack(">I4sI4s4s4s", at + len(data), b"test", version, kind, space, pcs)
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28 + struct.pack(">iii", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + table + data


def xyz(*values):
    return b"XYZ \0\0\0\0" + fixed(values)


def fixed(values):
    return struct.pack(f">{len(values)}i", *[round(value * 65536) for value in values])


def gamma(value):
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256))


def parametric(value):
    return b"para\0\0\0\0" + struct.pack(">HH", 0, 0) + fixed([value])


COMMON = {
    b"desc": b"desc\0\0\0\0" + struct.pack(">I", 2) + b"x\0" + b"\0" * 78,
    b"cprt": b"text\0\0\0\0none\0",
    b"wtpt": xyz(0.9642, 1, 0.8249),
}


def points(channels, side):
    """All points of a grid, the last channel fastest."""
    axes = numpy.meshgrid(*[numpy.linspace(0, 1, side)] * channels, indexing="ij")
    return numpy.stack(axes, -1).reshape(-1, channels)


def words(values, most=65535, kind=">u2"):
    return (numpy.asarray(values) * most).round().clip(0, most).astype(kind).tobytes()


def table(channels, side, function, bits):
    """An A2B table of 8 or 16 bits, with curves before its grid where it has 16."""
    head = (b"mft2" if bits == 16 else b"mft1") + b"\0\0\0\0" + bytes([channels, 3, side, 0])
    head += fixed([1, 0, 0, 0, 1, 0, 0, 0, 1])
    grid = function(points(channels, side))
    if bits == 8:
        ramp = bytes(range(256))
        return head + ramp * channels + words(grid * 65535 / 65280, 255, "u1") + ramp * 3
    curve = words(numpy.linspace(0, 1, 64) ** 1.3)
    return head + struct.pack(">HH", 64, 2) + curve * channels + words(grid) + words([0, 1]) * 3


def inks(grid):
    """Lab of four inks, as tables of 16 bits had it."""
    c, m, y, k = grid.T
    light = (1 - 0.30 * c - 0.45 * m - 0.08 * y) * (1 - 0.9 * k)
    red = 0.5 + (0.25 * m - 0.15 * c) * (1 - k)
    blue = 0.5 + (0.3 * y - 0.2 * c) * (1 - k)
    return numpy.stack([light, red, blue], -1) * 65280 / 65535


COLOURS = [[0.22, 0.19, 0.07], [0.11, 0.36, 0.03], [0.007, 0.05, 0.35]]


def mixed(grid):
    """XYZ of three colours of light."""
    return grid @ numpy.array(COLOURS).T


def curves_and_grid():
    """An A2B of version 4: curves, a grid, curves, a matrix, curves."""
    curves = [b"".join([parametric(value)] * 3) for value in (1.7, 1.0, 1.0)]
    grid = bytes([5, 5, 5] + [0] * 13) + bytes([2, 0, 0, 0]) + words(points(3, 5))
    grid += b"\0" * (-len(grid) % 4)
    matrix = fixed([*COLOURS[0], *COLOURS[1], *COLOURS[2], 0, 0, 0])
    parts, offsets, at = [curves[2], matrix, curves[1], grid, curves[0]], [], 32
    for part in parts:
        offsets.append(at)
        at += len(part)
    return b"mAB \0\0\0\0" + bytes([3, 3, 0, 0]) + struct.pack(">5I", *offsets) + b"".join(parts)


def wide():
    """The primaries of Adobe RGB."""
    colours = {b"rXYZ": xyz(0.60974, 0.31111, 0.01947), b"gXYZ": xyz(0.20528, 0.62567, 0.06087)}
    curves = {name: gamma(2.2) for name in (b"rTRC", b"gTRC", b"bTRC")}
    return profile(b"RGB ", {**COMMON, **colours, b"bXYZ": xyz(0.14919, 0.06322, 0.74457), **curves})


def press(bits):
    side = 9 if bits == 16 else 7
    return profile(b"CMYK", {**COMMON, b"A2B0": table(4, side, inks, bits)}, b"prtr", b"Lab ")


def scene(width, height):
    """Waves of every colour, with some noise."""
    y, x = numpy.mgrid[0:height, 0:width]
    red = 128 + 100 * numpy.sin(x / 23) + 20 * numpy.cos(y / 7)
    green = 128 + 90 * numpy.cos((x + y) / 31)
    blue = 150 * x / width + 60 * numpy.sin(y / 17) + 50
    noise = numpy.random.default_rng(1).normal(0, 4, (height, width, 3))
    return Image.fromarray((numpy.stack([red, green, blue], -1) + noise).clip(0, 255).astype("uint8"))


def make(folder):
    picture = scene(301, 202)

    def save(name, image, **how):
        image.save(os.path.join(folder, name), **how)

    for turn in range(1, 9):
        exif = Image.Exif()
        exif[0x112] = turn
        save(f"turn{turn}.jpg", picture, quality=92, exif=exif)
        save(f"turn{turn}.png", picture, exif=exif)
        save(f"turn{turn}.webp", picture, exif=exif, lossless=True)
    for sampling in range(3):
        save(f"sampling{sampling}.jpg", picture, quality=90, subsampling=sampling)
    save("progressive.jpg", picture, quality=90, progressive=True)
    save("restarts.jpg", picture, quality=90, restart_marker_rows=1)
    for mode, kind in [("L", "jpg"), ("CMYK", "jpg"), ("L", "png"), ("P", "png"), ("1", "png"), ("P", "gif")]:
        save(f"{mode}.{kind}", picture.convert(mode))
    save("packed.png", picture.quantize(8), bits=4)
    save("sixteen.png", Image.fromarray(numpy.asarray(picture.convert("L")).astype("uint16") * 257))
    see_through = picture.copy()
    ramp = numpy.mgrid[0:202, 0:301][1] * 255 // 300
    see_through.putalpha(Image.fromarray(ramp.astype("uint8")))
    save("alpha.png", see_through)
    save("grey-alpha.png", see_through.convert("LA"))
    save("alpha.webp", see_through, lossless=True)
    save("lossy.webp", picture, quality=85)
    save("lossy-alpha.webp", see_through, quality=85)
    palette = picture.convert("P")
    save("palette-alpha.png", palette, transparency=5)
    save("colour-key.png", picture, transparency=picture.getpixel((3, 3)))
    save("transparent.gif", palette, transparency=7)
    save("film.gif", palette, save_all=True, append_images=[palette.rotate(180)])

    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    tables = {b"A2B0": table(3, 17, mixed, 16)}
    for name, image, icc, how in [
        ("icc-wide.png", picture, wide(), {}),
        ("icc-wide.webp", picture, wide(), {"lossless": True}),
        ("icc-wide.jpg", picture, wide(), {"quality": 100, "subsampling": 0}),
        ("icc-srgb.png", picture, srgb, {}),
        ("icc-grey.png", picture.convert("L"), profile(b"GRAY", {**COMMON, b"kTRC": gamma(1.8)}), {}),
        ("icc-table.png", picture, profile(b"RGB ", {**COMMON, **tables}), {}),
        ("icc-curves.png", picture, profile(b"RGB ", {**COMMON, b"A2B0": curves_and_grid()}, version=0x04200000), {}),
        ("icc-press16.jpg", picture.convert("CMYK"), press(16), {"quality": 95}),
        ("icc-press8.jpg", picture.convert("CMYK"), press(8), {"quality": 95}),
    ]:
        save(name, image, icc_profile=icc, **how)


def in_srgb(image):
    """As LittleCMS and Pillow see it, upright, RGB or RGBA."""
    icc = image.info.get("icc_profile")
    image = ImageOps.exif_transpose(image)
    if image.mode == "I;16":
        image = Image.fromarray((numpy.asarray(image) // 257).astype("uint8"))
    if icc:
        here = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        there = ImageCms.createProfile("sRGB")
        # With the other intents it makes black of what profiles of version 4 have for black.
        intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
        return ImageCms.profileToProfile(image, here, there, intent, outputMode="RGB", flags=NOT_OPTIMISED)
    has_alpha = image.mode in ("LA", "RGBA", "PA") or "transparency" in image.info
    return image.convert("RGBA" if has_alpha else "RGB")


def expected(path, wish):
    with Image.open(path) as image:
        image = in_srgb(image)
    box = (wish["width"], wish["height"])
    if wish["fit"] == "keep-ratio":
        image = ImageOps.contain(image, box, Image.Resampling.LANCZOS)
    elif wish["fit"] == "center-crop":
        image = ImageOps.fit(image, box, Image.Resampling.LANCZOS)
    elif wish["fit"] == "border":
        inside = ImageOps.contain(image, box, Image.Resampling.LANCZOS)
        image = Image.new(image.mode, box, "white")
        image.paste(inside, ((box[0] - inside.width) // 2, (box[1] - inside.height) // 2))
    if wish["format"] == "jpeg" and image.mode == "RGBA":
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image)
        image = white.convert("RGB")
    if image.mode == "RGBA" and image.getextrema()[3] == (255, 255):
        image = image.convert("RGB")
    return image


def channels(image):
    values = numpy.asarray(image.convert("RGBA")).astype(float)
    values[..., :3] *= values[..., 3:] / 255
    return values if image.mode == "RGBA" else values[..., :3]


def judge():
    for line in sys.stdin:
        task = json.loads(line)
        theirs = expected(task["from"], task["wish"])
        with Image.open(task["to"]) as ours:
            ours.load()
            left = sorted(set(ours.info) & {"icc_profile", "exif", "xmp", "comment"})
            said = {"ours": [*ours.size, ours.mode], "theirs": [*theirs.size, theirs.mode], "left": left}
            if said["ours"] == said["theirs"]:
                said["mean"] = float(numpy.abs(channels(ours) - channels(theirs)).mean())
            print(json.dumps(said), flush=True)


if sys.argv[1] == "make":
    make(sys.argv[2])
else:
    judge()
