"""python -m train --task dehaze --width 16 --blocks 3 --minutes 60 --seed 1 --out train/runs/x"""

import argparse
from functools import partial

import torch

from .degrade import TASKS
from .network import ACTIVATIONS, MEANS
from .train import FREEZE, SPECTRUM, train


def options(argv=None):
    a = argparse.ArgumentParser(prog="python -m train", description="Train IRNeXt on procedural scenes.")
    a.add_argument("--task", choices=TASKS, default="dehaze")
    a.add_argument("--width", type=int, default=16, help="channels at full resolution")
    a.add_argument("--blocks", type=int, default=2, help="residual blocks a stage")
    a.add_argument("--activation", choices=ACTIVATIONS, default="tanh")
    a.add_argument("--mean", choices=MEANS, default="global")
    a.add_argument("--minutes", type=float, default=60, help="length of the run, where --steps is not given")
    a.add_argument("--steps", type=int, help="length of the run in steps: repeats exactly")
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--batch", type=int, default=8, help="crops a step; 8 or more for the batch norms")
    a.add_argument("--rate", type=float, default=1.0, help="factor on the learning rate (below 1 to fine-tune)")
    a.add_argument("--spectrum", type=float, help="weight of the loss's Fourier half [0.1 for blur, else 0.02]")
    a.add_argument("--full", action="store_true", help="judge the output of full size alone, the only one that is used in the end")
    a.add_argument("--freeze", type=float, default=FREEZE, help="part of the run until batch norms use their running statistics")
    a.add_argument("--out", default="runs/new", help="folder of the checkpoint; a run found there goes on")
    a.add_argument("--keep", type=int, default=0, metavar="N",
                   help="keep N checkpoints of the way besides, at-PERCENT.pt, evenly apart: export takes their mean")
    a.add_argument("--start", help="checkpoint or safetensors file whose weights a new run starts from")
    a.add_argument("--revive", action="store_true", help="with --start: bring filters that stand still back to where they learn")
    a.add_argument("--cache", help="folder where drawn scenes are kept, for several runs to share")
    a.add_argument("--ease", type=int, default=0,
                   help="deblur: steps over which straight paths give way to all others, down to the recipe's share; 0: it is that from the start")
    a.add_argument("--scenery", type=int, help="seed of the scenes alone; default: --seed")
    a.add_argument("--val", help="folder with input/ and target/, watched during the run, never learnt from")
    a.add_argument("--every", type=int, default=200, help="steps between reports; the first one comes after a minute")
    a.add_argument("--muon", action="store_true", help="Muon for the convolutions' weights, Adam for the rest (RECIPE.md: what it gains)")
    a.add_argument("--compile", action="store_true", help="compile the network (torch.compile): a quarter faster on a CPU")
    a.add_argument("--graph", action="store_true", help="CUDA: record a step of each size of crop and replay it")
    a.add_argument("--bf16", action=argparse.BooleanOptionalAction,
                   help="the network in bfloat16 [default: on CUDA, and on CPUs with AVX-512]")
    a.add_argument("--threads", type=int, default=0, help="CPU threads of the network; 0: PyTorch's choice")
    a.add_argument("--workers", type=int, default=1, help="processes that draw scenes")
    chosen = vars(a.parse_args(argv))
    if chosen["ease"] and chosen["task"] != "deblur":
        a.error("--ease is for --task deblur")
    if chosen["revive"] and not (chosen["start"] and chosen["activation"] == "tanh"):
        a.error("--revive is for the weights of --start, and for --activation tanh")
    if chosen["graph"] and not torch.cuda.is_available():
        a.error("--graph needs a GPU that PyTorch sees (CUDA)")
    if chosen["bf16"] is None:  # other CPUs compute it in f32 after all, eleven times as slowly
        chosen["bf16"] = torch.cuda.is_available() or torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    if chosen["spectrum"] is None:
        chosen["spectrum"] = SPECTRUM[chosen["task"]]
    return chosen


if __name__ == "__main__":
    chosen = options()
    if chosen["threads"]:
        torch.set_num_threads(chosen["threads"])
    train(chosen, report=partial(print, flush=True))
