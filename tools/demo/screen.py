"""What the demo says: one line per step, and a line that moves where there is a terminal."""

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from demo.tables import Table, wrap

_NAME_WIDTH = 11
_NARROWEST, _WIDEST = 40, 120
_BAR_WIDTH = 30
_REDRAW_S = 0.05
_PLAIN_LINE_S = 1.0


class Step:
    """A step while it is being done; done() gives its line."""

    def __init__(self, screen: "Screen", name: str, text: str):
        self._screen = screen
        self._name = name
        self._started = time.monotonic()
        self._drawn = self._started
        self.text = text

    def done(self, text: str) -> None:
        self.text = text

    def seconds(self) -> float:
        """The time since the step began."""
        return time.monotonic() - self._started

    def progress(self, done: int, total: int, what: str) -> None:
        """Draws a bar on a terminal, and elsewhere a plain line now and then."""
        now = time.monotonic()
        if now - self._drawn < (_REDRAW_S if self._screen.is_live else _PLAIN_LINE_S):
            return
        self._drawn = now
        text = f"{done:,} of {total:,} {what}"
        if self._screen.is_live:
            bar = "#" * (_BAR_WIDTH * done // max(total, 1))
            self._screen.live(self._name, f"[{bar:<{_BAR_WIDTH}}] {text}")
        else:
            self._screen.named_line(self._name, text)

    def end(self) -> None:
        self._screen.clear()
        self._screen.named_line(self._name,
                                f"{self.text}  ({self.seconds():.1f}\N{NO-BREAK SPACE}s)")


class Screen:
    def __init__(self) -> None:
        self.is_live = sys.stdout.isatty()
        self.columns = min(max(shutil.get_terminal_size((_WIDEST, 0)).columns, _NARROWEST), _WIDEST)
        # Turkish letters must not end a demo on a terminal that cannot show them.
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]

    def line(self, text: str = "") -> None:
        """Prints a line, wrapped between words where the terminal is narrower."""
        for part in text.split("\n"):
            for line in [part] if len(part) <= self.columns else wrap(part, self.columns):
                print(line, flush=True)

    def named_line(self, name: str, text: str) -> None:
        """Prints a name, and next to it the text in as many lines as it needs."""
        for part in wrap(text, self.columns - _NAME_WIDTH - 2):
            self.line(f"  {name:<{_NAME_WIDTH}}{part}".replace("\N{NO-BREAK SPACE}", " "))
            name = ""

    def table(self, table: Table, as_records: bool) -> None:
        for line in (table.draw_records if as_records else table.draw)(self.columns):
            print(line, flush=True)

    def heading(self, text: str) -> None:
        self.line(f"\n{text}")

    @contextmanager
    def step(self, name: str, doing: str) -> Iterator[Step]:
        """One step. If it fails, its line is not printed, because then the failure counts."""
        step = Step(self, name, doing)
        self.live(name, f"{doing} ...")
        try:
            yield step
        except BaseException:
            self.clear()
            raise
        step.end()

    def live(self, name: str, text: str) -> None:
        if self.is_live:
            print(f"\r\x1b[K  {name:<{_NAME_WIDTH}}{text}"[:self.columns + 4], end="", flush=True)

    def clear(self) -> None:
        if self.is_live:
            print("\r\x1b[K", end="", flush=True)
