"""Make the held-out benchmark beside this file: python make.py [--seed N --out FOLDER: another like it]
    python make.py --photos FOLDER --out FOLDER    the same of other photographs, each with what spoils one of these here

Photographs that nothing was trained on, spoiled by means that share nothing with the training code: depth is
sketched by hand, shake is an average of resampled frames, discs are gathered pixel by pixel, streaks and flakes
are drawn one by one with a vector renderer.  Strengths are of the published sets' order.  Needs numpy, scipy,
pillow, and the installed (never imported) packages scikit-image and scikit-learn for their photographs.
"""

import argparse
import importlib.util
import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage

HERE = Path(__file__).parent
SKIMAGE, SKLEARN = "skimage:data/", "sklearn:datasets/images/"
PHOTOS = {
    "astronaut": (SKIMAGE + "astronaut.png", (360, 360)),
    "chelsea": (SKIMAGE + "chelsea.png", (400, 266)),
    "china": (SKLEARN + "china.jpg", (400, 267)),
    "coffee": (SKIMAGE + "coffee.png", (400, 267)),
    "flower": (SKLEARN + "flower.jpg", (400, 267)),  # takes the place of `rocket`, a night scene, in haze
    "raccoon": ("../photos/clear.png", (400, 300)),
    "rocket": (SKIMAGE + "rocket.jpg", (400, 267)),
}
# Depth: at the top, at the bottom, then ellipses (centre x, y, radius x, y, depth), far to near, in fractions.
DEPTH = {
    "astronaut": (1.0, 1.0, [(0.05, 0.5, 0.12, 0.7, 0.85), (0.83, 0.28, 0.11, 0.30, 0.80), (0.40, 0.85, 0.37, 0.50, 0.50),
                             (0.45, 0.17, 0.15, 0.19, 0.50), (0.80, 0.88, 0.25, 0.22, 0.35)]),
    "chelsea": (1.0, 0.9, [(0.10, 0.70, 0.45, 0.70, 0.60), (0.48, 0.40, 0.42, 0.75, 0.45), (0.55, 0.70, 0.20, 0.30, 0.33)]),
    "china": (1.0, 0.5, [(0.5, 0.85, 0.9, 0.30, 0.75), (0.65, 0.88, 0.3, 0.22, 0.55), (0.33, 0.55, 0.19, 0.50, 0.50),
                         (0.93, 0.62, 0.09, 0.30, 0.60), (0.10, 0.95, 0.25, 0.22, 0.35)]),
    "coffee": (1.0, 0.35, [(0.47, 0.60, 0.33, 0.40, 0.50), (0.50, 0.30, 0.20, 0.30, 0.42)]),
    "flower": (1.0, 0.9, [(0.48, 0.52, 0.22, 0.34, 0.45), (0.58, 0.98, 0.15, 0.11, 0.40)]),
    "raccoon": (1.0, 0.2, [(0.15, 0.25, 0.45, 0.40, 0.72), (0.45, 0.45, 0.30, 0.38, 0.60), (0.68, 0.33, 0.24, 0.34, 0.45),
                           (0.62, 0.52, 0.10, 0.12, 0.38), (0.20, 0.75, 0.35, 0.35, 0.25)]),
    "rocket": (1.0, 1.0, [(0.5, 1.0, 0.9, 0.10, 0.85), (0.51, 0.65, 0.03, 0.38, 0.70), (0.08, 0.55, 0.07, 0.70, 0.45),
                          (0.94, 0.55, 0.07, 0.70, 0.45)]),
}
HAZE = {  # beta over the sketched depth, airlight
    "astronaut": (0.9, (0.88, 0.88, 0.90)), "chelsea": (1.2, (0.82, 0.83, 0.84)), "china": (1.4, (0.90, 0.91, 0.93)),
    "coffee": (1.4, (0.78, 0.78, 0.80)), "flower": (1.1, (0.84, 0.86, 0.88)), "raccoon": (1.6, (0.85, 0.86, 0.86)),
}
SHAKE = {  # pixels: the path's length; "pan" moves the far more than the near; "turn" adds a rotation
    "astronaut": (11, "pan"), "chelsea": (9, ""), "china": (10, "turn"), "coffee": (13, ""), "raccoon": (15, ""),
    "rocket": (16, "turn"),
}
FOCUS = {  # the largest disc's radius in pixels; the depth in focus, None: none of it
    "astronaut": (4.0, 0.5), "chelsea": (3.0, 1.0), "china": (2.5, None), "coffee": (4.5, 0.4), "raccoon": (5.0, 1.0),
    "rocket": (2.0, None),
}
RAIN = {  # per layer: streaks on a megapixel, length, width, opacity, degrees from the vertical, their spread
    "astronaut": [(2600, 26, 1.6, 0.45, 8, 2)],
    "chelsea": [(3500, 20, 1.3, 0.40, -12, 3), (700, 40, 2.2, 0.35, -12, 3)],
    "china": [(5000, 14, 1.0, 0.45, 15, 4), (1500, 34, 1.8, 0.5, 17, 4)],
    "coffee": [(4000, 30, 1.5, 0.55, 20, 5), (2500, 24, 1.4, 0.55, -18, 5)],
    "raccoon": [(7000, 24, 1.4, 0.6, 5, 4), (2500, 45, 2.2, 0.6, 9, 4)],
    "rocket": [(2200, 28, 1.5, 0.35, -5, 2), (600, 50, 2.4, 0.3, -6, 2)],
}
VEIL = {"china": 0.10, "raccoon": 0.06}  # what rain too far to be seen takes away
SNOW = {  # per layer: flakes on a megapixel, radius, opacity, drawn-out factor, softness
    "astronaut": [(3000, 1.2, 0.8, 1.0, 0.5)],
    "chelsea": [(4000, 1.0, 0.8, 1.6, 0.4), (500, 2.6, 0.7, 1.4, 0.8)],
    "china": [(5000, 1.1, 0.85, 1.3, 0.4), (900, 2.2, 0.8, 1.5, 0.7)],
    "coffee": [(3500, 1.3, 0.85, 1.2, 0.5), (700, 3.0, 0.8, 1.3, 0.9), (90, 6.0, 0.6, 1.4, 1.8)],
    "raccoon": [(6000, 1.2, 0.9, 1.5, 0.5), (1500, 2.5, 0.85, 1.6, 0.8), (150, 5.5, 0.65, 1.8, 1.6)],
    "rocket": [(3500, 1.1, 0.7, 1.8, 0.5), (600, 2.4, 0.6, 1.6, 0.8)],
}


