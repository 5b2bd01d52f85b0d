"""Inner stages that live, under outer stages that know their task: python -m train.graft OUTER INNER OUT

For a network whose inner stages died (`train.health`): what works at full resolution stays OUTER's, all below it becomes
INNER's, another task's. What the dead stages added was the same everywhere: it becomes a bias. What the new ones bring
enters faintly, so the result begins as good as OUTER, and a run that starts from it learns to use them.
"""

import argparse

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from .data import looks
from .evaluate import load

OUTER = "feat_extract.0.", "Encoder.0.", "Decoder.2.", "feat_extract.5."  # by these names, and half of Convs.1
FAINT = 0.05  # of INNER's weights where the two meet
LOOKS = 6  # batches on which the constant is measured


def meet(outer, inner, batches):
    """The state dict of the graft; `outer` and `inner` are networks of one size, `batches` of the outer's task."""
    seen = []
    hook = outer.feat_extract[4].register_forward_hook(lambda _, __, out: seen.append(out.mean((0, 2, 3))))
    with torch.no_grad():
        for batch in batches:
            outer.eval()(batch)
    hook.remove()
    own = outer.state_dict()
    state = {k: own[k] if k.startswith(OUTER) else v for k, v in inner.state_dict().items()}
    weight, c = own["Convs.1.main.0.weight"].clone(), len(seen[0])
    constant = weight[:, :c, 0, 0] @ torch.stack(seen).mean(0)
    weight[:, :c] = FAINT * inner.state_dict()["Convs.1.main.0.weight"][:, :c]
    state["Convs.1.main.0.weight"] = weight
    state["Convs.1.main.0.bias"] = own["Convs.1.main.0.bias"] + constant
    return state


def main():
    args = argparse.ArgumentParser(prog="python -m train.graft", description=__doc__)
    for name in "outer", "inner", "out":
        args.add_argument(name)
    args.add_argument("--cache", help="folder where drawn scenes are kept")
    a = args.parse_args()
    with safe_open(a.outer, "pt") as file:
        about = file.metadata()
    state = meet(load(a.outer), load(a.inner), looks(about["task"], int(about["seed"]), LOOKS, cache=a.cache))
    save_file({k: v.contiguous() for k, v in state.items() if v.is_floating_point()}, a.out, metadata=about)


if __name__ == "__main__":
    main()
