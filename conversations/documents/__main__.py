"""The process that reads one document: bytes on standard input, JSON on standard output, and little else allowed.

`python -m conversations.documents MIME`. It has bounds on memory, processor time and files, and ends with its task.
"""

import json
import resource
import sys

from conversations.documents import readers
from conversations.documents.shapes import CannotRead, Failure

MEMORY_BYTES = 1024 * 1024 * 1024
CPU_SECONDS = 25


def main(mime: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        found = readers.read(sys.stdin.buffer.read(), mime)
        answer = {"text": found.text, "title": found.title}
    except CannotRead as reason:
        answer = {"failure": reason.failure.value}
    except MemoryError:
        answer = {"failure": Failure.TOO_LARGE.value}
    sys.stdout.buffer.write(json.dumps(answer).encode())


if __name__ == "__main__":
    main(sys.argv[1])
