"""Inner stages that live, under outer stages that know their task: python -m train.graft OUTER INNER OUT

For a network whose inner stages died (`train.health`): what works at full resolution stays OUTER's, all below it becomes
INNER's, another task's; with `--below half` only the quarter-resolution stages do. `new` for INNER begins them anew. What
the dead stages added was the same everywhere: it becomes a bias. What the new ones bring enters faintly, so the result
begins as good as OUTER, and a run that starts from it learns to use them.
"""

import argparse

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from .data import looks
from .evaluate import load
from .filters import measure
from .network import IRNeXt

# What stays OUTER's by its name, the stage that brings what lies below, and the convolution that takes it up.
FULL = ("feat_extract.0.", "Encoder.0.", "Decoder.2.", "feat_extract.5."), 4, "Convs.1.main.0"
HALF = FULL[0] + ("feat_extract.1.", "feat_extract.4.", "SCM2.", "FAM2.", "Encoder.1.", "Decoder.1.", "Convs.1.",
                  "ConvsOut.1."), 3, "Convs.0.main.0"
BELOW = {"full": FULL, "half": HALF}
FAINT = 0.05  # of INNER's weights where the two meet
LOOKS = 6  # batches on which the constant is measured


def meet(outer, inner, batches, below="full"):
    """The state dict of the graft; `outer` and `inner` are networks of one size, `batches` of the outer's task."""
    kept, stage, taken = BELOW[below]
    seen = []
    hook = outer.feat_extract[stage].register_forward_hook(lambda _, __, out: seen.append(out.mean((0, 2, 3))))
    with torch.no_grad():
        for batch in batches:
            outer.eval()(batch)
    hook.remove()
    own = outer.state_dict()
    state = {k: own[k] if k.startswith(kept) else v for k, v in inner.state_dict().items()}
    weight, c = own[f"{taken}.weight"].clone(), len(seen[0])
    constant = weight[:, :c, 0, 0] @ torch.stack(seen).mean(0)
    weight[:, :c] = FAINT * inner.state_dict()[f"{taken}.weight"][:, :c]
    state[f"{taken}.weight"] = weight
    state[f"{taken}.bias"] = own[f"{taken}.bias"] + constant
    return state


def main():
    args = argparse.ArgumentParser(prog="python -m train.graft", description=__doc__)
    for name in "outer", "inner", "out":
        args.add_argument(name)
    args.add_argument("--below", choices=BELOW, default="full", help="the lowest resolution that stays OUTER's")
    args.add_argument("--cache", help="folder where drawn scenes are kept")
    args.add_argument("--seed", type=int, default=1, help="of `new`")
    a = args.parse_args()
    with safe_open(a.outer, "pt") as file:
        about = file.metadata()
    batches = list(looks(about["task"], int(about["seed"]), LOOKS, cache=a.cache))
    torch.manual_seed(a.seed)
    if a.inner == "new":
        inner = IRNeXt(int(about["width"]), int(about["blocks"]), activation=about["activation"], mean=about["mean"])
        measure(inner, batches)
    else:
        inner = load(a.inner)
    state = meet(load(a.outer), inner, batches, a.below)
    save_file({k: v.contiguous() for k, v in state.items() if v.is_floating_point()}, a.out, metadata=about)


if __name__ == "__main__":
    main()
