"""python -m integrations.whatsapp.standin --port N --state FILE: plays Evolution API and WhatsApp for the demo.

The two keys are read from files (`--api-key-file`, `--control-token-file`) or from EVOLUTION_API_KEY and
STANDIN_CONTROL_TOKEN. Refuses to run with ENVIRONMENT=production.
"""

import argparse
import os
import sys
from pathlib import Path

from integrations.whatsapp.standin.evolution import Options
from integrations.whatsapp.standin.server import HOST, Standin


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="integrations.whatsapp.standin", description="Plays Evolution API and WhatsApp."
    )
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default=HOST)
    parser.add_argument("--state", type=Path, help="JSON file that keeps instances, leads and messages")
    parser.add_argument("--api-key-file", type=Path)
    parser.add_argument("--control-token-file", type=Path)
    parser.add_argument("--auto-pair-seconds", type=float, help="scan each QR code by itself after that time")
    parser.add_argument("--create-seconds", type=float, default=5.0, help="how long it takes to create an instance")
    given = parser.parse_args()
    if os.environ.get("ENVIRONMENT", "production") == "production":
        sys.exit("The stand-in plays WhatsApp for the demo and for tests; it does not run with ENVIRONMENT=production.")
    options = Options(
        api_key=secret(given.api_key_file, "EVOLUTION_API_KEY"),
        control_token=secret(given.control_token_file, "STANDIN_CONTROL_TOKEN"),
        auto_pair_seconds=given.auto_pair_seconds,
        create_seconds=given.create_seconds,
        state_file=given.state,
    )
    Standin(options, port=given.port, host=given.host).run()


def secret(file: Path | None, variable: str) -> str:
    value = file.read_text("utf-8").strip() if file else os.environ.get(variable, "")
    if not value:
        sys.exit(f"Set {variable} or give its file.")
    return value


if __name__ == "__main__":
    main()
