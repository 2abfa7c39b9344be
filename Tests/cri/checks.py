#!/usr/bin/env python3
"""checks.py DMLAYER: calls containerd as the kubelet does, on “dmlayer serve”, on the machine that Tests/cri/machine makes."""
import os
import signal
import sys
import time

import images
import runtime_pb2
from machine import SPACE, Machine, Pod, settled, shell, space, wait

HANDLER = "runc-dmlayer"
# containerd 2.1 takes the snapshotter of a pull from this annotation of the pod. It ignores the field runtime_handler.
ANNOTATION = "io.containerd.cri.runtime-handler"
MIB = 1 << 20
passed = failed = 0


def check(name, actual, expected=True):
    global passed, failed
    if actual == expected:
        passed += 1
        print("ok:", name, flush=True)
    else:
        failed += 1
        print(f"FAILED: {name}\n  {actual!r}, and not {expected!r}", flush=True)


def check_pull(machine, image):
    machine.cri.PullImage(image={"image": image, "runtime_handler": HANDLER})
    found = {"dmlayer": len(machine.kinds()), "overlayfs": machine.snapshots_of_overlayfs()}
    print("a pull with the field runtime_handler makes these snapshots:", found)
    check("such a pull unpacks the image for one snapshotter", sorted(found.values()), [0, 2])
    pod = Pod(machine, "early", HANDLER)
    pod.start(image)
    check("a container of the runtime class starts all the same", pod.run("cat /etc/version"), "two")
    # Two layers of the image, one of the sandbox's image, and the snapshots of the container and of the sandbox.
    check("with all of its snapshots in dmlayer", machine.kinds(), ["active"] * 2 + ["committed"] * 3)
    pod.stop()
    pod.remove()
    remove_images(machine)
    check("the snapshots go with the images", (machine.kinds(), machine.snapshots_of_overlayfs()), ([], 0))

    pod = {"metadata": {"name": "web", "uid": "web", "namespace": "default"}, "annotations": {ANNOTATION: HANDLER}}
    machine.cri.PullImage(image={"image": image}, sandbox_config=pod)
    check("a pull with the annotation makes two committed snapshots of dmlayer", machine.kinds(), ["committed"] * 2)
    check("and none of overlayfs", machine.snapshots_of_overlayfs(), 0)
    check("no device stays active", settled(machine.devices, 1), 1)


def remove_images(machine):
    for image in machine.cri.ListImages().images:
        machine.cri.RemoveImage(image={"image": image.id})
    machine.collect()


def check_pod(machine, image):
    """The result is the pod, which runs."""
    pod = Pod(machine, "web", HANDLER)
    pod.start(image)
    check("the container of the runtime class has the files of the image", pod.run("cat /etc/version"), "two")
    root = pod.run("grep ' / ' /proc/mounts")
    print("its root:", root)
    check("its root is ext4 on a device of device mapper", root.startswith("/dev/dm-") and root.split()[2] == "ext4")
    check("it runs", pod.state(), runtime_pb2.CONTAINER_RUNNING)
    check("it and its sandbox have a snapshot each", machine.kinds().count("active"), 2)
    check("and a device each", settled(machine.devices, 3), 3)
    return pod


def check_default_class(machine, image):
    before = machine.kinds()
    pod = Pod(machine, "plain")
    pod.start(image)
    check("a pod of the default class is on overlayfs", pod.run("grep ' / ' /proc/mounts").split()[2], "overlay")
    check("it has the same files", pod.run("cat /etc/version"), "two")
    check("it adds no snapshot to dmlayer", machine.kinds(), before)
    pod.stop()
    pod.remove()


def check_restarts(machine, pod):
    pod.run("echo kept > /kept; sync")
    machine.containerd.restart()
    check("a command runs in the container after a restart of containerd", pod.run("cat /kept"), "kept")
    machine.service.end()
    check("and while the service is stopped", pod.run("cat /kept"), "kept")
    machine.service.start()
    check("and when it is back", pod.run("cat /kept"), "kept")
    for daemon in machine.containerd, machine.service:
        daemon.end(signal.SIGKILL)
    machine.service.start()
    machine.containerd.start()
    check("and after both were killed", pod.run("cat /kept; cat /etc/version"), "kept\ntwo")
    check("the container runs", pod.state(), runtime_pb2.CONTAINER_RUNNING)
    machine.service.end(signal.SIGKILL)
    pod.stop()
    check("it can be stopped after that, while the service is stopped", pod.state(), runtime_pb2.CONTAINER_EXITED)
    machine.service.start()
    pod.remove()
    machine.collect()
    check("the snapshots of a removed pod are gone", "active" in machine.kinds(), False)


def figures(machine, pod):
    return machine.cri.ContainerStats(container_id=pod.container).stats.writable_layer


def show_space(machine):
    """Prints what the kubelet is told about the space of images; the result is the mount points."""
    usages = machine.cri.ImageFsInfo().image_filesystems
    for usage in usages:
        place = usage.fs_id.mountpoint
        size, used, _ = space(place)
        print(f"ImageFsInfo: {place}: {usage.used_bytes.value} bytes, {usage.inodes_used.value} inodes; statfs there: "
              f"{size} bytes, {used:.1%} used; the pool: {machine.json('pool status')['data']['total']} bytes, "
              f"{machine.share():.1%} used")
    return [usage.fs_id.mountpoint for usage in usages]


