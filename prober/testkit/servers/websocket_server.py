"""A WebSocket server.

Arguments: the port, and perhaps the files of a certificate chain and its key.
Paths: /echo says everything again; /hello says `hello` and closes with 1001 `bye`; /closed closes at once with 1008;
/count says 1, 2, 3; /abort drops the connection; /forbidden answers with 403.
Prints `ready` once it serves.
"""

import asyncio
import http
import ssl
import sys

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


async def talk(connection):
    path = connection.request.path.split("?")[0]
    if path == "/hello":
        await connection.send("hello")
        await connection.close(1001, "bye")
    elif path == "/closed":
        await connection.close(1008, "not for you")
    elif path == "/count":
        for number in ("1", "2", "3"):
            await connection.send(number)
        await connection.wait_closed()
    elif path == "/abort":
        connection.transport.abort()
    else:
        async for message in connection:
            await connection.send(message)


async def handle(connection):
    try:
        await talk(connection)
    except ConnectionClosed:
        pass


def admit(connection, request):
    if request.path.startswith("/forbidden"):
        return connection.respond(http.HTTPStatus.FORBIDDEN, "not for you\n")
    return None


def choose(connection, offered):
    return next((name for name in ("prices.v2", "prices.v1") if name in offered), None)


async def main():
    port = int(sys.argv[1])
    secure = None
    if len(sys.argv) > 3:
        secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        secure.load_cert_chain(sys.argv[2], sys.argv[3])
    options = {"select_subprotocol": choose, "ssl": secure, "process_request": admit}
    async with serve(handle, "127.0.0.1", port, **options):
        print("ready", flush=True)
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
