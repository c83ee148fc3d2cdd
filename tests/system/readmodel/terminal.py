"""A pseudo-terminal of a given width that runs a program: its output, and Ctrl-C."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """Runs a command in a pseudo-terminal until the command or the `with` block ends."""

    def __init__(self, command, environ, columns):
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self._process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**environ, "TERM": "xterm-256color"},
            start_new_session=True,
        )
        os.close(slave)
        self._raw = b""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait(120)
        self._reader.join(120)
        os.close(self._master)

    def _read(self):
        try:
            while more := os.read(self._master, 65_536):
                self._raw += more
        except OSError:
            pass  # on Linux: the other end is closed

    @property
    def raw(self):
        return self._raw.decode(errors="replace")

    @property
    def text(self):
        """All output so far, without control sequences."""
        return _CONTROL.sub("", self.raw).replace("\r\n", "\n")

    def ctrl_c(self):
        """Press Ctrl-C and return the exit code."""
        self._process.send_signal(signal.SIGINT)
        return self.ended()

    def ended(self, within=120):
        """Return the exit code after all output is read."""
        code = self._process.wait(within)
        self._reader.join(within)
        return code
