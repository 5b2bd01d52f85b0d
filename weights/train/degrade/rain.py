"""Rain: streaks at several depths, and the veil of the drops too far to be seen one by one."""

import numpy as np

from .camera import camera, line, scatter


def rain(rng, clear, depth):
    if rng.random() < 0.04:
        return camera(rng, clear), clear  # a dry day must stay as it is
    picture = clear
    if rng.random() < 0.25:
        picture = veil(rng, picture, depth)
    heavy = rng.random() < 0.45
    wind = rng.normal(0, 0.35)
    glow = np.zeros_like(depth)
    for _ in range(rng.integers(2, 6) if heavy else rng.integers(1, 4)):
        glow = glow + streaks(rng, depth.shape, wind + rng.normal(0, 0.35 if heavy else 0.08), heavy)
    strength = rng.uniform(0.5, 1.1) if heavy else rng.uniform(0.25, 1.0)
    glow = np.clip(glow, 0, 1) * strength
    light = np.clip(rng.uniform(0.75, 1.0) + rng.normal(0, 0.015, 3), 0, 1)[:, None, None]
    kind = rng.choice(3, p=[0.45, 0.2, 0.35])
    if kind == 0:
        picture = picture + glow * light  # additive, as in Rain100
    elif kind == 1:
        picture = 1 - (1 - picture) * (1 - glow * light)  # a screen, as painting programs lay it
    else:
        picture = picture * (1 - 0.85 * glow) + 0.85 * glow * light  # a drop also hides what it crosses
    return camera(rng, picture), clear


def streaks(rng, shape, angle, heavy):
    """One layer of like streaks [h, w] in 0..1: near ones long, wide and few; far ones short, fine and many."""
    near = rng.random()
    length = (5 + 40 * near) * np.exp(rng.normal(0, 0.35))
    width = (0.7 + 1.6 * near) * np.exp(rng.normal(0, 0.25))
    length = max(length, 2.5 * width)
    cover = np.exp(rng.uniform(np.log(0.02), np.log(0.35 if heavy else 0.12)))  # part of the picture under streaks
    seeds = np.zeros(shape, np.float32)
    count = rng.poisson(cover * shape[0] * shape[1] / (length * width)) + 1
    weight = np.exp(rng.normal(-0.4, 0.5, count))
    np.add.at(seeds, (rng.integers(0, shape[0], count), rng.integers(0, shape[1], count)), weight)
    side = 2 * int(length / 2 + width + 1) + 1
    streak = line(length, width, angle, side)
    if rng.random() < 0.3:  # painted rain: noise drawn out and hardened
        noise = scatter(rng.normal(0, 1, shape), streak)
        noise = (noise - noise.mean()) / (noise.std() + 1e-6)
        return np.clip((noise - rng.uniform(0.8, 2.2)) * rng.uniform(0.15, 0.6), 0, 1)
    if rng.random() < 0.3:
        reach = side // 2  # a drop wobbles as it falls, and its streak with it
        y = np.arange(-reach, reach + 1)[:, None] / length
        streak = streak * (1 + 0.5 * np.sin(rng.uniform(4, 25) * y + rng.uniform(0, 6)))
    return np.clip(scatter(seeds, streak), 0, 1)


def veil(rng, picture, depth):
    t = np.exp(-rng.uniform(0.05, 0.6) * (0.3 + 0.7 * depth))
    return picture * t + rng.uniform(0.5, 0.9) * (1 - t)
