"""Random plans and event sequences through the model and an implementation, compared step by step.

    python3 spec/reference/differential.py --cases N [--seed S] -- PROGRAM ARGS…

PROGRAM reads vectors, one JSON document a line, on standard input and answers each with a line: `ok`,
or what differed. A failing case is cut down to the fewest steps that still differ and printed as a
ready vector. The cases of a seed are the same everywhere.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parent))

from model import selectors  # noqa: E402
from model.document import Node, parse  # noqa: E402
from model.plans import Plan  # noqa: E402
from model.refused import Refused  # noqa: E402
from model.signing import sha256  # noqa: E402
from model.steps import Script  # noqa: E402
from run import perform, run  # noqa: E402

SECRET = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
PAYEES = ["0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65",
          "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC", "data", "model"]
METERS = ["input_tokens", "output_tokens", "gpu_ms"]
VALUES = {"purpose": ["inference", "training"], "region": ["asia", "eu"], "key": ["a", "b", "c"]}
STATEMENTS = ["licence", "member"]
# What stands for the account of every case.
PAYER = "0x" + sha256(sha256(b"\x07" * 32, b"payer", b"acme"), b"acme").hex()
PARTS = ["cached_input_tokens", "cache_write_tokens", "cache_write_5m_tokens", "audio_input_tokens",
         "cached_audio_input_tokens"]
# Where surfaces look, and the totals that they check: (the usage object, counts, the total).
OPENAI = ["prompt_tokens", "completion_tokens", "prompt_tokens_details/cached_tokens",
          "prompt_tokens_details/cache_write_tokens", "prompt_tokens_details/audio_tokens",
          "prompt_tokens_details/image_tokens", "prompt_tokens_details/video_tokens",
          "completion_tokens_details/reasoning_tokens", "completion_tokens_details/audio_tokens",
          "completion_tokens_details/image_tokens",
          "completion_tokens_details/accepted_prediction_tokens"]
BESIDE = {
    "xai.chat": OPENAI[7:8], "perplexity.chat": ["citation_tokens", "reasoning_tokens"],
    "snowflake.chat": OPENAI[2:4]}
BODIES = {
    name: ("usage", OPENAI + more, "total_tokens") for name, more in (
        ("openai.chat", []), ("groq.chat", []), ("snowflake.chat", []),
        ("mistral.chat", ["num_cached_tokens", "prompt_audio_seconds"]),
        ("deepseek.chat", ["prompt_cache_hit_tokens", "prompt_cache_miss_tokens"]),
        ("openrouter.chat", ["server_tool_use/web_search_requests"]),
        ("xai.chat", ["num_sources_used"]),
        ("perplexity.chat", ["citation_tokens", "reasoning_tokens", "num_search_queries"]))}
for _name, _i, _o in (("responses", "input_tokens_details", "output_tokens_details"),
                      ("realtime", "input_token_details", "output_token_details"),
                      ("images", "input_tokens_details", "output_tokens_details")):
    BODIES["openai." + _name] = ("usage", [
        "input_tokens", "output_tokens", f"{_i}/cached_tokens", f"{_i}/audio_tokens",
        f"{_i}/image_tokens", f"{_i}/cached_tokens_details/audio_tokens",
        f"{_i}/cached_tokens_details/image_tokens", f"{_o}/reasoning_tokens",
        f"{_o}/image_tokens"], "total_tokens")
BODIES["anthropic.messages"] = ("usage", [
    "input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens",
    "cache_creation/ephemeral_5m_input_tokens", "cache_creation/ephemeral_1h_input_tokens",
    "output_tokens_details/thinking_tokens", "server_tool_use/web_search_requests"], None)
BODIES["bedrock.converse"] = ("usage", [
    "inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens",
    "cacheReadInputTokenCount", "cacheDetails"], "totalTokens")
BESIDE["bedrock.converse"] = ["cacheReadInputTokens", "cacheWriteInputTokens"]
BODIES["gemini.generate"] = ("usageMetadata", [
    "promptTokenCount", "candidatesTokenCount", "toolUsePromptTokenCount", "thoughtsTokenCount",
    "cachedContentTokenCount", "promptTokensDetails", "cacheTokensDetails",
    "candidatesTokensDetails"], "totalTokenCount")
BESIDE["gemini.generate"] = ["toolUsePromptTokenCount", "thoughtsTokenCount"]
BODIES["cohere.chat"] = ("meta", ["billed_units/input_tokens", "billed_units/output_tokens",
                                  "billed_units/search_units"], None)
BODIES["otel.genai"] = ("", ["gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens",
                             "gen_ai.usage.cache_read.input_tokens",
                             "gen_ai.usage.reasoning.output_tokens"], None)
# Near the ends of an hour, a day, a month and a year.
HOLDERS = ["h0", "h1"]
STARTS = [1_798_761_000_000, 1_772_321_400_000, 1_790_000_000_000]


def price(r):
    """A canonical decimal, small or odd or free."""
    kind = r.randrange(5)
    if kind == 0:
        return "0"
    if kind == 1:
        return str(r.randrange(1, 20))
    digits = r.randrange(1, 12)
    whole, fraction = r.randrange(3), str(r.randrange(1, 10**digits)).rjust(digits, "0")
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}" if fraction else str(whole)


def tiers(r):
    bounds = sorted({r.randrange(1, 40) for _ in range(r.randrange(4))})
    found = [{"up_to": b, "price": price(r)} for b in bounds] + [{"price": price(r)}]
    for tier in found:
        if r.random() < 0.2:
            tier["flat"] = price(r)
    return found


MODELS = ["flat", "per_unit", "graduated", "volume", "package"]
PER_CALL = ["percentage", "cost_plus", "dynamic"]


# Two pairs of hemispheres, half an hour, half a day; a rule that takes years to itself.
ZONES = ["CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT,M3.2.0,M11.1.0", "<+14>-14",
         "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "<-04>4<-03>,M9.1.6/24,M4.1.6/24",
         "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "XXX0YYY12,J364/23,2/-90"]
DAY = 86_400_000


def zone(r):
    def clock(most):
        return f"{r.randrange(-most, most + 1)}:{r.randrange(60):02}"

    def change():
        return r.choice([f"J{r.randrange(1, 366)}", f"{r.randrange(366)}",
                         f"M{r.randrange(1, 13)}.{r.randrange(1, 6)}.{r.randrange(7)}"]
                        ) + "/" + clock(167)

    rule = r.choice(ZONES)
    if r.random() < 0.05:
        rule = f"AAA{clock(24)}BBB{clock(24)},{change()},{change()}"
    found = {"name": "Test/Zone", "rule": rule}
    if r.random() < 0.1:
        ends = sorted({r.choice(STARTS) + r.randrange(-3 * DAY, 3 * DAY) for _ in range(3)})
        found["transitions"] = [{"until": end, "offset": r.choice("+-") + r.choice(
            ["01:00", "02:30", "11:00", "14:00", "00:17:30"])} for end in ends]
    return found


def window(r):
    if r.random() < 0.6:
        return r.choice(["hour", "day", "week", "month", "year"])
    found = {"every": r.choice(["hour", "day", "day", "week", "month", "year"]), "anchor": "start"}
    if r.random() < 0.4:
        found["count"] = r.choice([1, 2, 3, 5, 366])
    if r.random() < 0.4:
        found["anchor"] = r.choice(STARTS) + r.randrange(-60 * DAY, 60 * DAY)
    return found


def rolling(r):
    """A limit's window that rolls; one in a while does not divide."""
    found = {"last": r.choice(["hour", "hour", "day", "week"]),
             "buckets": r.choice([1, 2, 3, 4, 12, 60, 100])}
    if r.random() < 0.3:
        found["count"] = r.choice([1, 2, 5, 366])
    return found


