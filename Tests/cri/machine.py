"""The programs that a node runs: dmlayer's service, containerd and a registry."""
import contextlib
import json
import os
import signal
import socket
import subprocess
import time

from client import Client

# Where the service shows the space of the pool.
SPACE = "/run/dmlayer/space"


def shell(command):
    """What a command says; a command that fails is an error."""
    result = subprocess.run(command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode:
        raise RuntimeError(f"“{command}” ends with {result.returncode}: {result.stdout}")
    return result.stdout


def wait(what, condition, seconds=60):
    """Waits until a condition holds, and returns its value."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(RuntimeError, OSError):
            if value := condition():
                return value
        if time.monotonic() > end:
            raise RuntimeError(f"{what} does not come in {seconds} s")
        time.sleep(0.2)


def space(directory):
    """The size in bytes, the used share and the available share of the file system at a directory, as the kubelet counts them."""
    answer = os.statvfs(directory)
    size = answer.f_blocks * answer.f_frsize
    return size, 1 - answer.f_bfree / answer.f_blocks, answer.f_bavail / answer.f_blocks


def settled(read, expected, seconds=30):
    """A value as soon as it is the expected one, or what it is after so many seconds.

    The service answers before the kernel has removed a device, and before it has freed the blocks.
    """
    end = time.monotonic() + seconds
    while (value := read()) != expected and time.monotonic() < end:
        time.sleep(0.2)
    return value


class Daemon:
    """A program in the background, whose log is kept over its restarts."""

    def __init__(self, name, command, ready):
        self.name, self.command, self.ready = name, command, ready
        self.log = f"/run/{name}.log"

    def start(self):
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        wait("the start of " + self.name, lambda: self.ready() or True)

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(60)

    def restart(self, number=signal.SIGTERM):
        self.end(number)
        self.start()


class Machine:
    def __init__(self, dmlayer):
        self.dmlayer = dmlayer
        os.mkdir("/run/dmlayer")
        self.registry = Daemon(
            "registry", ["docker-registry", "serve", "/run/registry.yaml"],
            lambda: socket.create_connection(("127.0.0.1", 5000)).close())
        self.service = Daemon(
            "service", [dmlayer, "--config", "/run/dmlayer.json", "serve", "--space-view", SPACE], lambda: shell(dmlayer + " ping"))
        # containerd tries to reach a proxy plugin only now and then.
        self.containerd = Daemon(
            "containerd", ["containerd", "--config", "/run/containerd.toml"],
            lambda: shell("ctr plugins ls | grep -q 'grpc.v1 *cri .* ok' && ctr snapshots --snapshotter dmlayer ls"))
        self.cri = Client("/run/containerd/containerd.sock")

    def start(self):
        for daemon in self.registry, self.service, self.containerd:
            daemon.start()

    def json(self, arguments):
        return json.loads(shell(f"{self.dmlayer} --config /run/dmlayer.json --json {arguments}"))

    def kinds(self):
        """The kinds of all snapshots of dmlayer's store."""
        return sorted(one["snapshot"]["kind"] for one in self.json("snapshot list"))

    def used(self):
        """The bytes of the pool that are in use."""
        return self.json("pool status")["data"]["used"]

    def share(self):
        """The share of the pool that is used: of its data or of its metadata, whichever is fuller."""
        status = self.json("pool status")
        return max(status[one]["used"] / status[one]["total"] for one in ("data", "metadata"))

    def devices(self):
        return len(shell(self.dmlayer + " dm ls").splitlines())

    def snapshots_of_overlayfs(self):
        return len(shell("ctr --namespace k8s.io snapshots --snapshotter overlayfs ls").splitlines()) - 1

    def mounts(self):
        """The mounted root file systems of containers."""
        return shell("grep -c /rootfs /proc/mounts || true").strip()

    def collect(self):
        """Lets containerd remove what nothing needs, and waits until it has."""
        shell("ctr leases create --id nothing && ctr leases rm --sync nothing")


HOST_NETWORK = {"namespace_options": {"network": "NODE"}}


class Pod:
    """A pod in the network of the machine, so that it needs no plugin for networks, with a container."""

    def __init__(self, machine, name, handler=""):
        self.cri = machine.cri
        self.config = {
            "metadata": {"name": name, "uid": name, "namespace": "default"},
            "log_directory": "/run/pods/" + name,
            "linux": {"security_context": HOST_NETWORK},
        }
        self.sandbox = self.cri.RunPodSandbox(config=self.config, runtime_handler=handler).pod_sandbox_id

    def start(self, image):
        self.container = self.cri.CreateContainer(
            pod_sandbox_id=self.sandbox, sandbox_config=self.config,
            config={
                "metadata": {"name": "main"},
                "image": {"image": image},
                "log_path": "main.log",
                "linux": {"security_context": HOST_NETWORK},
            }).container_id
        self.cri.StartContainer(container_id=self.container)

    def run(self, command):
        """What a command in the container says."""
        answer = self.cri.ExecSync(container_id=self.container, cmd=["sh", "-c", command], timeout=60)
        return (answer.stdout + answer.stderr).decode().strip()

    def state(self):
        return self.cri.ContainerStatus(container_id=self.container).status.state

    def stop(self):
        self.cri.StopContainer(container_id=self.container, timeout=5)

    def remove(self):
        self.cri.RemoveContainer(container_id=self.container)
        self.cri.StopPodSandbox(pod_sandbox_id=self.sandbox)
        self.cri.RemovePodSandbox(pod_sandbox_id=self.sandbox)
