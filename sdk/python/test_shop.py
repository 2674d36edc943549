"""The shop and the provider it uses, against a real server.

DAYBREAK_URL says where it is, DAYBREAK_TOKEN what the shop shows, DAYBREAK_OPERATOR_TOKEN what operators do.
`cargo xtask test` runs it.
"""

import json
import os
import threading
import unittest
import urllib.request

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

import shop

URL = os.environ["DAYBREAK_URL"]
TOKEN = os.environ["DAYBREAK_TOKEN"]
OPERATOR = os.environ["DAYBREAK_OPERATOR_TOKEN"]

ADA = EvaluationContext(targeting_key="ada")


def operate(flag, how):
    url = f"{URL}/api/v1/flags/{flag}/{how}"
    request = urllib.request.Request(url, b"", {"Authorization": f"Bearer {OPERATOR}"}, method="POST")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200


def flags(token=TOKEN, url=URL):
    """A client whose provider is its own."""
    headers = {"Authorization": f"Bearer {token}"}
    domain = f"{token}@{url}"
    api.set_provider(OFREPProvider(url, headers_factory=lambda: headers), domain)
    return api.get_client(domain)


class Provider(unittest.TestCase):
    """What the published provider makes of the server's answers."""

    def test_every_type_has_its_value(self):
        client = flags()
        cases = [
            (client.get_boolean_details, "ofrep-boolean", False, True, "on"),
            (client.get_string_details, "ofrep-string", "", "hello", "greeting"),
            (client.get_integer_details, "ofrep-integer", 0, 42, "answer"),
            (client.get_float_details, "ofrep-float", 0.0, 1.0, "whole"),
            (client.get_object_details, "ofrep-object", {}, {"colour": "teal", "size": 3}, "teal"),
        ]
        for get, key, default, value, variant in cases:
            with self.subTest(key):
                detail = get(key, default, ADA)
                self.assertIsNone(detail.error_code, detail)
                self.assertEqual((detail.value, detail.variant, detail.reason), (value, variant, Reason.STATIC))
                self.assertIs(type(detail.value), type(default))

    def test_reasons(self):
        ours = EvaluationContext("ada", {"email": "ada@example.com"})
        cases = [
            ("ofrep-targeted", ours, True, Reason.TARGETING_MATCH),
            ("ofrep-targeted", ADA, False, Reason.DEFAULT),
            ("ofrep-disabled", ADA, False, Reason.DISABLED),
        ]
        for key, context, value, reason in cases:
            with self.subTest(f"{key} {reason}"):
                detail = flags().get_boolean_details(key, not value, context)
                self.assertEqual((detail.value, detail.reason, detail.error_code), (value, reason, None))
        shares = {flags().get_string_value("ofrep-split", "", EvaluationContext(f"user-{n}")) for n in range(30)}
        self.assertEqual(shares, {"red", "blue"})

    def test_metadata(self):
        detail = flags().get_boolean_details("ofrep-boolean", False, ADA)
        for name, value in {"team": "conformance", "priority": 1, "legacy": False}.items():
            self.assertEqual(detail.flag_metadata[name], value)
        revision = detail.flag_metadata["revision"]
        self.assertGreater(revision, 0)
        self.assertEqual(detail.flag_metadata["version"], str(revision))
        self.assertTrue(detail.flag_metadata["flagSetId"])

    def test_errors_leave_the_default(self):
        client = flags()
        cases = [
            ("ofrep-absent", ADA, ErrorCode.FLAG_NOT_FOUND),
            ("no/such", ADA, ErrorCode.FLAG_NOT_FOUND),
            ("ofrep-split", EvaluationContext(), ErrorCode.TARGETING_KEY_MISSING),
            ("ofrep-integer", ADA, ErrorCode.TYPE_MISMATCH),
            ("ofrep-string", EvaluationContext("ada", {"$reserved": 1}), ErrorCode.INVALID_CONTEXT),
        ]
        for key, context, code in cases:
            with self.subTest(key):
                detail = client.get_string_details(key, "mine", context)
                self.assertEqual((detail.value, detail.reason, detail.error_code), ("mine", Reason.ERROR, code))
                self.assertTrue(detail.error_message)

    def test_nobody_gets_in_with_a_wrong_token(self):
        detail = flags("none-of-yours").get_boolean_details("ofrep-boolean", False, ADA)
        self.assertEqual((detail.value, detail.error_code), (False, ErrorCode.GENERAL))
        self.assertIn("unauthorized", detail.error_message)

    def test_a_switched_flag_is_another_at_once(self):
        client = flags()
        for how, value in [("disable", False), ("enable", True)]:
            operate("ofrep-switched", how)
            self.assertEqual(client.get_boolean_value("ofrep-switched", not value, ADA), value)


class Shop(unittest.TestCase):
    """The shop itself."""

    def setUp(self):
        self.shop = shop.serve(shop.connect(URL, TOKEN))
        threading.Thread(target=self.shop.serve_forever, daemon=True).start()

    def tearDown(self):
        self.shop.shutdown()
        self.shop.server_close()

    def ask(self, method, path):
        url = f"http://127.0.0.1:{self.shop.server_port}{path}"
        with urllib.request.urlopen(urllib.request.Request(url, method=method)) as answer:
            return json.load(answer)

    def test_pages(self):
        columns = {self.ask("GET", f"/catalogue?user=user-{n}")["columns"] for n in range(30)}
        self.assertEqual(columns, {1, 3})
        staff = self.ask("POST", "/checkout?user=ada&email=ada@shop.example")
        self.assertEqual(staff, {"checkout": "new", "patience_ms": 1000})
        self.assertEqual(self.ask("POST", "/checkout?user=ada")["checkout"], "classic")

    def test_it_sells_without_the_server(self):
        gone = shop.connect("http://127.0.0.1:9")
        self.assertEqual(shop.checkout(gone, ADA), {"checkout": "classic", "patience_ms": 1000})
        self.assertEqual(shop.catalogue(gone, ADA), {"columns": 1, "banner": ""})


if __name__ == "__main__":
    unittest.main()
