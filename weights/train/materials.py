"""What scenes are made of: noise in several spectra, textures, colours, materials."""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

TILE = 512  # the side of a texture


# ---- noise and textures ------------------------------------------------------------------------------


def noise(rng, slope, stretch=1.0, size=TILE):
    """Periodic noise whose amplitude falls as 1/f^slope, stretched along x; zero mean, unit deviation."""
    fy, fx = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]
    f = np.hypot(fy, fx * stretch)
    f[0, 0] = 1
    phase = rng.uniform(0, 2 * np.pi, f.shape)
    return standard(np.fft.irfft2(np.exp(1j * phase) / f**slope, (size, size)))


def standard(x):
    return ((x - x.mean()) / (x.std() + 1e-6)).astype(np.float32)


def stripes(rng):
    y, x = np.mgrid[:TILE, :TILE]
    turns = rng.integers(4, 60, 2) * (rng.random(2) < 0.6)
    wave = np.sin(2 * np.pi * (turns[0] * x + (turns[1] or 8) * y) / TILE + rng.uniform(0, 1.5) * noise(rng, 1.5))
    return standard(np.tanh(wave * rng.uniform(0.5, 6)))


def masonry(rng):
    """Bricks, planks, tiles: a tone each, with joints."""
    h, w = rng.choice([8, 16, 32, 64]), rng.choice([16, 32, 64, 128])
    y, x = np.mgrid[:TILE, :TILE]
    row = y // h
    x = (x + (row % 2) * (w // 2)) % TILE
    tone = rng.normal(size=(TILE // h, TILE // w))[row, x // w]
    joint = (y % h < 2) | (x % w < 2)
    return standard(tone * rng.uniform(0.2, 1) + rng.choice([-3, 2]) * joint + 0.3 * noise(rng, 0.7))


def leaves(rng):
    """Thousands of small overlapping discs, seen from outside: leaves, gravel, a crowd."""
    out = noise(rng, 1.0)
    for r in np.clip(2 / rng.power(2, 5000), 2, rng.uniform(6, 22)):
        y0, x0 = rng.integers(0, TILE, 2)
        y, x = np.ogrid[-int(r):int(r) + 1, -int(r):int(r) + 1]
        squash, slant = rng.uniform(0.4, 1), rng.uniform(-0.5, 0.5)
        inside = ((x + slant * y) ** 2 + (y / squash) ** 2) < r * r
        patch = out[y0:y0 + len(y), x0:x0 + x.shape[1]]
        patch[inside[:patch.shape[0], :patch.shape[1]]] = rng.normal()
    return standard(out)


def ridges(rng):
    return standard(-np.abs(noise(rng, rng.uniform(1, 1.6))))


def blotches(rng):
    return standard(np.tanh(3 * noise(rng, rng.uniform(1, 1.8)) + rng.normal()))


def writing(rng):
    """Lines of random letters and digits, as on signs and pages."""
    letters = np.array(list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789      .,:-"))
    page = Image.new("L", (TILE, TILE))
    draw, y = ImageDraw.Draw(page), 0
    while y < TILE:
        size = int(np.exp(rng.uniform(np.log(10), np.log(56))))
        draw.text((0, y), "".join(rng.choice(letters, 2 * TILE // size)), 255, ImageFont.load_default(size))
        y += int(size * rng.uniform(1.1, 1.8))
    return standard(np.asarray(page) / 255 + 0.05 * noise(rng, 0.5))


@lru_cache
def bank():
    """One fixed set of textures for all seeds; each use cuts, turns and scales it anew."""
    rng = np.random.default_rng(7)
    plain = [noise(rng, a, s) for a in (0.0, 0.5, 0.8, 1.0, 1.2, 1.5, 1.9) for s in (1, 1, 6)]
    built = [make(rng) for make in (stripes, masonry, leaves, ridges, blotches, writing) for _ in range(5)]
    return plain + built


def sample(rng, y, x):
    """A random texture at the integer coordinates y, x (any shape that broadcasts)."""
    texture = bank()[rng.integers(len(bank()))]
    if rng.random() < 0.3:
        y, x = x, y
    oy, ox = rng.integers(0, TILE, 2)
    return texture[(y + oy) % TILE, (x + ox) % TILE]


# ---- colour and material -----------------------------------------------------------------------------


def hsv(h, s, v):
    k = (np.array([5.0, 3.0, 1.0]) + 6 * h) % 6
    return v * (1 - s * np.clip(np.minimum(k, 4 - k), 0, 1))


def colour(rng):
    """A surface's reflectance: mostly greens, earths and greys, now and then anything."""
    family = rng.choice(6, p=[0.27, 0.24, 0.27, 0.08, 0.08, 0.06])
    hue = [rng.uniform(0.17, 0.42), rng.normal(0.08, 0.03), rng.uniform(), rng.uniform(0.52, 0.66),
           rng.normal(0.0, 0.02), rng.uniform()][family]
    saturation = rng.beta(1.2, 8) if family == 2 else rng.beta(2.2, 2.2)
    return hsv(hue % 1, saturation, np.exp(rng.uniform(np.log(0.02), np.log(0.9)))).astype(np.float32)


class Palette:
    """A few colours that a scene keeps coming back to."""

    def __init__(self, rng):
        self.colours = [colour(rng) for _ in range(rng.integers(2, 10))]
        self.roughness = rng.uniform(0.2, 1.3)

    def pick(self, rng):
        base = self.colours[rng.integers(len(self.colours))] if rng.random() < 0.8 else colour(rng)
        return base * np.exp(rng.normal(0, 0.35)) * np.exp(rng.normal(0, 0.06, 3))


def material(rng, palette, y, x, detail=1.0):
    """Reflectance [3, ...] at texture coordinates y, x: one or two colours, a texture, some colour noise."""
    zoom = np.exp2(rng.uniform(-1.5, 1.5))
    y, x = (y * zoom).astype(np.int32), (x * zoom).astype(np.int32)
    base = palette.pick(rng)[:, None, None]
    tone = sample(rng, y, x) * detail
    if rng.random() < 0.35:
        mix = 1 / (1 + np.exp(-4 * (sample(rng, y, x) * detail + rng.normal())))
        base = base * (1 - mix) + palette.pick(rng)[:, None, None] * mix
    strength = palette.roughness * (0.1 + rng.exponential(0.45))
    if rng.random() < 0.4:
        tint = sample(rng, y, x) * detail
        tone = tone + rng.normal(0, 0.25, (3, 1, 1)) * tint
    return base * np.exp(np.clip(strength * tone, -3, 1.5))
