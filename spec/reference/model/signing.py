"""R-SIGN: hashes, addresses, EIP-712, secp256k1 signatures.

Keccak-256 and secp256k1 come from PyPI (pycryptodome, coincurve); everything above them is here.
"""

import hashlib
import re

from coincurve import PrivateKey, PublicKey
from Crypto.Hash import keccak

from .refused import Refused, need

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def keccak256(*parts):
    return keccak.new(digest_bits=256, data=b"".join(parts)).digest()


def checksummed(address):
    """EIP-55."""
    digits = address.hex()
    marks = keccak256(digits.encode()).hex()
    return "0x" + "".join(d.upper() if int(m, 16) >= 8 else d for d, m in zip(digits, marks))


def checked_address(text, place=None):
    good = re.fullmatch("0x[0-9a-fA-F]{40}", text) is not None
    need(good, "hex_invalid", place)
    digits = text[2:]
    if digits not in (digits.lower(), digits.upper()):
        need(checksummed(bytes.fromhex(digits)) == text, "hex_invalid", place)
    return bytes.fromhex(digits)


def word(value):
    """A field of a struct or of ABI-encoded data: 32 bytes."""
    return value.to_bytes(32, "big") if isinstance(value, int) else value.rjust(32, b"\0")


class Domain:
    """An EIP-712 domain of name, version and, optionally, chain and contract."""

    def __init__(self, name, version, chain=None, contract=None):
        kind = "EIP712Domain(string name,string version"
        words = [keccak256(name.encode()), keccak256(version.encode())]
        if chain is not None:
            kind += ",uint256 chainId,address verifyingContract"
            words += [word(chain), word(contract)]
        self.separator = keccak256(keccak256((kind + ")").encode()), *words)

    def digest(self, kind, *values):
        return keccak256(b"\x19\x01", self.separator, struct_hash(kind, *values))


def struct_hash(kind, *values):
    """A text stands for a string field, which is hashed; bytes and integers are words."""
    words = [keccak256(v.encode()) if isinstance(v, str) else word(v) for v in values]
    return keccak256(keccak256(kind.encode()), *words)


COUNTERFOIL = Domain("Counterfoil", "1")


def check_form(signature):
    need(len(signature) == 65, "signature_invalid")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    good = 0 < r < ORDER and 0 < s <= ORDER // 2 and signature[64] in (27, 28)
    need(good, "signature_invalid")


def address_of(public):
    return keccak256(public.format(compressed=False)[1:])[12:]


def recover(digest, signature):
    check_form(signature)
    raw = signature[:64] + bytes([signature[64] - 27])
    try:
        return address_of(PublicKey.from_signature_and_message(raw, digest, hasher=None))
    except Exception as error:
        raise Refused("signature_invalid") from error


def check(digest, signature, signer):
    need(recover(digest, signature) == signer, "signature_wrong_key")


class Key:
    def __init__(self, secret):
        need(len(secret) == 32 and 0 < int.from_bytes(secret, "big") < ORDER, "key_invalid")
        self.private = PrivateKey(secret)
        self.address = address_of(self.private.public_key)

    def sign(self, digest):
        raw = self.private.sign_recoverable(digest, hasher=None)
        return raw[:64] + bytes([raw[64] + 27])
