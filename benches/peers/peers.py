#!/usr/bin/env python3
"""The same network, weights and picture on other engines and on this program, interleaved on this machine.

    python benches/peers/peers.py                          # 256x256, every engine and adapter found
    python benches/peers/peers.py --driver target/newer-driver/run    # this program on the driver that tests/run.sh unpacks
    python benches/peers/peers.py --size 480x640 --blocks 14 --mean local --rounds 9 --only torch-cpu irnext-cpu

Needs a Python with torch, numpy and safetensors and a built `target/release/irnext`. The other engines are installed with pip under
target/peers (not into the Python). Every engine is a process of its own; a round asks each of them in turn for one
run (this program for at least three, of which it gives the median; its time on a device is that of the dispatches,
without the picture's way there and back). Printed and written to --out: median, CPU time of all threads (what a busy
machine leaves comparable; this program's has its loading in it), ratios of both to PyTorch on the CPU, errors against
PyTorch in f32 and f64, peak resident memory, size on disk. An engine that can't run is named with the reason.

The file is peers-<machine>-<instruction set>-<N>-threads.json, with what differs from the defaults behind the threads:
peers-amd-epyc-avx2-2-threads-480x640-14-blocks-local-mean-driver.json. One that exists is kept, but for --overwrite.
"""

import argparse
import importlib.util
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
HOME = ROOT / "target" / "peers"
SITE = HOME / "site"
PROGRAM = ROOT / "target" / "release" / "irnext"
PACKAGES = "onnx onnxruntime ncnn pnnx onnxscript onnx_ir ml_dtypes flatbuffers protobuf packaging".split()
USUAL = {"size": "256x256", "width": 32, "blocks": 4, "mean": "global"}
DISK = {  # what of the packages an engine needs to run
    "torch": ["torch"], "onnxruntime": ["onnxruntime"], "ncnn": ["ncnn", "ncnn.libs"],
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default=USUAL["size"], help="HxW, multiples of 32")
    parser.add_argument("--width", type=int, default=USUAL["width"])
    parser.add_argument("--blocks", type=int, default=USUAL["blocks"])
    parser.add_argument("--mean", default=USUAL["mean"], choices=["global", "local"])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", nargs="+", metavar="ENGINE", help="e.g. torch-cpu ncnn-cpu irnext-cpu")
    parser.add_argument("--program", type=Path, default=PROGRAM, help="the binary of irnext")
    parser.add_argument("--driver", type=Path, help="what this program is run by, so that it finds another Vulkan driver")
    parser.add_argument("--out", type=Path, default=ROOT / "benches" / "results", metavar="DIR", help="[benches/results]")
    parser.add_argument("--overwrite", action="store_true", help="replace a result of this machine and these options")
    parser.add_argument("--patience", type=float, default=300, help="seconds to wait for one answer of an engine")
    return parser.parse_args()


def install():
    if (SITE / "onnxruntime").exists() and (SITE / "ncnn").exists() and (SITE / "pnnx").exists():
        return
    print(f"installing {' '.join(PACKAGES)} into {SITE}", file=sys.stderr)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(SITE)]
    for package in PACKAGES:  # one by one: an engine that has no wheel here must not cost the others
        if subprocess.run([*pip, package]).returncode:
            print(f"{package} can't be installed: what needs it will say so", file=sys.stderr)


def disk(paths):
    """MiB on disk."""
    files = (f for path in paths for f in ([path] if path.is_file() else path.rglob("*")) if f.is_file())
    return sum(f.stat().st_size for f in files) / 2**20


class Peer:
    """A worker process of `worker.py`: `run` gives milliseconds, `save` writes its result."""

    def __init__(self, engine, options, folder):
        self.name, self.folder, self.patience = engine, folder, options.patience
        self.log = open(folder / f"{engine}.log", "w+")
        environment = dict(os.environ, PYTHONPATH=f"{SITE}:{ROOT / 'weights' / 'train'}", OMP_NUM_THREADS=str(options.threads))
        command = [sys.executable, str(HERE / "worker.py"), engine, str(folder), str(options.threads)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment)
        self.first, self.device = None, None
        ready = json.loads(self.answer())
        self.first, self.device = ready["first_ms"], ready["device"]

    def answer(self):
        import select
        while True:
            if not select.select([self.process.stdout], [], [], self.patience)[0]:
                self.process.kill()
                raise RuntimeError(f"no answer within {self.patience:.0f} s")
            line = self.process.stdout.readline()
            if not line:
                self.log.seek(0)
                lines = [line.strip() for line in self.log.read().splitlines() if line.strip()]
                raise RuntimeError(lines[-1] if lines else f"ended with {self.process.wait()}")
            if line.startswith("> "):
                return line[2:]

    def ask(self, what):
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        return json.loads(self.answer())

    def run(self):
        return self.ask("run")

    def save(self):
        self.ask("save")

    def close(self):
        peak = self.ask("peak")
        self.process.stdin.close()
        self.process.wait()
        return peak


