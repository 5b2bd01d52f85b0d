"""What every degradation shares: light, the sensor, the file, and sums over a small kernel."""

import io

import numpy as np
from PIL import Image

GAMMA = 2.2


def linear(display):
    return np.clip(display, 0, None) ** GAMMA


def display(light):
    return np.clip(light, 0, 1) ** (1 / GAMMA)


def camera(rng, picture, often=1.0):
    """A little sensor noise and JPEG, now and then; always eight bits."""
    if rng.random() < 0.3 * often:
        picture = picture + rng.normal(0, rng.exponential(0.006), picture.shape)
    eight = (np.clip(picture, 0, 1) * 255).round().astype(np.uint8)
    if rng.random() < 0.2 * often:
        eight = jpeg(eight, int(rng.integers(70, 97)))
    return eight.astype(np.float32) / 255


def jpeg(eight, quality):
    file = io.BytesIO()
    Image.fromarray(eight.transpose(1, 2, 0)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file)).transpose(2, 0, 1)


def highlights(rng, light):
    """Give back to the brightest spots some of the light that the sensor cut off, so that blur clips as it does."""
    if rng.random() < 0.5:
        return light
    excess = np.clip(light.mean(0) - rng.uniform(0.7, 0.95), 0, None)
    return light * (1 + rng.uniform(1, 12) * excess)


def spread(planes, kernel):
    """Convolve planes [..., h, w] with a kernel [k, k], k odd, centred; the border repeats."""
    edge = kernel.shape[0] // 2
    pad = [(0, 0)] * (planes.ndim - 2) + [(edge, edge)] * 2
    padded = np.pad(planes, pad, mode="edge")
    shape = padded.shape[-2:]
    product = np.fft.rfft2(padded) * np.fft.rfft2(kernel.astype(np.float32), shape)
    return np.fft.irfft2(product, shape)[..., 2 * edge:, 2 * edge:].astype(np.float32)


def scatter(planes, kernel):
    """`spread` for a field that wraps around: seeds of streaks and flakes, which have no border."""
    edge = kernel.shape[0] // 2
    h, w = planes.shape[-2:]
    if kernel.shape[0] > min(h, w):
        cut = (kernel.shape[0] - min(h, w) + 2) // 2
        kernel, edge = kernel[cut:-cut, cut:-cut], edge - cut
    product = np.fft.rfft2(planes) * np.fft.rfft2(kernel.astype(np.float32), (h, w))
    return np.roll(np.fft.irfft2(product, (h, w)), (-edge, -edge), (-2, -1)).astype(np.float32)


def splat(y, x, weight, side):
    """Points at real coordinates from the centre, as a kernel [side, side]: bilinear, normalised."""
    out = np.zeros((side, side), np.float32)
    y, x = y + side // 2, x + side // 2
    y0, x0 = np.floor(y).astype(int), np.floor(x).astype(int)
    for dy in 0, 1:
        for dx in 0, 1:
            w = weight * (1 - abs(y - y0 - dy)) * (1 - abs(x - x0 - dx))
            np.add.at(out, (np.clip(y0 + dy, 0, side - 1), np.clip(x0 + dx, 0, side - 1)), w)
    return out / out.sum()


def line(length, width, angle, side):
    """A streak through the centre: a soft line [side, side], `angle` from the vertical; its peak is 1."""
    reach = side // 2
    y, x = np.mgrid[-reach:reach + 1, -reach:reach + 1].astype(np.float32)
    along, across = y * np.cos(angle) + x * np.sin(angle), x * np.cos(angle) - y * np.sin(angle)
    ends = np.clip((length / 2 - abs(along)) / 1.5 + 0.5, 0, 1)
    return ends * np.exp(-0.5 * (across / (width / 2.2)) ** 2)
