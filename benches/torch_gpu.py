"""Times the network in PyTorch, for benches/gpu.sh: JSON on standard output, in the form of `irnext bench --json`.

    python benches/torch_gpu.py --size 256x256 --size 720x1280 [--blocks 14 --mean local] [--device cuda|cpu]

On CUDA: f16, channels_last, without gradients, with cuDNN's own search; eager, then compiled. On a CPU: f32. Weights are
random: time doesn't depend on them.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "weights"))
from train.network import IRNeXt  # noqa: E402


def measure(run, synchronise, seconds):
    """The first run's milliseconds, and those of as many as the time allows, at least three."""

    def once():
        synchronise()
        started = time.perf_counter()
        run()
        synchronise()
        return (time.perf_counter() - started) * 1e3

    first, times, until = once(), [], time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < until:
        times.append(once())
    return {"runs": len(times), "first_ms": first, "median_ms": statistics.median(times), "min_ms": min(times)}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--size", action="append", required=True, metavar="HxW")
    arguments.add_argument("--width", type=int, default=32)
    arguments.add_argument("--blocks", type=int, default=4)
    arguments.add_argument("--mean", default="global")
    arguments.add_argument("--seconds", type=float, default=2)
    arguments.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments.add_argument("--no-compile", action="store_true")
    told = arguments.parse_args()

    cuda = told.device == "cuda"
    element = torch.float16 if cuda else torch.float32
    torch.backends.cudnn.benchmark = True
    network = IRNeXt(told.width, told.blocks, mean=told.mean).eval().to(told.device, element)
    network = network.to(memory_format=torch.channels_last)
    ways = {"eager": network}
    if not told.no_compile:
        ways["compiled"] = torch.compile(network)

    models = []
    for size in told.size:
        height, width = (int(side) + -int(side) % 32 for side in size.split("x"))
        picture = torch.rand(1, 3, height, width, device=told.device, dtype=element)
        picture = picture.to(memory_format=torch.channels_last)
        for way, run in ways.items():
            model = {"way": way, "height": height, "width": width}
            try:
                with torch.inference_mode():
                    model |= measure(lambda: run(picture), torch.cuda.synchronize if cuda else lambda: None, told.seconds)
                    if cuda:
                        model["memory_bytes"] = torch.cuda.max_memory_allocated()
                        torch.cuda.reset_peak_memory_stats()
            except Exception as error:  # out of memory, or a compiler that isn't there: the other ways go on
                model["error"] = (str(error).strip() or type(error).__name__).splitlines()[0]
            models.append(model)
    adapter = torch.cuda.get_device_name() if cuda else f"CPU, {torch.get_num_threads()} threads"
    config = f"width {told.width}, {told.blocks} blocks a stage, mean {told.mean}"
    precision = "f16" if cuda else "f32"
    print(json.dumps({"torch": torch.__version__, "adapter": adapter, "precision": precision, "config": config,
                      "models": models}, indent=2))


if __name__ == "__main__":
    main()
