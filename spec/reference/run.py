"""Runs vectors through the model.

    python3 spec/reference/run.py --write spec/vectors   fill in every `out` and `error`
    python3 spec/reference/run.py --check spec/vectors   fail on any difference

PyPI packages: see spec/requirements.txt.
"""

import difflib
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from model.refused import Refused  # noqa: E402
from model.steps import Script  # noqa: E402


def run(vector):
    """The vector with every result that the model computes."""
    script = Script()
    return {**vector, "steps": [perform(script, step) for step in vector["steps"]]}


def perform(script, step):
    """The step with its result."""
    if "flip" in (step["in"].get("change") or {}):
        # What a flipped bit of an entry gives is stated by hand: the model reads no receipts' bytes.
        return step
    done = {name: step[name] for name in ("op", "in", "as") if name in step}
    try:
        done["out"] = script.run(step)
    except Refused as refused:
        done["error"] = {"code": refused.code}
        # A place that only implementations have (`entry 3`) stands in the file and is kept.
        place = refused.place
        if place is None:
            place = step.get("error", {}).get("place")
        if place is not None:
            done["error"]["place"] = place
    return done


def text_of(vector):
    return json.dumps(vector, indent=1, ensure_ascii=False) + "\n"


def main():
    mode, folder = sys.argv[1:]
    assert mode in ("--write", "--check"), mode
    different = 0
    for path in sorted(Path(folder).glob("*/*.json")):
        before = path.read_text()
        try:
            after = text_of(run(json.loads(before)))
        except Exception as error:
            raise RuntimeError(f"{path}") from error
        if after == before:
            continue
        different += 1
        if mode == "--write":
            path.write_text(after)
        else:
            sys.stdout.writelines(difflib.unified_diff(
                before.splitlines(True), after.splitlines(True), str(path), "model"))
    print(f"{different} vectors {'written' if mode == '--write' else 'differ'}")
    return 1 if different and mode == "--check" else 0


if __name__ == "__main__":
    sys.exit(main())