class Own:
    """This program: `bench` for times, `run` for the result."""

    def __init__(self, device, options, folder):
        self.name, self.options, self.folder, self.device_flag = f"irnext-{device}", options, folder, device
        self.peak = 0
        self.first, self.device = None, None
        self.run()

    def call(self, *command):
        threads = dict(os.environ, RAYON_NUM_THREADS=str(self.options.threads))
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
            process = subprocess.Popen([*own(self.options), *command], stdout=out, stderr=errors, text=True, env=threads)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.peak = max(self.peak, usage.ru_maxrss / 1024)
            self.cpu = (usage.ru_utime + usage.ru_stime) * 1e3
            out.seek(0), errors.seek(0)
            if process.returncode:
                raise RuntimeError(errors.read().strip().splitlines()[-1])
            return out.read()

    def model(self):
        return ["--model", self.folder / "model.pth", "--activation", "tanh", "--mean", self.options.mean,
                "--device", self.device_flag]

    def run(self):
        found = json.loads(self.call("bench", *self.model(), "--size", self.options.size, "--seconds", "0.3",
                                     "--no-kernels", "--json"))
        time = found["models"][0]
        self.first = self.first or time["first_ms"]
        self.device = f"{found['adapter']}, {found['precision']}"
        return [time["median_ms"], self.cpu / (1 + time["runs"])]

    def save(self):
        from safetensors.numpy import load_file
        import numpy
        result = self.folder / f"{self.name}.safetensors"
        self.call("run", *self.model(), "--input", self.folder / "input.safetensors", "--output", result)
        numpy.save(self.folder / f"{self.name}.npy", load_file(result)["full"])

    def close(self):
        return self.peak


def own(options):
    """The command that is this program."""
    return [*([options.driver] if options.driver else []), options.program]


def engines(options):
    names = ["torch-cpu", "onnxruntime-cpu", "ncnn-cpu", "ncnn-vulkan"]
    # In a process of its own: what this one holds counts as the least peak of each that it starts.
    cuda = [sys.executable, "-c", "import torch; print(torch.cuda.is_available())"]
    if subprocess.run(cuda, capture_output=True, text=True).stdout.strip() == "True":
        names[1:1] = ["torch-cuda", "torch-cuda-compiled"]
    devices = subprocess.run([*own(options), "devices"], capture_output=True, text=True).stdout
    names += ["irnext-cpu"] + [f"irnext-{number}" for number in re.findall(r"^(\d+):", devices, re.M)]
    return [name for name in names if not options.only or name in options.only]


def size_of(name, program):
    if name.startswith("irnext"):
        stripped = HOME / "irnext.stripped"
        subprocess.run(["strip", "-o", str(stripped), str(program)], check=False)
        return disk([stripped if stripped.exists() else program])
    homes = [SITE, Path(importlib.util.find_spec("torch").origin).parent.parent]
    found = [next((home / part for home in homes if (home / part).exists()), None) for part in DISK[name.split("-")[0]]]
    return disk([path for path in found if path])


def machine():
    try:
        model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text()).group(1)
    except (OSError, AttributeError):
        model = platform.processor() or platform.machine()
    return model.strip()


