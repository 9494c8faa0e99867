#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""schema.py SCHEMA FILE...: checks every record of the files against the schema, and that the schema is complete: a key
that it does not list is an error here, though readers skip it. Prints FILE:LINE: KEY: what is wrong, once for each key
of a kind, and exits 1. Without errors it prints the kinds that it saw."""
import json
import sys

import jsonschema


def closed(schema):
    """The same, but an object has only the properties that are listed."""
    if isinstance(schema, list):
        return [closed(x) for x in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {k: {n: closed(s) for n, s in v.items()} if k in ("properties", "definitions") else
              v if k in ("allOf", "anyOf", "if", "then", "else", "not", "enum") else closed(v)
              for k, v in schema.items()}
    if "properties" in schema:
        schema.setdefault("additionalProperties", False)
    return schema


def complete(schema):
    """The closed schema; a kind also has the properties of every record."""
    jsonschema.Draft7Validator.check_schema(schema)
    root = closed(schema)
    del root["additionalProperties"]
    for rule in schema["allOf"]:
        if "$ref" not in rule["then"]:
            continue
        definition = root["definitions"][rule["then"]["$ref"].rsplit("/", 1)[1]]
        definition.setdefault("properties", {})
        definition["properties"].update(dict.fromkeys(root["properties"], {}))
        definition["additionalProperties"] = False
    return jsonschema.Draft7Validator(root)


def main(path, files):
    with open(path, encoding="utf-8") as f:
        schema = complete(json.load(f))
    told, kinds = set(), set()
    for name in files:
        with open(name, encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                record = json.loads(line)
                kind = record.get("kind")
                kinds.add(kind)
                for e in schema.iter_errors(record):
                    key = ".".join(str(k) for k in e.absolute_path if not isinstance(k, int))
                    words = e.message if len(e.message) < 300 else e.message[:100] + " ... " + e.message[-150:]
                    fault = kind, key, e.message if e.validator in ("required", "additionalProperties") else e.validator
                    if fault not in told:
                        print(f"{name}:{number}: kind {kind}: {key or 'the record'}: {words}")
                    told.add(fault)
    if told:
        return 1
    print(*sorted(kinds), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
