"""Muon: a matrix's momentum made orthogonal, so that every direction is learnt at one pace. Vectors are left to Adam.

Jordan et al. 2024 (https://kellerjordan.github.io/posts/muon); the step's size is Adam's, as Liu et al. 2025
(arXiv 2502.16982) match them: 0.2 sqrt(longer side) times the rate.
"""

import torch

TURNS = (3.4445, -4.7750, 2.0315)  # the quintic's coefficients, five times over: singular values come near 1


def orthogonal(g):
    """[n, rows, columns] -> the same with all singular values near 1."""
    a, b, c = TURNS
    turned = g.shape[1] > g.shape[2]
    x = g.mT if turned else g
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        s = x @ x.mT
        x = a * x + (b * s + c * s @ s) @ x
    return x.mT if turned else x


def is_matrix(p):
    """Whether it has rows and columns: a convolution's weight, outputs by inputs and taps."""
    return p.ndim > 1 and len(p) > 1 and p[0].numel() > 1


class Muon(torch.optim.Optimizer):
    def __init__(self, matrices, lr, momentum=0.95):
        super().__init__(matrices, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            alike = {}
            for p in group["params"]:
                if p.grad is not None:
                    alike.setdefault((len(p), p[0].numel()), []).append(p)
            for (rows, columns), ps in alike.items():
                pushes = []
                for p in ps:
                    m = self.state[p].setdefault("momentum", torch.zeros_like(p))
                    m.mul_(group["momentum"]).add_(p.grad)
                    pushes.append((p.grad + group["momentum"] * m).reshape(rows, columns))
                steps = orthogonal(torch.stack(pushes))
                size = group["lr"] * 0.2 * max(rows, columns) ** 0.5
                for p, s in zip(ps, steps):
                    p.sub_(size * s.view_as(p))