def photograph(name):
    source, size = PHOTOS[name]
    if isinstance(source, Path):
        path = source
    elif ":" in source:
        package, inside = source.split(":")
        path = Path(importlib.util.find_spec(package).origin).parent / inside
    else:
        path = HERE / source
    return Image.open(path).convert("RGB").resize(size, Image.Resampling.LANCZOS)


def depth(name, clear):
    """The sketch, its outlines drawn to those of the picture by a guided filter."""
    h, w = clear.shape[:2]
    y, x = np.mgrid[:h, :w]
    y, x = (y + 0.5) / h, (x + 0.5) / w
    top, bottom, ellipses = DEPTH[name]
    out = top + (bottom - top) * y
    for cx, cy, rx, ry, near in ellipses:
        out = np.where(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1, near, out)
    guide = clear.mean(2)

    def box(plane):
        return ndimage.uniform_filter(plane, w // 12, mode="nearest")

    slope = (box(guide * out) - box(guide) * box(out)) / (box(guide * guide) - box(guide) ** 2 + 2e-3)
    level = box(out) - slope * box(guide)
    return np.clip(box(slope) * guide + box(level), 0, 1)


def to_light(s):
    return np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)


def to_display(l):
    l = np.clip(l, 0, 1)
    return np.where(l <= 0.0031308, 12.92 * l, 1.055 * l ** (1 / 2.4) - 0.055)


def overexposed(light):
    """What was at the sensor's limit is really brighter."""
    return light * (1 + 2 * np.clip((light.min(2, keepdims=True) - 0.95) / 0.05, 0, 1))


def dehaze(name, clear, rng):
    beta, airlight = HAZE[name]
    t = np.exp(-beta * depth(name, clear))[..., None]
    return clear * t + np.array(airlight) * (1 - t)


