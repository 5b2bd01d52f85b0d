"""Defocus: each depth has its disc, nearer ones laid over farther ones, in linear light."""

import numpy as np

from .camera import camera, display, highlights, linear, spread

REACH = 8
LEVELS = 6


def defocus(rng, clear, depth):
    cut = slice(REACH, -REACH)
    wanted = clear[:, cut, cut]
    if rng.random() < 0.04:
        return camera(rng, wanted), wanted  # a sharp picture must stay so
    light = highlights(rng, linear(clear))
    aperture, focus = np.exp(rng.uniform(np.log(1.5), np.log(7))), rng.choice([0, 1, rng.uniform(0, 1)])
    if rng.random() < 0.3:
        blurred = spread(light, disc(rng, rng.uniform(0.7, 5.5)))
    else:
        blurred = layered(rng, light, depth, aperture, focus)
    return camera(rng, display(blurred)[:, cut, cut], often=0.5), wanted


def layered(rng, light, depth, aperture, focus):
    """From far to near: the circle of confusion grows with the distance from the plane in focus.

    A layer's colours are spread among themselves, and its cover counts what is nearer as solid, so that
    neighbouring layers meet without a gap; where it has nothing nearby it paints nothing.
    """
    depth = depth - depth.min()
    level = np.minimum((depth / (depth.max() + 1e-6) * LEVELS).astype(int), LEVELS - 1)
    sides, out = rng.choice([0, 6]), light
    for k in range(LEVELS)[::-1]:
        own = (level == k).astype(np.float32)
        if not own.any():
            continue
        planes = np.concatenate([light * own, own[None], (level <= k).astype(np.float32)[None]])
        radius = min(aperture * abs((k + 0.5) / LEVELS - focus), REACH - 1.5)
        if radius > 0.3:
            planes = spread(planes, disc(rng, radius, sides))
        nearby = np.clip(planes[3], 1e-4, None)
        cover = np.clip(planes[4], 0, 1) * np.clip(20 * nearby, 0, 1)
        out = out * (1 - cover) + np.clip(planes[:3], 0, None) / nearby * cover
    return out


def disc(rng, radius, sides=0):
    """A lens's opening, round or with blades, antialiased; some are brighter at the rim, some softer."""
    reach = int(np.ceil(radius)) + 1
    y, x = np.mgrid[-reach:reach + 1, -reach:reach + 1].astype(np.float32)
    r = np.hypot(y, x)
    if sides:
        angle = (np.arctan2(y, x) + 0.3) % (2 * np.pi / sides) - np.pi / sides
        r = r * np.cos(angle) / np.cos(np.pi / sides) * 0.95
    inside = np.clip(radius + 0.5 - r, 0, 1)
    rim = rng.uniform(-0.4, 0.3) * (rng.random() < 0.4)
    inside = inside * (1 + rim * (r / radius) ** 2)
    return inside / inside.sum()
