"""Make a corpus of spoken words with free speech synthesizers, in the layout of Google Speech Commands.

    python -m sparsenet.recipes.corpus --out words --jobs 2

About a hundred voices of six synthesizers say 35 words; every utterance gets a room, a microphone and a noise of its
own. Everything is drawn from a seed, so anyone who has the same versions of the synthesizers makes the same files. Each
voice belongs to one split, and one synthesizer is heard only in the test.
"""

from sparsenet.recipes.corpus.generate import CorpusReport, make_corpus
from sparsenet.recipes.corpus.voices import VOICES, WORDS, Voice

__all__ = ["VOICES", "WORDS", "CorpusReport", "Voice", "make_corpus"]
