"""A mail server that takes no mail.

Arguments: the port, and perhaps the files of a certificate chain and its key, with which it offers STARTTLS; with a
fourth argument, `implicit`, it speaks TLS from the first byte.
Prints `ready` once it serves.
"""

import asyncio
import logging
import ssl
import sys

from aiosmtpd.smtp import SMTP


class Nothing:
    """Handles nothing: no mail is sent here."""


async def main():
    port = int(sys.argv[1])
    secure = None
    if len(sys.argv) > 3:
        secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        secure.load_cert_chain(sys.argv[2], sys.argv[3])
    implicit = len(sys.argv) > 4

    def session():
        tls = None if implicit else secure
        return SMTP(Nothing(), hostname="mail.test", ident="ESMTP probe me", tls_context=tls)

    loop = asyncio.get_running_loop()
    await loop.create_server(session, "127.0.0.1", port, ssl=secure if implicit else None)
    print("ready", flush=True)
    await loop.create_future()


logging.getLogger("mail.log").setLevel(logging.CRITICAL)
asyncio.run(main())
