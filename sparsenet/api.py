"""``python -m sparsenet.api``: the index of everything public, one sentence each, as Markdown.

Sources are read and not imported, so that the index is the same whether torch and the other extras are installed or
not. Sentences are the first lines of docstrings.
"""

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from sparsenet.command_line import run

__all__ = ["Entry", "entries_of", "index", "main"]

MODULES = {
    "sparsenet": "import sparsenet as sn",
    "sparsenet.layers": "sn.layers",
    "sparsenet.nn": "sn.nn, which needs torch (the extra `train`)",
    "sparsenet.packing": "sn.packing",
    "sparsenet.storage": "from sparsenet import storage",
    "sparsenet.speech": "sn.speech, for sound (the extra `speech`)",
    "sparsenet.speech.recognize": "from sparsenet.speech.recognize import ...",
    "sparsenet.explain.roofline": "from sparsenet.explain.roofline import ...",
    "sparsenet.bench.studies.residency": "from sparsenet.bench.studies.residency import ...",
    "sparsenet.bench.studies.energy": "from sparsenet.bench.studies.energy import ...",
    "sparsenet.bench": "from sparsenet.bench import ...",
    "sparsenet_kernels": "from sparsenet_kernels import ...",
}
"""The public modules, each with how one comes to it."""

PROGRAMS = (
    "sparsenet.api",
    "sparsenet.bench",
    "sparsenet.bench.masks",
    "sparsenet.packing",
    "sparsenet.recipes.corpus",
    "sparsenet.recipes.prepare",
    "sparsenet.recipes.train",
    "sparsenet.recipes.study",
)
"""Modules to run by ``python -m``."""

PREAMBLE = """\
# Everything public

One sentence each, from the docstrings; `help(sn.compile)` and the like have the rest, with examples. Written by
`python -m sparsenet.api > notebooks/api.md`; the tests compare.
"""

PLUMBING = ("extra_repr", "forward")
"""Methods that torch calls, not people."""

Definition = ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign


@dataclass(frozen=True)
class Entry:
    """A public name: what it is, and its sentence.

    ``rank`` orders functions before classes before constants; ``source`` is where it is defined.
    """

    name: str
    sentence: str
    rank: int
    source: str


def index() -> str:
    """Write the whole index.

    Examples
    --------
    >>> index().splitlines()[0]
    '# Everything public'
    """
    parts = [PREAMBLE]
    seen: set[str] = set()
    for module, how in MODULES.items():
        entries = [entry for entry in entries_of(module) if entry.source not in seen]
        seen.update(entry.source for entry in entries)
        parts.append(_table(f"`{module}`: {how}", [(entry.name, entry.sentence) for entry in entries]))
    parts.append(_table("Commands", list(_commands())))
    parts.append(_table("Modules that run", [(f"python -m {name}", _module_sentence(name)) for name in PROGRAMS]))
    return "\n".join(parts)


def entries_of(module: str) -> list[Entry]:
    """List what a module's ``__all__`` names, methods of classes behind them.

    Examples
    --------
    >>> [entry.name for entry in entries_of("sparsenet.speech.recordings")]
    ['recordings', 'Recording']
    """
    found = [entry for name in _exported(module) for entry in _described(module, name)]
    return sorted(found, key=lambda entry: (entry.rank, entry.name.casefold()))


def _described(module: str, name: str) -> Iterator[Entry]:
    home, definition = _definition(module, name)
    rank = {ast.FunctionDef: 0, ast.ClassDef: 1}.get(type(definition), 2)
    source = f"{home}.{name}"
    yield Entry(name, _sentence(home, definition), rank, source)
    if isinstance(definition, ast.ClassDef):
        for method in definition.body:
            if isinstance(method, ast.FunctionDef) and _is_shown(method):
                yield Entry(f"{name}.{method.name}", _sentence(home, method), rank, f"{source}.{method.name}")


def _is_shown(method: ast.FunctionDef) -> bool:
    """Tell whether people call a method by this definition, which is not that of an overload."""
    overloads = any(ast.unparse(mark) == "overload" for mark in method.decorator_list)
    return method.name[0] != "_" and method.name not in PLUMBING and not overloads


