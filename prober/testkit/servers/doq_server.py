"""DNS over QUIC (RFC 9250) in front of a name server that speaks UDP.

Arguments: port, certificate, key, upstream address, upstream port.
"""
import asyncio
import socket
import struct
import sys

from aioquic.asyncio import QuicConnectionProtocol, serve
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import StreamDataReceived

port, cert, key, upstream, upstream_port = sys.argv[1:6]


def ask(question):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        plain.settimeout(5)
        plain.sendto(question, (upstream, int(upstream_port)))
        return plain.recv(65535)


class Protocol(QuicConnectionProtocol):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.parts = {}

    def quic_event_received(self, event):
        if not isinstance(event, StreamDataReceived):
            return
        data = self.parts.pop(event.stream_id, b"") + event.data
        if not event.end_stream:
            self.parts[event.stream_id] = data
            return
        answer = ask(data[2:])
        self._quic.send_stream_data(event.stream_id, struct.pack("!H", len(answer)) + answer, True)
        self.transmit()


async def main():
    configuration = QuicConfiguration(is_client=False, alpn_protocols=["doq"])
    configuration.load_cert_chain(cert, key)
    await serve("127.0.0.1", int(port), configuration=configuration, create_protocol=Protocol)
    print("ready", flush=True)
    await asyncio.Future()


asyncio.run(main())
