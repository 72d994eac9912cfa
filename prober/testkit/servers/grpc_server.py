"""A gRPC server with the health service.

Arguments: the port, and perhaps the files of a certificate chain and its key.
The server works, as does shop.Orders; shop.Search does not. Calls with the metadata x-deny: yes are refused.
Prints `ready` once it serves.
"""

import sys
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc


class Guard(grpc.ServerInterceptor):
    """Refuses who asks to be refused, and counts the metadata of others as heard."""

    def intercept_service(self, proceed, details):
        handler = proceed(details)
        metadata = dict(details.invocation_metadata)
        if handler is None or not handler.unary_unary:
            return handler

        def answer(request, context):
            if metadata.get("x-deny") == "yes":
                context.abort(grpc.StatusCode.PERMISSION_DENIED, "not for you: caf\u00e9 closed")
            context.set_trailing_metadata((("x-heard", metadata.get("x-tenant", "nobody")),))
            return handler.unary_unary(request, context)

        return grpc.unary_unary_rpc_method_handler(
            answer, handler.request_deserializer, handler.response_serializer
        )


def main():
    port = int(sys.argv[1])
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4), interceptors=[Guard()])
    servicer = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    works = health_pb2.HealthCheckResponse.SERVING
    servicer.set("", works)
    servicer.set("shop.Orders", works)
    servicer.set("shop.Search", health_pb2.HealthCheckResponse.NOT_SERVING)
    address = f"127.0.0.1:{port}"
    if len(sys.argv) > 3:
        with open(sys.argv[2], "rb") as chain, open(sys.argv[3], "rb") as key:
            pair = (key.read(), chain.read())
        bound = server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
    else:
        bound = server.add_insecure_port(address)
    if bound != port:
        sys.exit(f"the port {port} is taken")
    server.start()
    print("ready", flush=True)
    server.wait_for_termination()


main()
