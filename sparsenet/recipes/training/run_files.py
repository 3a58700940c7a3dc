"""The files in the folder of a training."""

__all__ = ["FLOAT32_FILE", "INT8_FILE", "LOG_FILE", "RECIPE_FILE", "RESULTS_FILE", "SCORES_FILE", "TIMES_FILE"]

FLOAT32_FILE, INT8_FILE = "network.safetensors", "network-int8.safetensors"
RECIPE_FILE, LOG_FILE = "recipe.json", "log.txt"
SCORES_FILE = "scores.npz"
"""Scores of the module, as it was trained, by what measured it: ``validation``, ``test``, a person."""

RESULTS_FILE = "results.json"
"""Written last: where it is, the training is finished."""

TIMES_FILE = "times.json"
"""What ``python -m sparsenet.recipes.study --time`` measured."""
