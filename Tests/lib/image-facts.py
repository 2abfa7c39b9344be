#!/usr/bin/env python3
"""image-facts.py FILE|FOLDER: prints what an archive of images, or the folder of an OCI image layout, has.

A line for each image: its id, which is the digest of its configuration, the digests of its layers without compression, the
lowest one first, and its names. The last line counts the images, and the layers that differ. Everything is computed from the
bytes that are there; the program ends with an error if a digest in the archive says something else.
"""
import hashlib
import io
import json
import os
import posixpath
import subprocess
import sys
import tarfile

DECOMPRESSORS = {b"\x1f\x8b": ["gzip", "-dc"], b"\x28\xb5": ["zstd", "-dcq"], b"\xfd7": ["xz", "-dc"]}


def decompressed(content):
    """The content without compression."""
    program = DECOMPRESSORS.get(content[:2])
    return subprocess.run(program, input=content, stdout=subprocess.PIPE, check=True).stdout if program else content


class Files:
    """The files of an archive or a folder, by their names."""

    def __init__(self, path):
        self.folder, self.files = path, None
        if os.path.isdir(path):
            return
        with open(path, "rb") as file:
            archive = tarfile.open(fileobj=io.BytesIO(decompressed(file.read())))
        self.files = {posixpath.normpath(entry.name): entry for entry in archive}
        self.archive = archive

    def read(self, name):
        """The content of a file; None if there is none."""
        if self.files is None:
            path = os.path.join(self.folder, name)
            if not os.path.exists(path):
                return None
            with open(path, "rb") as file:
                return file.read()
        entry = self.files.get(posixpath.normpath(name))
        while entry is not None and entry.issym():
            entry = self.files[posixpath.normpath(posixpath.join(posixpath.dirname(entry.name), entry.linkname))]
        return entry and self.archive.extractfile(entry).read()

    def document(self, name):
        """A JSON document; None if there is none."""
        content = self.read(name)
        return content and json.loads(content)

    def blob(self, descriptor):
        """A content by its digest."""
        content = self.read("blobs/" + descriptor["digest"].replace(":", "/"))
        if digest(content) != descriptor["digest"]:
            sys.exit(f"{descriptor['digest']} has the digest {digest(content)}")
        return content


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def familiar(name):
    """The name as Docker has it."""
    for prefix in ("docker.io/library/", "docker.io/"):
        if name.startswith(prefix):
            return name[len(prefix):]
    return name


def images(files):
    """The configuration, the layers and the names of each image."""
    manifest = files.document("manifest.json")
    for image in manifest or []:
        layers = [files.read(name) for name in image["Layers"]]
        yield files.read(image["Config"]), layers, image["RepoTags"] or []
    for entry in [] if manifest else files.document("index.json")["manifests"]:
        annotations = entry.get("annotations", {})
        name = annotations.get("io.containerd.image.name") or annotations.get("org.opencontainers.image.ref.name", "")
        while "index" in entry["mediaType"] or "manifest.list" in entry["mediaType"]:
            entry = json.loads(files.blob(entry))["manifests"][0]
        image = json.loads(files.blob(entry))
        layers = [files.blob(layer) for layer in image["layers"]]
        # What has no colon is a tag alone.
        yield files.blob(image["config"]), layers, [name] if ":" in name else []


names, layers_of, every = {}, {}, set()
for configuration, layers, tags in images(Files(sys.argv[1])):
    image = digest(configuration)
    names.setdefault(image, set()).update(familiar(tag) for tag in tags)
    layers_of[image] = [digest(decompressed(layer)) for layer in layers]
    every.update(layers_of[image])
    if layers_of[image] != json.loads(configuration)["rootfs"]["diff_ids"]:
        sys.exit(f"{image} has the layers {' '.join(layers_of[image])}, which its configuration does not have")
for image in sorted(names):
    print(image, *layers_of[image], *sorted(names[image]))
print(f"images: {len(names)}, layers: {len(every)}")
