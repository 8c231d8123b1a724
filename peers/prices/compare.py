"""Prices of LiteLLM's map: imported, compared with exact fractions, timed beside two price libraries.

    compare.py COUNTERFOIL QUOTE FOLDER

COUNTERFOIL is the command line, QUOTE the program that prices a file of usages (benches/examples), FOLDER
is for what is written. Fails if any price differs from the exact one.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import time
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import genai_prices  # noqa: E402
import litellm  # noqa: E402
from litellm.types.utils import PromptTokensDetailsWrapper, Usage  # noqa: E402

MAP = Path(litellm.__file__).parent / "model_prices_and_context_window_backup.json"
AUTHORITY = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
MARKUP = "0.2"
CALLS = 1000
# A plain price, cache reads and writes, a cliff in the context with service tiers.
MODELS = ["gpt-4o", "claude-sonnet-4-5", "gemini/gemini-2.5-pro"]
KINDS = {"input": "input_cost_per_token", "output": "output_cost_per_token",
         "cached": "cache_read_input_token_cost", "written": "cache_creation_input_token_cost"}


def usages(r, entry):
    """Random calls: sizes on both sides of every cliff, and each service tier."""
    tiers = [t for t in ("priority", "flex", "batch")
             if KINDS["input"] + "_" + suffix(t) in entry]
    for _ in range(CALLS):
        size = r.choice([r.randrange(2_000), r.randrange(190_000, 210_000),
                         r.choice([200_000, 200_001]), r.randrange(400_000)])
        cached = r.randrange(size + 1) if r.random() < 0.5 else 0
        written = r.randrange(size - cached + 1) if KINDS["written"] in entry and r.random() < 0.5 else 0
        yield {"input": size, "cached": cached, "written": written, "output": r.randrange(8_000),
               "tier": r.choice(tiers) if tiers and r.random() < 0.4 else None}


def suffix(tier):
    return {"batch": "batches"}.get(tier, tier)


def price(entry, kind, call):
    """The price of one unit: of the tier above the cliff, else above the cliff, else of the tier."""
    key = KINDS[kind]
    cliffs = [int(k.removeprefix(key + "_above_").removesuffix("k_tokens"))
              for k in entry if k.startswith(key + "_above_") and k.endswith("k_tokens")]
    above = max((c for c in cliffs if call["input"] > c * 1000), default=None)
    tier = f"_{suffix(call['tier'])}" if call["tier"] else ""
    cliff = f"_above_{above}k_tokens" if above else ""
    for name in (key + cliff + tier, key + cliff, key + tier, key):
        # A cliff that the tier does not price is the cliff's own price, never the tier's below it.
        if name in entry and (not cliff or cliff in name):
            return Fraction(entry[name])
    return None


def exact(entry, call):
    """The price with a markup, as a fraction."""
    counts = {"input": call["input"], "output": call["output"]}
    for part in ("cached", "written"):
        if call[part] and price(entry, part, call) is not None:
            counts["input"] -= call[part]
            counts[part] = call[part]
    total = sum(n * price(entry, kind, call) for kind, n in counts.items())
    return total * (1 + Fraction(MARKUP))


def plain(call):
    line = {"input_tokens": call["input"], "output_tokens": call["output"]}
    if call["cached"]:
        line["cached_input_tokens"] = call["cached"]
    if call["written"]:
        line["cache_write_tokens"] = call["written"]
    if call["tier"]:
        line["attributes"] = {"service_tier": call["tier"]}
    return line


def timed(work, calls):
    """Nanoseconds for a call: the median of rounds over all of them."""
    rounds = []
    for _ in range(5):
        begun = time.perf_counter_ns()
        for call in calls:
            work(call)
        rounds.append((time.perf_counter_ns() - begun) / len(calls))
    return statistics.median(rounds)


def by_litellm(model):
    def work(call):
        details = PromptTokensDetailsWrapper(cached_tokens=call["cached"])
        usage = Usage(prompt_tokens=call["input"], completion_tokens=call["output"],
                      total_tokens=call["input"] + call["output"], prompt_tokens_details=details)
        return litellm.cost_per_token(model=model, usage_object=usage,
                                      service_tier=call["tier"])
    return work


def by_genai_prices(model):
    provider, _, name = model.rpartition("/")
    provider = {"gemini": "google"}.get(provider)

    def work(call):
        usage = genai_prices.Usage(input_tokens=call["input"], output_tokens=call["output"],
                                   cache_read_tokens=call["cached"])
        return genai_prices.calc_price(usage, model_ref=name, provider_id=provider)
    return work


def main(counterfoil, quote, folder):
    # Floats would already have lost something: numbers are read as they are written.
    entries = json.loads(MAP.read_text(), parse_float=str, parse_int=str)
    rows = []
    for model in MODELS:
        calls = list(usages(random.Random(model), entries[model]))
        plan, lines = folder / "plan.json", folder / "usages.jsonl"
        subprocess.run([counterfoil, "plan", "import", "litellm", "--model", model,
                        "--markup", MARKUP, "--authority", AUTHORITY, "--out", plan, MAP],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lines.write_text("".join(json.dumps(plain(call)) + "\n" for call in calls))
        ran = subprocess.run([quote, plan, lines], check=True, capture_output=True, text=True)
        wrong = [(call, got) for call, got in zip(calls, ran.stdout.split(), strict=True)
                 if Fraction(got) != exact(entries[model], call)]
        if wrong:
            sys.exit(f"{model}: {len(wrong)} prices differ, the first of {wrong[0]}, "
                     f"which is {exact(entries[model], wrong[0][0])}")
        ours = Decimal(ran.stderr.strip())
        for name, work in (("litellm", by_litellm(model)), ("genai-prices", by_genai_prices(model))):
            try:
                work(calls[0])
            except Exception as refused:  # a peer that cannot price the model has no time
                rows.append((model, ours, name, f"refused: {type(refused).__name__}"))
                continue
            theirs = timed(work, calls[:200])
            rows.append((model, ours, name, f"{theirs:,.0f} ns, {Decimal(theirs) / ours:,.0f} times"))
    print(f"{CALLS} usages of each of {len(MODELS)} models: every price exact")
    for model, ours, name, theirs in rows:
        print(f"  {model:24} {ours:>6} ns; {name:13} {theirs}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
