"""Lay a synthetic haze over the example photograph: python train/make_example.py CLEAR HAZY

It shares nothing with the training generator: the depth is sketched by hand for this one picture (the
raccoon, which lies before leaves that recede to the top), the scattering model is the textbook's.
"""

import sys

import numpy as np
from PIL import Image

# (centre x, centre y, radius x, radius y, depth), far to near, in fractions of the picture
SKETCH = [
    (0.15, 0.25, 0.45, 0.40, 0.72),  # the back
    (0.45, 0.45, 0.30, 0.38, 0.60),  # the shoulder
    (0.68, 0.33, 0.24, 0.34, 0.45),  # the head
    (0.62, 0.52, 0.10, 0.12, 0.38),  # the muzzle
    (0.20, 0.75, 0.35, 0.35, 0.25),  # the leaves in front
]
BETA = 1.7
AIRLIGHT = 0.80, 0.83, 0.86


def depth(height, width):
    """Leaves receding from the bottom to the top, and soft-edged ellipses nearer than they are."""
    y, x = np.mgrid[:height, :width]
    y, x = (y + 0.5) / height, (x + 0.5) / width
    out = 0.15 + 0.85 * (1 - y) ** 0.7
    for cx, cy, rx, ry, near in SKETCH:
        r = np.hypot((x - cx) / rx, (y - cy) / ry)
        inside = 1 / (1 + np.exp((r - 0.9) / 0.04))
        out = out * (1 - inside) + np.minimum(out, near) * inside
    return out


def haze(clear, depth, beta=BETA, airlight=AIRLIGHT):
    t = np.exp(-beta * depth)[..., None]
    return clear * t + np.array(airlight) * (1 - t)


def main(source, target):
    clear = np.asarray(Image.open(source).convert("RGB")) / 255
    hazy = haze(clear, depth(*clear.shape[:2]))
    Image.fromarray((hazy * 255).round().astype(np.uint8)).save(target, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
