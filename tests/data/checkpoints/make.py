"""Writes the small checkpoints beside this file: `python make.py` (needs torch, numpy and safetensors)."""
import datetime, io, os, pathlib, random, zipfile
from argparse import Namespace
from collections import Counter, OrderedDict, defaultdict
import numpy, torch
from safetensors.torch import save_file

here = os.path.dirname(os.path.abspath(__file__))
path = lambda name: os.path.join(here, name)
g = torch.Generator().manual_seed(7)
base = torch.randn(4, 6, generator=g)

# Every element type, and every way a tensor can view its storage.
state = OrderedDict(
    f32=base, f16=base.half(), bf16=base.bfloat16(), f64=base.double(),
    i64=torch.tensor([1, -2, 1 << 20]), i32=torch.tensor([3, -4], dtype=torch.int32),
    i16=torch.tensor([5, -6], dtype=torch.int16), i8=torch.tensor([7, -8], dtype=torch.int8),
    u8=torch.tensor([9, 255], dtype=torch.uint8), bool=torch.tensor([True, False, True]),
    scalar=torch.tensor(2.5), empty=torch.zeros(0, 3), count=torch.tensor(12),
    transposed=base.t(), shifted=base[1:, 2:], every_second=base[::2, ::3], tied=base,
    expanded=torch.tensor([1.5, -2.5]).view(2, 1).expand(2, 3),
    channels_last=torch.randn(2, 3, 2, 2, generator=g).to(memory_format=torch.channels_last),
    parameter=torch.nn.Parameter(torch.ones(3)))
save_file({k: v.detach().float().contiguous().clone() for k, v in state.items()}, path("forms.expected.safetensors"))
torch.save(state, path("forms.pt"))
torch.save(state, path("forms.legacy.pt"), _use_new_zipfile_serialization=False)
for protocol in (3, 4, 5):
    torch.save(state, path(f"forms.protocol{protocol}.pt"), pickle_protocol=protocol)
torch.save(state, path("forms.legacy4.pt"), _use_new_zipfile_serialization=False, pickle_protocol=4)

# The same zip with its entries deflated, and with its values' bytes turned around.
size = dict(f32=4, f16=2, bf16=2, f64=8, i64=8)
with zipfile.ZipFile(path("forms.pt")) as old, zipfile.ZipFile(path("forms.deflated.pt"), "w", zipfile.ZIP_DEFLATED) as new:
    for name in old.namelist():
        new.writestr(name, old.read(name))
buffer = io.BytesIO()
small = OrderedDict(f32=base, tied=base.t())
torch.save(small, buffer)
with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(path("big_endian.pt"), "w") as new:
    for name in old.namelist():
        data = old.read(name)
        if name.endswith("byteorder"):
            data = b"big"
        elif "/data/" in name:
            data = numpy.frombuffer(data, "<f4").astype(">f4").tobytes()
        new.writestr(name, data)

# What a training script leaves to resume from, with a scheduler that keeps another one whole.
model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
inner = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 100)
model(torch.randn(1, 3, 8, 8, generator=g)).sum().backward()
optimizer.step(); inner.step()
milestones = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5, 5])
save_file({k: v.float() for k, v in model.state_dict().items()}, path("resume.expected.safetensors"))
resume = dict(
    model={"module." + k: v for k, v in model.state_dict().items()}, optimizer=optimizer.state_dict(),
    scheduler=dict(milestones.state_dict(), after_scheduler=inner), epoch=3, best=31.25, note="é", ready=True,
    big=1 << 100, args=Namespace(lr=1e-4, names=["a"]), rng=[torch.get_rng_state(), random.getstate()],
    other=[None, {1, 2}, frozenset([3]), (1, (2, [3])), b"bytes", bytearray(b"more"), 1 + 2j, defaultdict(list, a=[1]), Counter("abca"),
           torch.Size([1, 2]), torch.float16, torch.device("cpu"), numpy.float64(1.5), numpy.arange(3)])
torch.save(resume, path("resume.pt"))
torch.save(resume, path("resume.legacy.pt"), _use_new_zipfile_serialization=False)
torch.save(resume, path("resume.protocol4.pt"), pickle_protocol=4)

# Averaged weights beside the last, with what a framework puts in front of names, one dict in another; and what
# `AveragedModel` counts. The names are a network's of this kind, so that what stands in front of them is known for it.
named = {"feat_extract.0.main.0.weight": base, "Encoder.0.bias": base[0].clone()}
save_file({k: v.contiguous() for k, v in named.items()}, path("averaged.expected.safetensors"))
ahead = lambda first: {first + k: v for k, v in named.items()}
torch.save({"model": {k: 0 * v for k, v in named.items()}, "ema": {"state_dict": ahead("model.")}, "epoch": 3}, path("averaged.pt"))
torch.save({"n_averaged": torch.tensor(5), **ahead("module._orig_mod.")}, path("averaged.model.pt"))
torch.save({"best": torch.tensor(31.5), "net_g": ahead("net.")}, path("averaged.net.pt"))

torch.save({"ema": {"initted": torch.tensor(True), **ahead("online_model."), **ahead("ema_model.")}, "model": named, "step": 7},
           path("averaged.beside.pt"))
torch.save({"ema": {"decay": torch.tensor(0.999), "shadow": named}, "model": named}, path("averaged.shadow.pt"))
torch.save({"_orig_mod.n_averaged": torch.tensor(5), **ahead("_orig_mod.module.")}, path("averaged.compiled.pt"))

# Where nobody expects them, with whatever a script notes beside them.
torch.save({"epoch": 1, "mean": 0.5, "out": pathlib.PurePosixPath("runs"), "on": datetime.date(2026, 1, 2), "netG": named},
           path("averaged.elsewhere.pt"))
torch.save({"checkpoint": {"state": {"model": ahead("module.")}, "epoch": 1}}, path("averaged.deep.pt"))
torch.save(dict(named, epoch=3, best=31.5), path("averaged.numbered.pt"))

# Several networks, of which the doubled one is meant; and two that nothing tells apart.
twice = {k: 2 * v for k, v in named.items()}
save_file({k: v.contiguous() for k, v in twice.items()}, path("choice.expected.safetensors"))
torch.save({"optimizer": {"exp_avg_sq": named}, "trainer": {"netG": twice}}, path("choice.optimizer.pt"))
torch.save({"last": named, "netG_ema": twice}, path("choice.average.pt"))
torch.save({"backup": named, "model": dict(named, cfg="x"), "ema": dict(twice, decay=0.999)}, path("choice.noted.pt"))
torch.save({"backup": named, "model": dict(twice, cfg="x")}, path("choice.listed.pt"))
torch.save({"first": named, "second": twice}, path("several.pt"))

# A small file that has one dict of many items many times over, each time as a dict of its own.
text = lambda s: b"X" + len(s).to_bytes(4, "little") + s
many, times = 20_000, 20_000
pickle = b"\x80\x02}(" + text(b"a") + b"}q\x01(" + many * b"K\x01K\x02" + b"u" + text(b"b") + b"}("
pickle += text(b"0") + b"ccollections\nOrderedDict\nq\x02h\x01\x85q\x03R"
pickle += b"".join(text(b"%d" % i) + b"h\x02h\x03R" for i in range(1, times)) + b"uu."
with zipfile.ZipFile(path("over_and_over.pt"), "w", zipfile.ZIP_DEFLATED) as new:
    new.writestr("archive/data.pkl", pickle)
    new.writestr("archive/version", "3\n")

# A view of the negatives of what it stores.
torch.save({"negative": torch._neg_view(base)}, path("negative.pt"))
