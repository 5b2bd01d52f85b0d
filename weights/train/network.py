"""IRNeXt in PyTorch.  Parameter names and shapes are those of the published checkpoints.

`width` is the channel count at full resolution, `blocks` the residual blocks of a stage.  Neither
`activation` nor `mean` leaves a trace in the weights, so an exported file tells both in its metadata.
"""

import torch
from torch import nn
from torch.nn import functional as F


class Main(nn.Module):
    """A chain whose parameters are named `main.<i>`, as in the published checkpoints."""

    def __init__(self, *steps):
        super().__init__()
        self.main = nn.Sequential(*steps)

    def forward(self, x):
        return self.main(x)


def conv(cin, cout, k, stride=1, act=True):
    op = nn.Conv2d(cin, cout, k, stride=stride, padding=k // 2)
    return Main(op, nn.GELU()) if act else Main(op)


def upconv(cin, cout):
    return Main(nn.ConvTranspose2d(cin, cout, 4, stride=2, padding=1), nn.GELU())


def resize(x, size):
    """Bilinear, the corners' pixels on the corners. On CUDA by two products: the gradient of PyTorch's own takes atomics."""
    if not x.is_cuda:
        return F.interpolate(x, size, mode="bilinear", align_corners=True)
    with torch.autocast("cuda", enabled=False):
        rows, columns = (between(a, b, x.device) for a, b in zip(x.shape[2:], size))
        return (rows @ x.float() @ columns.mT).to(x.dtype)


def between(before, after, device):
    """[after, before]: what each of so many values evenly between the first and the last takes of each that there are."""
    at = torch.arange(after, device=device) * ((before - 1) / max(1, after - 1))
    return (1 - (at[:, None] - torch.arange(before, device=device)).abs()).clamp(min=0)


# ---- the low-pass which the dynamic filter subtracts -------------------------------------------------


def global_mean(x):
    return x.mean((2, 3), keepdim=True)


def local_mean(x, base=120, train=256):
    """The mean over a window of base/train of each side, its edges replicated."""
    h, w = x.shape[2:]
    kh, kw = max(1, h * base // train), max(1, w * base // train)
    s = F.pad(x.double().cumsum(-1).cumsum(-2), (1, 0, 1, 0))
    m = (s[..., kh:, kw:] + s[..., :-kh, :-kw] - s[..., :-kh, kw:] - s[..., kh:, :-kw]) / (kh * kw)
    m = m.to(x.dtype)
    dh, dw = h - m.shape[2], w - m.shape[3]
    return F.pad(m, (dw // 2, (dw + 1) // 2, dh // 2, (dh + 1) // 2), mode="replicate")


def frequency_mean(x, cutoff=0.125):
    """The band at or below `cutoff` cycles per sample on both axes."""
    fy, fx = (torch.fft.fftfreq(n, device=x.device).abs() <= cutoff for n in x.shape[2:])
    return torch.fft.ifft2(torch.fft.fft2(x.float()) * (fy[:, None] & fx)).real.to(x.dtype)


MEANS = {"global": global_mean, "local": local_mean, "frequency": frequency_mean}

ACTIVATIONS = {
    "tanh": torch.tanh,
    "softmax": lambda z: z.softmax(-1),
    "softmax_tanh": lambda z: z.softmax(-1) * z.tanh(),
}


SIDE_OUTPUTS = "ConvsOut."  # the parameters of the outputs at quarter and half size


def completed(weights, net):
    """`weights` with the side outputs that `export --lean` left out, which begin by adding nothing."""
    if any(k.startswith(SIDE_OUTPUTS) for k in weights):
        return weights
    return weights | {k: torch.zeros_like(v) for k, v in net.state_dict().items() if k.startswith(SIDE_OUTPUTS)}


# ---- the network -------------------------------------------------------------------------------------


class LocalAttention(nn.Module):
    """A 3x3 filter made from the picture's own mean: one for each group of channels, then split in bands."""

    def __init__(self, c, groups=8, k=3, activation="tanh", mean="global"):
        super().__init__()
        self.k, self.groups = k, groups
        self.activate, self.smooth = ACTIVATIONS[activation], MEANS[mean]
        self.conv = nn.Conv2d(c, groups * k * k, 1, bias=False)
        self.bn = nn.BatchNorm2d(groups * k * k)
        self.lamb_l = nn.Parameter(torch.zeros(c))
        self.lamb_h = nn.Parameter(torch.zeros(c))
        self.inside_all = nn.Parameter(torch.zeros(c, 1, 1))

    def taps(self, x):
        z = self.bn(self.conv(global_mean(x)))
        return self.activate(z.view(len(x), self.groups, self.k * self.k))

    def forward(self, x):
        n, c, h, w = x.shape
        kernel = self.taps(x).repeat_interleave(c // self.groups, 1).view(n * c, 1, self.k, self.k)
        edge = self.k // 2
        padded = F.pad(x, [edge] * 4, mode="reflect").reshape(1, n * c, h + 2 * edge, w + 2 * edge)
        low = F.conv2d(padded, kernel.to(padded.dtype), groups=n * c).view(n, c, h, w)
        low = low * (self.inside_all + 1) - self.inside_all * self.smooth(x)
        return low * self.lamb_l.view(c, 1, 1) + x * (self.lamb_h.view(c, 1, 1) + 1)


class MultiScale(nn.Module):
    """An average-pool pyramid, coarse to fine, each level filtered and added back at full size."""

    SIZES = 8, 4, 2

    def __init__(self, c, **attention):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(c, c, 3, padding=1, bias=False) for _ in self.SIZES)
        self.dynas = nn.ModuleList(LocalAttention(c, **attention) for _ in self.SIZES)
        self.conv_sum = nn.Conv2d(c, c, 3, padding=1, bias=False)

    def forward(self, x):
        total, coarser = x, None
        for size, conv3, attend in zip(self.SIZES, self.convs, self.dynas):
            y = F.avg_pool2d(x, size)
            if coarser is not None:
                y = y + resize(coarser, y.shape[2:])
            coarser = attend(conv3(y))
            total = total + resize(coarser, x.shape[2:])
        return self.conv_sum(F.gelu(total))


class ResBlock(nn.Module):
    def __init__(self, c, middle):
        super().__init__()
        self.main = nn.Sequential(conv(c, c, 3), middle, conv(c, c, 3, act=False))

    def forward(self, x):
        return x + self.main(x)


class Stage(nn.Module):
    """Residual blocks, the last of them with the multi-scale module."""

    def __init__(self, c, blocks, **attention):
        super().__init__()
        middles = [nn.Identity() for _ in range(blocks - 1)] + [MultiScale(c, **attention)]
        self.layers = nn.Sequential(*(ResBlock(c, m) for m in middles))

    def forward(self, x):
        return self.layers(x)


class Shallow(Main):
    """Features straight from a smaller copy of the input (the paper's SCM)."""

    def __init__(self, c):
        super().__init__(
            conv(3, c // 4, 3),
            conv(c // 4, c // 2, 1),
            conv(c // 2, c // 2, 3),
            conv(c // 2, c, 1, act=False),
            nn.InstanceNorm2d(c, affine=True),
        )


class Merge(nn.Module):
    """The paper's FAM."""

    def __init__(self, c):
        super().__init__()
        self.merge = conv(2 * c, c, 3, act=False)

    def forward(self, a, b):
        return self.merge(torch.cat([a, b], 1))


class IRNeXt(nn.Module):
    """[N, 3, H, W] in 0..1, H and W multiples of 32 -> the restored picture at 1/4, 1/2 and full size."""

    def __init__(self, width=32, blocks=4, **attention):
        super().__init__()
        c1, c2, c4 = width, 2 * width, 4 * width
        self.Encoder = nn.ModuleList(Stage(c, blocks, **attention) for c in (c1, c2, c4))
        self.Decoder = nn.ModuleList(Stage(c, blocks, **attention) for c in (c4, c2, c1))
        self.feat_extract = nn.ModuleList([
            conv(3, c1, 3), conv(c1, c2, 3, stride=2), conv(c2, c4, 3, stride=2),
            upconv(c4, c2), upconv(c2, c1), conv(c1, 3, 3, act=False),
        ])
        self.Convs = nn.ModuleList([conv(c4, c2, 1), conv(c2, c1, 1)])
        self.ConvsOut = nn.ModuleList([conv(c4, 3, 3, act=False), conv(c2, 3, 3, act=False)])
        self.FAM1, self.SCM1 = Merge(c4), Shallow(c4)
        self.FAM2, self.SCM2 = Merge(c2), Shallow(c2)

    def forward(self, x):
        half = x[..., ::2, ::2]
        quarter = half[..., ::2, ::2]
        e1 = self.Encoder[0](self.feat_extract[0](x))
        e2 = self.Encoder[1](self.FAM2(self.feat_extract[1](e1), self.SCM2(half)))
        e3 = self.Encoder[2](self.FAM1(self.feat_extract[2](e2), self.SCM1(quarter)))
        d3 = self.Decoder[0](e3)
        d2 = self.Decoder[1](self.Convs[0](torch.cat([self.feat_extract[3](d3), e2], 1)))
        d1 = self.Decoder[2](self.Convs[1](torch.cat([self.feat_extract[4](d2), e1], 1)))
        return self.ConvsOut[0](d3) + quarter, self.ConvsOut[1](d2) + half, self.feat_extract[5](d1) + x
