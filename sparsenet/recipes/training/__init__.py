"""Training the reference network of spoken digits, dense or sparse twice, and the study that compares such trainings.

Its modules need the extra ``train`` (``pip install "sparsenet[train]"``), except for recipes, data and reports.
"""
