"""Images of busybox that are made here and sent to a registry on this machine."""
import gzip
import hashlib
import http.client
import io
import json
import os
import tarfile

REGISTRY = "127.0.0.1:5000"
APPLETS = ["cat", "dd", "grep", "sh", "sleep", "sync"]


def layer(files):
    """An archive of files, from their paths to their contents; a content that is a text is the target of a link."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.mode = 0o755
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                archive.addfile(entry)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def programs():
    with open("/run/kernel/busybox", "rb") as file:
        return {"bin/busybox": file.read(), **{"bin/" + name: "busybox" for name in APPLETS}}


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Registry:
    """The protocol by which an image is sent."""

    def __init__(self):
        self.connection = http.client.HTTPConnection(REGISTRY)

    def ask(self, method, path, body=b"", kind="application/octet-stream"):
        self.connection.request(method, path, body, {"Content-Type": kind})
        answer = self.connection.getresponse()
        said = answer.read()
        if answer.status not in (201, 202):
            raise RuntimeError(f"the registry answers {answer.status} to {method} {path}: {said.decode()}")
        return answer.headers

    def blob(self, name, content, kind):
        """Sends a part of an image; the result describes it in a manifest."""
        place = self.ask("POST", f"/v2/{name}/blobs/uploads/")["Location"].split(REGISTRY)[1]
        self.ask("PUT", f"{place}&digest={digest(content)}", content)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": digest(content), "size": len(content)}

    def push(self, name, tag, layers, command):
        """Sends an image; the result is its reference."""
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Env": ["PATH=/bin"], "Entrypoint": command},
            "rootfs": {"type": "layers", "diff_ids": [digest(one) for one in layers]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": self.blob(name, json.dumps(config).encode(), "config.v1+json"),
            "layers": [self.blob(name, gzip.compress(one, 1), "layer.v1.tar+gzip") for one in layers],
        }
        self.ask("PUT", f"/v2/{name}/manifests/{tag}", json.dumps(manifest).encode(), manifest["mediaType"])
        return f"{REGISTRY}/{name}:{tag}"


def push_all():
    """Sends an image for the sandboxes of pods and one of two layers; the result is the reference of the second."""
    registry, below = Registry(), layer({**programs(), "etc/version": b"one\n"})
    sleeper = ["sleep", "1000000"]
    registry.push("pause", "1", [layer(programs())], sleeper)
    # What the upper layer has of its own shows in the figures of the pool.
    upper = layer({"etc/version": b"two\n", "data": os.urandom(8 << 20)})
    return registry.push("test", "1", [below, upper], sleeper)
