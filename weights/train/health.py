"""Does all of a network work? python -m train.health WEIGHTS DEGRADED CLEAR (two folders)

A stage may die: its maps grow until a GELU is zero everywhere behind it, and the stages around it go on alone. Losses don't
tell. So for each stage: the PSNR that is lost when its maps are replaced by their means (zero: nothing depends on it), and
the largest value that any map in it takes (half precision, which devices keep maps in, ends at 65,504).
"""

import argparse

import torch

from .evaluate import load, pairs, score

STAGES = ("Encoder.0", "Encoder.1", "Encoder.2", "Decoder.0", "Decoder.1", "Decoder.2")
HIGHEST = 16384  # what crops of training scenes may reach: whole photographs may go a few times as far


def largest(module, run):
    """The largest value of a map within a module, or of what it makes, while `run()` runs the network."""
    found = [0.0]

    def see(_, __, out):
        if isinstance(out, torch.Tensor) and out.ndim == 4:
            found[0] = max(found[0], float(out.detach().abs().max()))

    hooks = [m.register_forward_hook(see) for m in module.modules() if not isinstance(m, torch.nn.BatchNorm2d)]
    with torch.no_grad():
        run()
    for hook in hooks:
        hook.remove()
    return found[0]


def without(net, stage, run):
    """What `run()` gives with the stage's maps at their means."""
    hook = net.get_submodule(stage).register_forward_hook(lambda _, __, out: out.mean((2, 3), keepdim=True).expand_as(out))
    result = run()
    hook.remove()
    return result


def main():
    args = argparse.ArgumentParser(prog="python -m train.health", description=__doc__)
    for name in "weights", "degraded", "clear":
        args.add_argument(name)
    a = args.parse_args()
    net, photos = load(a.weights), list(pairs(a.degraded, a.clear))

    def gain():
        scores = [score(net, *photo) for photo in photos]
        return sum(after - before for before, after, *_ in scores) / len(scores)

    whole = gain()
    print(f"gain {whole:+.2f} dB")
    for stage in STAGES:
        lost = whole - without(net, stage, gain)
        print(f"{stage:10} without it {lost:5.2f} dB less; maps up to {largest(net.get_submodule(stage), gain):.0f}", flush=True)


if __name__ == "__main__":
    main()
