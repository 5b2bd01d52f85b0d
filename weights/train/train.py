"""The loop: loss, schedule, averaged weights, checkpoints."""

import copy
import math
import os
import time
from functools import partial
from pathlib import Path

import torch
from safetensors import safe_open
from torch.nn import functional as F

from . import RECIPE
from .data import loader, looks
from .filters import EVERY, follow, revive
from .muon import Muon, is_matrix
from .network import IRNeXt, completed

PEAK, FLOOR, WARMUP = 6e-4, 1e-6, 200  # learning rate: its top, its end, and the steps up to the top
FREEZE = 0.15  # part of the run after which batch norms use their running statistics (see RECIPE.md)
DECAY = 0.998  # of the average of the weights
REVIVAL = 40  # batches that --revive measures on
REHEARSALS = 3  # steps of a size of crop before one is recorded
SPECTRUM = {"dehaze": 0.02, "deblur": 0.1, "defocus": 0.1, "derain": 0.02, "desnow": 0.02}  # the paper has 0.1 (see RECIPE.md)


def loss(outputs, wanted, weight):
    """The paper's: L1 in space and, times `weight`, in frequency at three scales."""
    total = 0
    for out in outputs:
        out = out.float()
        scale = out.shape[-1] / wanted.shape[-1]
        goal = wanted if scale == 1 else F.interpolate(wanted, scale_factor=scale, mode="bilinear")
        spectrum = torch.view_as_real(torch.fft.fft2(out) - torch.fft.fft2(goal))
        total = total + F.l1_loss(out, goal) + weight * spectrum.abs().mean()
    return total


def rate(step, progress):
    return min(1, (step + 1) / WARMUP) * (FLOOR + (PEAK - FLOOR) * (1 + math.cos(math.pi * progress)) / 2)


@torch.no_grad()
def average(ema, net, step):
    """Move `ema` towards `net`, state dicts both; statistics are averaged like weights, counters copied."""
    keep = min(DECAY, (1 + step) / (10 + step))
    means, counts = ([(m, n) for m, n in zip(ema.values(), net.values()) if m.is_floating_point() == floating]
                     for floating in (True, False))
    torch._foreach_lerp_(*map(list, zip(*means)), 1 - keep)
    for mean, now in counts:
        mean.copy_(now)


