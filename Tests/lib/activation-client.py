#!/usr/bin/env python3
"""activation-client.py SOCKET RESTARTS COMMAND...: starts a service again and again behind a socket, as systemd does.

The program listens at SOCKET and hands it to COMMAND by the protocol of sd_listen_fds(3). Eight threads with a gRPC client each
call the service without a pause: health checks, and one in ten prepares a snapshot and removes it, in the kernel. After each 20 calls the
service gets SIGTERM and is started again. A client sends a call again that the ending service has not taken (gRPC's UNAVAILABLE), as
containerd's client does by itself. A call that was taken must be answered: a snapshot that is prepared again must not exist, and one
that is removed again must. The last line is "RESTARTS restarts, N calls, R sent again, M failures".
"""
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import grpc

path, restarts, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen(128)
calls, again, failures, is_over = [0] * 8, [0] * 8, [], threading.Event()
METHODS = "/containerd.services.snapshots.v1.Snapshots/"


def start():
    # The process's own number has to be in its environment, so that the shell sets it and becomes the service.
    script = 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"'
    return subprocess.Popen(["sh", "-c", script, "sh", *command], pass_fds=[3])


def client(number):
    while not is_over.is_set():
        # Some clients keep a connection, and some make one for each call.
        with grpc.insecure_channel("unix:" + path, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            check = channel.unary_unary("/grpc.health.v1.Health/Check")
            prepare, remove = channel.unary_unary(METHODS + "Prepare"), channel.unary_unary(METHODS + "Remove")
            for _ in range(1 if number % 2 else 50):
                call(check, b"", number)
                if calls[number] % 10 == 0:
                    key = text(2, f"{number}-{calls[number]}")
                    call(prepare, key, number)
                    call(remove, key, number)
                if is_over.is_set():
                    return


def text(field, value):
    """A field of a protobuf message with a text shorter than 128 bytes."""
    return bytes([field << 3 | 2, len(value)]) + value.encode()


def call(method, request, number):
    earlier = ""
    for attempt in range(5):
        try:
            method(request, timeout=60)
            calls[number] += 1
            return
        except grpc.RpcError as error:
            reason = f"{error.code().name}: {error.details()}"
            if error.code() != grpc.StatusCode.UNAVAILABLE or "refused" in reason.replace("refused_stream", ""):
                break
            again[number] += 1
            earlier = f"; sent again because of {reason}"
    failures.append(reason + earlier)


# A descriptor of its own, which pass_fds hands over under its number.
os.dup2(listener.fileno(), 3)
service = start()
threads = [threading.Thread(target=client, args=[number]) for number in range(8)]
for thread in threads:
    thread.start()
for _ in range(restarts):
    target = sum(calls) + 20
    while sum(calls) < target and service.poll() is None:
        time.sleep(0.01)
    service.send_signal(signal.SIGTERM)
    status = service.wait()
    if status != 0:
        failures.append(f"the service ended with status {status}")
    service = start()
is_over.set()
for thread in threads:
    thread.join()
service.send_signal(signal.SIGTERM)
service.wait()
for failure in sorted(set(failures)):
    print(failures.count(failure), "times", failure)
print(f"{restarts} restarts, {sum(calls)} calls, {sum(again)} sent again, {len(failures)} failures")
sys.exit(1 if failures else 0)
