"""Endless pictures with depth, drawn from a seed: no photograph is ever looked at.

A scene is painted from far to near, so occlusion and depth agree, but for the finest lines.  Three layouts share one set of
materials and shapes: an open *landscape*, a *corridor* of perspective planes (a street or a room), and
*dead leaves*, the classic model of natural images.  Light is linear until `develop` makes a photo of it.
"""

import numpy as np

from . import thin
from .materials import TILE, Palette, hsv, material, noise, sample

SIZE = 512  # the side of a scene


def render(seed, index):
    """Scene `index` of `seed`: float16 [4, SIZE, SIZE], display RGB in 0..1 and depth in 0..1 (1 is farthest)."""
    rng = np.random.default_rng((seed, index))
    layout = rng.choice([landscape, corridor, dead_leaves], p=[0.45, 0.25, 0.30])
    canvas = layout(rng)
    if rng.random() < 0.6:
        add_thin(rng, canvas)
    cast_shadows(rng, canvas)
    if rng.random() < 0.2:
        defocus(rng, canvas)
    depth = canvas.depth / canvas.depth.max()
    depth = depth ** rng.uniform(0.35, 1.1)  # from the flat depth of a monocular guess to the true one
    return np.concatenate([develop(rng, canvas.rgb), depth[None]]).astype(np.float16)


# ---- the canvas --------------------------------------------------------------------------------------


class Canvas:
    def __init__(self, rgb, depth):
        shape = (SIZE, SIZE)
        self.rgb = np.broadcast_to(rgb, (3, *shape)).astype(np.float32).copy()
        self.depth = np.broadcast_to(depth, shape).astype(np.float32).copy()

    def paint(self, box, cover, rgb, depth):
        """Lay rgb [3, h, w] with opacity `cover` [h, w] and `depth` (a number or [h, w]) over the box's corner."""
        y, x = box
        rgb_there, depth_there = self.rgb[:, y, x], self.depth[y, x]
        rgb_there += cover * (rgb - rgb_there)
        np.copyto(depth_there, depth, where=cover > 0.5)


def window(cy, cx, ry, rx):
    """The part of the canvas within (ry, rx) of a centre, and its coordinates in units of those radii."""
    y0, y1 = max(0, int(cy - ry)), min(SIZE, int(cy + ry) + 1)
    x0, x1 = max(0, int(cx - rx)), min(SIZE, int(cx + rx) + 1)
    if y1 <= y0 or x1 <= x0:
        return None
    y, x = np.mgrid[y0:y1, x0:x1]
    return (slice(y0, y1), slice(x0, x1)), y, x, ((y - cy) / ry).astype(np.float32), ((x - cx) / rx).astype(np.float32)


def soften(inside, pixels):
    """Opacity from a signed distance in units of the radius: one pixel of antialiasing."""
    return np.clip(inside * max(pixels, 1) + 0.5, 0, 1)


# Shapes: from coordinates v, u in -1..1 to a signed distance, positive inside.


def ellipse(rng, v, u):
    return 1 - np.hypot(u, v)


def block(rng, v, u):
    return 1 - np.maximum(abs(u), abs(v))


def polygon(rng, v, u):
    turn = rng.uniform(0, 2 * np.pi)
    n = rng.integers(3, 8)
    angles = turn + (np.arange(n) + rng.uniform(-0.3, 0.3, n)) * 2 * np.pi / n
    return np.min([rng.uniform(0.35, 0.75) - u * np.cos(a) - v * np.sin(a) for a in angles], axis=0)


def blob(rng, v, u):
    angle, edge = np.arctan2(v, u), 0.7
    for k in range(1, 7):
        edge = edge + rng.normal(0, 0.16 / k) * np.cos(k * angle + rng.uniform(0, 6.3))
    return edge - np.hypot(u, v)


def crown(rng, v, u):
    """Foliage: a ragged ellipse with holes in it."""
    y, x = ((w * rng.uniform(30, 140)).astype(np.int32) for w in (v, u))
    return 0.8 - np.hypot(u, v) + rng.uniform(0.1, 0.3) * sample(rng, y, x)