def hours(r):
    def clock():
        return f"{r.randrange(24):02}:{r.choice([0, 30, 59]):02}"

    found = []
    for _ in range(r.choice([1, 1, 2])):
        part = {"from": clock(), "until": clock()}
        if r.random() < 0.6:
            days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
            part["days"] = [day for day in days if r.random() < 0.6] or ["sun"]
        found.append(part)
    return found


def charge(r, number):
    model = r.choice(MODELS + MODELS + PER_CALL)
    part = {"id": f"c{number}", "model": model}
    if model != "flat":
        part["meter"] = r.choice(METERS)
    if model not in ("graduated", "volume"):
        part["price"] = price(r)
    if model in MODELS[1:] and r.random() < 0.4:
        aggregate(r, part)
    if model == "package":
        part["size"] = r.randrange(1, 12)
    if model in ("graduated", "volume"):
        part["tiers"] = tiers(r)
    if model == "volume" or part.get("aggregate") == "latest" or r.random() < 0.6:
        part["window"] = window(r)
    if model in PER_CALL:
        per_call(r, part)
        return part
    if r.random() < 0.4:
        part["free"] = r.randrange(0, 25)
    if r.random() < 0.2:
        part["discount"] = r.choice(["0", "0.15", "0.5", "0.999"])
    if r.random() < 0.2:
        part["off"] = price(r)
    if r.random() < 0.2:
        part["cap"] = str(r.randrange(1, 60))
    if "window" in part and r.random() < 0.2:
        part["minimum"] = str(r.randrange(1, 60))
        if "cap" in part and int(part["cap"]) < int(part["minimum"]):
            part["cap"] = part["minimum"]
    flat = part.get("price", part.get("tiers", [{}])[0].get("flat", "0"))
    if model in ("flat", "graduated", "volume") and flat != "0" and r.random() < 0.4:
        part["zero"] = True
        if model == "flat" and "window" in part and r.random() < 0.5:
            part["prorate"] = True
            part.pop("minimum", None)
    return part


def aggregate(r, part):
    part["aggregate"] = r.choice(["sum", "count", "max", "max", "latest", "latest", "unique", "unique"])
    if part["aggregate"] == "unique":
        part.update(of=r.choice(["key", "region"]), values=r.choice([1, 2, 2, 3, 10_000]))


def per_call(r, part):
    if part["model"] == "percentage":
        part["rate"] = r.choice(["0", "0.029", "0.5", "1"])
        for name in ("fixed", "min"):
            if r.random() < 0.4:
                part[name] = price(r)
        if r.random() < 0.4:
            part["max"] = str(r.randrange(3, 60))
    elif part["model"] == "cost_plus":
        name, values = r.choice([("markup", ["0", "0.25", "9"]), ("margin", ["0", "0.2", "0.7"])])
        part[name] = r.choice(values)
    else:
        part["max"] = str(r.randrange(10, 400))
        if r.random() < 0.3:
            part["min"] = price(r)


def grant(r, number, charges, given=False):
    """A grant of a plan, or, with the instant at which a command gives it, the command's terms."""
    part = {"id": f"g{number}", "kind": r.choice(["promotional", "trial", "included"])}
    meters = [c.get("meter", "requests") for c in charges]
    amount = r.randrange(1, 60)
    if r.random() < 0.5:
        part["meter"], part["units"] = r.choice(meters), amount
    else:
        part["money"] = str(amount) if r.random() < 0.7 else f"{amount}.5"
        ids = [c["id"] for c in charges]
        if ids and r.random() < 0.4:
            part["charges"] = sorted(r.sample(ids, r.randrange(1, len(ids) + 1)))
    if r.random() < 0.2:
        part["match"] = {"purpose": ["inference"]}
    if r.random() < 0.4:
        part["priority"] = r.choice([0, 99, 100, 1000])
    if given is not False:
        if r.random() < 0.5:
            part["kind"], part["reference"] = "paid", f"payment {number}"
            if "units" in part:
                part["price"] = str(r.randrange(1, 30))
        if r.random() < 0.5:
            part["expires_at"] = given + r.choice([0, 1, 5_000, 900_000, 7_200_000])
        return part
    if r.random() < 0.5:
        part["window"] = window(r)
    if r.random() < 0.3:
        part["expires"] = r.choice([1, 900, 60_000, 7_200_000])
    elif "window" in part and r.random() < 0.7:
        low, high = sorted(r.randrange(80) for _ in range(2))
        rollover = {"min": low, "max": high}
        part["rollover"] = ({k: str(v) for k, v in rollover.items()} if "money" in part
                            else rollover)
    return part


