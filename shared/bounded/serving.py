"""The process side of `shared/bounded/processes.py`: runs tasks on strangers' input, within limits that the kernel
enforces.

The process has no secrets and no connections, and limited time and memory. It reads tasks from standard input, writes
results to standard output, and ends at end of input.
"""

import resource
import signal
import struct
import sys
from collections.abc import Callable, Mapping, Sequence

REQUEST = struct.Struct(">16sQI")
"""The task's name, the content's length, and the milliseconds of processor time that are allowed."""
RESULT = struct.Struct(">I")
"""The number of pieces; then follow the length of each (LENGTH) and the pieces."""
LENGTH = struct.Struct(">Q")
MOST_MEMORY = 2 * 1024 * 1024 * 1024

Task = Callable[[bytes], Sequence[bytes]]


def serve(tasks: Mapping[str, Task]) -> None:
    """Runs tasks until the input ends. A task that raises ends the process; its caller gets `Ended("died")`."""
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)  # the service decides when its processes end
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, hard))
    source, results = sys.stdin.buffer, sys.stdout.buffer
    while len(head := source.read(REQUEST.size)) == REQUEST.size:
        name, length, milliseconds = REQUEST.unpack(head)
        content = source.read(length)
        if len(content) < length:
            return
        # The kernel ends the process when its time is over, wherever it is.
        signal.setitimer(signal.ITIMER_PROF, milliseconds / 1000)
        pieces = tasks[name.rstrip(b"\0").decode()](content)
        signal.setitimer(signal.ITIMER_PROF, 0)
        results.write(RESULT.pack(len(pieces)) + b"".join(LENGTH.pack(len(piece)) for piece in pieces))
        for piece in pieces:
            results.write(piece)
        results.flush()
