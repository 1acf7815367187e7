"""A terminal of a given width in a pseudo-terminal, and the lines that its screen shows."""

import fcntl
import os
import pty
import re
import select
import struct
import termios
import time
from collections.abc import Callable

ESCAPE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])")


class Screen:
    """The lines that a terminal of ``width`` columns shows, with all that scrolled out of it."""

    def __init__(self, width):
        self.width, self.lines, self.row, self.column = width, [""], 0, 0

    def feed(self, text):
        position = 0
        while position < len(text):
            if match := ESCAPE.match(text, position):
                self._control(match[1], match[2])
                position = match.end()
            else:
                self._write(text[position])
                position += 1

    def _control(self, arguments, command):
        number = int(arguments) if arguments.isdigit() else 1
        if command == "A":
            self.row = max(self.row - number, 0)
        elif command == "K":
            self.lines[self.row] = ""

    def _write(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self._next_row()
        else:
            if self.column == self.width:
                self._next_row()
                self.column = 0
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + character + line[self.column + 1 :]
            self.column += 1

    def _next_row(self):
        self.row += 1
        if self.row == len(self.lines):
            self.lines.append("")

    def text(self):
        return "\n".join(line.rstrip() for line in self.lines)


def run_on_terminal(command, width, environment=None, on_output: Callable = lambda screen, process: None, limit=120):
    """Run a command on a terminal; return the screen at the end, all screens that differ, and the exit code.

    Args:
        on_output: Called with the screen's text and the process id after each output; it may send a signal. It returns
            true to close the terminal.
    """
    process, terminal = pty.fork()
    if process == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        os.execvpe(command[0], command, {**os.environ, "TERM": "xterm", **(environment or {})})
    screen, screens, until, is_open = Screen(width or 80), [], time.monotonic() + limit, True
    while is_open and time.monotonic() < until:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            data = os.read(terminal, 65536)
        except OSError:
            break
        if not data:
            break
        screen.feed(data.decode(errors="replace"))
        screens.append(screen.text())
        is_open = not on_output(screen.text(), process)
    os.close(terminal)
    return screens[-1] if screens else "", screens, os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