def limit(r, number):
    kind = r.choice(["spend", "spend", "spend", "units", "units", "concurrency", "rate"])
    part = {"id": f"l{number}"}
    if kind == "spend":
        part["spend"] = str(r.randrange(1, 400))
    elif kind == "units":
        part.update(meter=r.choice(METERS + ["requests"]), most=r.choice([1, 3, 20, 60, 200]))
    elif kind == "concurrency":
        part["concurrency"] = r.randrange(1, 4)
    else:
        part["rate"] = {"calls": r.randrange(1, 8), "every": r.choice(["second", "minute", "hour"]),
                        "burst": r.randrange(1, 6)}
    if kind in ("spend", "units"):
        if r.random() < 0.7:
            part["window"] = rolling(r) if r.random() < 0.4 else window(r)
        if r.random() < 0.4:
            shares = ["0.05", "0.25", "0.333333333333333333", "0.5", "0.8", "1", "1.5"]
            part["notify"] = sorted(r.sample(shares, r.randrange(1, 5)))
            part["soft"] = r.random() < 0.4
    if r.random() < 0.3:
        name = r.choice(["purpose", "region"])
        part["match"] = {name: sorted(r.sample(VALUES[name], r.randrange(1, 3)))}
    if r.random() < 0.4:
        part["per"] = r.choice(["key", "key", "region"])
        if kind != "concurrency" and r.random() < 0.6:
            part["values"] = r.randrange(1, 4)
    if r.random() < 0.2:
        share(r, part)
    return part


def share(r, part):
    """Makes a limit one for all subscriptions of a payer."""
    part["across"] = "payer"
    if isinstance(part.get("window"), dict) and part["window"].get("anchor") == "start":
        if r.random() < 0.95:
            part["window"] = r.choice(["hour", "day"])


def shareable(r, document):
    """Gives a plan limits that subscriptions share, and lets a payer have several."""
    for number in range(r.choice([1, 1, 2, 3])):
        part = limit(r, f"s{number}")
        share(r, part)
        document.setdefault("limits", []).append(part)
    document.get("term", {}).pop("once", None)


def some(r, values):
    return sorted(r.sample(values, r.randrange(1, len(values) + 1)))


def commitment(r, number, charges):
    """One in a while names a charge that it must not."""
    ids = [c["id"] for c in charges if r.random() < 0.1 or not (
        c["model"] == "volume" or c.get("aggregate") == "latest" or c.get("minimum", "0") != "0")]
    ids = ids or [charges[0]["id"]]
    return {"id": f"k{number}", "charges": sorted(r.sample(ids, r.randrange(1, len(ids) + 1))),
            "window": window(r) if r.random() < 0.5 else r.choice(["hour", "day"]),
            "minimum": str(r.randrange(1, 90))}


def selector(r, start, contexts):
    """Members of a charge that say which calls it is for."""
    part = {}
    for _ in range(r.randrange(3)):
        kind = r.randrange(6)
        if kind == 0:
            part.setdefault("match", {})["region"] = some(r, VALUES["region"])
        elif kind <= 2:
            part.setdefault("match", {})["purpose"] = some(r, VALUES["purpose"])
        elif kind == 3:
            turn = start + r.choice([0, 1_000, 600_000, 3_600_000])
            part["effective"] = r.choice([{"from": turn}, {"until": turn}])
        elif kind == 4:
            part["hours"] = hours(r)
        elif contexts:
            turn = r.choice([1, 5, 12])
            part["context"] = dict({"meter": contexts}, **r.choice([
                {"above": turn}, {"up_to": turn}, {"above": turn, "up_to": turn + 9}]))
    return part or {"match": {}}


def selected(r, start):
    """Charges of which one counts in a call. Some such plans leave open which, and are refused."""
    charges = []
    for meter in r.sample(METERS[:2] + PARTS, r.randrange(1, 4)):
        contexts = r.choice([None, "input_tokens"])
        if contexts:
            models = [{"model": "per_unit", "meter": meter, "price": price(r)}
                      for _ in range(r.randrange(1, 5))]
        else:
            models = [charge(r, 0) for _ in range(r.randrange(1, 4))]
            for model in models:
                if model["model"] != "flat":
                    model["meter"] = meter
        for model in models:
            if r.random() < 0.9:
                model.update(selector(r, start, contexts))
            model["id"] = f"c{len(charges)}"
            if r.random() < 0.1 or readable(charges + [model]):
                charges.append(model)
        rest = {"id": f"c{len(charges)}", "model": "per_unit", "meter": meter,
                "price": price(r), "match": {}}
        if r.random() < 0.8 and readable(charges + [rest]):
            charges.append(rest)
    return charges or [rest]


def readable(charges):
    """Whether a plan may have these charges."""
    try:
        read = PLAIN.read_parts(Node(parse(json.dumps(charges))), PLAIN.read_charge)
        selectors.check(read, {})
    except Refused:
        return False
    return True


def around(charges):
    """What every plan has."""
    return {
        "format": "counterfoil/plan/1", "name": "differential", "authority": ADDRESS,
        "currency": {"iso4217": "USD"}, "meters": {meter: "unit" for meter in METERS + PARTS},
        "charges": charges, "payees": [{"payee": "seller", "weight": 1}]}


PLAIN = Plan(json.dumps(around(
    [{"id": "c", "model": "per_unit", "meter": METERS[0], "price": "1"}])))


def credits(r):
    """Derived meters."""
    derived = {}
    for name in r.sample(["credits", "points"], r.randrange(1, 3)):
        weights = []
        for _ in range(r.randrange(1, 5)):
            weight = {"meter": r.choice(METERS + PARTS[:2] + ["requests"]),
                      "weight": r.randrange(1, 6)}
            if r.random() < 0.4:
                weight["match"] = selector(r, 0, None).get("match", {})
            weights.append(weight)
        if r.random() < 0.3:  # tokens that turn out to be cached are worth less
            weights = [{"meter": "input_tokens", "weight": 5}, {"meter": "cached_input_tokens", "weight": 1}]
        derived[name] = {"unit": "credit", "weights": weights}
    return derived


def limit_credits(r, derived, charges, limits):
    """Limits on derived meters, as a rule on those that every charge sums."""
    counting = {name: [c for c in charges if c.get("meter") == name] for name in derived}
    summed = [name for name, of in counting.items() if of]
    for name in summed:
        for part in counting[name]:
            if r.random() < 0.9:
                for member in ("aggregate", "of", "values"):
                    part.pop(member, None)
    if r.random() < 0.05:
        summed = list(derived)
    if summed and r.random() < 0.8:
        part = {"id": "derived", "meter": r.choice(summed), "most": r.choice([40, 100, 200, 400])}
        part.update(r.choice([{}, {"window": "day"}, {"notify": ["0.1", "0.5", "1"]}, {"per": "key"},
                              {"window": "hour", "match": {"purpose": ["inference"]}}]))
        limits.append(part)


