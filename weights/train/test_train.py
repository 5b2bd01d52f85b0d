"""A smoke test of the recipe, about two minutes on one core: from weights/, `python -m train.test_train` (or pytest)."""

import tempfile
from itertools import count
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from safetensors import safe_open

from . import RECIPE, filters, graft, health, scenes, thin
from .__main__ import options
from .data import Batches, kept
from .degrade import TASKS
from .degrade.motion import PLAIN
from .evaluate import load, ssim
from .export import export, together
from .muon import orthogonal
from .network import IRNeXt, between
from .train import Run, loss, train
from .widen import widen

TINY = ["--width", "8", "--blocks", "1", "--steps", "24", "--freeze", "0.5", "--seed", "3", "--rate", "10"]
FULL = {  # the commands of README.md that train the paper's architecture, less their lengths
    task: ["--task", task, "--width", "32", "--blocks", "4", "--muon"] for task in TASKS
} | {"deblur": ["--task", "deblur", "--width", "32", "--blocks", "14", "--mean", "local", "--muon"]}
POOL = {}  # the scenes drawn so far, shared by all tests


def tiny(task="dehaze", *more):
    return Run(options(["--task", task, *TINY, *more]))


def batches(task="dehaze", batch=8):
    return Batches(task, 3, batch, sides={64: 1.0})


def advance(run, steps):
    source = batches(run.options["task"])
    for step in range(run.step, run.step + steps):
        yield float(run.advance(*source.draw(step, POOL)))


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values()))


def test_scenes_depend_on_the_seed_only():
    one, two = scenes.render(1, 2), scenes.render(1, 2)
    assert np.array_equal(one, two) and not np.array_equal(one, scenes.render(1, 3))
    assert one.shape == (4, scenes.SIZE, scenes.SIZE) and one.min() >= 0 and one.max() <= 1
    with tempfile.TemporaryDirectory() as cache:
        for _ in range(2):  # drawn, then read
            assert np.array_equal(one, kept(cache, 1, 2))


def test_thin_things_are_lines():
    rng = np.random.default_rng(4)
    for lines in thin.KINDS:
        for height, width in (50, 512), (200, 120), (512, 50):
            cover = thin.drawn(height, width, lines(rng, height, width))
            assert cover.shape == (height, width) and cover.min() >= 0 and 0.5 < cover.max() <= 1, lines
            assert cover.mean() < 0.95 or lines is thin.grass, lines  # long blades may fill a narrow box


def test_thin_things_are_hidden_by_nearer_ones():
    rng = np.random.default_rng(5)
    for _ in range(5):
        canvas = scenes.Canvas(0.5, np.abs(np.linspace(-1, 1, scenes.SIZE)))
        before = canvas.depth.copy()
        scenes.add_thin(rng, canvas)
        assert (canvas.depth <= before).all() and (canvas.depth < before).any()


def test_a_motion_run_may_begin_with_straight_paths():
    eased = Batches("deblur", 5, 8, sides={64: 1.0}, ease=100)
    assert eased.lesson(0) == {"plain": 1.0} and eased.lesson(40) == {"plain": 0.6} and eased.lesson(1000) == {"plain": PLAIN}
    assert Batches("deblur", 5, 8).lesson(0) == {}
    first = eased.draw(0, {})
    assert torch.isfinite(first[0]).all() and not torch.equal(first[0], Batches("deblur", 5, 8, sides={64: 1.0}).draw(0, {})[0])


def test_muon_turns_a_matrix_into_a_rotation():
    for shape in (3, 5, 9), (2, 12, 4):
        values = torch.linalg.svdvals(orthogonal(torch.randn(shape, generator=torch.Generator().manual_seed(1))))
        assert 0.6 < values.min() and values.max() < 1.3, values


def test_every_task_spoils_pictures_and_knows_the_answer():
    for task in TASKS:
        spoilt = []
        for step in 100, 101:
            degraded, wanted = batches(task).draw(step, POOL)
            again = batches(task).draw(step, POOL)
            assert torch.equal(degraded, again[0]) and torch.equal(wanted, again[1]), task
            for picture in degraded, wanted:
                assert picture.shape == (8, 3, 64, 64) and picture.dtype == torch.float32, task
                assert torch.isfinite(picture).all() and picture.min() >= 0 and picture.max() <= 1, task
            spoilt += (degraded - wanted).square().mean((1, 2, 3)).tolist()
        assert 1e-3 < np.mean(spoilt) < 0.2, (task, np.mean(spoilt))


