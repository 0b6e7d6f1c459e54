"""Runs one gateway process for the tests: settings from the environment, its ports as JSON on standard output."""

import asyncio
import json
import signal
import sys

import uvloop

from reviva.config import load
from reviva.gateway.main import Gateway
from reviva.telemetry import configure_logging


async def main(index: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    gateway = Gateway(load(), index)
    await gateway.start()
    print(json.dumps(gateway.ports), flush=True)  # noqa: T201
    await stop.wait()
    await gateway.stop()


configure_logging("info", "json", role="gateway")
uvloop.run(main(int(sys.argv[1])))