def turned(rng, v, u):
    a = rng.uniform(0, np.pi)
    return v * np.cos(a) + u * np.sin(a), u * np.cos(a) - v * np.sin(a)


def shading(rng, v, u):
    """Light falling off across a thing; a ball's limb or a flat gradient."""
    slope = rng.normal(0, 0.35, 2)
    light = 1 + slope[0] * v + slope[1] * u
    if rng.random() < 0.3:
        light = light * np.sqrt(np.clip(1.15 - 0.8 * (u * u + v * v), 0.05, 1))
    return np.clip(light, 0.1, 2)


def thing(rng, canvas, palette, shape, cy, cx, ry, rx, depth, tilt=0.0, spin=False):
    view = window(cy, cx, ry, rx)
    if view is None:
        return
    box, y, x, v, u = view
    inside = shape(rng, *(turned(rng, v * 1.3, u * 1.3) if spin else (v, u)))
    cover = soften(inside, min(ry, rx))
    if rng.random() < 0.04:
        cover = cover * rng.uniform(0.4, 0.9)  # glass, smoke
    if rng.random() < 0.4:
        shadow(rng, canvas, box, cover, min(ry, rx))
    rgb = material(rng, palette, y - y.min(), x - x.min()) * shading(rng, v, u)
    canvas.paint(box, cover, rgb, depth * (1 + tilt * v))


def shadow(rng, canvas, box, cover, reach):
    """Darken what lies beside and below a thing that is about to be painted."""
    dy, dx = (int(d) for d in (rng.uniform(0.02, 0.3) * reach + 1, rng.normal(0, 0.15) * reach))
    y0, x0 = box[0].start + dy, max(0, box[1].start + dx)
    there = canvas.rgb[:, y0:y0 + cover.shape[0], x0:x0 + cover.shape[1]]
    there *= 1 - rng.uniform(0.3, 0.85) * cover[:there.shape[1], :there.shape[2]]


# ---- layouts -----------------------------------------------------------------------------------------


def sky(rng):
    """Blue, grey, white or dusk, lighter towards the horizon, with or without clouds."""
    high = np.linspace(1, 0, SIZE)[:, None] ** rng.uniform(0.5, 2)
    kind = rng.choice(4, p=[0.45, 0.25, 0.26, 0.04])
    top = [hsv(rng.uniform(0.54, 0.62), rng.uniform(0.2, 0.75), rng.uniform(0.5, 1.0)),
           hsv(rng.uniform(), rng.uniform(0, 0.1), rng.uniform(0.5, 1.0)),
           hsv(rng.uniform(0.5, 0.65), rng.uniform(0, 0.2), rng.uniform(0.7, 1)),
           hsv(rng.uniform(0.0, 1.0), rng.uniform(0.1, 0.6), rng.uniform(0.05, 0.7))][kind]
    low = hsv(rng.choice([0.1, 0.58]), rng.uniform(0, 0.25), rng.uniform(0.7, 1.1))
    rgb = top[:, None, None] * high + low[:, None, None] * (1 - high)
    if rng.random() < 0.6:
        y, x = np.mgrid[:SIZE, :SIZE]
        cloud = noise(rng, rng.uniform(1.3, 2.0), stretch=rng.uniform(0.3, 1))
        cloud = 1 / (1 + np.exp(-rng.uniform(1, 5) * (cloud + rng.normal())))
        rgb = rgb * (1 - cloud) + rng.uniform(0.5, 1.05) * np.array([1, 1, rng.uniform(0.95, 1.1)])[:, None, None] * cloud
    return rgb * rng.uniform(0.9, 1.5)


def plane(rng, palette, a, b, z, focal):
    """A textured plane at plane coordinates a, b (metres); detail too fine for a pixel fades out."""
    per_metre = np.exp(rng.uniform(np.log(20), np.log(250)))
    detail = 1 / (1 + (per_metre * z / focal / 2) ** 2)
    wrap = TILE * 64
    y, x = ((w * per_metre + wrap / 2) % wrap for w in (a, b))
    return material(rng, palette, y, x, np.maximum(detail, 0.08))


