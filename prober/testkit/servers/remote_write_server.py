"""A receiver of Prometheus remote write 2.0 that decodes with Google's protobuf and writes down what it got.

The messages are built here from the published definition
(https://github.com/prometheus/prometheus/blob/main/prompb/io/prometheus/write/v2/types.proto).

Arguments: the port. Prints `ready` once it serves, then a line of JSON for each request: headers and message. What is not
in the definition, or not as the specification wants it, is answered 400 and written down as `wrong`.
"""

import http.server
import json
import sys
import threading

import cramjam
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.json_format import MessageToDict

FIELD = descriptor_pb2.FieldDescriptorProto
TYPES = {
    "string": FIELD.TYPE_STRING,
    "double": FIELD.TYPE_DOUBLE,
    "int64": FIELD.TYPE_INT64,
    "uint32": FIELD.TYPE_UINT32,
    "uint64": FIELD.TYPE_UINT64,
    "sint32": FIELD.TYPE_SINT32,
    "sint64": FIELD.TYPE_SINT64,
}
PACKAGE = "io.prometheus.write.v2"
# Number, type and name of each field; `*` before a type is `repeated`.
MESSAGES = {
    "Request": [(4, "*string", "symbols"), (5, "*TimeSeries", "timeseries")],
    "TimeSeries": [
        (1, "*uint32", "labels_refs"),
        (2, "*Sample", "samples"),
        (3, "*Histogram", "histograms"),
        (4, "*Exemplar", "exemplars"),
        (5, "Metadata", "metadata"),
        (6, "int64", "created_timestamp"),
    ],
    "Exemplar": [(1, "*uint32", "labels_refs"), (2, "double", "value"), (3, "int64", "timestamp")],
    "Sample": [(1, "double", "value"), (2, "int64", "timestamp")],
    "Metadata": [(1, "MetricType", "type"), (3, "uint32", "help_ref"), (4, "uint32", "unit_ref")],
    "Histogram": [(1, "uint64", "count_int"), (2, "double", "count_float"), (15, "int64", "timestamp")],
}
METRIC_TYPES = ["UNSPECIFIED", "COUNTER", "GAUGE", "HISTOGRAM", "GAUGEHISTOGRAM", "SUMMARY", "INFO", "STATESET"]


def request_class():
    file = descriptor_pb2.FileDescriptorProto(name="types.proto", package=PACKAGE, syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, kind, field in fields:
            made = message.field.add(name=field, number=number, label=FIELD.LABEL_OPTIONAL)
            if kind.startswith("*"):
                made.label, kind = FIELD.LABEL_REPEATED, kind[1:]
            if kind in TYPES:
                made.type = TYPES[kind]
            elif kind == "MetricType":
                made.type, made.type_name = FIELD.TYPE_ENUM, f".{PACKAGE}.Metadata.MetricType"
            else:
                made.type, made.type_name = FIELD.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
        if name == "Metadata":
            kinds = message.enum_type.add(name="MetricType")
            for number, word in enumerate(METRIC_TYPES):
                kinds.value.add(name=f"METRIC_TYPE_{word}", number=number)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.Request"))


REQUEST = request_class()
lock = threading.Lock()


def without_unknown(message):
    """A copy without the fields that the definition does not have."""
    known = REQUEST()
    known.CopyFrom(message)
    known.DiscardUnknownFields()
    return known


def labels(request, refs):
    assert len(refs) % 2 == 0, "labels are pairs"
    texts = [request.symbols[ref] for ref in refs]
    return [(texts[at], texts[at + 1]) for at in range(0, len(texts), 2)]


def check(request):
    """What the specification demands (https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/)."""
    assert request.SerializeToString() == without_unknown(request).SerializeToString(), "a field is not in the definition"
    assert not request.symbols or request.symbols[0] == "", "the first symbol is not empty"
    assert len(set(request.symbols)) == len(request.symbols), "a symbol is there twice"
    for series in request.timeseries:
        pairs = labels(request, series.labels_refs)
        names = [name for name, _ in pairs]
        assert "__name__" in names and names == sorted(set(names)), f"labels are not sorted and unique: {names}"
        assert all(value for _, value in pairs), f"an empty value: {pairs}"
        assert bool(series.samples) != bool(series.histograms), "samples or histograms, and not both"
        times = [sample.timestamp for sample in series.samples]
        assert times == sorted(set(times)), "samples are not in the order of their times"
        assert series.metadata.type, "no type"
        assert series.metadata.help_ref < len(request.symbols), "a reference to no symbol"
        assert series.created_timestamp <= times[0], "it was created after its first sample"
        for exemplar in series.exemplars:
            assert labels(request, exemplar.labels_refs), "an exemplar without labels"


def shown(request):
    series = []
    for one in request.timeseries:
        held = MessageToDict(one, preserving_proto_field_name=True)
        held["labels"] = dict(labels(request, one.labels_refs))
        held["help"] = request.symbols[one.metadata.help_ref]
        series.append(held)
    return series


def note(line):
    with lock:
        print(json.dumps(line), flush=True)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if headers.get("content-type") != f"application/x-protobuf;proto={PACKAGE}.Request":
            return self.answer(415, b"2.0 only")
        try:
            assert headers.get("x-prometheus-remote-write-version") == "2.0.0", "another version"
            assert headers.get("content-encoding") == "snappy" and headers.get("user-agent"), "a header is missing"
            request = REQUEST.FromString(bytes(cramjam.snappy.decompress_raw(body)))
            check(request)
        except Exception as wrong:
            note({"wrong": repr(wrong)})
            return self.answer(400, repr(wrong).encode())
        note({"headers": headers, "series": shown(request)})
        samples = sum(len(series.samples) for series in request.timeseries)
        exemplars = sum(len(series.exemplars) for series in request.timeseries)
        written = "X-Prometheus-Remote-Write-{}-Written"
        self.answer(
            204,
            b"",
            (written.format("Samples"), str(samples)),
            (written.format("Histograms"), "0"),
            (written.format("Exemplars"), str(exemplars)),
        )

    def answer(self, status, body, *more):
        self.send_response(status)
        if status != 204:
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


server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
print("ready", flush=True)
server.serve_forever()
