#!/usr/bin/env python3
"""Makes images whose files are hard to keep.

odd-images.py make FOLDER    makes such files in a folder
odd-images.py change FOLDER  changes them, as a later layer does
odd-images.py archive        writes an archive as of “docker save” with an image whose layers Docker does not make itself
odd-images.py hundred        writes an archive with an image of a hundred layers
odd-images.py list FOLDER    prints what a folder has, without what depends on the device
"""
import hashlib
import io
import json
import os
import shutil
import socket
import stat
import struct
import sys
import tarfile

CAPABILITY = struct.pack("<5I", 0x02000001, 0x00002400, 0, 0, 0)
LONG = b"n" * 255
NOT_UTF8 = b"\xff\xfe \xe4\xf6\xfc"


def write(path, content=b"", mode=0o644):
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, mode)


def make(folder):
    os.chdir(folder)
    os.makedirs("odd/links/a/b")
    os.makedirs("odd/links/c")
    write("odd/links/a/file", b"linked\n" * 1000)
    os.symlink("nowhere", "odd/links/a/symlink")
    os.mkfifo("odd/links/a/fifo")
    os.mknod("odd/links/a/device", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    for name in "file", "symlink", "fifo", "device":
        os.link(f"odd/links/a/{name}", f"odd/links/a/b/{name}", follow_symlinks=False)
        os.link(f"odd/links/a/{name}", f"odd/links/c/{name}", follow_symlinks=False)
    os.mknod("odd/block", stat.S_IFBLK | 0o600, os.makedev(259, 70000))
    # Docker leaves sockets out.
    socket.socket(socket.AF_UNIX).bind("odd/socket")
    write("odd/capable", b"program", 0o755)
    os.setxattr("odd/capable", "security.capability", CAPABILITY)
    # Docker keeps no other attributes of what it commits.
    os.setxattr("odd/capable", "user.binary", bytes(range(256)))
    with open("odd/sparse", "wb") as file:
        file.truncate(3 << 20)
        file.seek(1 << 20)
        file.write(b"in the middle")
    names(b"odd/names")
    modes("odd/modes")
    times("odd/times")
    for name in "dropped", "replaced", "remade", "renamed":
        os.makedirs(f"odd/{name}/below/it")
        write(f"odd/{name}/below/file", name.encode())
        write(f"odd/{name}/file", name.encode())
    for name in "dropped-file", "replaced-file", "touched", "chmodded", "chowned", "rewritten":
        write(f"odd/{name}", name.encode())
    os.symlink("replaced", "odd/symlink-to-folder")


def names(folder):
    os.mkdir(folder)
    odd = [b"-rf", b" ", b"a\nb", b"a\tb", b"\\", b"'\"", b"*", b"\xc3\xa9", b"e\xcc\x81", b"..a", b"a" * 100, b"b" * 101]
    for name in [LONG, NOT_UTF8, *odd]:
        write(os.path.join(folder, name), name)
    os.symlink(NOT_UTF8, os.path.join(folder, b"to not UTF-8"))
    os.symlink(b"/" + b"t" * 3000, os.path.join(folder, b"to a long path"))
    deep = os.path.join(folder, *[b"d" * 255] * 2, NOT_UTF8)
    os.makedirs(deep)
    write(os.path.join(deep, LONG), b"deep")


def modes(folder):
    os.mkdir(folder)
    for mode in 0o4755, 0o2755, 0o6711, 0o1644, 0o7777, 0o0:
        write(f"{folder}/file-{mode:o}", b"x", mode)
        os.mkdir(f"{folder}/folder-{mode:o}")
        os.chmod(f"{folder}/folder-{mode:o}", mode)
    for owner in 65534, 2097151, 2097152, 4294967294:
        write(f"{folder}/owner-{owner}", b"x", 0o4755)
        os.chown(f"{folder}/owner-{owner}", owner, owner)
        os.chmod(f"{folder}/owner-{owner}", 0o6755)
    os.symlink("owner-65534", f"{folder}/symlink")
    os.chown(f"{folder}/symlink", 2097152, 5, follow_symlinks=False)


def times(folder):
    os.mkdir(folder)
    for time in -1, -1_500_000_000, -(1 << 31), 1 << 31, 1 << 33, 0:
        write(f"{folder}/{time}", b"x")
        os.utime(f"{folder}/{time}", ns=(time * 10**9, time * 10**9))
        write(f"{folder}/{time}-and-a-half", b"x")
        os.utime(f"{folder}/{time}-and-a-half", ns=(time * 10**9 + 5 * 10**8 + 1,) * 2)
        os.mkdir(f"{folder}/folder-{time}")
        os.utime(f"{folder}/folder-{time}", ns=(time * 10**9, time * 10**9))


def change(folder):
    os.chdir(os.path.join(folder, "odd"))
    shutil.rmtree("dropped")
    shutil.rmtree("replaced")
    write("replaced", b"a file now")
    shutil.rmtree("remade")
    os.mkdir("remade")
    write("remade/other", b"other")
    os.rename("renamed", "with another name")
    os.remove("dropped-file")
    os.remove("replaced-file")
    os.mkdir("replaced-file")
    write("replaced-file/within", b"within")
    os.remove("symlink-to-folder")
    os.mkdir("symlink-to-folder")
    os.utime("touched", (1, 1))
    os.chmod("chmodded", 0o6755)
    os.chown("chowned", 7, 8)
    write("rewritten", b"and longer than before")
    # One name of a file with three; a further name of a file in the layer below.
    os.remove("links/c/file")
    os.link("capable", "links/capable")
    os.remove(os.path.join(b"names", NOT_UTF8))
    os.remove(os.path.join(b"names", LONG))
    os.truncate("sparse", 5 << 20)


class Layer:
    """A layer's archive."""

    def __init__(self, form=tarfile.PAX_FORMAT, headers=None):
        self.bytes = io.BytesIO()
        self.tar = tarfile.open(
            fileobj=self.bytes, mode="w", format=form, errors="surrogateescape", pax_headers=headers or {}
        )

    def add(self, name, kind=tarfile.REGTYPE, content=b"", link="", attributes=None, **fields):
        entry = tarfile.TarInfo(os.fsdecode(name))
        entry.type, entry.size, entry.linkname = kind, len(content), os.fsdecode(link)
        entry.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
        for key, value in (attributes or {}).items():
            entry.pax_headers[f"SCHILY.xattr.{key}"] = value.decode("utf-8", "surrogateescape")
        for key, value in fields.items():
            setattr(entry, key, value)
        self.tar.addfile(entry, io.BytesIO(content))
        return self

    def folders(self, *names):
        """Adds folders, whose time is set when all of their files are there."""
        for name in names:
            self.add(name, tarfile.DIRTYPE, mtime=5)
        return self

    def content(self, end=None):
        """The archive; its end may be something else than the usual zeros."""
        if end is None:
            self.tar.close()
        return self.bytes.getvalue() + (end or b"")


def odd_layers():
    """Layers in forms that Docker takes and does not make itself."""
    pax = Layer(headers={"comment": "for all entries"})
    pax.folders("odd", "odd/pax", "odd/pax/lower", "odd/pax/emptied", "odd/pax/becomes-file")
    file = {"mtime": -1.5, "mode": 0o4755, "uid": 4294967294, "gid": 2097152}
    pax.add("./odd/pax/file", content=b"x" * 513, attributes={"user.a": b"\xff\n=\0b"}, **file)
    pax.add("odd/pax/link", tarfile.LNKTYPE, link="odd/pax/file", **file)
    pax.add("/odd/pax/capable", content=b"y", attributes={"security.capability": CAPABILITY})
    pax.add(b"odd/pax/" + NOT_UTF8, content=b"z", mtime=2**33)
    pax.add(b"odd/pax/" + LONG, tarfile.DIRTYPE, attributes={"user.of-a-folder": b"v" * 1000}, mtime=1e9 + 0.25)
    pax.add("odd/pax/lower/hidden", content=b"hidden").add("odd/pax/emptied/hidden", content=b"hidden")
    pax.add("odd/pax/becomes-file/below", content=b"x").add("odd/pax/becomes-folder", content=b"x")
    gnu = Layer(tarfile.GNU_FORMAT).folders("odd/gnu")
    file = {"mtime": -100000, "mode": 0o6711, "uid": 2097152}
    gnu.add(b"odd/gnu/" + LONG, content=b"long", **file)
    gnu.add(b"odd/gnu/link", tarfile.LNKTYPE, link=b"odd/gnu/" + LONG, **file)
    gnu.add(b"odd/gnu/" + NOT_UTF8, tarfile.SYMTYPE, link=b"l" * 300)
    gnu.add("odd/gnu/char", tarfile.CHRTYPE, devmajor=1, devminor=5).add("odd/gnu/fifo", tarfile.FIFOTYPE)
    old = Layer(tarfile.USTAR_FORMAT).folders("p" * 90).add("p" * 90 + "/" + "q" * 99, content=b"prefix", mtime=1)
    white = Layer().folders("odd", "odd/pax", "odd/pax/lower", "odd/pax/emptied", "odd/gnu", "odd/pax/becomes-folder")
    white.add("odd/pax/lower/.wh..wh..opq").add("odd/pax/lower/shown", content=b"shown")
    white.add("odd/pax/emptied/.wh..wh..opq").add("odd/pax/.wh.link").add("odd/gnu/.wh.was-never-there")
    white.add("odd/pax/becomes-file", content=b"file").add("odd/pax/becomes-folder/within", content=b"within")
    same = Layer().folders("odd")
    # The ends: 10 KiB of zeros by Python, none, much, and something else behind it.
    return [
        pax.content(), gnu.content(b""), old.content(bytes(300_000)), white.content(bytes(1024) + b"more" * 1000),
        bytes(1024), same.content(bytes(1024)),
    ]


def hundred_layers():
    """A hundred layers with a file each."""
    return [Layer().folders("h").add(f"h/{number}", content=b"%d" % number).content(bytes(1024)) for number in range(100)]


def archive(name, layers):
    """Writes an archive with one image to the standard output."""
    digests = [hashlib.sha256(layer).hexdigest() for layer in layers]
    history = [{"created_by": f"layer {number}"} for number in range(len(layers))]
    configuration = json.dumps({
        "architecture": "amd64", "os": "linux", "created": "1969-12-31T23:59:59.5Z",
        "config": {"Env": ["A=<&>\u2028é"], "Labels": {"ü": "\u0001"}}, "x-unknown": [1.5, None, 12345678901234567890],
        "history": [*history, {"created_by": "ENV A", "empty_layer": True}],
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
    }).encode()
    contents = {f"{digest}/layer.tar": layer for digest, layer in zip(digests, layers)}
    contents["configuration.json"] = configuration
    contents["manifest.json"] = json.dumps([{
        "Config": "configuration.json", "RepoTags": [name], "Layers": [f"{digest}/layer.tar" for digest in digests],
    }]).encode()
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as files:
        for path, content in contents.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            files.addfile(entry, io.BytesIO(content))


def fields(root, path):
    status = os.lstat(path)
    what = {
        "path": path[len(root):].hex(), "mode": oct(status.st_mode), "owner": [status.st_uid, status.st_gid],
        "mtime": status.st_mtime_ns, "device": status.st_rdev,
        "attributes": {name: os.getxattr(path, name, follow_symlinks=False).hex()
                       for name in sorted(os.listxattr(path, follow_symlinks=False))},
    }
    if stat.S_ISREG(status.st_mode):
        with open(path, "rb") as file:
            what["sha256"] = hashlib.sha256(file.read()).hexdigest()
    if not stat.S_ISDIR(status.st_mode):
        what["names"] = status.st_nlink
    if stat.S_ISLNK(status.st_mode):
        what["link"] = os.readlink(path).hex()
    # Docker makes 1970 of each time before it when it unpacks a layer.
    what["mtime"] = max(0, what["mtime"])
    return what


def list_files(folder):
    root = os.fsencode(folder)
    for directory, directories, files in os.walk(root):
        directories.sort()
        for name in sorted(directories + files):
            print(json.dumps(fields(root, os.path.join(directory, name)), sort_keys=True))


if __name__ == "__main__":
    {
        "make": make, "change": change, "list": list_files,
        "archive": lambda: archive("odd/archive:1", odd_layers()),
        "hundred": lambda: archive("odd/hundred:1", hundred_layers()),
    }[sys.argv[1]](*sys.argv[2:])
