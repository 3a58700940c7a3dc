"""A tiny set of prepared words: bright and dark images, said to be two digits, by a few speakers."""

import numpy as np

from sparsenet.recipes.prepared import PreparedWords
from sparsenet.recipes.training.recipe import MaskChoice, Recipe

SPLIT_OF = {"v1": "train", "v2": "train", "v3": "validation", "v4": "test", "ann": "people", "bob": "people"}
WORDS = ("zero", "one", "sheila")


def toy_words(seed=0):
    """Each speaker says each word four times; zero is bright above, one below."""
    r = np.random.default_rng(seed)
    speakers = np.repeat(list(SPLIT_OF), len(WORDS) * 4)
    words = np.tile(np.repeat(WORDS, 4), len(SPLIT_OF))
    images = r.integers(0, 90, (len(words), 3, 32, 32), np.uint8)
    images[words == "zero", :, :16] += 150
    images[words == "one", :, 16:] += 150
    silence = r.integers(0, 30, (6, 32, 32), np.uint8)
    return PreparedWords(
        images,
        words,
        speakers,
        np.array([SPLIT_OF[name] for name in speakers.tolist()]),
        silence,
        np.repeat(["train", "validation", "test"], 2),
    )


def toy_recipe(**settings):
    """Learn on the toy set in seconds: 32 hidden units, batches of 8."""
    small = {"hidden": 32, "active": (6, 8, 8), "linear": MaskChoice("blocks", 0.04), "batch": 8, "epochs": 2}
    return Recipe(**{**small, "falling_k_epochs": 1, "bfloat16": False, "held_out": ("bob",), **settings})
