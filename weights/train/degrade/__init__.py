"""What spoils a picture: one file a task.

Each function takes (rng, clear, depth), clear [3, h, w] in 0..1 and depth [h, w] in 0..1 (1 is farthest), both
float32, and returns (degraded, wanted), the network's input and what it should make of it, cut by `margin`
pixels on every side where a blur has to look beyond the crop.
"""

from .defocus import defocus
from .haze import haze
from .motion import motion
from .rain import rain
from .snow import snow

TASKS = {"dehaze": haze, "deblur": motion, "defocus": defocus, "derain": rain, "desnow": snow}
MARGIN = {"dehaze": 0, "deblur": 16, "defocus": 8, "derain": 0, "desnow": 0}
