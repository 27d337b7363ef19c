"""The side of a process that does what `shared/bounded/processes.py` asks: what strangers wrote, within bounds that the kernel keeps.

It has no secrets, no connections and no more than its share of time and memory. It takes questions on standard input, answers on
standard output, and ends when its input does.
"""

import resource
import signal
import struct
import sys
from collections.abc import Callable, Mapping, Sequence

QUESTION = struct.Struct(">16sQI")
"""The task's name, the content's length, and the milliseconds of processor time that the answer may take."""
ANSWER = struct.Struct(">I")
"""How many pieces follow; then each one's length as LENGTH, then the pieces."""
LENGTH = struct.Struct(">Q")
MOST_MEMORY = 2 * 1024 * 1024 * 1024

Task = Callable[[bytes], Sequence[bytes]]


def serve(tasks: Mapping[str, Task]) -> None:
    """Answers until the input ends. A task that raises ends the process: whoever asked is told that it died."""
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)  # the service decides when its processes end
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, hard))
    source, answers = sys.stdin.buffer, sys.stdout.buffer
    while len(head := source.read(QUESTION.size)) == QUESTION.size:
        name, length, milliseconds = QUESTION.unpack(head)
        content = source.read(length)
        if len(content) < length:
            return
        # The kernel ends the process when its time is over, wherever it hangs.
        signal.setitimer(signal.ITIMER_PROF, milliseconds / 1000)
        pieces = tasks[name.rstrip(b"\0").decode()](content)
        signal.setitimer(signal.ITIMER_PROF, 0)
        answers.write(ANSWER.pack(len(pieces)) + b"".join(LENGTH.pack(len(piece)) for piece in pieces))
        for piece in pieces:
            answers.write(piece)
        answers.flush()
