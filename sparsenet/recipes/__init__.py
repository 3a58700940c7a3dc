"""How the bundled networks were made: a corpus of spoken words, its features, the trainings and the study of them.

Nothing that runs a network imports this. ``python -m sparsenet.recipes.corpus``, ``prepare``, ``train`` and ``study``
are the four steps, in this order; the last two need the extra ``train``.
"""
