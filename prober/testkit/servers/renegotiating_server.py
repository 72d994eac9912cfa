"""A server of TLS 1.2 that asks for another handshake before it answers, and gives no answer without, as Apache does.

Arguments: the port, and the files of a certificate chain and its key.
Prints `ready` once it serves.
"""

import socket
import sys

from OpenSSL import SSL

context = SSL.Context(SSL.TLSv1_2_METHOD)
context.use_certificate_chain_file(sys.argv[2])
context.use_privatekey_file(sys.argv[3])
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("ready", flush=True)
while True:
    accepted, _ = listener.accept()
    connection = SSL.Connection(context, accepted)
    connection.set_accept_state()
    try:
        connection.do_handshake()
        connection.recv(4096)
        connection.renegotiate()
        connection.do_handshake()
        # Reading takes part in the handshake; a refusal ends it with an alert.
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    except SSL.Error:
        pass
    accepted.close()
