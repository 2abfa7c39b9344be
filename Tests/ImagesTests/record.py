#!/usr/bin/env python3
"""Records a tar archive (first argument) in the form of Docker's tar-split.json.gz (second argument)."""
import base64
import gzip
import json
import os
import sys
import tarfile

TABLE = []
for index in range(256):
    value = index
    for _ in range(8):
        value = value >> 1 ^ (0xD800000000000000 if value & 1 else 0)
    TABLE.append(value)


def crc64(content):
    state = 0xFFFFFFFFFFFFFFFF
    for byte in content:
        state = TABLE[(state ^ byte) & 0xFF] ^ state >> 8
    return (state ^ 0xFFFFFFFFFFFFFFFF).to_bytes(8, "big")


content = open(sys.argv[1], "rb").read()
pieces, position = [], 0
for entry in tarfile.open(sys.argv[1], errors="surrogateescape"):
    pieces.append({"type": 2, "payload": base64.b64encode(content[position:entry.offset_data]).decode()})
    position = entry.offset_data
    size = entry.size if entry.isreg() else 0
    piece = {"type": 1, "size": size, "payload": None}
    name = os.fsencode(entry.name)
    try:
        piece["name"] = name.decode()
    except UnicodeDecodeError:
        piece["name_raw"] = base64.b64encode(name).decode()
    if size > 0:
        piece["payload"] = base64.b64encode(crc64(content[position : position + size])).decode()
    pieces.append(piece)
    position += size
pieces.append({"type": 2, "payload": base64.b64encode(content[position:]).decode()})
with gzip.open(sys.argv[2], "wt") as file:
    for number, piece in enumerate(pieces):
        file.write(json.dumps(piece | {"position": number}) + "\n")
