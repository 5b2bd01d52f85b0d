"""Batches without end: the batch of a step depends on the seed and the step only.

Scenes live in a sliding pool: each is drawn from many times, every time cropped, scaled, toned and
degraded anew, until newer ones have pushed it out.  So a run that resumes goes on with the same batches.
"""

import os
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from . import RECIPE, scenes
from .degrade import MARGIN, TASKS
from .degrade.motion import PLAIN

POOL = 256  # scenes alive at a time
FRESH = 10  # steps until the next one enters
SIDES = {96: 0.60, 128: 0.32, 192: 0.08}  # crop sides and how often; a batch has one side
SCALES = {1: 0.35, 2: 0.65}  # a crop's reduction and how often
# Haze is judged by the whole picture, so its crops are larger and some show all of a scene; a path, by many edges.
SIDES_OF = {"deblur": {128: 0.75, 192: 0.25}, "dehaze": {96: 0.50, 128: 0.40, 192: 0.10}}
SHARP = {1: 0.15, 2: 0.85}  # blur is undone at edges, which a reduced scene has as photographs have them
SCALES_OF = {"dehaze": {1: 0.15, 2: 0.40, 4: 0.45}, "deblur": SHARP, "defocus": SHARP}


class Batches(IterableDataset):
    def __init__(self, task, seed, batch, start=0, sides=None, scenery=None, cache=None, ease=0):
        self.degrade, self.margin, self.seed, self.batch, self.start = TASKS[task], MARGIN[task], seed, batch, start
        self.sides, self.cache = sides or SIDES_OF.get(task, SIDES), cache
        self.scales = SCALES_OF.get(task, SCALES)
        self.ease = ease
        self.scenery = seed if scenery is None else scenery

    def __iter__(self):
        worker = get_worker_info()
        first, stride = (worker.id, worker.num_workers) if worker else (0, 1)
        pool, step = {}, self.start + first
        while True:
            yield self.draw(step, pool)
            step += stride

    def lesson(self, step):
        """What the degradation is told of the step: easy things first, over the first `ease` steps."""
        return {"plain": max(PLAIN, 1 - step / self.ease)} if self.ease else {}

    def draw(self, step, pool):
        rng = np.random.default_rng((self.seed, step, 1))
        side = rng.choice(list(self.sides), p=list(self.sides.values()))
        oldest = step // FRESH
        for index in [i for i in pool if i < oldest]:
            del pool[index]
        pairs = []
        alive = min(POOL, self.batch + step // 2)  # the pool fills slowly, so that a run begins at once
        for index in oldest + rng.integers(0, alive, self.batch):
            if index not in pool:
                pool[index] = kept(self.cache, self.scenery, int(index))
            pairs.append(self.degrade(rng, *crop(rng, pool[index], side, self.margin, self.scales), **self.lesson(step)))
        degraded, wanted = (np.stack(p).astype(np.float32) for p in zip(*pairs))
        return torch.from_numpy(degraded), torch.from_numpy(wanted)


def looks(task, seed, count, batch=8, **where):
    """`count` batches of degraded crops to look at, of a pool that is full."""
    source, pool = Batches(task, seed, batch, **where), {}
    return (source.draw(2 * POOL + step, pool)[0] for step in range(count))


def kept(cache, seed, index):
    """A scene, from the folder `cache` where it lies there; several runs can share one and draw each scene once."""
    if cache is None:
        return scenes.render(seed, index)
    path = Path(cache) / f"{RECIPE}-{seed}-{index}.npy"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            np.save(file, scenes.render(seed, index))
        os.replace(file.name, path)
    return np.load(path, mmap_mode="r")


def crop(rng, scene, side, margin=0, scales=SCALES):
    """A cut of the scene, perhaps reduced, mirrored, in another tone: (clear, depth).

    `margin` more on every side than `side`, for the degradation to cut off again.
    """
    side = side + 2 * margin
    scale = min(rng.choice(list(scales), p=list(scales.values())), scenes.SIZE // side)
    reach = side * scale
    y, x = rng.integers(0, scenes.SIZE - reach + 1, 2)
    cut = scene[:, y:y + reach, x:x + reach].astype(np.float32)
    cut = cut.reshape(4, side, scale, side, scale).mean((2, 4))
    if rng.random() < 0.5:
        cut = cut[..., ::-1]
    clear, depth = cut[:3], cut[3]
    gamma = np.exp(rng.normal(0, 0.15)) * np.exp(rng.normal(0, 0.04, 3))
    clear = np.clip(clear, 1e-4, 1) ** gamma[:, None, None]
    return np.clip(clear * rng.uniform(0.85, 1.05), 0, 1).astype(np.float32), depth


def loader(*args, workers=1, **kwargs):
    return iter(DataLoader(Batches(*args, **kwargs), batch_size=None, num_workers=workers))
