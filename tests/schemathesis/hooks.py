"""Every other key is one that the shop has: so that requests reach what is there."""

from zlib import crc32

import schemathesis

KEYS = {
    "faults": ["gateway-slow-demo", "gateway-down", "search-empty"],
    "flags": ["layout", "new-checkout", "payment-fallback", "gateway-timeout"],
    "hours": ["always", "office"],
    "on-call": ["payments"],
    "segments": ["vip-customers"],
    "slos": ["checkout"],
}


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    kind = next((part for part in context.operation.path.split("/") if part in KEYS), None)
    if kind and path_parameters and "key" in path_parameters:
        number = crc32(repr(path_parameters["key"]).encode())
        if number % 2:
            keys = KEYS[kind]
            path_parameters["key"] = keys[number // 2 % len(keys)]
    return path_parameters
