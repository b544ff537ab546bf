"""A kind of work that goes on until it is stopped."""

import asyncio

from sdr.lib import jobs

SECONDS = 60.0


@jobs.kind("nap", slots=4, share=4)
async def nap(work: jobs.Work) -> None:
    await asyncio.sleep(SECONDS)
