"""The schemas accept what the core accepts and refuse what it refuses, at the same place.

Run by `cargo xtask schema`, which sets COUNTERFOIL_CLI (the built command line) and COUNTERFOIL_MADE (a folder
with a ledger, its settlement and its typed data). Without them the parts that need them are skipped.
"""

import copy
import json
import os
import pathlib
import re
import subprocess
import sys

import jsonschema
import pytest

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))
import bundle  # noqa: E402

CLI = os.environ.get("COUNTERFOIL_CLI")
MADE = os.environ.get("COUNTERFOIL_MADE")
BROKEN = json.loads((HERE / "broken.json").read_text("utf-8"))["plans"]
BASE = json.loads((ROOT / "examples/plans/demo.json").read_text("utf-8"))
needs_cli = pytest.mark.skipif(CLI is None, reason="COUNTERFOIL_CLI is not set")
needs_made = pytest.mark.skipif(MADE is None, reason="COUNTERFOIL_MADE is not set")


def validator(name):
    schema = json.loads((HERE / f"{name}.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def pointer(path):
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def branch(error):
    """The branch of a oneOf that the document means, as a number; None if it means none."""
    def names(sub):
        return {"model", "item", "mode"} & set(sub.get("properties", {}))
    branches = error.validator_value
    if branches[-1] == {"type": "null"} and error.instance is not None:
        return 0
    for index, sub in enumerate(branches):
        for name in names(sub):
            if isinstance(error.instance, dict) and error.instance.get(name) == sub["properties"][name]["const"]:
                return index
        # Otherwise what tells a branch is the first member, but `id`, that it must have.
        if not names(sub) and isinstance(error.instance, dict):
            telling = [name for name in sub.get("required", []) if name != "id"][:1]
            if telling and telling[0] in error.instance:
                return index
    return None


def places(errors):
    """The places that a person is shown, as JSON Pointers."""
    for error in errors:
        here = list(error.absolute_path)
        if error.validator == "oneOf":
            chosen = branch(error)
            if chosen is not None:
                yield from places(e for e in error.context if e.schema_path[0] == chosen)
            else:
                tells = [n for n in ("model", "item", "mode") if n in error.validator_value[0].get("properties", {})]
                yield pointer(here + tells)
        elif error.validator == "required":
            missing = re.match(r"'(.*)' is a required property", error.message).group(1)
            yield pointer([*here, missing])
        elif error.validator == "dependentRequired":
            missing = re.match(r"'(.*)' is a dependency", error.message).group(1)
            yield pointer([*here, missing])
        elif error.validator == "additionalProperties":
            for name in error.instance:
                if name not in error.schema.get("properties", {}):
                    yield pointer([*here, name])
        elif error.validator == "propertyNames" or "propertyNames" in error.absolute_schema_path:
            yield pointer([*here, error.instance])
        else:
            yield pointer(here)


def patched(changes):
    """The base plan after a JSON Patch (add, replace, remove)."""
    plan = copy.deepcopy(BASE)
    for change in changes:
        *steps, last = change["path"].split("/")[1:]
        node = plan
        for step in steps:
            node = node[int(step) if isinstance(node, list) else step]
        last = int(last) if isinstance(node, list) else last
        if change["op"] == "remove":
            del node[last]
        else:
            assert change["op"] == "add" or last in node or isinstance(last, int)
            node[last] = change["value"]
    return plan


def core(plan, folder):
    """What the core says of a plan: None, or (code, place)."""
    path = folder / "plan.json"
    path.write_text(json.dumps(plan), "utf-8")
    done = subprocess.run([CLI, "plan", "check", "--json", path], capture_output=True, text=True)
    if done.returncode == 0:
        return None
    error = json.loads(done.stderr)
    error = error.get("error", error)
    return error["code"], error["place"].removeprefix(f"{path}: ")


@pytest.mark.parametrize("name", bundle.names())
def test_published_schemas_are_up_to_date(name):
    published = (HERE / name.replace(".json", ".schema.json")).read_text("utf-8")
    assert published == bundle.bundle(name), "run `cargo xtask schema`"


def written_plans():
    """Plans in examples, and in the pages for people."""
    for path in sorted((ROOT / "examples/plans").glob("*.json")):
        yield pytest.param(json.loads(path.read_text("utf-8")), id=path.name)
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        blocks = re.findall(r"```json\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
        for index, block in enumerate(blocks):
            if '"counterfoil/plan/1"' in block and "…" not in block:
                yield pytest.param(json.loads(block), id=f"{page.name}-{index}")
    # The README's plan stands in a program that formats the authority into it.
    program = (ROOT / "README.md").read_text("utf-8")
    text = re.search(r'Plan::from_json\(format!\(r#"(.*?)"#', program, re.DOTALL).group(1)
    text = text.replace("{}", BASE["authority"]).replace("{{", "{").replace("}}", "}")
    yield pytest.param(json.loads(text), id="README.md")


PLANS = list(written_plans())


@pytest.mark.parametrize("plan", PLANS)
def test_a_plan_of_ours_validates(plan):
    assert list(validator("plan").iter_errors(plan)) == []


@needs_cli
@pytest.mark.parametrize("plan", PLANS)
def test_a_plan_of_ours_is_read_by_the_core(plan, tmp_path):
    assert core(plan, tmp_path) is None


@pytest.mark.parametrize("broken", [pytest.param(b, id=b["id"]) for b in BROKEN])
def test_a_broken_plan_is_refused_by_the_schema(broken):
    found = set(places(validator("plan").iter_errors(patched(broken["change"]))))
    assert found == ({broken["place"]} if broken.get("schema", True) else set())


@needs_cli
@pytest.mark.parametrize("broken", [pytest.param(b, id=b["id"]) for b in BROKEN])
def test_a_broken_plan_is_refused_by_the_core(broken, tmp_path):
    assert core(patched(broken["change"]), tmp_path) == (broken["code"], broken["place"])


def mappings():
    """The mappings of the vectors, and where the core refuses them."""
    for path in sorted((ROOT / "spec/vectors/use").glob("use-mapping*.json")):
        for index, step in enumerate(json.loads(path.read_text("utf-8"))["steps"]):
            error = step.get("error", {})
            # Without a place it is no JSON; and what is wrong with an event is none of the schema's business.
            if error.get("code", "").startswith("json_") and "place" not in error:
                continue
            mapping = json.loads(step["in"]["mapping"])
            place = error.get("place")
            own = path.stem == "use-mapping-refused" and place not in (None, "/n")
            yield pytest.param(mapping, place if own else None, id=f"{path.stem}-{index}")


@pytest.mark.parametrize(("mapping", "place"), list(mappings()))
def test_a_mapping_is_refused_where_the_core_refuses_it(mapping, place):
    found = set(places(validator("mapping").iter_errors(mapping)))
    assert found == set() if place is None else place in found


def test_every_field_has_a_description():
    def walk(node, path):
        if isinstance(node, dict):
            for name, field in (node.get("properties") or {}).items():
                if isinstance(field, dict) and path and not path.endswith(("if", "then", "else")):
                    target = field
                    while "description" not in target and "$ref" in target:
                        target = schema["$defs"][target["$ref"].removeprefix("#/$defs/")]
                    assert target.get("description"), f"{path}/{name}"
            for key, value in node.items():
                walk(value, f"{path}/{key}")
        elif isinstance(node, list):
            for index, value in enumerate(node):
                walk(value, f"{path}/{index}")

    for name in bundle.names():
        schema = json.loads(bundle.bundle(name))
        walk(schema, "#")


def made(name):
    return json.loads((pathlib.Path(MADE) / name).read_text("utf-8"))


@pytest.fixture(scope="module")
def receipt():
    """The first receipt of the ledger's last lane."""
    lane = made("typed-data.json")["laneOpens"][-1]["digest"]
    command = [CLI, "inspect", pathlib.Path(MADE) / "ledger", "--receipt", f"{lane}/1"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@needs_made
def test_what_the_command_line_writes_validates(receipt):
    assert list(validator("settlements").iter_errors(made("settlement.json"))) == []
    settlements = made("settlement.json")["settlements"]
    assert settlements
    for settlement in settlements:
        assert list(validator("settlement").iter_errors(settlement)) == []
    assert receipt["body"] and receipt["signature"]
    assert list(validator("receipt").iter_errors(receipt)) == []
    checkpoints = made("typed-data.json")["checkpoints"]
    assert checkpoints
    for checkpoint in checkpoints:
        assert list(validator("checkpoint").iter_errors(checkpoint["typedData"]["message"])) == []


@needs_made
@pytest.mark.parametrize("place", [
    "/format", "/head/sequence", "/head/kind", "/head/charge", "/body/salt", "/body/items/0/item",
    "/body/items/0/quantity",
])
def test_a_damaged_receipt_is_refused(receipt, place):
    receipt = copy.deepcopy(receipt)
    *steps, last = place.split("/")[1:]
    node = receipt
    for step in steps:
        node = node[int(step) if isinstance(node, list) else step]
    node[last] = "01"
    assert set(places(validator("receipt").iter_errors(receipt))) == {place}


EVIDENCE = json.loads((ROOT / "spec/vectors/cond/cond-evidence-document.json").read_text("utf-8"))["steps"]
# What only the core sees: signatures, checksums, the largest instants, and a number of 64 bits.
UNSEEN = {"signature_wrong_key", "signature_invalid", "time_invalid"}


@pytest.mark.parametrize("step", [s for s in EVIDENCE if s["in"]["text"].startswith('{"')])
def test_evidence_is_refused_where_the_core_refuses_it(step):
    found = set(places(validator("evidence").iter_errors(json.loads(step["in"]["text"]))))
    error = step.get("error")
    if error is None:
        assert not found
    elif error["code"] not in UNSEEN:
        assert found == {error["place"]}
