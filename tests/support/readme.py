"""The commands of README.md, for tests that run them as they are printed."""

import re
import textwrap

from support.database import REPOSITORY


def blocks(heading: str, language: str) -> list[str]:
    """The code blocks of that language below a heading, up to the next heading of any level."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    start = re.search(rf"^#+ {re.escape(heading)}$", text, re.M)
    assert start is not None, heading
    section = re.split(r"^##+ ", text[start.end():], maxsplit=1, flags=re.M)[0]
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", section, re.M | re.S)
    return [textwrap.dedent(body) for _, body in found]
