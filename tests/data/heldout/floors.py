"""Are the shipped models above the benchmark's floors?  python floors.py [IRNEXT] [--device N|cpu]

Runs baselines.py into a temporary folder and `irnext eval` on this one, each task by its published protocol (rain:
luma).  A floor is a gain in mean PSNR over the degraded pictures; haze must be above the dark channel prior too.
Exits with 1 below a floor.  IRNEXT is the program [target/release/irnext, else the one on PATH].  Needs what
baselines.py needs.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILT = HERE.parents[2] / "target" / "release" / "irnext"
FLOORS = {"dehaze": 7.0, "deblur": 1.5, "defocus": 1.0, "derain": 5.0, "desnow": 7.0}  # set when the project began
ABOVE_CLASSICAL = ["dehaze"]


def measure(program, device):
    """{task: {"degraded", "baseline", "small": mean PSNR}}"""
    with tempfile.TemporaryDirectory() as classical:
        filters = [sys.executable, HERE / "baselines.py", "--save", classical]
        subprocess.run(filters, check=True, stdout=subprocess.DEVNULL)
        command = [program, "eval", HERE, "--quality", "small", "--baseline", classical, "--device", device]
        found = subprocess.run([*command, "--json", "--quiet"], check=True, stdout=subprocess.PIPE).stdout
    return {each["task"]: {result["name"]: result["mean"]["psnr"] for result in each["results"]}
            for each in json.loads(found)["sets"]}


def program_and_device(doc):
    """What a script's command line says of them; flicker.py's too."""
    args = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("program", nargs="?", metavar="IRNEXT")
    args.add_argument("--device", default="auto", help="as in `irnext restore` [auto]")
    a = args.parse_args()
    program = a.program or (str(BUILT) if BUILT.exists() else shutil.which("irnext"))
    if not program or not shutil.which(program):
        sys.exit(f"no program: {program or 'cargo build --release, or name it'}")
    return program, a.device


def main():
    program, device = program_and_device(__doc__)
    try:
        means = measure(program, device)
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error.cmd[0]} {error.cmd[1]} failed")
    failed = False
    print(f"{'task':8} {'degraded':>8} {'classical':>9} {'small':>6} {'gain':>6}   floor")
    for task, floor in FLOORS.items():
        mean = means[task]
        gain = mean["small"] - mean["degraded"]
        passed = gain >= floor and (task not in ABOVE_CLASSICAL or mean["small"] > mean["baseline"])
        failed |= not passed
        rule = f"+{floor:g}" + (", above classical" if task in ABOVE_CLASSICAL else "")
        print(f"{task:8} {mean['degraded']:8.2f} {mean['baseline']:9.2f} {mean['small']:6.2f} {gain:+6.2f}   "
              f"{rule}: {'pass' if passed else 'FAIL'}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
