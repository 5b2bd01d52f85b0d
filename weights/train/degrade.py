"""What spoils a picture: one function a task.

Each takes (rng, clear, depth), clear [3, h, w] in 0..1 and depth [h, w] in 0..1 (1 is farthest), both
float32, and returns (degraded, wanted), the network's input and what it should make of it.
"""

import io

import numpy as np
from PIL import Image


def haze(rng, clear, depth):
    """The scattering model J t + A (1 - t), t = exp(-beta d), in display values as RESIDE has it."""
    if rng.random() < 0.05:
        return camera(rng, clear), clear  # a clear day must stay as it is
    clearest = np.exp(rng.uniform(np.log(0.06), np.log(0.6)))  # how much of the farthest thing is left
    veil = rng.uniform(0, 0.4) * (rng.random() < 0.3)  # haze that already lies before the nearest thing
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


def camera(rng, picture):
    """A little sensor noise and JPEG, now and then; always eight bits."""
    if rng.random() < 0.3:
        picture = picture + rng.normal(0, rng.exponential(0.006), picture.shape)
    eight = (np.clip(picture, 0, 1) * 255).round().astype(np.uint8)
    if rng.random() < 0.2:
        eight = jpeg(eight, int(rng.integers(70, 97)))
    return eight.astype(np.float32) / 255


def jpeg(eight, quality):
    file = io.BytesIO()
    Image.fromarray(eight.transpose(1, 2, 0)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file)).transpose(2, 0, 1)


TASKS = {"dehaze": haze}