def instructions():
    """What of a processor's vector instructions decides its speed: two of one name may differ in them."""
    try:
        flags = re.search(r"^flags\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(), re.M).group(1).split()
    except (OSError, AttributeError):
        flags = []
    return "avx512" if "avx512f" in flags else "avx2" if "avx2" in flags else platform.machine()


def target(options):
    """The file of this machine and these options."""
    words = {"size": options.size, "width": f"width {options.width}", "blocks": f"{options.blocks} blocks",
             "mean": f"{options.mean} mean"}
    other = [word for name, word in words.items() if getattr(options, name) != USUAL[name]]
    parts = [machine(), instructions(), f"{options.threads} threads", *other, *(["driver"] if options.driver else [])]
    slug = re.sub(r"[^a-z0-9]+", "-", " ".join(parts).lower()).strip("-")
    return options.out / f"peers-{slug}.json"


def main():
    options = arguments()
    file = target(options)
    if file.exists() and not options.overwrite:
        sys.exit(f"{file} exists: --overwrite replaces it, --out DIR writes elsewhere")
    options.out.mkdir(parents=True, exist_ok=True)
    if not options.program.exists():
        sys.exit(f"{options.program} is missing: cargo build --release")
    if options.driver and not options.driver.exists():
        sys.exit(f"{options.driver} is missing: tests/newer-driver.sh target/newer-driver")
    HOME.mkdir(parents=True, exist_ok=True)
    install()
    sys.path.append(str(SITE))
    import numpy
    with tempfile.TemporaryDirectory(dir=HOME) as folder:
        folder = Path(folder)
        environment = dict(os.environ, PYTHONPATH=f"{SITE}:{ROOT / 'weights' / 'train'}")
        subprocess.run([sys.executable, HERE / "export.py", folder, options.size, str(options.width),
                        str(options.blocks), options.mean], check=True, env=environment)
        peers, refused = [], {}
        for name in engines(options):
            print(f"starting {name}", file=sys.stderr)
            try:
                ours = name.startswith("irnext-")
                peers.append(Own(name[7:], options, folder) if ours else Peer(name, options, folder))
                peers[-1].save()
            except (RuntimeError, OSError, ValueError) as error:
                peers = [peer for peer in peers if peer.name != name]
                refused[name] = str(error)
        times = {peer.name: [] for peer in peers}
        for round in range(options.rounds):
            print(f"round {round + 1} of {options.rounds}", file=sys.stderr)
            for peer in list(peers):
                try:
                    times[peer.name].append(peer.run())
                except (RuntimeError, OSError, ValueError) as error:
                    peers.remove(peer)
                    refused[peer.name] = str(error)
        truth = {kind: numpy.load(folder / f"truth-{kind}.npy") for kind in ("f32", "f64")}
        rows = []
        median = lambda name, column: statistics.median(time[column] for time in times[name])
        base = [median("torch-cpu", column) for column in (0, 1)] if times.get("torch-cpu") else None
        for peer in peers:
            found = numpy.load(folder / f"{peer.name}.npy").astype(numpy.float64)
            error = {kind: float(numpy.abs(found - truth[kind]).max()) for kind in truth}
            wall, cpu = median(peer.name, 0), median(peer.name, 1)
            rows.append({
                "engine": peer.name, "device": peer.device, "median_ms": wall, "min_ms": min(times[peer.name])[0],
                "cpu_ms": cpu, "first_ms": peer.first, "ratio": base and wall / base[0],
                "cpu_ratio": base and cpu / base[1], "max_error_f32": error["f32"],
                "max_error_f64": error["f64"], "peak_mib": peer.close(), "disk_mib": size_of(peer.name, options.program),
            })
    report = {
        "machine": machine(), "instructions": instructions(), "threads": options.threads, "load": os.getloadavg()[0],
        "size": options.size, "width": options.width, "blocks": options.blocks, "mean": options.mean,
        "rounds": options.rounds, "engines": rows, "refused": refused,
    }
    print(f"{report['machine']}, {options.threads} threads, load {report['load']:.1f}; width {options.width}, "
          f"{options.blocks} blocks, {options.mean} mean, {options.size}; {options.rounds} rounds")
    print(f"{'engine':<20} {'median ms':>10} {'min ms':>9} {'ratio':>7} {'CPU ms':>9} {'ratio':>7} {'first ms':>9} {'vs f32':>9} {'vs f64':>9} "
          f"{'peak MiB':>9} {'disk MiB':>9}  device")
    for row in sorted(rows, key=lambda row: row["median_ms"]):
        ratio, cpu_ratio = ("-" if row[key] is None else f"{row[key]:.2f}" for key in ("ratio", "cpu_ratio"))
        print(f"{row['engine']:<20} {row['median_ms']:>10.1f} {row['min_ms']:>9.1f} {ratio:>7} {row['cpu_ms']:>9.1f} {cpu_ratio:>7} {row['first_ms']:>9.0f} "
              f"{row['max_error_f32']:>9.1e} {row['max_error_f64']:>9.1e} {row['peak_mib']:>9.0f} "
              f"{row['disk_mib']:>9.0f}  {row['device']}")
    for name, reason in refused.items():
        print(f"{name:<20} did not run: {reason}")
    file.write_text(json.dumps(report, indent=2) + "\n")
    print(f"written: {file}")


if __name__ == "__main__":
    main()
