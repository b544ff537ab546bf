"""python -m tests.chaos.web FD: a web process as deployed, on a listening socket that outlives it.

Environment: CHAOS_SEED, CHAOS_FAILPOINT_RATE, CHAOS_JOURNAL.
"""

import os
import socket
import sys
from pathlib import Path

import uvicorn

from tests.chaos.failpoints import Failpoints


def main() -> None:
    from sdr.asgi import application

    seed = int(os.environ["CHAOS_SEED"]) * 100_000 + os.getpid()
    rate = float(os.environ["CHAOS_FAILPOINT_RATE"])
    Failpoints(seed, rate, Path(os.environ["CHAOS_JOURNAL"])).place_in_web()
    config = uvicorn.Config(application, log_level="warning", access_log=False, proxy_headers=False)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])


if __name__ == "__main__":
    main()
