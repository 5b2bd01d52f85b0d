"""Makes what every engine reads: export.py FOLDER HxW WIDTH BLOCKS MEAN.

model.pth (weights), input.safetensors and input.npy, truth-f32.npy and truth-f64.npy (PyTorch's results), model.onnx,
and model.ncnn.param and .bin by pnnx. What can't be made is left out; its reason goes to <file>.error."""

import os
import subprocess
import sys
from pathlib import Path

import numpy
import torch
from network import IRNeXt, LocalAttention
from safetensors.numpy import save_file


class Full(torch.nn.Module):
    """The picture at full size only, as everyone restores."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network(x)[2]


class Traceable(Full):
    """The same numbers in ops that ncnn knows: it has no slice with a step."""

    def forward(self, x):
        net = self.network
        half = torch.nn.functional.max_pool2d(x, 1, 2)
        quarter = torch.nn.functional.max_pool2d(half, 1, 2)
        e1 = net.Encoder[0](net.feat_extract[0](x))
        e2 = net.Encoder[1](net.FAM2(net.feat_extract[1](e1), net.SCM2(half)))
        e3 = net.Encoder[2](net.FAM1(net.feat_extract[2](e2), net.SCM1(quarter)))
        d3 = net.Decoder[0](e3)
        d2 = net.Decoder[1](net.Convs[0](torch.cat([net.feat_extract[3](d3), e2], 1)))
        d1 = net.Decoder[2](net.Convs[1](torch.cat([net.feat_extract[4](d2), e1], 1)))
        return net.feat_extract[5](d1) + x


def attention(self, x):
    """`LocalAttention.forward` for one picture, in shapes that exporters can follow; the same numbers."""
    _, c, h, w = (int(side) for side in x.shape)
    z = self.bn(self.conv(x.mean((2, 3), keepdim=True)))
    kernel = self.activate(z.view(self.groups, 1, 9)).expand(self.groups, c // self.groups, 9).reshape(c, 1, 3, 3)
    low = torch.nn.functional.conv2d(torch.nn.functional.pad(x, [1] * 4, mode="reflect"), kernel, groups=c)
    low = low * (self.inside_all + 1) - self.inside_all * self.smooth(x)
    return low * self.lamb_l.view(1, c, 1, 1) + x * (self.lamb_h.view(1, c, 1, 1) + 1)


def network(width, blocks, mean):
    torch.manual_seed(1)
    model = IRNeXt(width, blocks, mean=mean).eval()
    with torch.no_grad():  # leave no branch at zero, where its cost or its error could hide
        for name, tensor in model.state_dict().items():
            if name.rsplit(".", 1)[-1] in ("lamb_l", "lamb_h", "inside_all"):
                tensor.normal_(0, 0.3)
    return model


def attempt(folder, target, make):
    try:
        make()
    except Exception as error:  # whatever an exporter throws: the engine is reported as one that did not run
        (folder / f"{target}.error").write_text(f"export: {type(error).__name__}: {str(error).strip().splitlines()[0]}")


def ncnn(folder, model, x):
    torch.jit.save(torch.jit.trace(model, x), folder / "model.pt")
    import pnnx
    binary = next(path for path in Path(pnnx.__file__).parent.rglob("pnnx*") if path.is_file() and os.access(path, os.X_OK)
                  and path.suffix in ("", ".exe"))
    shape = ",".join(str(side) for side in x.shape)
    found = subprocess.run([binary, "model.pt", f"inputshape=[{shape}]f32", "fp16=0"], cwd=folder, capture_output=True, text=True)
    if not (folder / "model.ncnn.param").exists():
        raise RuntimeError((found.stderr or found.stdout).strip().splitlines()[-1])


def main():
    folder, size, width, blocks, mean = sys.argv[1:]
    folder = Path(folder)
    height, width_of_picture = (int(side) for side in size.split("x"))
    model = network(int(width), int(blocks), mean)
    torch.save({"model": model.state_dict()}, folder / "model.pth")
    (folder / "mean").write_text(mean)
    x = torch.rand(1, 3, height, width_of_picture, generator=torch.Generator().manual_seed(2))
    save_file({"input": x.numpy()}, folder / "input.safetensors")
    numpy.save(folder / "input.npy", x.numpy())
    full = Full(model).eval()
    with torch.inference_mode():
        numpy.save(folder / "truth-f32.npy", full(x).numpy())
        numpy.save(folder / "truth-f64.npy", full.double()(x.double()).numpy())
    full.float()
    LocalAttention.forward = attention
    full = Traceable(model).eval().requires_grad_(False)
    with torch.inference_mode():
        difference = (full(x) - torch.from_numpy(numpy.load(folder / "truth-f32.npy"))).abs().max().item()
    assert difference < 1e-5, f"the exported form differs by {difference}"
    attempt(folder, "model.onnx", lambda: torch.onnx.export(
        full, (x,), folder / "model.onnx", opset_version=18, dynamo=False, input_names=["x"], output_names=["y"]))
    attempt(folder, "model.ncnn.param", lambda: ncnn(folder, full, x))


if __name__ == "__main__":
    main()