def deblur(name, clear, rng):
    """The average of 41 frames along a smooth curve through random points, about its mean."""
    length, kind = SHAKE[name]
    knots = np.cumsum(rng.normal(size=(4, 2)), 0)
    path = ndimage.zoom(knots, (41 / 4, 1), order=3)
    path *= length / np.hypot(*np.diff(path, axis=0).T).sum()
    path -= path.mean(0)
    light, total = overexposed(to_light(clear)), 0
    far = depth(name, clear) > 0.7
    h, w = clear.shape[:2]
    for i, (dy, dx) in enumerate(path):
        angle = math.radians(0.8) * (i / 40 - 0.5) if kind == "turn" else 0
        c, s = math.cos(angle), math.sin(angle)
        matrix, middle = np.array([[c, -s], [s, c]]), np.array([(h - 1) / 2, (w - 1) / 2])

        def moved(plane, scale=1.0):
            offset = middle - matrix @ middle - scale * np.array([dy, dx])
            return ndimage.affine_transform(plane, matrix, offset, order=1, mode="nearest")

        def picture(scale):
            return np.stack([moved(light[..., k], scale) for k in range(3)], 2)

        if kind == "pan":
            near = moved((~far).astype(float), 0.25)[..., None]
            total = total + picture(1.0) * (1 - near) + picture(0.25) * near
        else:
            total = total + picture(1.0)
    return to_display(total / len(path))


def defocus(name, clear, rng):
    """Every pixel gathers over its own disc: a stack of evenly blurred pictures, read at the pixel's radius."""
    largest, focus = FOCUS[name]
    d = depth(name, clear)
    radius = np.full(d.shape, largest) if focus is None else largest * np.clip(abs(d - focus) / 0.6, 0, 1)
    light, steps = overexposed(to_light(clear)), np.arange(0, largest + 0.26, 0.25)
    stack = [light] + [blurred(light, r) for r in steps[1:]]
    at = np.clip(radius / 0.25, 0, len(stack) - 1.001)
    low, part = at.astype(int), (at % 1)[..., None]
    i, j = np.mgrid[:d.shape[0], :d.shape[1]]
    stack = np.stack(stack)
    return to_display(stack[low, i, j] * (1 - part) + stack[low + 1, i, j] * part)


