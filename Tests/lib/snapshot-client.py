"""snapshot-client.py SOCKET prepare|view|remove KEY [PARENT], or SOCKET ping SECONDS

Calls the snapshotter as containerd does. “prepare” and “view” print the type, the source and the options of the mount, with a blank
between them. “ping” makes a new connection for each call, one after the other, and prints "N calls, N failures" after these seconds. A call
that an ending service has not taken is made again, as containerd's client does by itself; a connection that is refused is a failure.
"""
import sys
import time

import grpc

from wire import field, fields

METHODS = "/containerd.services.snapshots.v1.Snapshots/"


def connect():
    return grpc.insecure_channel("unix:" + sys.argv[1], options=[("grpc.use_local_subchannel_pool", 1)])


def call(action, key, parent=""):
    with connect() as channel:
        answer = channel.unary_unary(METHODS + action.capitalize())(field(2, key) + field(3, parent), timeout=60)
    for _, mount in fields(answer) if action != "remove" else []:
        parts = list(fields(mount))
        options = ",".join(value.decode() for number, value in parts if number == 4)
        print(dict(parts)[1].decode(), dict(parts)[2].decode(), options)


def ping(seconds):
    calls = failures = 0
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        with connect() as channel:
            try:
                channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=30)
                calls += 1
            except grpc.RpcError as error:
                reason = f"{error.code().name} {error.details()}"
                if not reason.startswith("UNAVAILABLE") or "refused" in reason or "No such file" in reason:
                    failures += 1
                    print(reason)
    print(f"{calls} calls, {failures} failures")
    sys.exit(1 if failures else 0)


if sys.argv[2] == "ping":
    ping(sys.argv[3])
else:
    call(*sys.argv[2:])
