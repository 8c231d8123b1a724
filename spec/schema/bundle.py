"""Makes the published schemas from source/: each document, with the shared types that it uses.

    python3 spec/schema/bundle.py            writes spec/schema/*.schema.json
    python3 spec/schema/bundle.py --check    fails where one is not up to date
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
LOCAL = "#/$defs/"


def load(name):
    return json.loads((HERE / "source" / name).read_text("utf-8"))


def references(node):
    """Every $ref below a node."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def renamed(node, old, new):
    if isinstance(node, dict):
        return {k: new if k == "$ref" and v == old else renamed(v, old, new) for k, v in node.items()}
    return [renamed(v, old, new) for v in node] if isinstance(node, list) else node


def bundle(name):
    """The document of this name, self-contained."""
    shared = load("common.json")["$defs"]
    schema = load(name)
    own = schema.pop("$defs", {})
    for other in {ref for ref in references(schema) if not ref.startswith("#")}:
        inner = load(other)
        shared |= inner.pop("$defs", {})
        del inner["$id"]
        title = other.removesuffix(".json")
        shared[title] = inner
        schema = renamed(schema, other, LOCAL + title)
    known = shared | own
    wanted, queue = {}, list(references([schema]))
    while queue:
        key = queue.pop().removeprefix(LOCAL)
        if key not in wanted:
            wanted[key] = known[key]
            queue += references(known[key])
    out = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema
    out["$defs"] = {key: wanted[key] for key in sorted(wanted)}
    return json.dumps(out, indent=2, ensure_ascii=False) + "\n"


def names():
    return sorted(p.name for p in (HERE / "source").glob("*.json") if p.name != "common.json")


def main(check):
    stale = []
    for name in names():
        path = HERE / name.replace(".json", ".schema.json")
        now = bundle(name)
        if not path.exists() or path.read_text("utf-8") != now:
            stale.append(path.name)
            if not check:
                path.write_text(now, "utf-8")
                print(f"wrote spec/schema/{path.name}")
    if check and stale:
        sys.exit(f"not up to date: {', '.join(stale)}: run `cargo xtask schema` and review the change")


if __name__ == "__main__":
    main(sys.argv[1:] == ["--check"])
