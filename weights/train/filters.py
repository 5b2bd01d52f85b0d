"""The batch norms of the dynamic filters: their statistics follow the network, and filters that stand still move again.

A filter's taps are tanh(norm(conv(mean of the picture))). The norm uses running statistics (RECIPE.md: batch norm); while the
maps before it grow, statistics that stay behind push every tap to -1 or 1, where it no longer depends on the picture and
no gradient passes.
"""

import torch
from torch.nn import functional as F

from .network import LocalAttention

EVERY, PACE = 20, 0.02  # steps between two looks at the statistics; how far each moves them
STILL = 0.05  # a tap that varies less from picture to picture says nothing of them
BIAS, GAIN = 1.1, 1.5  # what a norm begins with again, at most: tanh(1.1) = 0.8 lets a third of the gradient pass
LEAST = 0.2  # the gain that a tap which stood still begins with


def layers(net):
    return {name: m for name, m in net.named_modules() if isinstance(m, LocalAttention)}


@torch.no_grad()
def follow(net, pictures):
    """Move each norm's running statistics towards those of a batch, [N, 3, H, W]; one picture has none."""
    if len(pictures) < 2:
        return

    def see(norm, inputs, _):
        var, mean = torch.var_mean(inputs[0].float(), (0, 2, 3))
        norm.running_mean.lerp_(mean, PACE)
        norm.running_var.lerp_(var, PACE)

    hooks = [m.bn.register_forward_hook(see) for m in layers(net).values()]
    net(pictures)
    for hook in hooks:
        hook.remove()


@torch.no_grad()
def arriving(net, batches):
    """What comes into each filter's norm on batches of pictures, [pictures, taps] by the filter's name."""
    seen = {name: [] for name in layers(net)}
    hooks = [m.bn.register_forward_hook(lambda _, x, __, name=name: seen[name].append(x[0].flatten(1)))
             for name, m in layers(net).items()]
    net.eval()
    for pictures in batches:
        net(pictures)
    for hook in hooks:
        hook.remove()
    return {name: torch.cat(z) for name, z in seen.items()}


@torch.no_grad()
def measure(net, batches):
    """Give the norms of a new network, which have no statistics yet, those of batches of pictures."""
    for name, z in arriving(net, batches).items():
        norm = layers(net)[name].bn
        var, mean = torch.var_mean(z, 0)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(var)


@torch.no_grad()
def revive(net, batches):
    """Measure the statistics anew on batches of pictures, and bring taps that stand still back to where they can learn.

    A filter's new taps are smaller; its gains make up for that, so the network does nearly what it did.
    """
    return {name: renew(layers(net)[name], z) for name, z in arriving(net, batches).items()}


def renew(layer, z):
    """One filter's norm from what comes into it, z [pictures, taps]; the share of its taps that stood still."""
    norm = layer.bn
    before = torch.tanh(F.batch_norm(z, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps))
    scale = (norm.running_var + norm.eps).sqrt()
    var, mean = torch.var_mean(z, 0)
    gain = norm.weight * (var + norm.eps).sqrt() / scale
    bias = norm.bias + norm.weight * (mean - norm.running_mean) / scale
    still = before.std(0) < STILL
    norm.weight.copy_(torch.where(still, LEAST * gain.sign(), gain.clamp(-GAIN, GAIN)))
    norm.bias.copy_(bias.clamp(-BIAS, BIAS))
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(var)
    after = torch.tanh(F.batch_norm(z, mean, var, norm.weight, norm.bias, eps=norm.eps))

    def grouped(t):
        return t.view(len(t), layer.groups, -1)

    # taps k became r k: with l = lamb_l and i = inside_all, (i + 1) l and i l must stay for the filter and the mean
    ratio = (grouped(before) * grouped(after)).sum((0, 2)) / grouped(before).square().sum((0, 2))
    ratio = ratio.clamp(0.2, 1).repeat_interleave(len(layer.lamb_l) // layer.groups)
    inside, low = layer.inside_all.flatten(), layer.lamb_l
    renewed = low * ((inside + 1) / ratio - inside)
    works = renewed.abs() > 0.1 * low.abs()  # else what it adds is nothing, or can't be made up for
    layer.inside_all.copy_(torch.where(works, inside * low / renewed, inside).view_as(layer.inside_all))
    layer.lamb_l.copy_(torch.where(works, renewed, low))
    return still.float().mean().item()
