"""A small shop whose flags come from Daybreak, by OpenFeature's own provider for OFREP."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext


def connect(url, token=None):
    """A client of OpenFeature whose flags are those of the server at this URL."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    api.set_provider(OFREPProvider(url, headers_factory=lambda: headers))
    return api.get_client()


def context_of(query):
    """Who asks: `user` is the key that splits go by, and all else is what rules may ask for."""
    attributes = dict(query)
    return EvaluationContext(targeting_key=attributes.pop("user", None), attributes=attributes)


def catalogue(flags, context):
    """What the catalogue looks like. Each default is what holds when the server is out of reach."""
    return {
        "columns": flags.get_object_value("layout", {"columns": 1}, context)["columns"],
        "banner": flags.get_string_value("search-banner", "", context),
    }


def checkout(flags, context):
    """Which checkout takes the order, and how long it waits for the gateway."""
    new = flags.get_boolean_value("new-checkout", False, context)
    return {
        "checkout": "new" if new else "classic",
        "patience_ms": flags.get_integer_value("gateway-timeout", 1000, context),
    }


def serve(flags, address=("127.0.0.1", 0)):
    """The shop over HTTP: `GET /catalogue?user=ada`, `POST /checkout?user=ada&country=DE&plan=pro`."""
    pages = {("GET", "/catalogue"): catalogue, ("POST", "/checkout"): checkout}

    class Shop(BaseHTTPRequestHandler):
        def answer(self):
            url = urlsplit(self.path)
            page = pages.get((self.command, url.path))
            body = page(flags, context_of(parse_qsl(url.query))) if page else {"error": "no such page"}
            self.send_response(200 if page else 404)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode() + b"\n")

        do_GET = do_POST = answer

        def log_message(self, *_):
            pass

    return ThreadingHTTPServer(address, Shop)


if __name__ == "__main__":
    daybreak = os.environ.get("DAYBREAK_URL", "http://localhost:8080")
    shop = serve(connect(daybreak, os.environ.get("DAYBREAK_TOKEN")), ("127.0.0.1", 8091))
    print("the shop listens on http://127.0.0.1:%d" % shop.server_port, flush=True)
    shop.serve_forever()