def landscape(rng):
    palette = Palette(rng)
    horizon = SIZE * rng.uniform(0.05, 0.75)
    far = np.exp(rng.uniform(np.log(15), np.log(300)))
    canvas = Canvas(sky(rng), far * rng.uniform(1.0, 1.6))
    everything = (slice(0, SIZE), slice(0, SIZE))
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)

    for k in range(hills := rng.integers(0, 5)):
        ridge = noise(rng, rng.uniform(1.0, 1.9))[rng.integers(TILE)] * SIZE * rng.uniform(0.01, 0.08)
        top = horizon - SIZE * rng.uniform(0, 0.25) * (1 - k / 5) - ridge
        if rng.random() < 0.3:
            top = top - 6 * np.abs(noise(rng, 0.5)[0])  # a line of trees
        depth = far * (1 - 0.75 * (k + rng.random()) / hills)
        canvas.paint(everything, np.clip(y - top + 0.5, 0, 1), material(rng, palette, y, x), depth)

    focal = SIZE - horizon
    z = np.minimum(focal / np.maximum(y - horizon, 1e-3), far)
    ground = plane(rng, palette, z, (x - SIZE / 2) / focal * z, z, focal)
    canvas.paint(everything, np.clip(y - horizon + 0.5, 0, 1), ground, z)
    furnish(rng, canvas, palette, horizon, focal, min(far, 60))
    return canvas


def furnish(rng, canvas, palette, horizon, focal, far):
    """Things that stand on the ground, far to near: trees, houses, people, poles, boxes."""
    count = int(np.exp(rng.uniform(np.log(2), np.log(120))))
    near = rng.uniform(0.9, 4)
    kinds = rng.dirichlet(np.full(5, 0.5))
    for z in sorted(np.exp(rng.uniform(np.log(near), np.log(max(far, near * 2)), count)), reverse=True):
        pixel = focal / z  # the camera stands one metre high, so this is also how far below the horizon z lies
        base, cx = horizon + pixel, rng.uniform(-0.1, 1.1) * SIZE
        dark = window(base, cx, 0.12 * pixel, 0.8 * pixel)
        if dark and rng.random() < 0.5:
            box, _, _, v, u = dark
            canvas.rgb[:, box[0], box[1]] *= 1 - rng.uniform(0.3, 0.8) * np.clip(1 - u * u - v * v, 0, 1)
        kind = rng.choice(5, p=kinds)
        if kind == 0:
            height, wide = pixel * rng.uniform(1, 4), pixel * rng.uniform(0.4, 1.6)
            thing(rng, canvas, palette, block, base - height / 2, cx, height / 2, wide * 0.06 + 1, z)
            for _ in range(rng.integers(1, 4)):
                thing(rng, canvas, palette, crown, base - height * rng.uniform(0.8, 1.2), cx + wide * rng.normal(0, 0.3),
                      wide * rng.uniform(0.6, 1.2), wide, z)
        elif kind == 1:
            house(rng, canvas, palette, base, cx, pixel * rng.uniform(1, 8), pixel * rng.uniform(1, 5), z)
        elif kind == 2:
            height = pixel * rng.uniform(0.8, 1.3)
            thing(rng, canvas, palette, ellipse, base - height * 0.25, cx, height * 0.25, height * 0.09, z)
            thing(rng, canvas, palette, blob, base - height * 0.6, cx, height * 0.3, height * 0.18, z)
            thing(rng, canvas, palette, ellipse, base - height * 0.9, cx, height * 0.08, height * 0.07, z)
        elif kind == 3:
            height = pixel * rng.uniform(1, 5)
            thing(rng, canvas, palette, block, base - height / 2, cx, height / 2, max(0.02 * height, 0.8), z)
        else:
            size = pixel * rng.uniform(0.1, 0.7)
            shape = [block, ellipse, blob, polygon][rng.integers(4)]
            thing(rng, canvas, palette, shape, base - size, cx, size, size * rng.uniform(0.5, 2.5), z)


