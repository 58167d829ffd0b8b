"""Faults to be put into the source on purpose: the files of tests/mutants, see the README there."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "tests" / "mutants"

_HEADS = {"breaks", "promise", "tests"}


class MutantError(Exception):
    """What is wrong with a mutant's file, or why it no longer fits the source."""


@dataclass(frozen=True)
class Edit:
    file: str
    old: str
    new: str

    def apply(self, text: str) -> str:
        """The text with its one occurrence of `old` replaced, however white space differs."""
        pattern = re.compile(r"\s+".join(re.escape(word) for word in self.old.split()))
        count = len(pattern.findall(text))
        if count != 1:
            raise MutantError(f"{self.file} holds what is to be replaced {count} times, not once: "
                              f"{' '.join(self.old.split())!r}")
        return pattern.sub(lambda _found: self.new, text)


@dataclass(frozen=True)
class Mutant:
    name: str
    breaks: str  # completes the sentence "kopru ..."
    promise: str
    tests: list[str]  # of pytest, beyond the unit tests of its layers and the golden cases
    edits: list[Edit]

    def files(self) -> list[str]:
        return sorted({edit.file for edit in self.edits})

    def layers(self) -> list[str]:
        """Of src/, those it touches."""
        return sorted({Path(file).parts[1] for file in self.files() if file.startswith("src/")
                       and file.count("/") > 1})

    def apply(self, tree: Path) -> None:
        """All of its edits, or none."""
        texts = {name: (tree / name).read_text(encoding="utf-8") if (tree / name).is_file()
                 else None for name in self.files()}
        for edit in self.edits:
            text = texts[edit.file]
            if text is None:
                raise MutantError(f"there is no file {edit.file}")
            texts[edit.file] = edit.apply(text)
        for name, text in texts.items():
            assert text is not None
            (tree / name).write_text(text, encoding="utf-8")


def _edits(name: str, text: str) -> list[Edit]:
    parts = re.split(r"^--- (\S+)\n", text, flags=re.MULTILINE)
    edits = []
    for file, part in zip(parts[1::2], parts[2::2], strict=True):
        found = re.fullmatch(r"<<<\n(.+)\n===\n(.*?)\n?>>>\n*", part, re.DOTALL)
        if found is None:
            raise MutantError(f"{name}: after '--- {file}' there must be '<<<', the old text, "
                              "'===', the new text, '>>>'")
        edits.append(Edit(file, found[1], found[2]))
    return edits


def parse(name: str, text: str) -> Mutant:
    heads: dict[str, str] = {}
    head, _, body = text.partition("\n--- ")
    for line in head.splitlines():
        key, colon, value = line.partition(": ")
        if not colon or key not in _HEADS or not value.strip() or key in heads:
            raise MutantError(f"{name}: {line!r} is not one of 'breaks: ...', 'promise: ...', "
                              "'tests: ...'")
        heads[key] = value.strip()
    if not {"breaks", "promise"} <= set(heads):
        raise MutantError(f"{name}: it must say what it breaks and which promise")
    edits = _edits(name, "--- " + body) if body else []
    if not edits:
        raise MutantError(f"{name}: it changes nothing")
    return Mutant(name, heads["breaks"], heads["promise"], heads.get("tests", "").split(), edits)


def load(names: Iterable[str] = (), folder: Path = FOLDER) -> list[Mutant]:
    """The mutants of these names, or all."""
    files = {path.stem: path for path in sorted(folder.glob("*.mutant"))}
    unknown = [name for name in names if name not in files]
    if unknown:
        raise MutantError(f"there is no {folder.name}/{unknown[0]}.mutant")
    chosen = list(names) or list(files)
    if not chosen:
        raise MutantError(f"{folder} holds no mutant")
    return [parse(name, files[name].read_text(encoding="utf-8")) for name in chosen]