def check_figures(machine, image):
    """containerd 2.1 asks only the default snapshotter for what its snapshots use, so dmlayer is that here."""
    pod = Pod(machine, "figures")
    pod.start(image)
    # containerd asks for them every ten seconds.
    before = wait("the first figures", lambda: figures(machine, pod).timestamp and figures(machine, pod), 30)
    pod.run("dd if=/dev/urandom of=/file bs=1048576 count=5 && sync")
    written = time.time_ns()
    wait("the figures after that", lambda: figures(machine, pod).timestamp > written, 30)
    before, after = before.used_bytes.value, figures(machine, pod).used_bytes.value
    print(f"ContainerStats: {before} bytes before a file of 5 MiB, {after} after it")
    check("ContainerStats counts a file", 5 * MIB <= after < before + 6 * MIB)
    listed = [one for one in machine.cri.ListContainerStats().stats if one.attributes.id == pod.container]
    check("ListContainerStats says the same", [one.writable_layer.used_bytes.value for one in listed], [after])
    check("the figures name the view of the pool", [one.writable_layer.fs_id.mountpoint for one in listed], [SPACE])
    check("ImageFsInfo has dmlayer first", show_space(machine)[0], SPACE)
    pod.stop()
    pod.remove()


def image_bytes(machine):
    return machine.cri.ImageFsInfo().image_filesystems[0].used_bytes.value


def check_pressure(machine, image):
    """Pods fill the pool until the kubelet would act, and then what the kubelet does is done."""
    total = machine.json("pool status")["data"]["total"]
    # The figures of the pod before this are gone ten seconds after it.
    time.sleep(12)
    base, pods, differences, modes = machine.used() - image_bytes(machine), [], [], set()
    # The kubelet removes images from 85 % on, and evicts pods when less than 15 % are available.
    while space(SPACE)[2] > 0.15 and len(pods) < 8:
        pods.append(Pod(machine, f"full{len(pods)}"))
        pods[-1].start(image)
        pods[-1].run("dd if=/dev/zero of=/file bs=1048576 count=100 && sync")
        time.sleep(10)
        # All of the pool, of containerd's figures and of the view, ten seconds after the write.
        size, used, _ = space(SPACE)
        shares = machine.share(), used, (base + image_bytes(machine)) / total
        print(f"{len(pods)} pods: the pool {shares[0]:.2%}, statfs {shares[1]:.2%}, ImageFsInfo {shares[2]:.2%} used")
        differences.append(max(shares) - min(shares))
        modes.add(machine.json("pool status")["mode"])
    check("statfs tells the size of the pool", abs(size / total - 1) < 0.01)
    check("statfs and ImageFsInfo follow the pool within ten seconds and 1 %", [one for one in differences if one > 0.01], [])
    check("pods fill the pool to where the kubelet acts", 0.85 <= machine.share() < 1)
    check("no write meets a full pool", modes, {"rw"})
    device = os.stat(SPACE).st_dev
    machine.service.restart()
    check("the view is the same file system after a restart", os.stat(SPACE).st_dev, device)
    for pod in pods[1:]:
        pod.stop()
        pod.remove()
    machine.collect()
    wait("the view of what the eviction has freed", lambda: space(SPACE)[1] < 0.5, 20)
    check("the eviction brings it down", space(SPACE)[2] > 0.5)
    check("the pod that stays has its file", pods[0].run("wc -c </file"), str(100 * MIB))
    pods[0].stop()
    pods[0].remove()


def check_transfer(machine, image):
    shell(f"ctr images pull --plain-http --snapshotter dmlayer {image}")
    check("the transfer service unpacks an image", machine.kinds(), ["committed"] * 2)
    command = "/bin/sh -c 'cat /etc/version; grep \" / \" /proc/mounts'"
    said = shell(f"ctr run --rm --snapshotter dmlayer {image} one {command}").split()
    check("ctr runs it", said[0], "two")
    check("on a device", said[1].startswith("/dev/dm-"))
    shell(f"ctr images rm --sync {image}")
    check("the snapshots go with the image", machine.kinds(), [])


def check_nothing_left(machine, used):
    remove_images(machine)
    check("no image is left", len(machine.cri.ListImages().images), 0)
    check("no snapshot is left", (machine.kinds(), machine.snapshots_of_overlayfs()), ([], 0))
    check("no mount is left", machine.mounts(), "0")
    check("no device but the pool's is left", settled(machine.devices, 1), 1)
    check("the pool uses what it used before", settled(machine.used, used), used)
    check("no thin device but the base's is left", machine.json("pool status")["thin_devices"], 1)


def checks(machine):
    machine.start()
    image = images.push_all()
    used = machine.used()
    check_pull(machine, image)
    print(f"the pool: {used} bytes used before the pull, {machine.used()} after it")
    pod = check_pod(machine, image)
    check_default_class(machine, image)
    check("ImageFsInfo has overlayfs first", show_space(machine)[0].endswith("snapshotter.v1.overlayfs"))
    usage = figures(machine, pod)
    print(f"ContainerStats of the runtime class: {usage.used_bytes.value} bytes")
    check("the container's figures name the view of the pool", usage.fs_id.mountpoint, SPACE)
    check_restarts(machine, pod)
    check_nothing_left(machine, used)
    check_transfer(machine, image)

    with open("/run/containerd.toml", "a") as file:
        file.write('\n[plugins."io.containerd.cri.v1.images"]\nsnapshotter = "dmlayer"\n')
    machine.containerd.restart()
    machine.cri.PullImage(image={"image": image})
    check("with dmlayer as the default snapshotter no pull needs an annotation", machine.kinds(), ["committed"] * 2)
    check_figures(machine, image)
    check_pressure(machine, image)
    check_nothing_left(machine, used)
    errors = shell("grep 'level=\"error\"' /run/service.log || true")
    check("the service said no error", errors, "")


machine = Machine(sys.argv[1])
try:
    checks(machine)
except Exception as error:  # whatever a step raises is a failed test, and the rest depends on it
    check("the next step", repr(error), None)
if failed:
    print(shell("tail -n 20 /run/*.log"))
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
