"""A smoke test of the recipe, under a minute: from weights/, `python -m train.test_train` (or pytest)."""

import tempfile
from pathlib import Path

import numpy as np
import torch

from . import scenes
from .__main__ import options
from .data import Batches
from .evaluate import load
from .export import export
from .train import Run, loss

TINY = options(["--width", "8", "--blocks", "1", "--steps", "24", "--freeze", "0.5", "--seed", "3", "--rate", "10"])
BATCHES = Batches("dehaze", 3, 8, sides={64: 1.0})
POOL = {}  # the scenes drawn so far, shared by all tests


def advance(run, steps):
    for step in range(run.step, run.step + steps):
        yield float(run.advance(*BATCHES.draw(step, POOL)))


def test_scenes_depend_on_the_seed_only():
    one, two = scenes.render(1, 2), scenes.render(1, 2)
    assert np.array_equal(one, two) and not np.array_equal(one, scenes.render(1, 3))
    assert one.shape == (4, scenes.SIZE, scenes.SIZE) and one.min() >= 0 and one.max() <= 1


def test_a_few_steps_learn():
    run, fixed = Run(TINY), BATCHES.draw(100, {})

    def now():
        with torch.no_grad():
            return float(loss(run.net.eval()(fixed[0]), fixed[1]))

    before = now()
    for _ in range(20):
        run.advance(*fixed)
    after = now()
    assert after < 0.95 * before, (before, after)


def test_resuming_changes_no_bit():
    whole, part, rest = Run(TINY), Run(TINY), Run(TINY)
    losses = list(advance(whole, 6))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.pt"
        again = list(advance(part, 3))
        part.save(path)
        rest.load(path)
        again += advance(rest, 3)
    assert losses == again
    for a, b in zip(whole.ema.state_dict().values(), rest.ema.state_dict().values()):
        assert torch.equal(a, b)


def test_batch_norms_freeze():
    run = Run(TINY)
    norm = run.net.Encoder[0].layers[0].main[1].dynas[0].bn
    seen = []
    for _ in advance(run, 16):
        seen.append(norm.running_mean.clone())
    assert not torch.equal(seen[10], seen[11]) and torch.equal(seen[12], seen[15])


def test_the_export_is_the_averaged_network():
    run = Run(TINY)
    list(advance(run, 2))
    with tempfile.TemporaryDirectory() as folder:
        run.save(Path(folder) / "checkpoint.pt")
        for _ in range(2):  # the second time replaces the entry
            export(Path(folder) / "checkpoint.pt", Path(folder) / "tiny.safetensors", "tiny", "a test")
        net = load(Path(folder) / "tiny.safetensors")
        assert (Path(folder) / "manifest.toml").read_text().count("[tiny]") == 1
    for (name, a), b in zip(run.ema.state_dict().items(), net.state_dict().values()):
        if a.is_floating_point():
            assert torch.equal(a.half().float(), b), name
    assert "FAM1.merge.main.0.weight" in net.state_dict()


if __name__ == "__main__":
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
            print(name, "ok")
