"""Batches without end: the batch of a step depends on the seed and the step only.

Scenes live in a sliding pool: each is drawn from many times, every time cropped, scaled, toned and
degraded anew, until newer ones have pushed it out.  So a run that resumes goes on with the same batches.
"""

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from . import scenes
from .degrade import TASKS

POOL = 256  # scenes alive at a time
FRESH = 4  # steps until the next one enters
SIDES = {64: 0.45, 96: 0.35, 128: 0.17, 192: 0.03}  # crop sides and how often; a batch has one side


class Batches(IterableDataset):
    def __init__(self, task, seed, batch, start=0, sides=None):
        self.degrade, self.seed, self.batch, self.start = TASKS[task], seed, batch, start
        self.sides = sides or SIDES

    def __iter__(self):
        worker = get_worker_info()
        first, stride = (worker.id, worker.num_workers) if worker else (0, 1)
        pool, step = {}, self.start + first
        while True:
            yield self.draw(step, pool)
            step += stride

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
                pool[index] = scenes.render(self.seed, int(index))
            pairs.append(self.degrade(rng, *crop(rng, pool[index], side)))
        degraded, wanted = (np.stack(p).astype(np.float32) for p in zip(*pairs))
        return torch.from_numpy(degraded), torch.from_numpy(wanted)


def crop(rng, scene, side):
    """A cut of the scene at full or half size, perhaps mirrored, in another tone: (clear, depth)."""
    scale = rng.choice([1, 2], p=[0.35, 0.65])
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
