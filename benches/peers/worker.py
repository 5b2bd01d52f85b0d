"""One engine, kept ready: worker.py ENGINE FOLDER THREADS. Answers `run`, `save` and `peak` from standard input with
lines that begin with "> "."""

import json
import resource
import sys
import time
from pathlib import Path

import numpy


def answer(value):
    print("> " + json.dumps(value), flush=True)


def exported(folder, name):
    error = folder / f"{name}.error"
    if error.exists():
        sys.exit(error.read_text())
    return str(folder / name)


def torch_engine(kind, folder, threads, x):
    import torch
    from export import Full
    from network import IRNeXt

    torch.set_num_threads(threads)
    state = torch.load(folder / "model.pth")["model"]
    width = state["feat_extract.0.main.0.weight"].shape[0]
    blocks = 1 + max(int(name.split(".")[3]) for name in state if name.startswith("Encoder.0.layers."))
    model = IRNeXt(width, blocks, mean=(folder / "mean").read_text()).eval()
    model.load_state_dict(state)
    model, x = Full(model), torch.from_numpy(x)
    if kind == "cpu":
        # Whichever layout is faster here.
        layouts = {}
        with torch.inference_mode():
            for layout in (torch.contiguous_format, torch.channels_last):
                m, y = model.to(memory_format=layout), x.contiguous(memory_format=layout)
                m(y)
                times = []
                for _ in range(3):
                    started = time.perf_counter()
                    m(y)
                    times.append(time.perf_counter() - started)
                layouts[layout] = min(times)
        best = min(layouts, key=layouts.get)
        model, x = model.to(memory_format=best), x.contiguous(memory_format=best)
        device = f"PyTorch {torch.__version__}, f32, {'channels_last' if best == torch.channels_last else 'NCHW'}"
    else:
        model = model.half().cuda().to(memory_format=torch.channels_last)
        x = x.half().cuda().contiguous(memory_format=torch.channels_last)
        device = f"PyTorch {torch.__version__}, fp16, {torch.cuda.get_device_name()}, {kind}"
        if kind == "cuda-compiled":
            model = torch.compile(model, mode="max-autotune")

    def run():
        with torch.inference_mode():
            y = model(x)
            if kind != "cpu":
                torch.cuda.synchronize()
        return lambda: y.float().cpu().numpy()

    return run, device


def onnxruntime_engine(folder, threads, x):
    import onnxruntime

    path = exported(folder, "model.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run():
        [y] = session.run(None, {"x": x})
        return lambda: y

    return run, f"ONNX Runtime {onnxruntime.__version__}, f32"


def ncnn_engine(kind, folder, threads, x):
    import ncnn

    parameters = exported(folder, "model.ncnn.param")
    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_vulkan_compute = kind == "vulkan"
    device = f"ncnn {ncnn.__version__}"
    if kind == "vulkan":
        if ncnn.get_gpu_count() == 0:
            sys.exit("ncnn finds no Vulkan device")
        net.set_vulkan_device(0)
        device += f", {ncnn.get_gpu_info(0).device_name()}"
    else:
        # Full precision, as the others on the CPU.
        net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
        net.opt.use_bf16_storage = False
        device += ", f32"
    if net.load_param(parameters) or net.load_model(parameters.replace(".param", ".bin")):
        sys.exit("ncnn can't load what pnnx made")
    picture = ncnn.Mat(x[0])

    def run():
        with net.create_extractor() as extractor:
            extractor.input("in0", picture)
            failed, y = extractor.extract("out0")
            if failed:
                sys.exit(f"ncnn fails with {failed}")
            y = numpy.array(y)[None]
        return lambda: y

    return run, device


def main():
    engine, folder, threads = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    family, _, kind = engine.partition("-")
    x = numpy.load(folder / "input.npy")
    make = {
        "torch": lambda: torch_engine(kind, folder, threads, x),
        "onnxruntime": lambda: onnxruntime_engine(folder, threads, x),
        "ncnn": lambda: ncnn_engine(kind, folder, threads, x),
    }
    run, device = make[family]()

    def timed():
        started, cpu = time.perf_counter(), time.process_time()
        result = run()
        return [(time.perf_counter() - started) * 1e3, (time.process_time() - cpu) * 1e3], result

    first, result = timed()
    answer({"first_ms": first[0], "device": device})
    for line in sys.stdin:
        match line.strip():
            case "run":
                times, result = timed()
                answer(times)
            case "save":
                numpy.save(folder / f"{engine}.npy", result())
                answer("saved")
            case "peak":
                answer(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()