def blurred(light, radius):
    fine, reach = 8, int(np.ceil(radius))
    n = (2 * reach + 1) * fine
    y, x = (np.mgrid[:n, :n] + 0.5) / fine - reach - 0.5
    kernel = (np.hypot(y, x) <= radius).reshape(n // fine, fine, n // fine, fine).mean((1, 3))
    kernel /= kernel.sum()
    return np.stack([ndimage.convolve(light[..., k], kernel, mode="nearest") for k in range(3)], 2)


FINE = 4  # the vector renderer draws at this many times the size


def canvas(h, w):
    picture = Image.new("L", (w * FINE, h * FINE))
    return picture, ImageDraw.Draw(picture)


def opacity(picture, h, w):
    return np.asarray(picture.resize((w, h), Image.Resampling.BOX)) / 255.0


def derain(name, clear, rng):
    h, w = clear.shape[:2]
    veil = VEIL.get(name, 0)
    out = clear * (1 - veil) + 0.75 * veil
    for density, length, width, strength, tilt, scatter in RAIN[name]:
        picture, draw = canvas(h, w)
        for _ in range(int(density * h * w / 1e6)):
            x, y = rng.uniform(-30, w + 30), rng.uniform(-30, h + 30)
            a = math.radians(rng.normal(tilt, scatter))
            l = length * rng.uniform(0.6, 1.4) / 2
            ends = [(x - l * math.sin(a)) * FINE, (y - l * math.cos(a)) * FINE,
                    (x + l * math.sin(a)) * FINE, (y + l * math.cos(a)) * FINE]
            thick = max(1, round(width * rng.uniform(0.7, 1.3) * FINE))
            draw.line(ends, fill=int(255 * strength * rng.uniform(0.5, 1.2)), width=thick)
        picture = picture.filter(ImageFilter.GaussianBlur(0.5 * FINE))
        out = out + opacity(picture, h, w)[..., None] * np.array([0.96, 0.97, 1.0])
    return np.clip(out, 0, 1)


def desnow(name, clear, rng):
    h, w = clear.shape[:2]
    out = clear
    for density, size, strength, drawn, softness in SNOW[name]:
        picture, draw = canvas(h, w)
        fall = rng.normal(0, 0.3)
        for _ in range(int(density * h * w / 1e6)):
            x, y, r = rng.uniform(0, w), rng.uniform(0, h), size * rng.uniform(0.6, 1.4)
            corners = []
            for k in range(10):
                a = 2 * math.pi * k / 10
                u, v = r * math.cos(a) * rng.uniform(0.75, 1.1), r * drawn * math.sin(a) * rng.uniform(0.75, 1.1)
                corners.append(((x + u * math.cos(fall) - v * math.sin(fall)) * FINE,
                                (y + u * math.sin(fall) + v * math.cos(fall)) * FINE))
            draw.polygon(corners, fill=int(255 * strength * rng.uniform(0.6, 1.1)))
        picture = picture.filter(ImageFilter.GaussianBlur(softness * FINE))
        cover = opacity(picture, h, w)[..., None]
        out = out * (1 - cover) + np.array([0.97, 0.97, 0.99]) * cover
    return out


TASKS = {"dehaze": (dehaze, HAZE), "deblur": (deblur, SHAKE), "defocus": (defocus, FOCUS), "derain": (derain, RAIN),
         "desnow": (desnow, SNOW)}


def varied(task, setting, rng):
    """Another haze, another lens: 0.6 to 1.6 times the density and another airlight, 0.6 to 1.3 times the radius."""
    if task == "dehaze":
        beta, airlight = setting
        beta = beta * np.exp(rng.uniform(-0.5, 0.5))
        airlight = np.array(airlight) * rng.uniform(0.85, 1.08) * np.exp(rng.normal(0, 0.015, 3))
        return beta, tuple(np.clip(airlight, 0, 1))
    if task == "defocus":
        largest, focus = setting
        return float(np.round(largest * np.exp(rng.uniform(-0.5, 0.3)) * 4) / 4), focus
    return setting  # shakes, streaks and flakes are drawn anew


def others(folder, side, rng):
    """Photographs of a folder in the place of those here, none above `side` pixels; each gets the settings of one of
    these, and a sketch of depth: a slope, and one to three things before it."""
    files = [f for f in sorted(folder.iterdir()) if f.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp")]
    PHOTOS.clear()
    for file in files:
        w, h = Image.open(file).size
        part = min(1.0, side / max(w, h))
        PHOTOS[file.stem] = (file, (round(w * part), round(h * part)))
        things = [(rng.uniform(0.1, 0.9), rng.uniform(0.3, 0.9), rng.uniform(0.1, 0.35), rng.uniform(0.15, 0.5),
                   rng.uniform(0.3, 0.8)) for _ in range(rng.integers(1, 4))]
        DEPTH[file.stem] = (1.0, rng.uniform(0.2, 0.9), sorted(things, key=lambda thing: -thing[4]))
    for _, names in TASKS.values():
        settings = list(names.values())
        names.clear()
        names.update({file.stem: settings[rng.integers(len(settings))] for file in files})


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--seed", type=int, default=2024, help="of shakes, streaks, flakes and the strengths of haze and defocus [2024]")
    args.add_argument("--out", type=Path, default=HERE, help="needed with another seed")
    args.add_argument("--photos", type=Path, help="a folder of other photographs, none of them spoiled already; with --out")
    args.add_argument("--side", type=int, default=400, help="longest side of --photos; all but haze is made for 400 [400]")
    args.add_argument("--task", choices=TASKS, help="this one alone")
    a = args.parse_args()
    if a.seed != 2024 and a.out.resolve() == HERE.resolve():
        args.error("--seed: the benchmark in the tree stays as it is; say --out FOLDER")
    if a.photos:
        if a.out.resolve() == HERE.resolve():
            args.error("--photos: the benchmark in the tree stays as it is; say --out FOLDER")
        others(a.photos, a.side, np.random.default_rng([a.seed, 98]))
    for number, (task, (spoil, names)) in enumerate(TASKS.items()):
        if a.task not in (None, task):
            continue
        other = np.random.default_rng([a.seed, 99])
        for name in names:
            if a.seed != 2024 or a.photos:
                names[name] = varied(task, names[name], other)
            rng = np.random.default_rng([a.seed, number, list(PHOTOS).index(name)])
            target = a.out / task / "target" / f"{name}.jpg"
            target.parent.mkdir(parents=True, exist_ok=True)
            photograph(name).save(target, quality=95, subsampling=0)
            clear = np.asarray(Image.open(target)) / 255.0  # the file as it reads is the truth
            eight = (np.clip(spoil(name, clear, rng), 0, 1) * 255).round().astype(np.uint8)
            source = a.out / task / "input" / f"{name}.png"
            source.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(eight).save(source, optimize=True)
            error = np.mean((eight - clear * 255) ** 2)
            print(f"{task:8} {name:10} {10 * np.log10(255**2 / error):6.2f} dB")


if __name__ == "__main__":
    main()
