# SPDX-License-Identifier: MIT
"""Stands where Pebble validates and passes connections on to a thinair: only once a file exists,
and only once an answer is there. So a test decides when a challenge is looked at, and a validation
waits for a thinair that was killed and is being started again: what the client said is said again,
as long as nothing, or 404, was answered. Ends when its parent does, or after ten minutes.

usage: gate.py OPEN READY PORT:TO...

OPEN: the file that opens it; READY: written when it listens"""

import asyncio
import os
import sys
import time

LIFE_S = 600
PATIENCE_S = 12  # Pebble gives up a validation after 15
PAUSE_S = 0.02


async def connect(port, deadline):
    while time.monotonic() < deadline:
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(PAUSE_S)
    return None, None


class Passage:
    """One client's connection, and the one behind it: another one when that was killed."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.said = b""  # by the client, while nothing was answered
        self.is_answered = False
        self.there = None

    async def hear(self):
        """Pass on what the client says, to who is there now."""
        try:
            while data := await self.reader.read(65536):
                if not self.is_answered:
                    self.said += data
                self.there.write(data)
        except OSError:
            pass
        self.there.close()

    async def answer(self, reader):
        """Pass on what is answered. True: all of it."""
        try:
            while data := await reader.read(65536):
                if data.startswith(b"HTTP/1.1 404") and not self.is_answered:
                    return False
                self.is_answered = True
                self.writer.write(data)
                await self.writer.drain()
        except OSError:
            pass
        return self.is_answered

    async def run(self, port):
        deadline = time.monotonic() + PATIENCE_S
        hearing = None
        while time.monotonic() < deadline:
            reader, self.there = await connect(port, deadline)
            if reader is None:
                break
            self.there.write(self.said)
            hearing = hearing or asyncio.create_task(self.hear())
            if await self.answer(reader) or hearing.done():
                break
            await asyncio.sleep(PAUSE_S)
        if hearing:
            hearing.cancel()
        self.writer.close()


def passing(sign, port):
    async def pass_on(reader, writer):
        while not os.path.exists(sign):
            await asyncio.sleep(PAUSE_S)
        await Passage(reader, writer).run(port)
    return pass_on


async def main():
    sign, ready = sys.argv[1:3]
    parent, deadline = os.getppid(), time.monotonic() + LIFE_S
    for pair in sys.argv[3:]:
        port, to = map(int, pair.split(":"))
        await asyncio.start_server(passing(sign, to), "127.0.0.1", port)
    open(ready, "w").close()
    while os.getppid() == parent and time.monotonic() < deadline:
        await asyncio.sleep(0.5)


asyncio.run(main())
