"""Makes metrics.safetensors, the vectors that the metrics are tested on.

    pip install torch pytorch_msssim scikit-image safetensors
    python tests/data/metrics/make.py

Each case holds `truth` and `result`, RGB as [height, width, 3], in 0..1 or, where the values are bytes, in 0..255, and
in the metadata what scikit-image, pytorch_msssim and PyTorch make of them in f64.
"""

import json
import pathlib
import warnings

import numpy
import torch
from pytorch_msssim import ssim
from safetensors.numpy import save_file
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch.nn.functional import adaptive_avg_pool2d

warnings.filterwarnings("ignore", message="Skipping Gaussian")  # a case is smaller than the window on purpose


def nchw(picture):
    return torch.from_numpy(picture.astype(numpy.float64)).permute(2, 0, 1)[None]


def gaussian(a, b, data_range):
    """With pytorch_msssim's window in f64: in its own f32 the weights' sum is off by 1e-7, which shows in smooth areas."""
    window = torch.exp(-((torch.arange(11, dtype=torch.float64) - 5) ** 2) / (2 * 1.5**2))
    window = (window / window.sum()).repeat(a.shape[1], 1, 1, 1)
    return ssim(a, b, data_range=data_range, size_average=False, win=window).item()


def release(truth, result):
    """SSIM as the evaluation of IRNeXt's release computes it."""
    height, width = truth.shape[:2]
    padded_height, padded_width = (height + 32) // 32 * 32, (width + 32) // 32 * 32
    ratio = max(1, round(min(padded_height, padded_width) / 256))
    size = (int(padded_height / ratio), int(padded_width / ratio))
    return gaussian(adaptive_avg_pool2d(nchw(result), size), adaptive_avg_pool2d(nchw(truth), size), 1)


def figures(truth, result):
    truth, result = truth.astype(numpy.float64), result.astype(numpy.float64)
    bytes_of = lambda picture: numpy.floor(picture * 255 + 0.5) / 255
    luma = lambda picture: numpy.floor(rgb2ycbcr(bytes_of(picture))[..., :1] + 0.5)
    return {
        "psnr": peak_signal_noise_ratio(truth, result, data_range=1),
        "mae": float(numpy.abs(truth - result).mean()),
        "mae_bytes": float(numpy.abs(bytes_of(truth) - bytes_of(result)).mean()),
        "ssim_gaussian": gaussian(nchw(result), nchw(truth), 1),
        "ssim_uniform": structural_similarity(truth, result, data_range=1, channel_axis=2),
        "ssim_release": release(truth, result),
        "luma_psnr": peak_signal_noise_ratio(luma(truth), luma(result), data_range=255),
        "luma_ssim": gaussian(nchw(luma(result)), nchw(luma(truth)), 255),
    }


def scene(generator, height, width):
    """Edges, a gradient and texture, so that no metric is trivial."""
    y, x = numpy.mgrid[0:height, 0:width]
    waves = [numpy.sin(x / a + c) * numpy.cos(y / b) for c, (a, b) in enumerate(generator.uniform(3, 30, (3, 2)))]
    picture = 0.5 + 0.25 * numpy.stack(waves, -1) + 0.15 * ((x // 13 + y // 9) % 2)[..., None]
    return picture + generator.normal(0, 0.02, picture.shape)


def main():
    generator = numpy.random.default_rng(7)
    tensors, metadata = {}, {}
    for height, width, noise, gain, bytes_only in [
        (40, 56, 0.05, 1, False),
        (33, 9, 0.02, 0.8, False),
        (352, 360, 0.1, 0.6, True),
        (64, 96, 0, 1, True),
    ]:
        truth = scene(generator, height, width).clip(0, 1)
        result = (gain * truth + generator.normal(0.01, noise, truth.shape)).clip(0, 1)
        if bytes_only:
            truth, result = (numpy.round(picture * 255).astype(numpy.uint8) for picture in (truth, result))
            measured = figures(truth / 255, result / 255)
        else:
            truth, result = truth.astype(numpy.float32), result.astype(numpy.float32)
            measured = figures(truth, result)
        name = f"{height}x{width}"
        tensors |= {f"{name}/truth": truth, f"{name}/result": result}
        metadata[name] = json.dumps(measured | {"top": 255 if bytes_only else 1})
    save_file(tensors, pathlib.Path(__file__).with_name("metrics.safetensors"), metadata)


if __name__ == "__main__":
    main()
