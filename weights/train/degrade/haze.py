"""Haze: light scattered out of the way and airlight into it."""

import numpy as np

from .camera import camera, spread


def haze(rng, clear, depth):
    """The scattering model J t + A (1 - t), t = exp(-beta d), in display values as RESIDE has it."""
    if rng.random() < 0.05:
        return camera(rng, clear), clear  # a clear day must stay as it is
    if rng.random() < 0.35:
        clear = background(rng, clear, depth)
    if rng.random() < 0.8:
        clear = deepen(rng, clear)
    clearest = np.exp(rng.uniform(np.log(0.06), np.log(0.6)))  # how much of the farthest thing is left
    veil = rng.uniform(0, 0.5) * (rng.random() < 0.6)  # haze that already lies before the nearest thing
    path = veil + (1 - veil) * depth
    if rng.random() < 0.3:
        path = path * (1 + 0.25 * drift(rng, depth.shape))
    t = clearest ** np.clip(path, 0, None)
    light = airlight(rng, depth.shape)
    if rng.random() < 0.15:  # mixed in linear light, as the air itself does
        hazy = (clear**2.2 * t + light**2.2 * (1 - t)) ** (1 / 2.2)
    else:
        hazy = clear * t + light * (1 - t)
    return camera(rng, hazy), clear


def background(rng, clear, depth):
    """What is far lies out of focus or in less light, as behind a portrait or in a room; else haze over smooth dark
    things would be met so seldom that it passes for a bright sky."""
    if rng.random() < 0.7:
        dim = 1 - rng.uniform(0.2, 0.9) * np.clip((depth - rng.uniform(0, 0.6)) * rng.uniform(2, 8), 0, 1)
        clear = clear * dim
    if rng.random() < 0.5:
        reach = int(rng.integers(2, 8))
        kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.float32) / (2 * reach + 1) ** 2
        soft = spread(spread(clear, kernel), kernel)
        beyond = np.clip((depth - rng.uniform(0.2, 0.8)) * 10, 0, 1)
        clear = clear + beyond * (soft - clear)
    return np.clip(clear, 0, 1).astype(np.float32)


def deepen(rng, clear):
    """Stronger colours and a lower black level.  Nearly every patch of a clear photograph has something dark or full of
    colour in it (the dark channel prior); scenes have it less often, and would teach to leave a part of the haze."""
    if rng.random() < 0.4:
        grey = clear.mean(0, keepdims=True)
        clear = (grey + rng.uniform(1, 1.8) * (clear - grey)).clip(0, 1)
    black = rng.random() * np.quantile(clear.min(0), rng.uniform(0.02, 0.6))
    return ((clear - black) / (1 - black)).clip(0, 1)


def airlight(rng, shape):
    """Bright, a little blue or warm, not quite even over the picture."""
    grey = rng.uniform(0.6, 1.0)
    tint = rng.normal(0, 0.025) * np.array([1, 0, -1]) + rng.normal(0, 0.008, 3)
    light = np.clip(grey + tint, 0.4, 1)[:, None, None] * np.ones(shape)
    if rng.random() < 0.4:
        light = light * (1 + 0.06 * drift(rng, shape))
    return np.clip(light, 0, 1)


def drift(rng, shape):
    """A slow change across the picture, within about -1..1."""
    y, x = (np.linspace(-1, 1, n) for n in shape)
    a = rng.normal(0, 0.5, 5)
    y, x = y[:, None], x[None]
    return a[0] * y + a[1] * x + a[2] * x * y + a[3] * np.sin(3 * x + a[4] * 6 + 2 * y)
