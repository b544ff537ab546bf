"""`make bench`: every measuring program, or those named (`make bench BENCH="ground"`)."""

import subprocess
import sys

PROGRAMS = ["ground", "ack", "work", "replies", "ownership", "scale", "ui"]


def main() -> int:
    for program in sys.argv[1:] or PROGRAMS:
        code = subprocess.run([sys.executable, "-m", f"tests.bench.{program}"], check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
