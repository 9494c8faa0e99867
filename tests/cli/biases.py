#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Routers' biases of a safetensors file: multiples of 0.001 up to MOST, some of them not 0, and in each layer of both
signs, as no expert's load can exceed the mean unless another's falls below it.

usage: biases.py FILE MOST
"""
import json
import struct
import sys

path, most = sys.argv[1], float(sys.argv[2])
with open(path, "rb") as f:
    size = struct.unpack("<Q", f.read(8))[0]
    head = json.loads(f.read(size))
    layers = 0
    for name, tensor in head.items():
        if not name.endswith("e_score_correction_bias"):
            continue
        begin, end = tensor["data_offsets"]
        f.seek(8 + size + begin)
        b = struct.unpack(f"<{(end - begin) // 4}f", f.read(end - begin))
        layers += 1
        odd = [x for x in b if abs(x) > most + 1e-6 or abs(x * 1000 - round(x * 1000)) > 1e-3]
        if odd or not min(b) < 0 < max(b):
            sys.exit(f"{name}: {b}")
sys.exit(0 if layers else f"{path}: no biases")
