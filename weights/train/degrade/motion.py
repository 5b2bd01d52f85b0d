"""Motion blur: the light that falls on a pixel while the camera shakes and things move."""

import numpy as np
from scipy import ndimage

from .camera import camera, display, highlights, linear, splat, spread

REACH = 14  # pixels from the middle that a path may go
PLAIN = 0.15  # share of straight paths that all of a picture follows


def motion(rng, clear, depth, plain=PLAIN):
    """`plain` is the share of straight paths that all of the picture follows.

    A network that meets every kind of path from the start learns to sharpen and no more; one that has learnt to tell a
    straight path's direction and length goes on to the others.
    """
    cut = slice(16, -16)
    wanted = clear[:, cut, cut]
    if rng.random() < 0.04:
        return camera(rng, wanted), wanted  # a sharp picture must stay so
    straight = rng.random() < plain
    in_light = straight or rng.random() < 0.85  # the rest is averaged in display values, as some sets are
    light = highlights(rng, linear(clear)) if in_light else clear
    path = straight_path(rng) if straight else shake(rng)
    kind = "all" if straight else rng.choice(["all", "layers", "roll", "turn"], p=[0.5, 0.25, 0.15, 0.1])
    if kind == "layers":
        blurred = layered(rng, light, depth, path)
    elif kind == "turn":
        blurred = turning(rng, light, path)
    else:
        blurred = spread(light, kernel(path + roll(rng, path.shape[1]) if kind == "roll" else path))
    blurred = display(blurred) if in_light else blurred
    return camera(rng, blurred[:, cut, cut], often=0.4), wanted


def shake(rng):
    """A camera's path during the exposure, [2, n] pixels about its own mean: two in three are 3 to 8 pixels across."""
    path = tremor(rng) if rng.random() < 0.25 else sway(rng)
    path = path * (np.exp(np.clip(rng.normal(np.log(4.8), 0.55), np.log(1.2), np.log(18))) / np.ptp(path, 1).max())
    path = path - path.mean(1, keepdims=True)
    return path * min(1, REACH / abs(path).max())


def roll(rng, n):
    """What a roll by up to a degree adds to the path of a crop far from its centre: [2, n] pixels, along a straight line."""
    angle = rng.uniform(0, 2 * np.pi)
    return np.outer([np.sin(angle), np.cos(angle)], np.linspace(-0.5, 0.5, n)) * rng.uniform(0, 5)


def tremor(rng, n=64):
    """A drift with inertia, at a changing pace."""
    turn = np.cumsum(rng.normal(0, rng.choice([0.02, 0.12, 0.3]), n)) + rng.uniform(0, 2 * np.pi)
    pace = np.clip(1 + np.cumsum(rng.normal(0, 0.15, n)), 0.05, 3)
    return np.cumsum(pace * np.array([np.sin(turn), np.cos(turn)]), 1)


def sway(rng, n=64):
    """A hand that goes from place to place and lingers there: a smooth curve through three to six of them."""
    knots = np.cumsum(rng.normal(0, 1, (2, rng.integers(3, 7))), 1)
    return ndimage.zoom(knots, (1, n / knots.shape[1]), order=3)


def straight_path(rng):
    """A short exposure's path: nearly straight, at an even pace; [2, n] pixels about its mean."""
    turn = np.cumsum(rng.normal(0, rng.choice([0, 0.01, 0.02]), 64)) + rng.uniform(0, 2 * np.pi)
    path = np.cumsum([np.sin(turn), np.cos(turn)], 1)
    path = path * (np.exp(rng.uniform(np.log(3), np.log(12))) / np.ptp(path, 1).max())
    return path - path.mean(1, keepdims=True)


def kernel(path):
    side = 2 * int(np.ceil(abs(path).max())) + 3
    return splat(path[0], path[1], np.ones(path.shape[1]), side)


def layered(rng, light, depth, path):
    """Near things move farther over the sensor than far ones, and some by themselves; each layer covers the next."""
    edges = np.quantile(depth, np.sort(rng.uniform(0.1, 0.9, rng.integers(1, 3))))[::-1]
    out, lone = spread(light, kernel(path)), rng.integers(0, 2 * len(edges))
    for k, edge in enumerate(edges):
        mask = (depth < edge).astype(np.float32)
        own = shake(rng) if k == lone else path * rng.uniform(0.3, 1.3)
        own = own * min(1, REACH / (abs(own).max() + 1e-6))
        both = spread(np.concatenate([light * mask, mask[None]]), kernel(own))
        out = out * (1 - np.clip(both[3:], 0, 1)) + both[:3]
    return out


def turning(rng, light, path, frames=13):
    """The camera rolls about a point within the crop, so that the blur differs from place to place.

    A whole photograph turns by a degree and less, but over its width that is some pixels; a crop turns by as many pixels
    at its edge, or the network would learn that all of a picture has one blur.
    """
    side = light.shape[-1]
    angles = sway(rng, frames)[0]
    angles = (angles - angles.mean()) / (np.ptp(angles) + 1e-6) * np.exp(rng.uniform(0, np.log(8))) / (side / 2)
    shift = path[:, np.linspace(0, path.shape[1] - 1, frames).astype(int)] * rng.uniform(0.1, 0.7)
    centre = rng.uniform(0, side, 2)
    total = 0
    for angle, step in zip(angles, shift.T):
        matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        offset = centre - matrix @ centre + step
        total = total + np.stack([ndimage.affine_transform(p, matrix, offset, order=1, mode="nearest") for p in light])
    return total / frames
