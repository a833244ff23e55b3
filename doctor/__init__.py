"""`refbench doctor`: what this machine has, what will not work, and the command that fixes it."""
