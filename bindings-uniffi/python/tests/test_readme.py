"""The README's code runs as it stands."""

import secrets
from pathlib import Path

from conftest import PLAN


def test_the_example_of_the_readme():
    text = (Path(__file__).parents[1] / "README.md").read_text()
    code = text.split("```python\n")[1].split("```")[0]
    exec(compile(code, "README.md", "exec"), {"plan_json": PLAN, "secrets": secrets})