def test_a_few_steps_learn_every_task():
    for task in TASKS:
        run, fixed = tiny(task), batches(task).draw(100, POOL)

        def now():
            with torch.no_grad():
                return float(loss(run.net.eval()(fixed[0]), fixed[1], run.options["spectrum"]))

        before = now()
        for _ in range(20):
            run.advance(*fixed)
        after = now()
        assert after < 0.95 * before, (task, before, after)


def test_resuming_changes_no_bit():
    for command in ["dehaze"], ["deblur"], ["deblur", "--muon"]:
        whole, part, rest = tiny(*command), tiny(*command), tiny(*command)
        losses = list(advance(whole, 6))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "checkpoint.pt"
            again = list(advance(part, 3))
            part.save(path)
            rest.load(path)
            again += advance(rest, 3)
        assert losses == again
        assert same(whole.ema, rest.ema)


def test_a_run_may_be_judged_by_the_full_size_alone():
    run = tiny("dehaze", "--full", "--muon")
    before = {k: v.clone() for k, v in run.net.named_parameters()}
    list(advance(run, 2))
    still = {k for k, v in run.net.named_parameters() if torch.equal(v, before[k])}
    side = {k for k in before if k.startswith("ConvsOut")}
    assert side and side <= still and "Decoder.0.layers.0.main.0.main.0.weight" in before.keys() - still, still


def test_batch_norms_freeze_and_follow():
    run = tiny()
    norm = run.net.Encoder[0].layers[0].main[1].dynas[0].bn
    seen = []
    for _ in advance(run, 24):
        seen.append(norm.running_mean.clone())
    assert not torch.equal(seen[10], seen[11])
    assert torch.equal(seen[12], seen[19]) and not torch.equal(seen[19], seen[20]) and torch.equal(seen[20], seen[23])


def test_filters_that_stand_still_move_again():
    run, pictures = tiny(), [batches().draw(step, POOL)[0] for step in range(100, 104)]
    list(advance(run, 8))
    net = run.net.eval()
    still = net.Encoder[1].layers[0].main[1].dynas[1]
    torch.nn.init.constant_(still.lamb_l, 0.3)
    torch.nn.init.constant_(still.inside_all, 0.1)
    still.lamb_l.data[0] = 0  # adds nothing, and mustn't divide by it
    still.conv.weight.data *= 100  # what comes of so few steps hardly varies
    still.bn.bias.data = 40 * torch.where(torch.arange(72) % 3 == 0, 1.0, -1.0)  # every tap is -1 or 1, whatever the picture
    with torch.no_grad():
        wanted = net(pictures[0])[2]
        before = filters.revive(net, pictures)
        assert (net(pictures[0])[2] - wanted).abs().max() < 0.02
        wanted = net(pictures[0])[2]
        after = filters.revive(net, pictures)  # what moves stays as it is
        assert (net(pictures[0])[2] - wanted).abs().max() < 1e-4
    name = "Encoder.1.layers.0.main.1.dynas.1"
    assert before[name] == 1 and after[name] < 0.1


def test_a_stage_that_died_is_found():
    net, picture = tiny().net.eval(), batches().draw(100, POOL)[0]

    def run():
        with torch.no_grad():
            return net(picture)[2]

    def change(stage):
        return float((health.without(net, stage, run) - run()).abs().max())

    assert change("Decoder.1") > 1e-4 and health.largest(net.Encoder[1], run) < 1000
    net.FAM2.merge.main[0].bias.data += 1e6
    assert health.largest(net.Encoder[1], run) > 1e5
    net.feat_extract[4].main[0].bias.data -= 1e6  # zero behind its GELU
    assert change("Decoder.1") == 0 and change("Decoder.2") > 1e-4


def test_a_graft_begins_as_its_outer_part():
    outer, inner, picture = tiny().net, tiny("derain", "--seed", "4").net, batches().draw(100, POOL)[0]
    outer.feat_extract[4].main[0].bias.data -= 1e6  # dead: zero, whatever the picture
    net = tiny().net
    net.load_state_dict(graft.meet(outer, inner, [picture]))
    with torch.no_grad():
        wanted, other, made = (n.eval()(picture)[2] for n in (outer, inner, net))
    assert (made - wanted).abs().max() < 0.2 * (other - wanted).abs().max()
    assert torch.equal(net.Encoder[1].layers[0].main[0].main[0].weight, inner.Encoder[1].layers[0].main[0].main[0].weight)


