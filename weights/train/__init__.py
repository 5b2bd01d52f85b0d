"""How the shipped weights are made: procedural scenes, a degradation, IRNeXt, one loss, one loop."""

RECIPE = "10"  # raise it when the same seed would no longer give the same weights