def clause(r, start, depth):
    """A condition, most often one that some calls meet and some do not."""
    kind = r.choice(["in", "in", "prefix", "range", "effective", "hours", "payer", "evidence"] + [
        "all", "any", "any", "not", "at_least"] * (depth > 0))
    if kind in ("all", "any"):
        return {kind: [clause(r, start, depth - 1) for _ in range(r.choice([0, 1, 2, 2, 3]))]}
    if kind == "not":
        return {"not": clause(r, start, depth - 1)}
    if kind == "at_least":
        parts = [clause(r, start, depth - 1) for _ in range(r.randrange(1, 4))]
        return {"at_least": r.randrange(1, len(parts) + 1), "of": parts}
    if kind == "effective":
        at = start + r.choice([-1, 1]) * r.randrange(7_200_000)
        bounds = {"from": max(0, at), "until": max(0, at) + r.randrange(1, 7_200_000)}
        return {"effective": {n: bounds[n] for n in r.choice([["from"], ["until"], ["from", "until"]])}}
    if kind == "hours":
        return {"hours": hours(r)}
    if kind == "payer":
        return {"payer": r.choice([[ADDRESS], [PAYER], ["0x" + "00" * 31 + "01", PAYER]])}
    if kind == "evidence":
        return {"evidence": {"attestor": ADDRESS, "statement": r.choice(STATEMENTS)}}
    if kind == "range":
        return {"attribute": "seats", **r.choice([{"from": 3}, {"up_to": 5}, {"from": 2, "up_to": 8}])}
    name = r.choice(sorted(VALUES))
    if kind == "prefix":
        return {"attribute": name, "prefix": r.choice(VALUES[name])[:r.randrange(1, 3)]}
    return {"attribute": name, "in": sorted(r.sample(VALUES[name], r.randrange(1, 3)))}


def plan(r, start):
    charges = [charge(r, n) for n in range(r.randrange(1, 5))]
    derived = {}
    if r.random() < 0.5:
        charges = selected(r, start)
    elif r.random() < 0.4:
        derived = credits(r)
        for part in charges:
            if part["model"] != "flat":
                part["meter"] = r.choice([*derived, *derived, r.choice(METERS + PARTS[:1])])
                if r.random() < 0.2:
                    part["match"] = selector(r, 0, None).get("match", {})
    if r.random() < 0.3:
        charges.append({"id": "fee", "model": "flat", "price": price(r), "zero": True,
                        "window": r.choice(["hour", "day", {"every": "day", "anchor": "start"}]),
                        "prorate": r.random() < 0.8})
        if charges[-1]["price"] == "0":
            charges.pop()
    limits = [limit(r, n) for n in range(r.choice([0, 1, 1, 2, 2, 3, 5]))]
    if derived:
        limit_credits(r, derived, charges, limits)
    hold = r.choice([1_000, 60_000, 600_000])
    document = {
        **around(charges),
        "currency": r.choice([{"iso4217": "USD"}, {"iso4217": "JPY"}, {
            "network": "eip155:8453", "token": "0x833589fCD6eDb6E08f4c7C32D4f71b54bda02913",
            "decimals": 6}]),
        "limits": limits,
        "payees": [{"payee": p, "weight": r.randrange(1, 60)}
                   for p in sorted(r.sample(PAYEES, r.randrange(1, 5)), key=payee_order)],
        "rounding": r.choice(["carry", "carry", "up", "down", "half_even"]),
        "times": {"hold": hold, "grace": hold * r.randrange(1, 4), "replay": r.choice(
            [hold, 3_600_000])},
    }
    if r.random() < 0.2:
        document["times"]["late"] = r.choice(["charge", "mark", "mark"])
    if derived:
        document["derived"] = derived
    if r.random() < 0.3:
        limits.append({"id": "owed", "credit": str(r.choice([0, 0, 5, 30]))})
    if r.random() < 0.3:
        document["commitments"] = [commitment(r, n, charges) for n in range(r.randrange(1, 3))]
    if not limits:
        del document["limits"]
    if r.random() < 0.4:
        document["zone"] = zone(r)
    if r.random() < 0.6:
        document["grants"] = [grant(r, n, charges) for n in range(r.randrange(1, 4))]
    credits_limited = [part["meter"] for part in limits if part["id"] == "derived"]
    if credits_limited and r.random() < 0.5:
        document.setdefault("grants", []).append(
            {"id": "derived", "kind": "included", "meter": credits_limited[0],
             "units": r.choice([10, 80, 300])})
    if r.random() < 0.3:
        document["condition"] = clause(r, start, 3)
        if r.random() < 0.4:
            stated = {"evidence": {"attestor": ADDRESS, "statement": r.choice(STATEMENTS)}}
            document["condition"] = {r.choice(["all", "any"]): [document["condition"], stated]}
    if r.random() < 0.5:
        document["term"] = term(r, charges)
    if r.random() < 0.4:
        document["signing"] = {"mode": "checkpoint", "receipts": r.randrange(1, 6),
                               "value": str(r.randrange(1, 50)), "ms": 600_000}
    return document


def lendable(r, document):
    """Takes most of what refuses a lease out of a plan."""
    document["rounding"] = "carry"
    document["charges"] = [c for c in document["charges"] if c["model"] not in PER_CALL
                           and c["model"] != "volume" or r.random() < 0.1] or document["charges"]
    if r.random() < 0.9:
        document.pop("commitments", None)
    for part in document.get("limits", []):
        if r.random() < (0.9 if isinstance(part.get("window"), dict) else 0.5):
            part.pop("window", None)
    for part in document["charges"]:
        if part.get("aggregate", "sum") not in ("sum", "count") and r.random() < 0.9:
            for name in ("aggregate", "of", "values"):
                part.pop(name, None)
    limits = [part for part in document.get("limits", [])
              if ("spend" in part or "units" in part or "most" in part or r.random() < 0.1)
              and ("across" not in part or r.random() < 0.1)]
    document["limits"] = limits
    if not limits:
        del document["limits"]
    for part in document["charges"]:
        if part["model"] != "volume" and (part.get("window") == "hour" or r.random() < 0.5):
            part.pop("window", None)
            part.pop("minimum", None)


def length(r):
    if r.random() < 0.5:
        return r.choice([1_000, 3_600_000, 7_200_001, 86_400_000])
    found = {"every": r.choice(["hour", "hour", "day", "week", "month"])}
    if r.random() < 0.4:
        found["count"] = r.randrange(1, 4)
    return found


