"""Run a command for which no file can be locked, as on a shared file system without locks: flock and fcntl say so.

    python no_locks.py COMMAND ...

A filter of system calls (seccomp) answers in the place of the file system; it holds for all that the command starts.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

FLOCK, FCNTL = {"x86_64": (73, 72), "aarch64": (32, 25)}[platform.machine()]
SETLK, SETLKW = 6, 7
NUMBER, SECOND_ARGUMENT = 0, 24  # where a call's number and second argument lie in what the filter is shown
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, FAIL = 0x7FFF0000, 0x00050000 | errno.ENOLCK
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2

# Each line: what to do, how many lines to skip if equal and if not, with which value.
PROGRAM = [
    (LOAD, 0, 0, NUMBER),
    (EQUAL, 4, 0, FLOCK),
    (EQUAL, 0, 4, FCNTL),
    (LOAD, 0, 0, SECOND_ARGUMENT),
    (EQUAL, 1, 0, SETLK),
    (EQUAL, 0, 1, SETLKW),
    (RETURN, 0, 0, FAIL),
    (RETURN, 0, 0, ALLOW),
]


class Filter(ctypes.Structure):
    """The kernel's struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("program", ctypes.c_void_p))


def main() -> None:
    """Take the locks away and become the command."""
    system = ctypes.CDLL(None, use_errno=True)
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in PROGRAM))
    program = Filter(len(PROGRAM), ctypes.addressof(code))
    for request in ((NO_NEW_PRIVILEGES, 1, 0, 0, 0), (SECCOMP, FILTER, ctypes.byref(program), 0, 0)):
        if system.prctl(*request):
            sys.exit(f"no filter of system calls: {os.strerror(ctypes.get_errno())}")
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
