"""HTTP/3 by aioquic.

Arguments: port, certificate, key, application protocol, version of QUIC in hexadecimal digits.
"""
import asyncio
import sys

from aioquic.asyncio import QuicConnectionProtocol, serve
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration

port, cert, key, alpn, version = sys.argv[1:6]

INTERNAL_ERROR = 0x102
DELAY_SECONDS = 0.12


class Protocol(QuicConnectionProtocol):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.http = None
        self.asked = {}

    def quic_event_received(self, event):
        if self.http is None:
            self.http = H3Connection(self._quic)
        for asked in self.http.handle_event(event):
            path, body = self.asked.get(asked.stream_id, ("", b""))
            if isinstance(asked, HeadersReceived):
                path = dict(asked.headers).get(b":path", b"").decode()
            elif isinstance(asked, DataReceived):
                body += asked.data
            self.asked[asked.stream_id] = (path, body)
            if asked.stream_ended:
                asyncio.ensure_future(self.answer(asked.stream_id, path, body))

    async def answer(self, stream, path, body):
        if path == "/silent":
            return
        if path == "/slow":
            await asyncio.sleep(DELAY_SECONDS)
        status = {"/moved": b"302", "/gone": b"410"}.get(path, b"200")
        headers = [(b":status", status), (b"server", b"aioquic")]
        if path == "/moved":
            headers.append((b"location", b"/"))
        if path == "/long-head":
            headers += [(b"x-%d" % number, b"x" * 1000) for number in range(200)]
        if path == "/endless-length":
            headers.append((b"content-length", b"1000"))
        if path == "/short-length":
            headers.append((b"content-length", b"2"))
        if path == "/no-length":
            headers.append((b"content-length", b"many"))
        self.say(stream, headers=headers)
        match path:
            case "/slow":
                self.say(stream, b"he")
                await asyncio.sleep(DELAY_SECONDS)
                self.say(stream, b"llo", end=True)
            case "/echo":
                self.say(stream, body, end=True)
            case "/large":
                self.say(stream, b"x" * 1_500_000, end=True)
            case "/endless-length":  # fewer bytes than were announced
                self.say(stream, b"half", end=True)
            case "/short-length" | "/no-length":  # more, and who knows how many
                self.say(stream, b"half", end=True)
            case "/reset":  # the stream ends in the middle
                self.say(stream, b"half")
                await asyncio.sleep(DELAY_SECONDS)
                self._quic.reset_stream(stream, INTERNAL_ERROR)
                self.transmit()
            case "/close":  # the whole connection ends in the middle
                self.say(stream, b"half")
                await asyncio.sleep(DELAY_SECONDS)
                self.close(error_code=INTERNAL_ERROR, reason_phrase="going away")
            case "/stop":  # nothing more comes, and nobody says so
                self.say(stream, b"half")
            case "/garbage":  # a frame that may not stand on a request's stream
                self._quic.send_stream_data(stream, b"\x04\x01\x00", True)
                self.transmit()
            case _:
                self.say(stream, b"hello", end=True)

    def say(self, stream, data=None, headers=None, end=False):
        if headers is not None:
            self.http.send_headers(stream, headers, end)
        else:
            self.http.send_data(stream, data, end)
        self.transmit()


async def main():
    configuration = QuicConfiguration(
        is_client=False, alpn_protocols=[alpn], supported_versions=[int(version, 16)]
    )
    configuration.load_cert_chain(cert, key)
    await serve("127.0.0.1", int(port), configuration=configuration, create_protocol=Protocol)
    print("ready", flush=True)
    await asyncio.Future()


asyncio.run(main())
