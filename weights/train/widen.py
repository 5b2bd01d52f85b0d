"""A larger network that begins as a smaller one ends: python -m train.widen SMALL OUT --width 32 --blocks 4

After Net2Net (Chen et al. 2016, arXiv 1511.05641). Every channel becomes several alike, side by side, so that a filter's
groups stay together; what reads them shares its weight between them, unevenly, so that they part ways once they learn.
New residual blocks stand before the last one of a stage and add nothing at first.
"""

import argparse

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from .evaluate import load
from .network import IRNeXt

UNEVEN = 0.3  # how far the shares of alike channels lie apart, in weights' deviations


def copied(old, shape):
    """`old` with each of its entries along an axis repeated, to fill `shape`."""
    for axis, size in enumerate(shape):
        if old.shape[axis] != size:
            old = old.repeat_interleave(size // old.shape[axis], axis)
    return old


def widen(small, width, blocks):
    """The state dict of an IRNeXt of `width`, a multiple of the small one's, and `blocks`, no fewer than it has."""
    own = small.state_dict()
    times = width // small.feat_extract[0].main[0].out_channels
    before = len(small.Encoder[0].layers)
    new = IRNeXt(width, blocks).state_dict()
    for name in new:
        parts = name.split(".")
        added = False
        if parts[0] in ("Encoder", "Decoder"):
            block = int(parts[3])
            added = before - 1 <= block < blocks - 1
            parts[3] = str(before - 1 if block == blocks - 1 else block)
        if added:
            if ".main.2." in name:  # the block's second convolution
                new[name] = torch.zeros_like(new[name])
            continue
        old = own[".".join(parts)]
        wide = copied(old, new[name].shape)
        axis = 0 if "feat_extract.3" in name or "feat_extract.4" in name else 1  # of the inputs: a transposed weight's first
        if wide.ndim == 4 and wide.shape[axis] != old.shape[axis]:
            wide = wide / times
            noise = UNEVEN * wide.std() * torch.randn_like(wide).unflatten(axis, (-1, times))
            wide = wide + (noise - noise.mean(axis + 1, keepdim=True)).flatten(axis, axis + 1)
        new[name] = wide.to(new[name].dtype)
    return new


def main():
    args = argparse.ArgumentParser(prog="python -m train.widen", description=__doc__,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in "small", "out":
        args.add_argument(name)
    args.add_argument("--width", type=int, default=32)
    args.add_argument("--blocks", type=int, default=4)
    args.add_argument("--seed", type=int, default=1)
    a = args.parse_args()
    torch.manual_seed(a.seed)
    with safe_open(a.small, "pt") as file:
        about = file.metadata()
    state = widen(load(a.small), a.width, a.blocks)
    about |= {"width": str(a.width), "blocks": str(a.blocks)}
    save_file({k: v.contiguous() for k, v in state.items() if v.is_floating_point()}, a.out, metadata=about)


if __name__ == "__main__":
    main()
