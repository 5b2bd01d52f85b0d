"""What the classical filters reach on the held-out benchmark: python baselines.py [--save FOLDER] [--of FOLDER]

Haze: the dark channel prior (He, Sun, Tang) with a guided filter, its published parameters.  Blur: an unsharp
mask.  Rain and snow: a median.  Their strengths are the best of a few on that benchmark, in their favour
(unsharp: radius 1, 2, 3 with 25, 50, 100 %; median: 3, 5, 7 pixels; one setting for both blurs).  Prints the mean PSNR
(RGB, eight bits) of the input and of the result.  Needs numpy, scipy and pillow.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter
from scipy import ndimage

HERE = Path(__file__).parent


def dark_channel_prior(picture, patch=15, omega=0.95, floor=0.1, radius=40, smooth=1e-3):
    """He et al., CVPR 2009: airlight from the brightest of the darkest 0.1 %, transmission refined by the picture."""
    hazy = np.asarray(picture) / 255.0
    dark = ndimage.minimum_filter(hazy.min(2), patch)
    haziest = np.argsort(dark.ravel(), kind="stable")[-max(1, dark.size // 1000):]
    airlight = hazy.reshape(-1, 3)[haziest[hazy.reshape(-1, 3)[haziest].sum(1).argmax()]]
    t = 1 - omega * ndimage.minimum_filter((hazy / airlight).min(2), patch)
    t = guided(hazy @ [0.299, 0.587, 0.114], t, radius, smooth)
    return eight((hazy - airlight) / np.maximum(t, floor)[..., None] + airlight)


def guided(guide, plane, radius, smooth):
    def box(x):
        return ndimage.uniform_filter(x, 2 * radius + 1, mode="reflect")

    slope = (box(guide * plane) - box(guide) * box(plane)) / (box(guide * guide) - box(guide) ** 2 + smooth)
    return box(slope) * guide + box(box(plane) - slope * box(guide))


def unsharp_mask(picture):
    return picture.filter(ImageFilter.UnsharpMask(radius=2, percent=25, threshold=0))


def median_7(picture):
    return picture.filter(ImageFilter.MedianFilter(7))


def median_3(picture):
    return picture.filter(ImageFilter.MedianFilter(3))


def eight(picture):
    return Image.fromarray((np.clip(picture, 0, 1) * 255).round().astype(np.uint8))


CLASSICAL = {"dehaze": dark_channel_prior, "deblur": unsharp_mask, "defocus": unsharp_mask, "derain": median_7,
             "desnow": median_3}


def psnr(a, b):
    return 10 * np.log10(255**2 / np.mean((np.asarray(a, float) - np.asarray(b, float)) ** 2))


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--save", type=Path, help="a folder for the filtered pictures")
    args.add_argument("--of", type=Path, default=HERE, metavar="FOLDER", help="what make.py wrote elsewhere")
    a = args.parse_args()
    save, of = a.save, a.of
    print(f"{'task':8} {'filter':20} {'degraded':>8} {'filtered':>8}")
    for task, restore in CLASSICAL.items():
        rows = []
        for source in sorted((of / task / "input").iterdir()):
            degraded = Image.open(source).convert("RGB")
            target = Image.open(of / task / "target" / f"{source.stem}.jpg")
            out = restore(degraded)
            rows.append((psnr(degraded, target), psnr(out, target)))
            if save:
                (save / task).mkdir(parents=True, exist_ok=True)
                out.save(save / task / source.name)
        before, after = np.mean(rows, 0)
        print(f"{task:8} {restore.__name__:20} {before:8.2f} {after:8.2f}")


if __name__ == "__main__":
    main()
