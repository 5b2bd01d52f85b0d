"""How much do hazy films flicker, restored?  python flicker.py [IRNEXT] [--device N|cpu]

Films of the benchmark's photographs in its haze: the camera stands still, and pans by 3 pixels a frame; each frame has noise
of its own.  `restore --video` takes each frame as a film of its own, and the film, which it evens out over the frames.  A film's
flicker is by how many levels of 8 bits squares of 32 pixels of the scene get lighter or darker from one frame to the
next, root mean square.  PSNR tells what evening out costs where the camera moves.  IRNEXT is the program
[target/release/irnext, else the one on PATH].  Needs what make.py needs.
"""

import subprocess
import sys

import numpy as np

import make
from floors import program_and_device

FRAMES, SQUARE = 16, 32
FILMS = {"still, noise of 2 levels": (0, 2), "still, noise of 6": (0, 6), "pan, noise of 2": (3, 2)}  # pixels a frame, levels
WAYS = {"by frame": 1, "evened": FRAMES}  # frames of a stream


def film(clear, hazy, step, noise, rng):
    """Frames of the clear and of the hazy scene, [frame, row, column, colour] in levels, the hazy ones noisy."""
    width = clear.shape[1] - step * (FRAMES - 1)
    shown = [np.stack([scene[:, step * n:step * n + width] for n in range(FRAMES)]) * 255 for scene in (clear, hazy)]
    return shown[0], np.clip(shown[1] + rng.normal(0, noise, shown[1].shape), 0, 255)


def y4m(frames):
    """The frames as a stream, BT.601, full resolution of colours."""
    r, g, b = np.moveaxis(frames, 3, 0)
    y = 16 + (65.481 * r + 128.553 * g + 24.966 * b) / 255
    cb = 128 + (-37.797 * r - 74.203 * g + 112 * b) / 255
    cr = 128 + (112 * r - 93.786 * g - 18.214 * b) / 255
    planes = np.clip(np.stack([y, cb, cr], 1) + 0.5, 0, 255).astype(np.uint8)
    header = f"YUV4MPEG2 W{frames.shape[2]} H{frames.shape[1]} F25:1 Ip A1:1 C444\n".encode()
    return header + b"".join(b"FRAME\n" + frame.tobytes() for frame in planes)


def luma(stream, shape):
    """[frame, row, column] in levels of full range."""
    frames, height, width, _ = shape
    body = np.frombuffer(stream, np.uint8)[stream.index(b"\n") + 1:].reshape(frames, -1)[:, len(b"FRAME\n"):]
    return (body.reshape(frames, 3, height, width)[:, 0].astype(float) - 16) * 255 / 219


def restored(program, device, frames, at_once):
    """The luma of hazy frames, restored in streams of so many."""
    command = [program, "restore", "-", "--video", "--quiet", "--task", "dehaze", "--device", device]
    made = []
    for first in range(0, len(frames), at_once):
        stream = frames[first:first + at_once]
        done = subprocess.run(command, input=y4m(stream), stdout=subprocess.PIPE)
        if done.returncode:
            sys.exit(f"{' '.join(command)} failed")
        made.append(luma(done.stdout, stream.shape))
    return np.concatenate(made)


def flicker(frames, step):
    """The squares' steps from frame to frame, root mean square and largest; the camera's own motion is taken out."""
    width = frames.shape[2] - step
    change = frames[1:, :, :width] - frames[:-1, :, step:]
    rows, columns = change.shape[1] // SQUARE, width // SQUARE
    squares = change[:, :rows * SQUARE, :columns * SQUARE].reshape(-1, rows, SQUARE, columns, SQUARE).mean((2, 4))
    return np.sqrt((squares**2).mean()), np.abs(squares).max()


def main():
    program, device = program_and_device(__doc__)
    print(f"{'film':25} {'':9} {'flicker':>7} {'largest':>8} {'PSNR':>6}")
    for title, (step, noise) in FILMS.items():
        found = {way: [] for way in WAYS}
        for number, name in enumerate(make.HAZE):
            rng = np.random.default_rng([7, number, step, noise])
            clear = np.asarray(make.photograph(name)) / 255.0
            target, hazy = film(clear, make.dehaze(name, clear, rng), step, noise, rng)
            for way, at_once in WAYS.items():
                frames = restored(program, device, hazy, at_once)
                error = ((frames - luma(y4m(target), hazy.shape)) ** 2).mean((1, 2))
                found[way].append([*flicker(frames, step), (10 * np.log10(255**2 / error)).mean()])
        for way, films in found.items():
            mean, largest, psnr = np.array(films).T
            print(f"{title:25} {way:9} {mean.mean():7.2f} {largest.max():8.1f} {psnr.mean():6.2f}", flush=True)


if __name__ == "__main__":
    main()