def term(r, charges):
    found = {}
    due = any(part["model"] != "flat" and part.get("zero") for part in charges)
    if r.random() < 0.6:
        found["length"] = length(r)
        if r.random() < 0.6:
            found["renewal"] = r.choice(["auto", "auto", "none"])
    if r.random() < 0.4 and (not due or r.random() < 0.05):
        found["trial"] = length(r)
    if r.random() < 0.3:
        found["once"] = r.choice(["starter", "other"])
    if r.random() < 0.6:
        found["cancellation"] = r.choice(["at_end", "immediate"])
    if r.random() < 0.3:
        found["notice"] = r.choice([1, 60_000, 3_600_000])
    return found


def payee_order(payee):
    """As plans sort payees: accounts by name, then addresses."""
    return (1, bytes.fromhex(payee[2:])) if payee.startswith("0x") else (0, payee.encode())


def usage(r, priced, large=False):
    most = 60 if large else 25
    known = METERS if r.random() < 0.03 else priced
    meters = {m: str(r.randrange(most)) for m in known if r.random() < 0.8}
    if set(known) & set(PARTS):
        for part in PARTS:
            if part in meters:
                meters[part] = str(int(meters[part]) // 3)
        if "input_tokens" in known and r.random() < 0.9:
            meters["input_tokens"] = str(r.randrange(most // 2, most))
    if r.random() < 0.1:
        meters["requests"] = str(r.randrange(4))
    given = {"meters": meters}
    if r.random() < 0.7:
        given["attributes"] = {"purpose": r.choice(VALUES["purpose"])}
        if r.random() < 0.5:
            given["attributes"]["region"] = r.choice(VALUES["region"])
        if r.random() < 0.6:
            given["attributes"]["key"] = r.choice(VALUES["key"])
        if r.random() < 0.3:
            given["attributes"]["seats"] = r.choice(["0", "2", "3", "5", "9", "03", "x"])
    return given


def asked(step):
    """The step without its result: what an earlier one gave is not what this one gives."""
    return {name: step[name] for name in ("op", "in", "as") if name in step}


def details(r, name):
    kind, count, names = ("ttl", "inputTokens", ["5m", "1h", "1d"]) if name == "cacheDetails" else (
        "modality", "tokenCount", ["TEXT", "AUDIO", "IMAGE", "VIDEO"])
    return [{kind: r.choice(names), count: r.randrange(8)} for _ in range(r.randrange(3))]


def body(r, surface):
    """A body of a surface, often one that adds up."""
    place, counts, total = BODIES[surface]
    found = {}

    def put(path, value):
        at = found
        for name in path.split("/")[:-1]:
            at = at.setdefault(name, {})
        at[path.split("/")[-1]] = value

    sums = 0
    for number, path in enumerate(counts):
        if r.random() < (0.97 if number < 2 else 0.45):
            if path.endswith("Details"):
                put(path, details(r, path))
                continue
            quantity = r.randrange(10, 40) if number < 2 else r.choice([0, 1, 3, 5, 8, 15])
            if r.random() < 0.02:
                quantity = r.choice([None, 1.5, "1", [], -1])
            put(path, quantity)
            if number < 2 or path in BESIDE.get(surface, ()):
                sums += quantity if isinstance(quantity, int) else 0
    if total and r.random() < 0.97:
        put(total, sums + (r.random() < 0.05))
    if not place:
        return found
    return {place: found, "model": "m"} if r.random() < 0.95 else {"x_groq": {place: found}}


def events(r, surface):
    """Events of a stream, whose outputs mostly rise."""
    found = []
    for _ in range(r.randrange(6)):
        event = r.choice([{}, {"model": "late"}, {"delta": r.choice(["a", {}, None])}])
        if r.random() < 0.7:
            inner = body(r, surface)
            path = r.choice(["", "response", "message", "metadata", "delta"]) if r.random() < 0.6 else {
                "anthropic.messages": "message", "bedrock.converse": "metadata",
                "cohere.chat": "delta"}.get(surface, "response" if "openai.re" in surface else "")
            event = {**event, **({path: inner} if path else inner)}
        reason = r.choice([None, "stop"])
        for items, name in (("choices", "finish_reason"), ("candidates", "finishReason")):
            if r.random() < 0.5:
                event[items] = [{}, {name: reason}][:r.randrange(3)]
        if r.random() < 0.2 and isinstance(event.get("delta", {}), dict):
            event["delta"] = {**event.get("delta", {}), "stop_reason": reason}
        found.append(event)
    if r.random() < 0.6:
        found.sort(key=lambda event: json.dumps(event).count("1"))
    texts = [json.dumps(event) for event in found]
    return texts + ["[DONE]"] if r.random() < 0.2 else texts


class Case:
    """One vector in the making: each step is run as it is added, so later ones can build on it."""

    def __init__(self, seed):
        self.r = Random(seed)
        self.script = Script()
        self.steps = []
        self.now = self.r.choice(STARTS) + self.r.randrange(3_600_000)
        self.requests = []  # of the subscription that events are about
        self.given = []
        self.readings = {}  # of requests that were charged in parts
        self.ordinal = 0
        self.meter = "m"
        self.leasing = self.r.random() < 0.3
        self.sharing = not self.leasing and self.r.random() < 0.25
        self.leases = []
        self.opened = None  # the subscription that events are about
        self.earlier = []   # those that it took the place of
        self.beside = []    # the payer's others: (subscription, its requests)

    def add(self, op, as_=None, **given):
        step = {"op": op, "in": given}
        if as_:
            step["as"] = as_
        return self.take(step)

    def take(self, step):
        done = perform(self.script, step)
        self.steps.append(done)
        return done

    def wait(self):
        r = self.r
        self.now += r.choice([0, 0, 1, 1, 300, 300, 900, 900, 5_000, 61_000, 601_000, 3_600_000])
        if r.random() < 0.02:
            self.now += 86_400_000 * r.randrange(1, 33)

    def reading(self, request):
        """What a call has used so far: rarely less than before."""
        r = self.r
        found = usage(r, self.priced)
        before = self.readings.get(request, {})
        if r.random() < 0.95:
            for meter, quantity in before.items():
                more = int(found["meters"].get(meter, 0)) // 3
                found["meters"][meter] = str(int(quantity) + more)
        self.readings[request] = found["meters"]
        return found

    def journal(self):
        return {"journal": self.r.choice(["fails", "doubt"])} if self.r.random() < 0.04 else {}

    def begin(self):
        document = plan(self.r, self.now)
        if self.leasing:
            lendable(self.r, document)
        if self.sharing:
            shareable(self.r, document)
        self.parts, self.limits = document["charges"], document.get("limits", [])
        self.evidence = "evidence" in json.dumps(document.get("condition"))
        priced = {c["meter"] for c in document["charges"] if "meter" in c}
        for name, derived in document.get("derived", {}).items():
            if name in priced:
                priced |= {weight["meter"] for weight in derived["weights"]} - {"requests"}
                if self.r.random() < 0.95:
                    priced.remove(name)
        self.priced = sorted(priced)
        self.charges = [c["id"] for c in document["charges"]]
        # Mostly as entries record it, so that the model reads it once.
        form = {"sort_keys": True, "separators": (",", ":")} if self.r.random() < 0.9 else {}
        loaded = self.add("plan.load", "p", text=json.dumps(document, **form))
        if "error" in loaded:
            return
        self.add("key.load", "k", secret=SECRET)
        self.add("meter.new", "m", saltKey="0x" + "07" * 32)
        self.add("meter.begin", meter="m", origin="log", signer=ADDRESS, now=str(self.now))
        self.add("meter.addPlan", meter="m", plan="p", now=str(self.now))
        self.plans = [loaded["out"]["id"]]
        if self.r.random() < 0.5:
            other = {**document, "name": "Other", "term": term(self.r, document["charges"])}
            if self.sharing:
                other["term"].pop("once", None)
            if self.r.random() < 0.3:
                times = {**document["times"], "grace": document["times"]["hold"] * self.r.randrange(1, 9)}
                other.update(rounding=self.r.choice(["carry", "up"]), times=times)
            loaded = self.add("plan.load", "q", text=json.dumps(other, **form))
            if "out" in loaded:
                self.add("meter.addPlan", meter="m", plan="q", now=str(self.now))
                self.plans.append(loaded["out"]["id"])
        for holder in HOLDERS if self.leasing else ():
            self.add("meter.new", holder, saltKey="0x" + "09" * 32)
            self.add("meter.begin", meter=holder, origin=holder, signer=ADDRESS, now=str(self.now))
            self.add("meter.addPlan", meter=holder, plan="p", now=str(self.now))
        opened = self.add("meter.subscribe", meter="m", now=str(self.now), account="acme",
                          plan=self.plans[0], payer=None, startedAt=str(
                              self.now - self.r.choice([0, 1_000, 1_000, 7_200_000])))
        self.opened = opened.get("out")
        if self.sharing and self.opened:
            for _ in range(self.r.choice([1, 1, 2, 3])):
                self.subscribe()
                self.recover()

    def recover(self):
        """Ends the doubt of the last step, if it left any."""
        if self.steps[-1]["in"].get("journal") == "doubt":
            self.add("meter.recover", meter=self.meter, written=self.r.random() < 0.5)

    def subscribe(self):
        """Another subscription, most often of the same payer."""
        r = self.r
        account = "other" if r.random() < (0.1 if self.sharing else 0.5) else "acme"
        start = self.now - r.choice([0, 0, 0, 1_000, 3_600_000, 86_400_000])
        done = self.add("meter.subscribe", meter=self.meter, plan=r.choice(self.plans), payer=None,
                        account=account, startedAt=str(start), now=str(self.now), **self.journal())
        known = [self.opened, *self.earlier, *(opened for opened, _ in self.beside)]
        if "out" in done and all(done["out"]["lane"] != opened["lane"] for opened in known):
            self.beside.append((done["out"], []))

    def turn(self):
        """Goes on with another subscription."""
        self.beside.append((self.opened, self.requests))
        self.opened, self.requests = self.beside.pop(self.r.randrange(len(self.beside) - 1))

    def lend(self, subscription):
        r, now = self.r, str(self.now)
        name, holder = f"l{len(self.steps)}", r.choice(HOLDERS)
        charges = self.charges if r.random() < 0.8 else r.sample(self.charges, 1)
        limits = [part["id"] for part in self.limits if "most" in part and r.random() < 0.8]
        attributes = usage(r, self.priced).get("attributes", {})
        span = r.choice([1, 900_000, 1_800_000, 3_600_000, 7_200_000, DAY])
        done = self.add(
            "meter.lease", name, meter=self.meter, subscription=subscription, holder=holder,
            until=str(self.now + span), units={c: str(r.randrange(r.choice([5, 90, 90, 90]))) for c in charges},
            limits={id_: str(r.randrange(40)) for id_ in limits}, attributes=attributes, now=now,
            **self.journal())
        if "leased" not in done.get("out", {}):
            return
        self.add("key.sign", name + "s", key="k", digest=f"@{name}.leased.sign.digest")
        taken = self.add("meter.accept", meter=holder if r.random() < 0.95 else self.meter,
                         lease=f"@{name}.leased.bytes", signature=f"@{name}s.signature", now=now)
        self.leases.append({"id": f"@{name}.leased.lease", "holder": holder, "calls": 0,
                            "attributes": attributes, "open": "out" in taken})

    def use(self, lease):
        r = self.r
        on = {"meter": lease["holder"], "subscription": lease["id"]}
        for _ in range(r.choice([1, 1, 3])):
            lease["calls"] += r.random() < 0.9
            request = f"{lease['calls']}"
            for op, wanted in (("authorize", "most"), ("settle", "usage")):
                if r.random() < 0.1:
                    continue
                given = usage(r, self.priced, r.random() < 0.2)
                if r.random() < 0.9:
                    given["attributes"] = lease["attributes"]
                self.add("meter." + op, f"x{len(self.steps)}", id=request, now=str(self.now), **on,
                         **{wanted: given})
                self.now += r.choice([0, 0, 1, 300, 60_000])
                if r.random() < 0.1:
                    self.add("meter.extend", id=request, now=str(self.now), **on)
                if lease["open"] and r.random() < 0.03:
                    self.add("meter.holds", **on)

    def state(self, lease):
        r, name = self.r, f"t{len(self.steps)}"
        now = str(self.now)
        done = self.add("meter.statement", name, meter=lease["holder"], lease=lease["id"],
                        closing=r.random() < 0.6, now=now)
        if "out" in done and r.random() < 0.9:
            self.add("key.sign", name + "s", key="k", digest=f"@{name}.sign.digest")
            lease["stated"] = name
        if "stated" in lease:
            name = lease["stated"]
            self.add("meter.absorb", meter=self.meter, statement=f"@{name}.statement",
                     signature=f"@{name}s.signature", now=now)

    def event(self):
        r, now = self.r, str(self.now)
        if self.beside and r.random() < (0.35 if self.sharing else 0.1):
            self.turn()
        subscription, lane = self.opened["subscription"], self.opened["lane"]
        if self.leasing and r.random() < 0.6:
            if len(self.leases) < 4 and r.random() < 0.5 / (1 + len(self.leases)):
                self.lend(subscription)
            elif self.leases:
                r.choice([self.use, self.use, self.state])(r.choice(self.leases))
            self.recover()
            return
        kind = r.choices(
            ["authorize", "settle", "release", "import", "due", "checkpoint", "collect", "look",
             "quote", "replay", "again", "window", "grant", "void", "read", "credit", "part",
             "extend", "present", "cancel", "switch", "subscribe", "stream"],
            [40, 30, 2, 12, 12, 1, 1, 0, 0, 1, 2, 0, 3, 1, 0, 4, 12, 2, 2, 0.8, 1.5, 1.5, 3]
            if self.sharing else
            [10, 10, 2, 5, 4, 1, 1, 1, 2, 1, 2, 2, 3, 1, 3, 4, 8, 2,
             9 if self.evidence else 0.1, 0.8, 1.5, 0.4, 3])[0]
        on = {"meter": self.meter, "subscription": subscription}
        if kind == "authorize":
            request = f"r{len(self.steps)}"
            self.requests.append(request)
            created = {}
            if r.random() < 0.05:
                created = {"createdAt": str(self.now - r.randrange(7_200_000))}
            done = self.add("meter.authorize", id=request, most=usage(r, self.priced, True), now=now,
                            **on, **created, **self.journal())
            if "authorized" not in done.get("out", {}) and r.random() < 0.8:
                self.requests.remove(request)
        elif kind == "again" and self.requests:
            earlier = [s for s in self.steps if s["op"] in (
                "meter.authorize", "meter.settle", "meter.settlePart")]
            step = asked(json.loads(json.dumps(r.choice(earlier))))
            step["in"].update(now=now, meter=self.meter)
            step["in"].pop("journal", None)
            step.pop("error", None)  # its place is not that of what comes now
            if "as" in step:
                step["as"] = f"x{len(self.steps)}"
            self.take(step)
        elif kind == "settle" and self.requests:
            request = r.choice(self.requests[-3:])
            used = (self.reading(request) if request in self.readings and r.random() < 0.9
                    else usage(r, self.priced, r.random() < 0.4))
            self.add("meter.settle", f"x{len(self.steps)}", id=request, usage=used, now=now, **on,
                     **self.journal())
            if request in self.readings and r.random() < 0.5:
                for _ in range(r.choice([1, 2, 3])):
                    self.credit(now, on, request)
        elif kind == "part" and self.requests:
            request = r.choice(self.requests[-3:])
            for _ in range(r.choice([1, 1, 2, 3])):
                done = self.add("meter.settlePart", f"x{len(self.steps)}", id=request,
                                usage=self.reading(request), now=str(self.now), **on,
                                **self.journal())
                if "receipt" not in done.get("out", {}):
                    break
                self.now += r.choice([0, 300])
        elif kind == "extend" and self.requests:
            self.add("meter.extend", id=r.choice(self.requests[-3:]), now=now, **on,
                     **self.journal())
        elif kind == "release" and self.requests:
            self.add("meter.release", id=r.choice(self.requests[-6:]),
                     reason=r.choice(["released", "unknown"]), now=now, **on, **self.journal())
        elif kind == "import":
            self.ordinal += r.randrange(3)
            at = self.now - (r.randrange(7_200_000) if r.random() < 0.2 else 0)
            self.add("meter.import", f"x{len(self.steps)}", at=str(at), usage=usage(r, self.priced, r.random() < 0.3),
                     input="0x" + "01" * 32, ordinal=str(self.ordinal),
                     offset=str(self.ordinal * 100), digest="0x" + "02" * 32, **on,
                     **self.journal())
        elif kind == "due":
            self.add("meter.due", f"x{len(self.steps)}", meter=self.meter, now=now, **self.journal())
            for _ in range(r.choice([0, 0, 2, 5])):
                if "out" not in self.steps[-1]:
                    break
                self.add("meter.due", f"x{len(self.steps)}", meter=self.meter, now=now)
        elif kind == "checkpoint":
            self.add("meter.checkpoint", meter=self.meter, **self.journal())
        elif kind == "collect":
            amount = r.randrange(500)
            self.add("meter.collect", meter=self.meter, lane=lane, amount=str(amount),
                     fee=str(r.randrange(amount + 1) // 4), reference="t", at=now,
                     **self.journal())
        elif kind == "grant":
            terms = grant(r, r.randrange(6), self.parts, self.now)
            self.given.append(terms["id"])
            self.add("meter.grant", terms=json.dumps(terms), now=now, **on, **self.journal())
        elif kind == "void":
            name = r.choice(self.given + [f"g{r.randrange(6)}"])
            self.add("meter.void", grant=name, now=now, **on, **self.journal())
        elif kind == "cancel":
            self.add("meter.cancel", now=now, **on, **self.journal())
        elif kind == "switch":
            to = self.plans[-1] if r.random() < 0.9 else self.plans[0]
            done = self.add("meter.switch", plan=to, now=now, **on, **self.journal())
            if "out" in done and r.random() < 0.7:
                self.earlier.append(self.opened)
                self.opened = done["out"]
                if r.random() < 0.5:
                    self.plans.reverse()
        elif kind == "subscribe":
            self.subscribe()
        elif kind == "present":
            self.present(on, now)
        elif kind == "credit":
            self.credit(now, on)
        elif kind == "stream":
            self.stream(on)
        elif kind == "look":
            self.add("meter.subscription", **on)
            self.add("meter.holds", **on)
            self.add("meter.lane", meter=self.meter, lane=lane)
        elif kind == "quote":
            self.add("plan.quote", plan="p", usage=usage(r, self.priced), at=now)
        elif kind == "window":
            at = r.choice([0, r.randrange(DAY), r.randrange(253_402_300_800_000),
                           253_402_300_799_999 - r.randrange(DAY),
                           self.now + r.randrange(400) * DAY + r.randrange(DAY)])
            for charge in self.charges:
                found = self.add("plan.window", plan="p", charge=charge, at=str(at),
                                 startedAt=str(self.now - 1_000))
                self.add("plan.window", plan="p", charge=charge, at=found["out"]["end"],
                         startedAt=str(self.now - 1_000))
        elif kind == "read":
            for surface in r.sample(sorted(BODIES), 3):
                self.add("usage.read", surface=surface, body=json.dumps(body(r, surface)))
            surface = r.choice(sorted(BODIES))
            self.add("usage.stream", surface=surface, events=events(r, surface))
        elif kind == "replay":
            fresh = f"m{len(self.steps)}"
            self.add("meter.replay", fresh, meter=self.meter, saltKey="0x" + "07" * 32)
            self.meter = fresh
        if kind in ("settle", "import", "due") and r.random() < 0.15:
            self.credit(now, on)
        self.recover()

    def present(self, on, now):
        """Evidence, most often such as counts; sometimes an earlier one again."""
        r, earlier = self.r, [s["as"] for s in self.steps if s["op"] == "evidence.sign" and "out" in s]
        if earlier and r.random() < 0.2:
            name = r.choice(earlier)
        else:
            name = f"e{len(self.steps)}"
            issued = self.now + r.choice([-60_000, -1, 0, 1, 300_000, 300_001])
            expires = issued + r.choice([0, 0, 1, 120_000, 3_600_000, 90_000_000])
            self.add("evidence.sign", name, key="k", statement=r.choice(STATEMENTS),
                     payer=PAYER if r.random() < 0.95 else "0x" + "00" * 32, issuedAt=str(issued),
                     seller=ADDRESS if r.random() < 0.95 else PAYEES[0], expiresAt=str(expires))
        self.add("meter.present", evidence=f"@{name}.json", now=now, **on, **self.journal())

    def stream(self, on):
        """A call in parts from its beginning to its end, of which some is given back."""
        r, request = self.r, f"r{len(self.steps)}"
        made = self.add("meter.authorize", id=request, most=usage(r, self.priced, True),
                        now=str(self.now), **on)
        if "authorized" not in made.get("out", {}):
            return
        for op in ["meter.settlePart"] * r.choice([1, 2, 3]) + ["meter.settle"]:
            self.now += r.choice([0, 1, 300])
            self.add(op, f"x{len(self.steps)}", id=request, usage=self.reading(request),
                     now=str(self.now), **on)
        for _ in range(r.choice([0, 1, 2, 3, 4])):
            self.credit(str(self.now), on, request)

    def credit(self, now, on, request=None):
        """One of the last receipts, or of those of a request, is given back, in part or whole."""
        r = self.r
        made = [step["as"] for step in self.steps
                if "as" in step and "receipt" in (step.get("out") or {})
                and "replayed" not in step["out"]
                and request in (None, step["in"].get("id"))]
        if not made:
            return
        name = r.choice(made[-4:])
        found = self.add("receipt.json", f"x{len(self.steps)}", receipt=name,
                         key="k" if r.random() < 0.97 else None)
        cost = int(self.script.outs[name]["receipt"]["charge"])
        amount = r.choice([None, None, None, "0.5", "1", str(r.randrange(cost + 2)),
                           str(r.randrange(40)), f"{r.randrange(9)}.{r.randrange(1, 10)}"])
        self.add("meter.credit", f"x{len(self.steps)}", id=f"q{r.choice([len(self.steps), r.randrange(3)])}",
                 json=found["out"]["json"], amount=amount, reason=r.choice(["late", "late", "bad"]),
                 now=now, **on, **self.journal())

    def finish(self):
        if self.r.random() < 0.5:
            # Windows close.
            self.now += self.r.choice([3_600_000, 90_000_000, 40 * 86_400_000])
            for _ in range(8):
                if self.add("meter.due", meter=self.meter, now=str(self.now)).get("out") == {
                        "nothing": {}}:
                    break
        for opened in [*self.earlier, *(opened for opened, _ in self.beside), self.opened]:
            self.add("meter.subscription", meter=self.meter, subscription=opened["subscription"])
            self.add("meter.lane", meter=self.meter, lane=opened["lane"])
        for meter in [self.meter, *(HOLDERS if self.leasing else [])]:
            self.add("ledger.audit", meter=meter, key="k")
            self.add("meter.entries", meter=meter)
            if any(lease["holder"] == meter and lease["open"] for lease in self.leases):
                self.add("ledger.settle", meter=meter, extent="everything", closing=True)
        if self.leasing:
            # The requests of every lease have the same ids.
            self.add("ledger.duplicates", meters=[self.meter, *HOLDERS])
        for extent in ("collected", "everything"):
            self.add("ledger.settle", meter=self.meter, extent=extent, closing=self.r.random() < 0.5)


def vector(seed):
    """The vector of a seed, with the model's results."""
    case = Case(seed)
    case.begin()
    if case.opened is not None:
        for _ in range(case.r.randrange(4, 26 if case.leasing or case.sharing else 16)):
            case.wait()
            case.event()
        case.finish()
    return {"format": "counterfoil/vector/0", "id": f"differential-{seed}",
            "title": "a random script", "rules": [], "scope": "internal", "steps": case.steps}


class Program:
    """The implementation under test."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)

    def compare(self, case):
        """None where it agrees with the model, else what differs."""
        print(json.dumps(case, ensure_ascii=False), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit("the program has ended")
        return None if answer.strip() == "ok" else answer.strip()


def minimise(program, case):
    """Drops steps as long as the rest still differs in the same operation."""
    steps = case["steps"]
    where = program.compare(case).partition("(")[2].partition(")")[0]
    at = len(steps) - 1
    while at >= 0:
        fewer = steps[:at] + steps[at + 1:]
        try:
            smaller = run({**case, "steps": [asked(step) for step in fewer]})
            found = program.compare(smaller) or ""
            if "expected" in found and f"({where})" in found:
                steps = smaller["steps"]
        except KeyError:
            pass  # a later step needs what this one makes
        at -= 1
    return {**case, "steps": steps}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("program", nargs="+")
    args = parser.parse_args()
    program = Program(args.program)
    steps = 0
    for number in range(args.cases):
        case = vector(args.seed * 1_000_000_007 + number)
        steps += len(case["steps"])
        if program.compare(case):
            small = minimise(program, case)
            print(json.dumps(small, indent=1, ensure_ascii=False))
            print(program.compare(small))
            print(f"case {number} of seed {args.seed} differs")
            return 1
        if (number + 1) % 10_000 == 0:
            print(f"{number + 1} cases", file=sys.stderr)
    print(f"differential: {args.cases} cases, {steps} steps, 0 differences")
    return 0


if __name__ == "__main__":
    sys.exit(main())
