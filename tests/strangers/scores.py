"""Pictures that are more and more blurred, dark or compressed, and how sharp they are by OpenCV.

`FOLDER PICTURE...` writes them into the folder and prints a line of JSON for each: its name; the variance of the
Laplacian, the mean and the standard deviation of luma at 256 pixels of the longer side; and the JPEG quality that was
asked for, if one was.
"""

import json
import os
import sys

import cv2
import numpy

folder, pictures = sys.argv[1], sys.argv[2:]


def leaves():
    """Discs over one another, as in most pictures in all sizes."""
    random = numpy.random.default_rng(7)
    picture = numpy.zeros((768, 1024, 3), numpy.uint8)
    for leaf in range(400):
        centre = (int(random.integers(1024)), int(random.integers(768)))
        colour = [int(value) for value in random.integers(0, 256, 3)]
        cv2.circle(picture, centre, int(768 / (1.5 + leaf / 8)), colour, -1)
    return picture


def told(name, picture, quality=None):
    path = os.path.join(folder, name)
    cv2.imwrite(path, picture, [] if quality is None else [cv2.IMWRITE_JPEG_QUALITY, quality])
    grey = cv2.imread(path, cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION)
    scale = min(1, 256 / max(grey.shape))
    grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    mean, deviation = (float(value[0, 0]) for value in cv2.meanStdDev(grey))
    laplacian = float(cv2.Laplacian(grey, cv2.CV_64F).var())
    print(json.dumps({"name": name, "laplacian": laplacian, "mean": mean, "deviation": deviation, "quality": quality}))


sources = [leaves()] + [cv2.imread(path, cv2.IMREAD_COLOR) for path in pictures]
for number, source in enumerate(sources):
    longest = max(source.shape)
    for step, part in enumerate([0, 0.002, 0.004, 0.008, 0.016, 0.032]):
        blurred = cv2.GaussianBlur(source, (0, 0), part * longest) if part else source
        told(f"{number}-blur-{step}.png", blurred)
    for share in [0.5, 0.2]:
        told(f"{number}-dark-{share}.png", cv2.convertScaleAbs(source, alpha=share))
    for quality in [5, 25, 50, 75, 95]:
        told(f"{number}-{quality}.jpg", source, quality)
