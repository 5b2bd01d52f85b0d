"""Thin things, of lines a pixel or a few wide: photographs are full of them, and a blur doubles or dissolves them.

Each kind gives lines for a box of a height and width: points [n, 2] as y and x in pixels, and a width in pixels.
"""

import numpy as np
from PIL import Image, ImageDraw

FINE = 4  # lines are drawn so much larger and then reduced: widths come out in steps of a quarter of a pixel


def drawn(height, width, lines):
    """Opacity [height, width] of lines."""
    sheet = Image.new("L", (FINE * width, FINE * height))
    draw = ImageDraw.Draw(sheet)
    for points, thick in lines:
        draw.line([(FINE * x, FINE * y) for y, x in points], 255, max(1, round(FINE * thick)))
    opaque = np.asarray(sheet, np.float32) / 255
    return opaque.reshape(height, FINE, width, FINE).mean((1, 3))


def tower(rng, height, width):
    """A lattice mast: two to four legs that come together, rungs and braces between them."""
    taper, thick = rng.uniform(0.1, 1), rng.uniform(0.8, 3)
    legs = np.linspace(-1, 1, rng.integers(2, 5))
    cells = rng.integers(4, 24)
    half = width * 0.45

    def at(row, side):
        share = row / cells
        return share * (height - 1), width / 2 + side * half * (taper + (1 - taper) * share)

    for side in legs:
        yield [at(0, side), at(cells, side)], thick * 1.5
    for row in range(cells):
        for a, b in zip(legs, legs[1:]):
            yield [at(row, a), at(row, b)], thick
            yield [at(row, a), at(row + 1, b)], thick
            yield [at(row, b), at(row + 1, a)], thick


def fence(rng, height, width):
    """Bars and rails, or a net; upright or aslant."""
    pitch, thick, slant = rng.uniform(5, 40, 2), rng.uniform(0.8, 5, 2), rng.uniform(-1, 1) * rng.integers(0, 2)
    for x in np.arange(-abs(slant) * height, width + abs(slant) * height, pitch[0]):
        yield [(0, x), (height, x + slant * height)], thick[0]
    for y in np.arange(0, height, pitch[1] * rng.choice([1, 5])):
        yield [(y, 0), (y, width)], thick[1]


def cables(rng, height, width):
    """Some that hang from edge to edge."""
    x = np.linspace(-1, 1, 24)
    for _ in range(rng.integers(1, 9)):
        ends, sag = rng.uniform(0, height, 2), rng.exponential(0.15) * height
        y = np.linspace(*ends, 24) + sag * (1 - x * x)
        yield list(zip(y, (x + 1) / 2 * width)), np.exp(rng.uniform(np.log(0.7), np.log(4)))


def twigs(rng, height, width):
    """Branches that fork and thin out."""
    spread = rng.uniform(0.2, 0.7)
    ends = [((height, width * rng.uniform(0.3, 0.7)), -np.pi / 2 + rng.normal(0, 0.2), 0.25 * height, rng.uniform(2, 9))]
    for _ in range(rng.integers(40, 250)):
        (y, x), angle, length, thick = ends.pop(0)
        bent = angle + rng.normal(0, 0.15)
        middle = y + 0.5 * length * np.sin(angle), x + 0.5 * length * np.cos(angle)
        tip = middle[0] + 0.5 * length * np.sin(bent), middle[1] + 0.5 * length * np.cos(bent)
        yield [(y, x), middle, tip], thick
        for side in rng.permutation([-1, 1]):
            ends.append((tip, bent + side * abs(rng.normal(spread, 0.2)), length * rng.uniform(0.6, 0.95), thick * 0.72))


def grass(rng, height, width):
    """Blades, hair, straw: many of about one length, swept about one way."""
    length, lean, thick = rng.uniform(0.1, 0.6) * height, rng.normal(0, 0.6), rng.uniform(0.6, 2)
    for _ in range(rng.integers(100, 900)):
        y, x = rng.uniform(0.1, 1.1) * height, rng.uniform(-0.1, 1.1) * width
        a, b = lean + rng.normal(0, 0.2, 2)
        own = length * rng.uniform(0.5, 1.2)
        middle = y - own / 2 * np.cos(a), x + own / 2 * np.sin(a)
        yield [(y, x), middle, (middle[0] - own / 2 * np.cos(b), middle[1] + own / 2 * np.sin(b))], thick


KINDS = tower, fence, cables, twigs, grass
