"""R-AMT: currencies, by CAIP-2 network and token or by ISO-4217 code."""

import re

from .refused import need

NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split()
THREE = "BHD IQD JOD KWD LYD OMR TND".split()
FOUR = "CLF UYW".split()


def read(node):
    fields = node.fields()
    code = fields.get("iso4217")
    if code is not None:
        need(re.fullmatch("[A-Z]{3}", code.text()) is not None, "currency_invalid", code.pointer)
        value = code.value
        decimals = 0 if value in NONE else 3 if value in THREE else 4 if value in FOUR else 2
        currency = {"id": f"iso4217:{value}", "decimals": decimals, "token": None}
    else:
        network = fields.must("network").text()
        token = fields.must("token").text()
        places = fields.must("decimals")
        decimals = places.integer()
        need(decimals < 256, "currency_invalid", places.pointer)
        good = re.fullmatch(r"[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}", network) is not None
        evm = network.startswith("eip155:")
        form = r"0x[0-9a-fA-F]{40}" if evm else r"[-.%a-zA-Z0-9]{1,128}"
        good = good and re.fullmatch(form, token) is not None and decimals <= 36
        need(good, "currency_invalid", node.pointer)
        standard = "erc20" if evm else "token"
        token = token.lower() if evm else token
        currency = {"id": f"{network}/{standard}:{token}", "decimals": decimals,
                    "token": bytes.fromhex(token[2:]) if evm else None}
    fields.finish()
    return currency
