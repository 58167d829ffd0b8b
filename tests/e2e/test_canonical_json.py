"""JSON as kopru writes it is JSON as PostgreSQL prints it: a wrong spelling would make equal rows
look different.

Generated documents go through json_write_canonical() and through jsonb, and must come out as the
same bytes; and what json_read() refuses must be what jsonb refuses, or one message would fail a
whole batch.
"""

import random
import subprocess
from collections.abc import Iterator

import psycopg
import pytest
from support.daemon import binary
from support.postgres import Postgres

pytestmark = pytest.mark.matrix

DOCUMENTS = 4000
_LETTERS = ["a", "b", "Z", "0", " ", "/", "'", "İ", "ş", "ğ", "\x7f", "\u2028", "😀", "\u00a0", "é",
            "e\u0301"]
_ESCAPES = ['\\"', "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t", "\\u0001", "\\u001F",
            "\\u0061", "\\u007f", "\\u00e9", "\\u0130", "\\uFFFF", "\\ud83d\\uDE00"]
_SPACES = ["", "", "", " ", "  ", "\t", "\r", " \t\r "]


class Generator:
    """JSON texts in unusual spellings, without line feeds, so that one line holds one text."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)

    def space(self) -> str:
        return self.random.choice(_SPACES)

    def string(self, longest: int = 8) -> str:
        parts = self.random.choices(_LETTERS * 3 + _ESCAPES, k=self.random.randrange(longest))
        return '"' + "".join(parts) + '"'

    def digits(self, longest: int = 6) -> str:
        return "".join(self.random.choices("0001234567890", k=self.random.randrange(1, longest)))

    def number(self, largest_exponent: int = 64) -> str:
        pick = self.random.random
        long = 40 if pick() < 0.1 else 6
        text = "-" if pick() < 0.4 else ""
        text += "0" if pick() < 0.3 else str(self.random.randrange(1, 10)) + (self.digits(long)
                                                                              if pick() < 0.7
                                                                              else "")
        if pick() < 0.5:
            text += "." + self.digits(long)
        if pick() < 0.5:
            largest = largest_exponent if pick() < 0.3 else 5
            text += self.random.choice("eE") + self.random.choice(["", "+", "-"])
            text += str(self.random.randrange(largest + 1))
        return text

    def name(self, known: list[str]) -> str:
        if known and self.random.random() < 0.3:
            name = self.random.choice(known)  # a duplicate, perhaps in another spelling
            return name.replace("a", "\\u0061") if self.random.random() < 0.5 else name
        return self.string(5)

    def members(self, depth: int) -> Iterator[str]:
        known: list[str] = []
        for _ in range(self.random.choice([0, 1, 2, 3, 5] if depth > 0
                                          else [1, 3, 15, 16, 17, 40])):
            name = self.name(known)
            known.append(name)
            yield f"{self.space()}{name}{self.space()}:{self.value(depth + 1)}"

    def value(self, depth: int = 0) -> str:
        kind = self.random.random()
        if depth > 3 or kind < 0.5:
            text = self.random.choice([self.string, self.number, lambda: "true", lambda: "false",
                                       lambda: "null"])()
        elif kind < 0.7:
            elements = [self.value(depth + 1) for _ in range(self.random.randrange(5))]
            text = "[" + (",".join(elements) or self.space()) + "]"
        else:
            text = "{" + (",".join(self.members(depth)) or self.space()) + "}"
        return self.space() + text + self.space()

    def broken(self) -> str:
        """A text with one small change, which may or may not be JSON still."""
        text = self.value(depth=2)
        at = self.random.randrange(len(text) + 1)
        pieces = ["", "0", "-", ".", "e", "+", ",", ":", '"', "\\", "\\u", "\\ud800", "\\udc00",
                  "\\u0000", "[", "]", "{", "}", "\x01",
                  "\x0b", "\x0c", "\ufeff", "\u00a0", "nul", "true", "NaN", "//", "'", " ", "1",
                  "a"]
        return text[:at] + self.random.choice(pieces) + text[at + self.random.randrange(2):]


def _written(texts: list[str], *arguments: str) -> list[str]:
    probe = binary().parent / "tests" / "json_canonical_probe"
    lines = "".join(text + "\n" for text in texts)
    done = subprocess.run([str(probe), *arguments], input=lines.encode(), stdout=subprocess.PIPE,
                          check=True)
    return done.stdout.decode().split("\n")[:-1]


@pytest.fixture
def session(postgres_server: Postgres) -> Iterator[psycopg.Connection]:
    """A session with pg_temp.printed(text, type): what the server prints of a value, or `fault`."""
    with postgres_server.admin() as connection:
        connection.execute("""
            CREATE FUNCTION pg_temp.printed(input text, target regtype) RETURNS text
            LANGUAGE plpgsql AS $$
            DECLARE
                output text;
            BEGIN
                EXECUTE format('SELECT CAST(CAST($1 AS %s) AS text)', target)
                INTO output USING input;
                RETURN output;
            EXCEPTION WHEN data_exception OR syntax_error_or_access_rule_violation THEN
                RETURN 'fault';
            END $$""")
        yield connection


def _printed(session: psycopg.Connection, texts: list[str], target: str) -> list[str]:
    rows = session.execute(
        "SELECT pg_temp.printed(input, %s) FROM unnest(%s::text[]) WITH ORDINALITY AS given "
        "(input, place) ORDER BY place",
        (target, texts))
    return [text for (text,) in rows]


def _differences(texts: list[str], ours: list[str],
                 theirs: list[str]) -> list[tuple[str, str, str]]:
    return [triple for triple in zip(texts, ours, theirs, strict=True) if triple[1] != triple[2]]


def test_documents_are_written_as_jsonb_prints_them(session: psycopg.Connection) -> None:
    generator = Generator(20210813)
    texts = [generator.value() for _ in range(DOCUMENTS)]
    theirs = _printed(session, texts, "jsonb")
    assert "fault" not in theirs
    assert _differences(texts, _written(texts), theirs) == []


def test_what_is_refused_is_what_jsonb_refuses(session: psycopg.Connection) -> None:
    generator = Generator(20230816)
    texts = [generator.broken() for _ in range(DOCUMENTS * 5)]
    theirs = ["fault" if text == "fault" else "fine" for text in _printed(session, texts, "jsonb")]
    ours = ["fault" if text == "fault" else "fine" for text in _written(texts)]
    assert min(theirs.count("fault"), theirs.count("fine")) > DOCUMENTS / 4
    assert _differences(texts, ours, theirs) == []


def test_numbers_are_written_as_numeric_prints_them(session: psycopg.Connection) -> None:
    generator = Generator(134719)
    texts = [generator.number(1000) for _ in range(DOCUMENTS)]
    theirs = _printed(session, texts, "numeric")
    assert "fault" not in theirs
    assert _differences(texts, _written(texts, "--numeric"), theirs) == []