def _definition(module: str, name: str) -> tuple[str, Definition]:
    """Find where a name is defined, through the modules that import it from each other."""
    for node in reversed(_tree(module).body):  # of overloads, the last has the docstring
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return module, node
        if isinstance(node, ast.Assign | ast.AnnAssign) and name in _targets(node):
            return module, node
    for found in ast.walk(_tree(module)):
        if isinstance(found, ast.ImportFrom) and found.module and name in _imported_names(found):
            return _definition(found.module, name)
    raise LookupError(f"{module} exports {name!r}, which is defined nowhere")


def _imported_names(found: ast.ImportFrom) -> list[str]:
    names = [alias.name for alias in found.names]
    return _exported(found.module) if names == ["*"] and found.module else names


def _sentence(module: str, definition: Definition) -> str:
    if isinstance(definition, ast.FunctionDef | ast.ClassDef):
        return _plain(ast.get_docstring(definition) or "")
    body = _tree(module).body
    after = body[body.index(definition) + 1 :][:1]  # a constant is documented by the string behind it
    if after and isinstance(after[0], ast.Expr) and isinstance(after[0].value, ast.Constant):
        return _plain(str(after[0].value.value))
    return ""


def _plain(docstring: str) -> str:
    """Take the first paragraph's first sentence, with Markdown's marks instead of reStructuredText's."""
    paragraph = " ".join(docstring.strip().partition("\n\n")[0].split())
    sentence = re.split(r"(?<=[.?!]) (?=[A-Z\"])", paragraph)[0]
    marked = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", sentence).replace("``", "`")
    return marked.replace("|", "\\|")


def _module_sentence(module: str) -> str:
    name = f"{module}.__main__" if _path(f"{module}.__main__").exists() else module
    said = re.sub(r"^`python -m [^`]+`: |: `python -m [^`]+`(?=\.$)", "", _plain(ast.get_docstring(_tree(name)) or ""))
    return said[:1].upper() + said[1:]


def _commands() -> Iterator[tuple[str, str]]:
    for node in _tree("sparsenet.cli").body:
        calls = [mark for mark in getattr(node, "decorator_list", ()) if isinstance(mark, ast.Call)]
        for call in calls:
            if isinstance(node, ast.FunctionDef) and ast.unparse(call.func) == "app.command":
                name = ast.literal_eval(call.args[0]) if call.args else node.name
                yield f"sparsenet {name}", _plain(ast.get_docstring(node) or "")


def _exported(module: str) -> list[str]:
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Assign | ast.AnnAssign) and _targets(node) == ["__all__"]:
            assert isinstance(node.value, ast.List)
            return [name for element in node.value.elts for name in _exported_by(module, element)]
    raise LookupError(f"{module} has no __all__")


def _exported_by(module: str, element: ast.expr) -> list[str]:
    """Read an element of ``__all__``: a name, or ``*other.__all__``, which are those of a module imported before."""
    if isinstance(element, ast.Starred):
        return _exported(_imported(module, ast.unparse(element.value).removesuffix(".__all__")))
    return [str(ast.literal_eval(element))]


def _imported(module: str, name: str) -> str:
    """Find the full name of a module that another one imports by ``from ... import``."""
    for found in ast.walk(_tree(module)):
        if isinstance(found, ast.ImportFrom) and found.module and name in [alias.name for alias in found.names]:
            return f"{found.module}.{name}"
    raise LookupError(f"{module} imports no {name}")


def _targets(node: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(_path(module).read_text(encoding="utf-8"))


def _path(module: str) -> Path:
    """Find a module's source without importing it: only its topmost package is looked up."""
    top, *inner = module.split(".")
    spec = find_spec(top)
    if spec is None or spec.origin is None:
        raise LookupError(f"expected the sources of {top}, found none")
    path = Path(spec.origin).parent.joinpath(*inner)
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _table(title: str, rows: Sequence[tuple[str, str]]) -> str:
    lines = [f"| `{name}` | {sentence} |" for name, sentence in rows]
    return "\n".join([f"## {title}", "", "| name | what it is |", "| --- | --- |", *lines, ""])


def show() -> None:
    """Print the index of everything public."""
    sys.stdout.write(index())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    run(show, "python -m sparsenet.api", arguments)


if __name__ == "__main__":
    main()