def house(rng, canvas, palette, base, cx, height, wide, z):
    view = window(base - height / 2, cx, height / 2, wide / 2)
    if view is None:
        return
    box, y, x, v, u = view
    wall = material(rng, palette, y - y.min(), x - x.min())
    pitch_y, pitch_x = height / rng.integers(2, 12), wide / rng.integers(2, 12)
    py, px = (v + 1) * height / 2 / pitch_y % 1, (u + 1) * wide / 2 / pitch_x % 1
    lo, hi = rng.uniform(0.15, 0.35), rng.uniform(0.6, 0.85)
    glass = ((py > lo) & (py < hi) & (px > lo) & (px < hi))
    pane = (palette.pick(rng) * rng.choice([0.1, 0.3, 1.0]))[:, None, None]
    front = np.where(glass, pane * (1 + 0.3 * v), wall)
    side = rng.uniform(-0.9, 0.9) if rng.random() < 0.6 else 2
    front = front * np.where(u > side, rng.uniform(0.3, 0.8), 1)
    canvas.paint(box, soften(block(rng, v, u), min(height, wide) / 2), front * shading(rng, v, u), z)


def corridor(rng):
    """Walls, floor and perhaps a ceiling around a vanishing point: a street, a canyon, a room."""
    palette = Palette(rng)
    indoors = rng.random() < 0.5
    cy, cx = SIZE * rng.uniform(0.2, 0.7), SIZE * rng.uniform(0.1, 0.9)
    focal = SIZE * rng.uniform(0.5, 1.2)
    far = rng.uniform(3, 12) if indoors else np.exp(rng.uniform(np.log(15), np.log(150)))
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    y, x = (y - cy) / focal, (x - cx) / focal
    canvas = Canvas(material(rng, palette, y * 300, x * 300) if indoors else sky(rng), far * 1.2)
    everything = (slice(0, SIZE), slice(0, SIZE))

    def lay(z, a, b, wanted=True):
        cover = (z < canvas.depth) & (z <= far) & wanted
        canvas.paint(everything, cover.astype(np.float32), plane(rng, palette, a, b, z, focal), z)

    tall = rng.uniform(1.5, 12)
    floor, left, right, ceiling = 1.0, rng.uniform(0.7, 6), rng.uniform(0.7, 6), rng.uniform(0.6, 2.5)
    with np.errstate(divide="ignore", over="ignore"):
        for reach, across, along in ((left, -x, y), (right, x, y)):
            z = np.clip(reach / np.maximum(across, 1e-4), 0, 1e4)
            lot = (z / rng.uniform(1, 8)).astype(np.int32) % 64
            roof = tall * rng.uniform(0.4, 1.2, 64)[lot]
            lay(z, along * z, z, True if indoors else -along * z < roof)
        z = np.clip(floor / np.maximum(y, 1e-4), 0, 1e4)
        lay(z, z, x * z)
        if indoors:
            z = np.clip(ceiling / np.maximum(-y, 1e-4), 0, 1e4)
            lay(z, z, x * z)
    lamp = rng.normal(0, 0.3, 2)
    canvas.rgb *= np.clip(1 + lamp[0] * y + lamp[1] * x, 0.2, 2)
    furnish(rng, canvas, palette, cy, focal, far)
    return canvas


def dead_leaves(rng):
    """Shapes with power-law sizes, each nearer than what it hides."""
    palette = Palette(rng)
    y, x = np.mgrid[:SIZE, :SIZE]
    far = rng.uniform(2, 20)
    canvas = Canvas(material(rng, palette, y, x) if rng.random() < 0.7 else sky(rng), far)
    count = int(np.exp(rng.uniform(np.log(15), np.log(400))))
    biggest = SIZE * rng.uniform(0.15, 0.6)
    smallest = SIZE * 0.3 / np.sqrt(count)
    # radii with density 1/r^3; the fewer there are, the larger, so that little of the backdrop shows
    radii = 1 / np.sqrt(rng.uniform(1 / max(biggest, 2 * smallest) ** 2, 1 / smallest**2, count))
    shapes = [[ellipse, block, polygon, blob, crown][i] for i in rng.choice(5, rng.integers(1, 6))]
    for r, z in zip(radii, np.linspace(far, 1, count)):
        shape = shapes[rng.integers(len(shapes))]
        thing(rng, canvas, palette, shape, *rng.uniform(0, SIZE, 2), r, r * rng.uniform(0.4, 2), z,
              tilt=rng.uniform(-0.3, 0.3), spin=True)
    return canvas


