"""A real gRPC client, and raw frames, for Tests/transport-test, which says what must hold."""

import os
import signal
import socket
import struct
import subprocess
import sys
import time

import grpc

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from wire import field, fields

SOCKET = sys.argv[1]
METADATA = sys.argv[2]
SERVICE = int(sys.argv[3])
METHODS = "/containerd.services.snapshots.v1.Snapshots/"
passed = failed = 0


def check(name, actual, expected=True):
    global passed, failed
    if actual == expected:
        passed += 1
        print(f"ok: {name}", flush=True)
    else:
        failed += 1
        print(f"FAILED: {name}: {actual!r} and not {expected!r}", flush=True)


def prepare(key):
    return field(2, key)


# gRPC.


def connect(**options):
    return grpc.insecure_channel(
        "unix:" + SOCKET,
        options=[("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
        + list(options.items()),
    )


def unary(channel, method):
    return channel.unary_unary(METHODS + method)


def code(body):
    try:
        body()
        return "OK"
    except grpc.RpcError as error:
        return error.code().name


def keys(channel):
    messages = channel.unary_stream(METHODS + "List")(b"", timeout=60)
    return [dict(fields(info))[1].decode() for message in messages for _, info in fields(message)]


def latencies(channel, count=200):
    stat, times = unary(channel, "Stat"), {"Stat": [], "List": []}
    for _ in range(count):
        start = time.monotonic()
        stat(field(2, "base"), timeout=20)
        times["Stat"].append(time.monotonic() - start)
    for _ in range(count // 4):
        start = time.monotonic()
        keys(channel)
        times["List"].append(time.monotonic() - start)
    return {name: sorted(values)[len(values) // 2] * 1e6 for name, values in times.items()}


def stop_pool():
    """From here on each commit of the pool sleeps in the kernel, and with it each call that makes a snapshot."""
    subprocess.run(["dmsetup", "suspend", "--noflush", "--nolockfs", METADATA], check=True)


def go_on():
    subprocess.run(["dmsetup", "resume", METADATA], check=True)


def arrived(channel):
    """Waits until all that was sent on a connection has arrived: this comes behind it, and needs no thread."""
    code(lambda: unary(channel, "Stat")(field(2, "base"), timeout=20))
    time.sleep(0.3)


def wait_until(what, condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"FAILED: {what} did not happen")
        time.sleep(0.02)


def figure(name):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(SOCKET + ".metrics")
        connection.settimeout(5)
        connection.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        page = b""
        while data := connection.recv(65536):
            page += data
    for line in page.decode().splitlines():
        if line.startswith(name + " "):
            return int(line.split()[1])


# Raw frames.

DATA, HEADERS, RST, SETTINGS, PING, GOAWAY, WINDOW = 0, 1, 3, 4, 6, 7, 8


class Raw:
    def __init__(self, window=None):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(SOCKET)
        self.socket.settimeout(20)
        self.buffer = b""
        settings = b"" if window is None else struct.pack(">HI", 4, window)
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + self.frame(SETTINGS, 0, 0, settings))

    @staticmethod
    def frame(kind, flags, stream, payload=b""):
        return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload

    def send(self, *frame):
        self.socket.sendall(self.frame(*frame))

    def begin(self, stream, method, more=(), flags=4, path=None, kind="application/grpc", verb="POST"):
        headers = [
            (":method", verb), (":scheme", "http"), (":authority", "localhost"), (":path", path or METHODS + method),
            ("content-type", kind), ("te", "trailers"), *more,
        ]  # fmt: skip
        block = b""
        for name, value in headers:
            block += b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
        self.send(HEADERS, flags, stream, block)

    def message(self, stream, message, flags=1, compression=0):
        self.send(DATA, flags, stream, bytes([compression]) + struct.pack(">I", len(message)) + message)

    def next(self):
        """The next frame, or None when the connection has been closed."""
        while True:
            if len(self.buffer) >= 9:
                length = int.from_bytes(self.buffer[:3], "big")
                if len(self.buffer) >= 9 + length:
                    frame, self.buffer = self.buffer[: 9 + length], self.buffer[9 + length :]
                    return frame[3], frame[4], int.from_bytes(frame[5:9], "big") & 0x7FFFFFFF, frame[9:]
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self.buffer += data

    def until(self, condition):
        """The frames up to one that the condition holds for, or to the end of the connection."""
        frames = []
        while (frame := self.next()) is not None:
            if frame[0] == SETTINGS and not frame[1] & 1:
                self.send(SETTINGS, 1, 0)
            frames.append(frame)
            if condition(frame):
                return frames
        return frames + [None]

    def status(self, stream):
        """gRPC's status, which the service writes as a plain or as a packed text; its number is looked for."""
        for frame in self.until(lambda frame: frame[2] == stream and frame[0] == HEADERS and frame[1] & 1):
            if frame and frame[2] == stream and frame[0] == HEADERS and frame[1] & 1:
                return frame[3]


def answers(raw, stream):
    """Whether the connection still answers a call."""
    raw.begin(stream, "Stat")
    raw.message(stream, field(2, "base"))
    frames = raw.until(lambda frame: frame[2] == stream and frame[0] == HEADERS and frame[1] & 1)
    return any(frame and frame[0] == DATA and frame[2] == stream for frame in frames)


def test_health(channel):
    health = channel.unary_unary("/grpc.health.v1.Health/Check")
    for service in ("", METHODS.strip("/")):
        check(f"the health of “{service}” is SERVING", health(field(1, service) if service else b""), b"\x08\x01")
    check("another service is not here", code(lambda: health(field(1, "other.Service"))), "NOT_FOUND")


def test_ordinary(channel):
    unary(channel, "Prepare")(prepare("base"))
    check("a snapshot is prepared", "base" in keys(channel))
    check("another of its name is refused", code(lambda: unary(channel, "Prepare")(prepare("base"))), "ALREADY_EXISTS")
    check("a method that is not there", code(lambda: unary(channel, "Nothing")(b"")), "UNIMPLEMENTED")
    try:
        unary(channel, "Stat")(b"\xff\xff\xff")
    except grpc.RpcError as error:
        check("a request that is none", error.code().name, "INVALID_ARGUMENT")
        check("and no word of the program's inside", "Containerd_" in error.details(), False)
    try:
        unary(channel, "Stat")(field(2, "k" * (1 << 20)))
    except grpc.RpcError as error:
        check("an error about a long key has short words", (error.code().name, len(error.details()) < 4000), ("NOT_FOUND", True))
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    for key in (composed, decomposed):
        unary(channel, "Prepare")(prepare(key))
    check("two spellings of one letter are two keys", {composed, decomposed} <= set(keys(channel)))
    for key in (composed, decomposed):
        unary(channel, "Remove")(field(2, key))
    check("and both are removed", {composed, decomposed} & set(keys(channel)), set())


def test_messages(channel):
    compressed = connect(**{"grpc.default_compression_algorithm": 2})
    big = field(2, "key") + field(3, "p" * 4000)
    check("a compressed message", code(lambda: unary(compressed, "Prepare")(big)), "UNIMPLEMENTED")
    compressed.close()
    check("a message that is too long", code(lambda: unary(channel, "Stat")(field(2, b"k" * (17 << 20)))), "RESOURCE_EXHAUSTED")
    check("and the connection goes on", "base" in keys(channel))
    check("a deadline that has passed", code(lambda: unary(channel, "Prepare")(prepare("late"), timeout=1e-9)), "DEADLINE_EXCEEDED")


def test_frames(_):
    raw = Raw()
    raw.begin(1, "Stat")
    raw.message(1, b"x" * 10, compression=1)
    check("raw: a compressed message is refused", raw.status(1) is not None)
    raw.begin(3, "Stat")
    raw.send(DATA, 0, 3, b"\0\x7f\xff\xff\xff" + b"x" * 100)
    frames = raw.until(lambda frame: frame[2] == 3 and frame[0] == RST)
    check("raw: a long one is refused before it is there, and the stream ends", frames[-1][0], RST)
    for _ in range(200):
        raw.send(DATA, 0, 3, b"x" * 16000)
    check("raw: what follows is dropped", answers(raw, 5))
    raw.begin(7, "Stat")
    raw.message(7, field(2, "base"), flags=0)
    raw.message(7, field(2, "base"))
    frames = raw.until(lambda frame: frame[2] == 7 and frame[0] == HEADERS and frame[1] & 1)
    check("raw: two messages are refused", not any(frame[0] == DATA for frame in frames))
    raw.begin(9, "Stat", kind="text/plain")
    check("raw: another content type is refused", raw.status(9) is not None)
    raw.begin(11, "Stat", more=[("grpc-timeout", "soon")])
    check("raw: a timeout that is none is refused", raw.status(11) is not None)
    raw.begin(13, "Prepare", more=[("grpc-timeout", "50m")])
    check("raw: a request that does not come is ended by its deadline", raw.status(13) is not None)
    raw.begin(15, "Prepare")
    raw.send(RST, 0, 15, struct.pack(">I", 8))
    check("raw: a call that is taken back before its message", answers(raw, 17))
    raw.socket.close()

    for name, bytes_ in [
        ("no preface", b"GET / HTTP/1.1\r\n\r\n" + b"x" * 40),
        ("a frame that is too long", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\0\0\0\0\0\1" + b"x" * 100000),
        ("headers that cannot be unpacked", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Raw.frame(SETTINGS, 0, 0)
            + Raw.frame(HEADERS, 5, 1, b"\xff\xff\xff\xff\xff\xff")),
        ("data of no stream", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Raw.frame(SETTINGS, 0, 0) + Raw.frame(DATA, 0, 1, b"x")),
    ]:  # fmt: skip
        broken = Raw.__new__(Raw)
        broken.socket, broken.buffer = socket.socket(socket.AF_UNIX), b""
        broken.socket.connect(SOCKET)
        broken.socket.settimeout(20)
        broken.socket.sendall(bytes_)
        try:
            frames = broken.until(lambda frame: False)
        except BrokenPipeError:
            frames = [None]
        except TimeoutError:
            frames = ["open"]
        check(f"raw: a connection with {name} is closed", frames[-1], None)
        broken.socket.close()


def test_sleep(channel):
    """32 calls sleep in the kernel."""
    idle = latencies(channel)
    stop_pool()
    sleepers = [connect() for _ in range(4)]
    calls = [unary(sleepers[n % 4], "Prepare").future(prepare(f"asleep-{n}")) for n in range(32)]
    for client in sleepers:
        arrived(client)
    asleep = latencies(channel)
    check("32 calls sleep", sum(call.done() for call in calls), 0)
    print("figures: idle " + str({k: round(v) for k, v in idle.items()}) + " us, 32 asleep "
        + str({k: round(v) for k, v in asleep.items()}) + " us", flush=True)  # fmt: skip
    for name in idle:
        check(f"{name} is as fast as on an idle service", asleep[name] < 3 * idle[name] + 2000)

    # 1,000 calls of clients that leave: by cancelling, by a deadline, and by ending their connection.
    leaving = connect()
    gone = [unary(leaving, "Prepare").future(prepare(f"gone-{n}")) for n in range(400)]
    lost = connect()
    gone += [unary(lost, "Prepare").future(prepare(f"gone-{n}")) for n in range(400, 800)]
    late = [unary(sleepers[0], "Prepare").future(prepare(f"gone-{n}"), timeout=3) for n in range(800, 1000)]
    for client in (leaving, lost, sleepers[0]):
        arrived(client)
    for call in gone[:400]:
        call.cancel()
    lost.close()
    check("a deadline ends a call that waits", {call.code().name for call in late}, {"DEADLINE_EXCEEDED"})
    # That the client waits no longer is said on the connection of the call.
    for client in (leaving, sleepers[0]):
        arrived(client)
    waiting = unary(leaving, "Prepare").future(prepare("patient"))
    go_on()
    results = {code(call.result) for call in calls}
    check("the calls that slept end", results, {"OK"})
    check("so does one that waited", code(waiting.result), "OK")
    found = keys(channel)
    check("no snapshot of a client that left", [key for key in found if key.startswith("gone")], [])
    check("one for each that stayed", len([key for key in found if key.startswith("asleep")]), 32)
    for client in sleepers + [leaving]:
        client.close()


def test_running_call_completes(channel):
    stop_pool()
    leaving = connect()
    call = unary(leaving, "Prepare").future(prepare("left while it ran"))
    arrived(leaving)
    late = code(lambda: unary(leaving, "Commit")(field(2, "made") + field(3, "left while it ran"), timeout=1))
    check("a deadline ends a call that waits for a key", late, "DEADLINE_EXCEEDED")
    behind = unary(leaving, "Remove").future(field(2, "left while it ran"))
    arrived(leaving)
    behind.cancel()
    arrived(leaving)
    call.cancel()
    arrived(leaving)
    leaving.close()
    go_on()
    wait_until("the end of the call", lambda: figure("dmlayer_snapshotter_calls_running") == 0)
    check("no call is left", figure("dmlayer_snapshotter_calls_waiting"), 0)
    check("a call that runs is completed when its client leaves", "left while it ran" in keys(channel))
    check("and its snapshot is whole", code(lambda: unary(channel, "Mounts")(field(2, "left while it ran"))), "OK")


def test_slow_reader(channel):
    update = unary(channel, "Update")
    for number in range(30):
        labels = b"".join(
            field(6, field(1, f"containerd.io/snapshot/{n}") + field(2, "v" * 4000)) for n in range(10)
        )
        update(field(2, field(1, f"asleep-{number}") + labels))
    raw = Raw(window=1000)
    raw.begin(1, "List")
    raw.message(1, b"")
    time.sleep(0.5)
    check("a slow reader of a long list holds up no call", code(lambda: unary(channel, "Stat")(field(2, "base"), timeout=10)), "OK")
    size = 0
    while True:
        frame = raw.next()
        if frame is None:
            break
        if frame[0] == SETTINGS and not frame[1] & 1:
            raw.send(SETTINGS, 1, 0)
        if frame[0] == DATA:
            size += len(frame[3])
            if frame[3]:
                window = struct.pack(">I", len(frame[3]))
                raw.send(WINDOW, 0, 0, window)
                raw.send(WINDOW, 0, 1, window)
        if frame[0] == HEADERS and frame[1] & 1:
            break
    check("and gets all of it", size > 30 * 10 * 4000)
    raw.socket.close()


def test_end(channel):
    """SIGTERM while a call sleeps."""
    stop_pool()
    raw, silent = Raw(), Raw()
    raw.begin(1, "Prepare")
    raw.message(1, prepare("last"))
    real = unary(channel, "Prepare").future(prepare("last but one"))
    answers(raw, 3)
    arrived(channel)
    os.kill(SERVICE, signal.SIGTERM)
    frames = raw.until(lambda frame: frame[0] == PING)
    goaways = [frame for frame in frames if frame and frame[0] == GOAWAY]
    check("at the end there is a GOAWAY without an error", [frame[3][4:8] for frame in goaways], [b"\0\0\0\0"])
    raw.send(PING, 1, 0, frames[-1][3])
    frames = raw.until(lambda frame: frame[0] == GOAWAY)
    check("then one with the last call", int.from_bytes(frames[-1][3][:4], "big"), 3)
    go_on()
    frames = raw.until(lambda frame: False)
    check("the call gets its answer", any(frame and frame[0] == DATA and frame[2] == 1 for frame in frames))
    check("and then the connection is closed", frames[-1], None)
    check("the answer of a real client's call", code(real.result), "OK")
    check("a client that does not react is cut off", silent.until(lambda frame: False)[-1], None)


def main():
    global failed
    with connect() as channel:
        for test in (test_health, test_ordinary, test_messages, test_frames, test_sleep, test_running_call_completes,
            test_slow_reader, test_end):  # fmt: skip
            try:
                test(channel)
            except (grpc.RpcError, OSError, AttributeError) as error:
                failed += 1
                print(f"FAILED: {test.__name__}: {' '.join(str(error).split())[:300]}", flush=True)
                go_on()
    print(f"{passed} passed, {failed} failed", flush=True)
    os._exit(failed != 0)


main()
