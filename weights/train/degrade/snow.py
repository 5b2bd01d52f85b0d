"""Snow: flakes of several sizes, out of focus, drawn out by their fall, partly transparent, and a thin veil."""

import numpy as np

from .camera import camera, line, scatter

LARGEST = 21  # pixels a side that a flake's picture may have


def snow(rng, clear, depth):
    if rng.random() < 0.04:
        return camera(rng, clear), clear  # a clear day must stay as it is
    picture = clear
    if rng.random() < 0.25:
        t = np.exp(-rng.uniform(0.05, 0.5) * (0.3 + 0.7 * depth))
        picture = picture * t + rng.uniform(0.65, 0.95) * (1 - t)
    wind, speed = rng.uniform(-1.3, 1.3), rng.uniform(0, 1.5)
    white = np.clip(rng.uniform(0.8, 1.0) + rng.normal(0, 0.012, 3), 0, 1)[:, None, None]
    for _ in range(rng.integers(1, 6)):
        cover = flakes(rng, depth.shape, wind + rng.normal(0, 0.15), speed)[None]
        picture = picture * (1 - cover) + white * cover
    return camera(rng, picture), clear


def flakes(rng, shape, angle, speed):
    """The opacity [h, w] of one layer: a few kinds of flake of about one size, many when small."""
    radius = np.exp(rng.uniform(np.log(0.6), np.log(6.5)))
    opacity = rng.uniform(0.35, 1.0)
    part = np.exp(rng.uniform(np.log(0.004), np.log(0.1)))  # of the picture under flakes
    out = np.zeros(shape, np.float32)
    for _ in range(kinds := rng.integers(1, 4)):
        size = radius * np.exp(rng.normal(0, 0.25))
        shape_of_one = flake(rng, size, angle, speed)
        count = rng.poisson(part * shape[0] * shape[1] / max(shape_of_one.sum(), 1) / kinds)
        seeds = np.zeros(shape, np.float32)
        weight = rng.uniform(0.5, 1.1, count)
        np.add.at(seeds, (rng.integers(0, shape[0], count), rng.integers(0, shape[1], count)), weight)
        if count:
            out += scatter(seeds, shape_of_one)
    return opacity * np.clip(out, 0, 1)


def flake(rng, size, angle, speed):
    """One flake's opacity [k, k], its peak 1: a ragged disc, soft by being out of focus, drawn out by its fall."""
    reach = min(int(2.2 * size + 2), LARGEST)
    y, x = np.mgrid[-reach:reach + 1, -reach:reach + 1].astype(np.float32)
    turn = np.arctan2(y, x)
    edge = size * (1 + sum(rng.normal(0, 0.12) * np.cos(k * turn + rng.uniform(0, 6.3)) for k in (2, 3, 5, 6)))
    softness = rng.uniform(0.15, 0.9) * size + 0.35
    one = 1 / (1 + np.exp(np.clip((np.hypot(y, x) - edge) / (0.5 * softness), -30, 30)))
    length = speed * size * rng.uniform(0.3, 1.5)
    if length > 1:
        one = scatter(one, line(min(length, reach), 1.0, angle, 2 * reach + 1))
    return np.clip(one / one.max(), 0, 1)
