"""Maps brought into what half precision holds (65,504), without a change to what the network does.

What a stage passes on is a sum of convolutions' results that only convolutions read. So its producers' weights may be
divided by a power of two and its readers' multiplied by it. The powers stand in the exported file's metadata, and a run
that starts from it undoes them, since Muon's steps suit weights of the size that training gave them.
"""

import math

import torch

from .filters import layers as filters

CEILING = 8192  # what a stage's maps may reach on the pictures that are looked at; others may go eight times as far

# name: the stages that share a sum, the convolution before them, and who reads it: (convolution, its channels' half)
SUMS = {
    "half": (("Encoder.1",), "FAM2.merge", (("feat_extract.2", None), ("Convs.0", 1))),
    "quarter": (("Encoder.2", "Decoder.0"), "FAM1.merge", (("feat_extract.3", None), ("ConvsOut.0", None))),
}


def fit(net, pictures):
    """Halve sums until they stay below CEILING on batches [N, 3, H, W]; returns {name: how often}."""
    highest = dict.fromkeys(SUMS, 0.0)
    hooks = []
    for name, (stages, before, _) in SUMS.items():
        def see(_, __, out, name=name):
            highest[name] = max(highest[name], float(out.detach().abs().max()))
        blocks = [b for stage in stages for b in net.get_submodule(stage).layers]
        hooks += [m.register_forward_hook(see) for m in [net.get_submodule(before), *blocks]]
    with torch.no_grad():
        for batch in pictures:
            net.eval()(batch)
    for hook in hooks:
        hook.remove()
    halvings = {name: math.ceil(math.log2(value / CEILING)) for name, value in highest.items() if value > CEILING}
    for name, times in halvings.items():
        scale(net, name, times)
    return halvings


@torch.no_grad()
def scale(net, name, halvings):
    """Halve a sum so many times; a negative number doubles it."""
    stages, before, readers = SUMS[name]
    by = 2.0 ** -halvings
    blocks = [b for stage in stages for b in net.get_submodule(stage).layers]
    for producer in [net.get_submodule(before), *(b.main[2] for b in blocks)]:
        producer.main[0].weight.mul_(by)
        producer.main[0].bias.mul_(by)
    for block in blocks:
        block.main[0].main[0].weight.div_(by)
    for reader, half in readers:
        weight = net.get_submodule(reader).main[0].weight
        (weight if half is None else weight.chunk(2, 1)[half]).div_(by)


@torch.no_grad()
def narrow(net):
    """Scale what comes into the filters' norms by powers of two, to variances near 1: they too are kept in half precision."""
    for layer in filters(net).values():
        rescale(layer, (layer.bn.running_var + layer.bn.eps).sqrt())


@torch.no_grad()
def widen(net):
    """The other way: 1x1 convolutions of filters with weights near 0.1, which Muon's steps suit."""
    for layer in filters(net).values():
        rescale(layer, layer.conv.weight.square().mean((1, 2, 3)).sqrt() / 0.1)


def rescale(layer, sizes):
    """Divide each row of a filter's 1x1 convolution by its size, where a norm of variance and epsilon can undo that."""
    by = torch.exp2(-sizes.clamp(min=1e-12).log2().round())
    by = torch.where((layer.bn.running_var + layer.bn.eps) * by * by < 2 * layer.bn.eps, 1, by)
    layer.conv.weight.mul_(by[:, None, None, None])
    layer.bn.running_mean.mul_(by)
    layer.bn.running_var.copy_((layer.bn.running_var + layer.bn.eps) * by * by - layer.bn.eps)
