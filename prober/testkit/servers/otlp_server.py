"""An OpenTelemetry collector that decodes with the published messages and writes down what it got.

Arguments: the port, perhaps the files of a certificate chain and its key, and `http` or `grpc`.
Prints `ready` once it serves, then a line of JSON for each request: signal, headers, and the message.
A request with the header or metadata x-say is answered as that says: `503`, `14`, `partial:3`, or `once:…` for the
first one only.
"""

import base64
import gzip
import http.server
import json
import sys
import threading
from concurrent import futures

import grpc
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc as logs_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as traces_grpc

SIGNALS = {
    "logs": (logs.ExportLogsServiceRequest, logs.ExportLogsServiceResponse, "rejected_log_records"),
    "traces": (traces.ExportTraceServiceRequest, traces.ExportTraceServiceResponse, "rejected_spans"),
    "metrics": (metrics.ExportMetricsServiceRequest, metrics.ExportMetricsServiceResponse, "rejected_data_points"),
}
IDS = {"trace_id", "span_id", "parent_span_id"}
lock = threading.Lock()
said = set()


def hexadecimal(value):
    """Ids as people write them."""
    if isinstance(value, dict):
        return {k: base64.b64decode(v).hex() if k in IDS else hexadecimal(v) for k, v in value.items()}
    return [hexadecimal(item) for item in value] if isinstance(value, list) else value


def note(signal, headers, message):
    line = {
        "signal": signal,
        "headers": {name.lower(): value for name, value in headers.items() if isinstance(value, str)},
        "message": hexadecimal(MessageToDict(message, preserving_proto_field_name=True)),
    }
    with lock:
        print(json.dumps(line), flush=True)


def wanted(headers):
    """What the request asks to be told, or nothing."""
    say = next((value for name, value in headers.items() if name.lower() == "x-say"), "")
    if say.startswith("once:"):
        with lock:
            first = say not in said
            said.add(say)
        return say[5:] if first else ""
    return say


def response(signal, say):
    made = SIGNALS[signal][1]()
    if say.startswith("partial:"):
        setattr(made.partial_success, SIGNALS[signal][2], int(say[8:]))
        made.partial_success.error_message = "no room\nfor them"
    return made


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        signal = self.path.rsplit("/", 1)[-1]
        if self.headers["content-type"] != "application/x-protobuf" or self.path != f"/v1/{signal}":
            return self.answer(415, b"")
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        note(signal, self.headers, SIGNALS[signal][0].FromString(body))
        say = wanted(self.headers)
        if say.isdigit():
            return self.answer(int(say), b"not now", ("Retry-After", "7"))
        return self.answer(200, response(signal, say).SerializeToString())

    def answer(self, status, body, *more):
        self.send_response(status)
        self.send_header("Content-Type", "application/x-protobuf" if status == 200 else "text/plain")
        self.send_header("Content-Length", str(len(body)))
        for name, value in more:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        """Who hangs up in the middle is no news: what is written are lines of JSON only."""


def servicer(base, signal):
    class Servicer(base):
        def Export(self, request, context):
            metadata = dict(context.invocation_metadata())
            note(signal, metadata, request)
            say = wanted(metadata)
            if say.isdigit():
                code = next(code for code in grpc.StatusCode if code.value[0] == int(say))
                context.abort(code, "not now: caf\u00e9")
            return response(signal, say)

    return Servicer()


def serve_grpc(port, identity):
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    logs_grpc.add_LogsServiceServicer_to_server(servicer(logs_grpc.LogsServiceServicer, "logs"), server)
    traces_grpc.add_TraceServiceServicer_to_server(servicer(traces_grpc.TraceServiceServicer, "traces"), server)
    metrics_grpc.add_MetricsServiceServicer_to_server(
        servicer(metrics_grpc.MetricsServiceServicer, "metrics"), server
    )
    if identity:
        chain, key = (open(path, "rb").read() for path in identity)
        server.add_secure_port(f"127.0.0.1:{port}", grpc.ssl_server_credentials([(key, chain)]))
    else:
        server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    print("ready", flush=True)
    server.wait_for_termination()


def main():
    port, *identity, mode = sys.argv[1:]
    if mode == "grpc":
        return serve_grpc(int(port), identity)
    server = Server(("127.0.0.1", int(port)), Handler)
    print("ready", flush=True)
    server.serve_forever()


main()