def add_thin(rng, canvas):
    """Lattices, cables, twigs among what is there already; grass and fur as several coats, each of its own tone.

    Their depth is that of the box's nearer half, and what is nearer hides them; the finest lines have none.
    """
    palette = Palette(rng)
    for _ in range(rng.integers(1, 9)):
        height, width = (int(np.exp(rng.uniform(np.log(50), np.log(SIZE)))) for _ in "yx")
        lines = thin.KINDS[rng.integers(len(thin.KINDS))]
        y, x = (rng.integers(0, SIZE - side + 1) for side in (height, width))
        box = slice(y, y + height), slice(x, x + width)
        depth = np.quantile(canvas.depth[box], rng.uniform(0, 0.5))
        seen = canvas.depth[box] >= depth
        lying = rng.random() < 0.3
        coats = rng.integers(2, 6) if lines is thin.grass else 1
        surface = material(rng, palette, *np.mgrid[:height, :width])
        for _ in range(coats):
            size = (width, height) if lying else (height, width)
            cover = thin.drawn(*size, lines(rng, *size))
            tone = np.exp(rng.normal(0, 0.5)) if coats > 1 else 1
            canvas.paint(box, seen * (cover.T if lying else cover), surface * tone, depth)


# ---- light and camera --------------------------------------------------------------------------------


def cast_shadows(rng, canvas):
    for _ in range(rng.choice(4, p=[0.5, 0.25, 0.15, 0.1])):
        mask = noise(rng, rng.uniform(1.4, 2.2)) * rng.uniform(2, 30) + rng.normal(0, 3)
        canvas.rgb *= 1 - rng.uniform(0.3, 0.8) / (1 + np.exp(np.clip(-mask, -20, 20)))


def defocus(rng, canvas):
    """Blur what lies beyond some depth, as a lens does."""
    f = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE)[None])
    radius = np.exp(rng.uniform(np.log(2), np.log(16)))
    soft = np.fft.irfft2(np.fft.rfft2(canvas.rgb) * np.exp(-2 * (np.pi * f * radius) ** 2), (SIZE, SIZE))
    beyond = canvas.depth > np.quantile(canvas.depth, rng.uniform(0, 0.7))
    canvas.rgb += beyond * (soft.astype(np.float32) - canvas.rgb)
    np.clip(canvas.rgb, 0, None, out=canvas.rgb)


def develop(rng, rgb):
    """Linear light to a display picture: white balance, exposure, gamma, contrast, saturation."""
    rgb = rgb * np.exp(rng.normal(0, 0.08, 3))[:, None, None]
    luma = rgb.mean(0)
    rgb = rgb * (rng.uniform(0.45, 1.1) / (np.quantile(luma, rng.uniform(0.85, 0.99)) + 1e-4))
    rgb = np.clip(rgb - rng.uniform(0.7, 1) * np.quantile(rgb, rng.uniform(0.002, 0.02)), 0, None)
    rgb = 1 - np.exp(-rgb * 1.4) if rng.random() < 0.3 else rgb  # film rolls off, sensors clip
    rgb = np.clip(rgb, 0, 1) ** (1 / 2.2)
    curve = rng.uniform(-0.1, 0.6)
    rgb = rgb * (1 - curve) + curve * rgb * rgb * (3 - 2 * rgb)
    grey = rgb.mean(0, keepdims=True)
    return np.clip(grey + rng.uniform(0.8, 1.7) * (rgb - grey), 0, 1)
