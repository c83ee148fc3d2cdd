"""A collector: takes spans over OTLP/HTTP as any real one does, and keeps them, raw and read."""

import gzip
import threading
from collections import defaultdict
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Seen:
    """One span as it arrived."""

    def __init__(self, service, span):
        self.service, self.name, self.kind = (
            service,
            span.name,
            Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        )
        self.trace, self.id, self.parent = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
        self.facts = {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}
        self.links = [(link.trace_id.hex(), link.span_id.hex()) for link in span.links]
        self.has_failed = span.status.code == 2
        self.span = span

    def __repr__(self):
        return f"<{self.service}: {self.name} {self.facts}>"


class Collector:
    """`url` is where spans go; `hold` makes it hang."""

    def __init__(self, url):
        self.url = url
        self.spans, self.raw, self.paths = [], [], []
        self.open = threading.Event()
        self.open.set()

    def take(self, path, body):
        self.open.wait()
        self.paths.append(path)
        self.raw.append(body)
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            (service,) = [one.value.string_value for one in resource.resource.attributes if one.key == "service.name"]
            for scope in resource.scope_spans:
                self.spans += [Seen(service, span) for span in scope.spans]

    def named(self, name):
        return [span for span in self.spans if span.name == name]

    def children_of(self, parent):
        found = [span for span in self.spans if span.parent == parent.id]
        assert all(span.trace == parent.trace for span in found)
        return sorted(found, key=lambda span: span.span.start_time_unix_nano)

    def traces(self):
        found = defaultdict(list)
        for span in self.spans:
            found[span.trace].append(span)
        return found


@contextmanager
def collecting():
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            assert self.headers["Content-Type"] == "application/x-protobuf"
            collector.take(self.path, body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            with suppress(ConnectionError):  # the sender has given up meanwhile
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}/v1/traces")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield collector
        finally:
            collector.open.set()
            server.shutdown()
            thread.join()