def test_quarter_resolution_may_begin_anew():
    outer, picture = tiny().net, batches().draw(100, POOL)[0]
    outer.feat_extract[3].main[0].bias.data -= 1e6
    new = IRNeXt(8, 1)
    filters.measure(new, [picture])
    net = tiny().net
    net.load_state_dict(graft.meet(outer, new, [picture], "half"))
    with torch.no_grad():
        wanted, made = (n.eval()(picture) for n in (outer, net))
    assert (made[2] - wanted[2]).abs().max() < 0.2 * (made[0] - wanted[0]).abs().max()
    kept = graft.BELOW["half"][0] + ("Convs.0.",)
    for (name, value), old, born in zip(net.state_dict().items(), outer.state_dict().values(), new.state_dict().values()):
        assert name.startswith("Convs.0.") or torch.equal(value, old if name.startswith(kept) else born), name


def test_a_wider_network_begins_as_the_small_one_and_learns_on():
    small = tiny().ema
    with torch.no_grad():
        for p in small.parameters():
            p.add_(0.05 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
    large = IRNeXt(16, 3)
    large.load_state_dict(widen(small, 16, 3))
    x = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        for before, after in zip(small.eval()(x), large.eval()(x)):
            assert (before - after).abs().max() < 1e-5 * before.abs().max()
    large(x)[2].square().mean().backward()
    one, other = large.feat_extract[0].main[0].weight.grad[:2]
    assert (one - other).abs().max() > 1e-3 * one.abs().max(), "channels that were alike learn alike"


def test_bilinear_by_products_is_pytorchs():
    x = torch.rand(2, 3, 7, 12)
    for size in (7, 12), (14, 24), (9, 31), (1, 1):
        rows, columns = (between(a, b, "cpu") for a, b in zip(x.shape[2:], size))
        wanted = torch.nn.functional.interpolate(x, size, mode="bilinear", align_corners=True)
        assert (rows @ x @ columns.mT - wanted).abs().max() < 1e-6


def exported(folder, **how):
    """A run of two steps, and the file of its export, in a folder."""
    run = tiny()
    list(advance(run, 2))
    run.save(Path(folder) / "checkpoint.pt")
    file = Path(folder) / "tiny.safetensors"
    for _ in range(2):  # the second time replaces the entry
        export([Path(folder) / "checkpoint.pt"], file, "tiny", "a test", **how)
    return run, file


def begun(file, *task):
    """A new run that starts from a file."""
    run = tiny(*task)
    run.load(file, weights_only=True)
    return run


def test_the_export_is_the_averaged_network_and_starts_another_run():
    with tempfile.TemporaryDirectory() as folder:
        run, file = exported(folder, measured=(1, 2, 0.1, 0.2))
        net, text = load(file), (file.parent / "manifest.toml").read_text()
        goes_on, other = begun(file), begun(file, "derain")
    assert text.count("[tiny]") == 1 and f'recipe = "{RECIPE}"' in text and "psnr_restored = 2" in text and "ssim_degraded = 0.1" in text
    assert "FAM1.merge.main.0.weight" in net.state_dict()
    for (name, a), b in zip(run.ema.state_dict().items(), net.state_dict().values()):
        if a.is_floating_point():
            assert torch.equal(a.half().float(), b), name
    assert same(goes_on.net, net) and same(goes_on.ema, net) and same(other.net, net)
    assert (goes_on.before, other.before) == (2, 0)


def test_a_checkpoint_keeps_its_recipe():
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tiny.safetensors"
        paths = [Path(folder) / name for name in ("checkpoint.pt", "now.pt")]
        run = tiny()
        run.save(paths[1])
        run.recipe = "of old"
        run.save(paths[0])
        export(paths[:1], file, "tiny", "a test")
        assert 'recipe = "of old"' in (Path(folder) / "manifest.toml").read_text()
        assert "two recipes" in refusal(paths)
        begun(paths[0])  # a new run may start from it, but none goes on
        try:
            tiny().load(paths[0])
        except SystemExit as why:
            assert "recipe of old" in str(why)
        else:
            raise AssertionError("went on by another recipe")


def test_a_run_may_be_exported_halfway_from_its_start():
    with tempfile.TemporaryDirectory() as folder:
        run, start = exported(folder)
        list(advance(run, 20))
        end, middle = (Path(folder) / f"{name}.safetensors" for name in ("end", "middle"))
        run.save(Path(folder) / "checkpoint.pt")
        for file, how in (end, {}), (middle, {"start": start}):
            export([Path(folder) / "checkpoint.pt"], file, "tiny", "a test", **how)
        first, last, between = (load(file).state_dict() for file in (start, end, middle))
    apart = 0
    for name, value in between.items():
        if value.is_floating_point():
            assert torch.allclose(value, (first[name] + last[name]) / 2, rtol=2e-3, atol=1e-5), name
            apart = max(apart, float((first[name] - last[name]).abs().max()))
    assert apart > 0.01


def test_a_lean_export_is_the_network_without_its_side_outputs():
    with tempfile.TemporaryDirectory() as folder:
        run, file = exported(folder, lean=True)
        with safe_open(file, "pt") as tensors:
            names = set(tensors.keys())
        net, goes_on = load(file), begun(file)
    whole = {k for k, v in run.ema.state_dict().items() if v.is_floating_point()}
    assert {k.split(".main")[0] for k in whole - names} == {"ConvsOut.0", "ConvsOut.1"} and not names - whole
    assert same(goes_on.net, net) and same(goes_on.ema, net)
    x = batches().draw(0, POOL)[0]
    with torch.no_grad():
        quarter, half, full = net(x)
        assert torch.equal(quarter, x[..., ::4, ::4]) and torch.equal(half, x[..., ::2, ::2])
        assert (full - run.ema(x)[2]).abs().max() < 0.01  # half precision


def refusal(paths):
    """Why `together` has no mean of these."""
    try:
        together(paths)
    except SystemExit as why:
        return str(why)
    raise AssertionError("the mean of unlike runs was taken")


def test_of_several_runs_the_mean_is_exported():
    runs = tiny(), tiny("dehaze", "--seed", "4")
    list(advance(runs[0], 1))
    list(advance(runs[1], 3))
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{k}.pt" for k in range(2)]
        for run, path in zip(runs, paths):
            run.save(path)
        state = together(paths)
        assert state["step"] == 4
        runs[1].before = 1  # as if it had gone on from the first
        runs[1].save(paths[1])
        assert together(paths)["step"] == 4 and refusal(paths[::-1]).startswith("these runs began neither")
        other = tiny("derain")
        other.save(paths[1])
        assert refusal(paths).startswith("these runs differ in task")
    for name, value in state["ema"].items():
        a, b = (run.ema.state_dict()[name] for run in runs)
        if value.is_floating_point():
            assert torch.equal(value, (a + b) / 2), name
    assert not same(runs[0].ema, runs[1].ema)


def test_a_run_keeps_checkpoints_of_its_way():
    source = batches()
    steps = (source.draw(step, POOL) for step in count())
    with tempfile.TemporaryDirectory() as folder, patch("train.train.loader", lambda *_, **__: steps):
        begin = options(["--task", "dehaze", *TINY, "--steps", "6", "--keep", "3", "--out", folder])
        run = train(begin, report=lambda _: None)
        paths = sorted(Path(folder).glob("at-*.pt"))
        states = [torch.load(path, weights_only=False) for path in paths]
        whole = together(paths)
    assert [path.name for path in paths] == ["at-033.pt", "at-066.pt", "at-100.pt"]
    assert [state["step"] for state in states] == [2, 4, 6] and whole["step"] == 6, "one run's steps count once"
    for name, value in run.ema.state_dict().items():
        if value.is_floating_point():
            assert torch.equal(states[-1]["ema"][name], value), name
            assert torch.allclose(whole["ema"][name], sum(state["ema"][name] for state in states) / 3), name


def test_the_full_size_commands_train_and_resume():
    for task, command in FULL.items():
        chosen = options([*command, "--steps", "4", "--batch", "2"])
        run, source = Run(chosen), batches(task, 2)
        first = [float(run.advance(*source.draw(step, POOL))) for step in range(2)]
        assert np.isfinite(first).all(), (task, first)
        if task == "deblur":
            with tempfile.TemporaryDirectory() as folder:
                run.save(Path(folder) / "checkpoint.pt")
                rest = Run(chosen)
                rest.load(Path(folder) / "checkpoint.pt")
            assert rest.step == 2 and same(rest.net, run.net)
            assert np.isfinite(float(rest.advance(*source.draw(2, POOL))))


def test_ssim_of_a_picture_with_itself_and_with_its_negative():
    picture = np.random.default_rng(1).integers(0, 256, (32, 40, 3), dtype=np.uint8)
    assert abs(ssim(picture, picture) - 1) < 1e-12 and ssim(picture, 255 - picture) < 0


if __name__ == "__main__":
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
            print(name, "ok")
