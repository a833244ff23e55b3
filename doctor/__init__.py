"""Installation -> findings (`refbench doctor`): packages, devices, weights, and commands that fix them."""