def rehearsed(work):
    """`work()` on a stream of its own, as recording asks of what comes before it."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        value = work()
    torch.cuda.current_stream().wait_stream(side)
    return value


def freeze_statistics(net):
    for m in net.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            m.eval()


class Run:
    """All that a checkpoint holds.  `options` are the command line's; a resumed run must repeat them."""

    SHAPE = "task", "width", "blocks", "activation", "mean", "seed", "batch", "muon", "graph"

    def __init__(self, options):
        self.options, self.step, self.seconds = options, 0, 0.0
        self.recipe = RECIPE
        self.before = 0  # steps for this task of the run that this one started from
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.backends.cudnn.benchmark = True  # few sizes, many steps
        torch.manual_seed(options["seed"])
        attention = {k: options[k] for k in ("activation", "mean")}
        self.net = IRNeXt(options["width"], options["blocks"], **attention)
        self.net.to(self.device, memory_format=torch.channels_last)
        self.ema = copy.deepcopy(self.net).eval()
        self.forward = torch.compile(self.net, dynamic=False) if options["compile"] else self.net
        matrices = [p for p in self.net.parameters() if options["muon"] and is_matrix(p)]
        others = [p for p in self.net.parameters() if not (options["muon"] and is_matrix(p))]
        self.recorded = {} if options["graph"] else None
        peak = torch.tensor(PEAK, device=self.device) if options["graph"] else PEAK  # a replayed step reads it from memory
        self.optimizers = {"adam": torch.optim.Adam(others, lr=peak, capturable=options["graph"])}
        if matrices:
            self.optimizers["muon"] = Muon(matrices, lr=peak.clone() if options["graph"] else peak)
        self.states = self.ema.state_dict(), self.net.state_dict()

    def save(self, path):
        state = {"recipe": self.recipe, "options": self.options, "step": self.step, "before": self.before, "seconds": self.seconds,
                 "net": self.net.state_dict(), "ema": self.ema.state_dict()}
        state |= {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()}
        temporary = Path(f"{path}.part")
        torch.save(state, temporary)
        os.replace(temporary, path)

    def load(self, path, weights_only=False):
        """Continue from `path`; with `weights_only`, start a new run from its averaged weights."""
        if str(path).endswith(".safetensors"):
            return self.adopt(path)
        state = torch.load(path, map_location=self.device, weights_only=False)
        if weights_only:
            self.net.load_state_dict(state["ema"])
            self.ema.load_state_dict(state["ema"])
            if state["options"]["task"] == self.options["task"]:
                self.before = state["before"] + state["step"]
            return
        if (then := state.get("recipe", "unknown")) != RECIPE:
            raise SystemExit(f"{path} was trained by recipe {then}, and this is recipe {RECIPE}: begin a new run with --start")
        for key in self.SHAPE:
            then = state["options"].get(key, False)  # older files don't say what they had not
            if then != self.options[key]:
                raise SystemExit(f"{path} was trained with --{key} {then}")
        self.step, self.before, self.seconds = state["step"], state["before"], state["seconds"]
        self.net.load_state_dict(state["net"])
        self.ema.load_state_dict(state["ema"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state[name])

    def adopt(self, path):
        """Start a new run from a file that `export` wrote."""
        with safe_open(path, "pt") as file:
            weights = {k: file.get_tensor(k).float() for k in file.keys()}
            about = file.metadata() or {}
        for net in self.net, self.ema:
            missing, unknown = net.load_state_dict(completed(weights, net), strict=False)
            missing = [k for k in missing if not k.endswith("num_batches_tracked")]
            if missing or unknown:
                raise SystemExit(f"{path} is another network: missing {missing[:3]}, unknown {unknown[:3]}")
        if about.get("task") == self.options["task"]:
            self.before = int(about.get("steps", 0))

    @property
    def progress(self):
        """0..1, by steps where --steps is given (then a seed repeats exactly), else by time."""
        steps = self.options["steps"]
        return min(1.0, self.step / steps if steps else self.seconds / (60 * self.options["minutes"]))

    def advance(self, degraded, wanted):
        """One step; its loss."""
        begun, progress = time.monotonic(), self.progress
        self.net.train()
        frozen = progress >= self.options["freeze"]
        if frozen:
            freeze_statistics(self.net)
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                now = rate(self.step, progress) * self.options["rate"]
                group["lr"] = group["lr"].fill_(now) if isinstance(group["lr"], torch.Tensor) else now
        degraded = degraded.to(self.device).contiguous(memory_format=torch.channels_last)
        if frozen and self.step % EVERY == 0:
            follow(self.net, degraded)
        learn = self.learn if self.recorded is None else partial(self.replay, frozen)
        value = learn(degraded, wanted.to(self.device))
        average(*self.states, self.step)
        self.step += 1
        self.seconds += time.monotonic() - begun
        return value

    def learn(self, degraded, wanted):
        """The step's work on the device: its loss."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.options["bf16"]):
            outputs = self.forward(degraded)
        judged = outputs[-1:] if self.options["full"] else outputs
        value = loss(judged, wanted, self.options["spectrum"])
        self.net.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 10.0)
        for optimizer in self.optimizers.values():
            optimizer.step()
        return value.detach()

    def replay(self, frozen, *batch):
        """As `learn`, recorded once for each size of crop: a step is some thousand small kernels, and launching them one by
        one takes a GPU's host many times as long as running them."""
        key = frozen, batch[0].shape
        seen = self.recorded.setdefault(key, 0)
        if isinstance(seen, int):
            if seen < REHEARSALS:
                self.recorded[key] += 1
                return rehearsed(lambda: self.learn(*batch))
            held = [t.clone() for t in batch]
            graph = torch.cuda.CUDAGraph()
            self.net.zero_grad(set_to_none=True)  # so that the gradients lie in the graph's own memory
            with torch.cuda.graph(graph):
                value = self.learn(*held)
            seen = self.recorded[key] = graph, held, value
        graph, held, value = seen
        for to, now in zip(held, batch):
            to.copy_(now)
        graph.replay()
        return value


def train(options, report=print):
    out = Path(options["out"])
    out.mkdir(parents=True, exist_ok=True)
    run, checkpoint = Run(options), out / "checkpoint.pt"
    if checkpoint.exists():
        run.load(checkpoint)
    elif options["start"]:
        run.load(options["start"], weights_only=True)
        if options["revive"]:
            revived(run)
    if run.progress >= 1:
        return run
    batches = loader(options["task"], options["seed"], options["batch"], start=run.step,
                     scenery=options["scenery"], cache=options["cache"], ease=options["ease"], workers=options["workers"])
    running, saved, waited = 0.0, time.monotonic(), time.monotonic()
    mark = int(run.progress * options["keep"])
    begun, first, told = time.monotonic(), run.step, False
    for degraded, wanted in batches:
        run.seconds += time.monotonic() - waited  # waiting for data counts too
        running += float(run.advance(degraded, wanted))
        done = run.progress >= 1
        if int(run.progress * options["keep"]) > mark:
            mark = int(run.progress * options["keep"])
            run.save(out / f"at-{100 * mark // options['keep']:03}.pt")
        if not told and time.monotonic() - begun > 60:
            told = True
            report(f"step {run.step:6}  {(time.monotonic() - begun) / (run.step - first):.2f} s a step so far")
        if run.step % options["every"] == 0:
            report(f"step {run.step:6}  {run.seconds / 60:6.1f} min  {run.progress:4.0%}  "
                   f"loss {running / options['every']:.4f}  {validate(run)}")
            running = 0.0
        if done or time.monotonic() - saved > 60:
            run.save(checkpoint)
            saved = time.monotonic()
        if done:
            return run
        waited = time.monotonic()


def revived(run):
    """Bring filters of the weights that a run starts from back to life (`filters.revive`), by the run's kind of batches."""
    o = run.options
    batches = looks(o["task"], o["seed"], REVIVAL, o["batch"], scenery=o["scenery"], cache=o["cache"])
    revive(run.net, (batch.to(run.device) for batch in batches))
    run.ema.load_state_dict(run.net.state_dict())


def validate(run):
    """Mean PSNR of the averaged weights over --val's folders, input and target."""
    folder = run.options["val"]
    if not folder:
        return ""
    from .evaluate import pairs, score

    rows = [score(run.ema, *pair)[:2] for pair in pairs(f"{folder}/input", f"{folder}/target")]
    before, after = (sum(r) / len(rows) for r in zip(*rows))
    each = " ".join(f"{r[1] - r[0]:+.1f}" for r in rows)
    return f"val {before:.2f} -> {after:.2f} dB ({each})"
