"""A training checkpoint's averaged weights, as the safetensors file that is shipped and its manifest entry.

Of several checkpoints the mean (Wortsman et al. 2022, arXiv 2203.05482): of one run on its way (--keep), of runs that began
where the first one did, or went on from it on its way.  --halfway: the mean of that and the weights that the run began from.
"""

import argparse
import hashlib
import os
import re
from pathlib import Path

import torch
from safetensors.torch import save_file

from .data import looks
from .evaluate import load, mean_score
from .health import HIGHEST, largest
from .network import SIDE_OUTPUTS, IRNeXt

LOOKS = 8  # batches on which the maps' range is measured
LICENCE = "CC0-1.0"
ALIKE = "task", "width", "blocks", "activation", "mean"
ONE_RUN = "seed", "out", "rate", "full", "batch"  # options that several checkpoints of a run share


def facts(state, hardware):
    o = state["options"]
    return {
        "task": o["task"], "width": o["width"], "blocks": o["blocks"], "activation": o["activation"],
        "mean": o["mean"], "seed": o["seed"], "recipe": state.get("recipe", "unknown"), "steps": state["before"] + state["step"],
        "hardware": hardware, "licence": LICENCE,
    }


def together(checkpoints):
    """What a checkpoint holds; of several, the mean of the weights and the sum of their runs' steps."""
    first, *others = (torch.load(path, map_location="cpu", weights_only=False) for path in checkpoints)
    for state in others:
        if state.get("recipe") != first.get("recipe"):
            raise SystemExit("these runs followed two recipes: a mean of both would have none")
        if any(state["options"][key] != first["options"][key] for key in ALIKE):
            raise SystemExit(f"these runs differ in {', '.join(ALIKE)}: their mean would be no network")
        if not 0 <= state["before"] - first["before"] <= first["step"]:
            raise SystemExit("these runs began neither where the first did nor along its way: their mean would be no network")
    steps = {}
    for state in first, *others:
        run = state["before"], *(state["options"].get(key) for key in ONE_RUN)
        steps[run] = max(state["step"], steps.get(run, 0))
    first["step"] = sum(steps.values())
    for name, value in first["ema"].items():
        if value.is_floating_point():
            first["ema"][name] = torch.stack([value, *(state["ema"][name] for state in others)]).mean(0)
    return first


def halfway(state, start):
    """Bring the averaged weights halfway back to those of the file `start`, which the run began from."""
    begun = load(start).state_dict()
    if any(value.shape != begun[name].shape for name, value in state["ema"].items()):
        raise SystemExit(f"{start} is of another shape: the run did not begin from it")
    for name, value in state["ema"].items():
        if value.is_floating_point():
            value.lerp_(begun[name], 0.5)


def export(checkpoints, out, quality, hardware, measured=None, lean=False, start=None):
    """Write the fp16 weights to `out` and put their entry into manifest.toml beside it."""
    out = Path(out)
    state = together(checkpoints)
    if start:
        halfway(state, start)
    about = facts(state, hardware)
    net = IRNeXt(about["width"], about["blocks"], activation=about["activation"], mean=about["mean"])
    net.load_state_dict(state["ema"])
    o = state["options"]
    batches = looks(o["task"], o["seed"] + 1, LOOKS, scenery=o["scenery"], cache=o["cache"])
    high = largest(net.eval(), lambda: [net(batch) for batch in batches])
    if not high < HIGHEST:
        print(f"warning: maps reach {high:.0f}, and half precision ends at 65504; see train.health")
    weights = {k: v.half().contiguous() for k, v in state["ema"].items()
               if v.is_floating_point() and not (lean and k.startswith(SIDE_OUTPUTS))}
    temporary = out.with_suffix(".part")
    save_file(weights, temporary, metadata={k: str(v) for k, v in about.items()})
    temporary.chmod(0o644)
    os.replace(temporary, out)

    entry = {"task": about.pop("task"), "quality": quality, "file": out.name, **about}
    entry["sha256"] = hashlib.sha256(out.read_bytes()).hexdigest()
    if measured:
        names = "psnr_degraded", "psnr_restored", "ssim_degraded", "ssim_restored"
        entry.update({k: round(v, 2 if "psnr" in k else 4) for k, v in zip(names, measured)})
    register(out.with_name("manifest.toml"), out.stem, entry)


def register(manifest, name, entry):
    """Replace or append one table of the manifest."""
    lines = [f"{k} = {v}" if isinstance(v, (int, float)) else f'{k} = "{v}"' for k, v in entry.items()]
    table = "\n".join([f"[{name}]", *lines, ""])
    old = manifest.read_text() if manifest.exists() else "# The weights that irnext ships, made by weights/train.\n"
    own = re.compile(rf"(?ms)^\[{re.escape(name)}\]$.*?(?=^\[|\Z)")
    new = own.sub(lambda _: f"{table}\n", old, count=1) if own.search(old) else f"{old.rstrip()}\n\n{table}"
    temporary = manifest.with_suffix(".part")
    temporary.write_text(f"{new.rstrip()}\n")
    os.replace(temporary, manifest)


def main():
    args = argparse.ArgumentParser(prog="python -m train.export", description=__doc__)
    args.add_argument("checkpoints", nargs="+")
    args.add_argument("out", help="NAME.safetensors; manifest.toml is kept beside it")
    args.add_argument("--quality", default="small")
    args.add_argument("--hardware", default="2 CPU cores")
    args.add_argument("--lean", action="store_true", help="leave out the outputs at quarter and half size, which only training needs")
    args.add_argument("--halfway", metavar="START", help="the mean with the weights of this file, which the run began from")
    args.add_argument("--measure", nargs=2, metavar=("DEGRADED", "CLEAR"), help="PSNR and SSIM on these two folders")
    a = args.parse_args()
    how = a.checkpoints, a.out, a.quality, a.hardware
    export(*how, lean=a.lean, start=a.halfway)
    if a.measure:
        export(*how, mean_score(load(a.out), *a.measure), a.lean, a.halfway)


if __name__ == "__main__":
    main()
