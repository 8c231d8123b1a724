"""R-LOG, R-CKPT: the RFC 6962 tree with SHA-256, its proofs, and checkpoints."""

from .refused import need
from .signing import COUNTERFOIL, sha256


def leaf(data):
    return sha256(b"\0", data)


def node(left, right):
    return sha256(b"\x01", left, right)


def split(n):
    """The largest power of two below n."""
    return 1 << (n - 1).bit_length() - 1


def root(leaves):
    """The root over hashed leaves (RFC 6962 section 2.1)."""
    if not leaves:
        return sha256()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return node(root(leaves[:k]), root(leaves[k:]))


def path(leaves, index):
    """The inclusion path (RFC 6962 section 2.1.1)."""
    need(0 <= index < len(leaves), "log_range")
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if index < k:
        return path(leaves[:k], index) + [root(leaves[k:])]
    return path(leaves[k:], index - k) + [root(leaves[:k])]


def root_of_path(hashed, index, size, siblings):
    """The root to which a leaf and its path lead (RFC 9162 section 2.1.3.2)."""
    need(0 <= index < size, "log_range")
    fn, sn, here = index, size - 1, hashed
    for sibling in siblings:
        need(sn != 0, "proof_invalid")
        if fn % 2 == 1 or fn == sn:
            here = node(sibling, here)
            while fn % 2 == 0 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            here = node(here, sibling)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0, "proof_invalid")
    return here


def verify_inclusion(head, index, size, siblings, top):
    need(len(siblings) <= 64, "proof_invalid")
    need(root_of_path(leaf(head), index, size, siblings) == top, "proof_invalid")


def consistency(leaves, old):
    """The consistency path (RFC 6962 section 2.1.2)."""
    need(0 <= old <= len(leaves), "log_range")
    return [] if old in (0, len(leaves)) else subproof(leaves, old, True)


def subproof(leaves, m, whole):
    if m == len(leaves):
        return [] if whole else [root(leaves)]
    k = split(len(leaves))
    if m <= k:
        return subproof(leaves[:k], m, whole) + [root(leaves[k:])]
    return subproof(leaves[k:], m - k, False) + [root(leaves[:k])]


def verify_consistency(old, old_root, new, new_root, siblings):
    """RFC 9162 section 2.1.4.2; an empty log is a prefix of every log."""
    need(0 <= old <= new, "log_range")
    need(len(siblings) <= 65, "proof_invalid")
    if old == 0:
        need(not siblings and old_root == root([]), "proof_invalid")
        return
    if old == new:
        need(not siblings and old_root == new_root, "proof_invalid")
        return
    siblings = list(siblings)
    if old & (old - 1) == 0:
        siblings.insert(0, old_root)
    need(siblings, "proof_invalid")
    fn, sn = old - 1, new - 1
    while fn % 2 == 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = siblings[0]
    for sibling in siblings[1:]:
        need(sn != 0, "proof_invalid")
        if fn % 2 == 1 or fn == sn:
            fr, sr = node(sibling, fr), node(sibling, sr)
            while fn % 2 == 0 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, sibling)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0 and fr == old_root and sr == new_root, "proof_invalid")


def lanes_root(lanes):
    """Over the sorted map lane → (sequence, head, cumulative, credited)."""
    return root(lane_leaves(lanes))


def lane_leaves(lanes):
    return [
        leaf(lane + sequence.to_bytes(8, "big") + head + cumulative.to_bytes(16, "big")
             + credited.to_bytes(16, "big"))
        for lane, (sequence, head, cumulative, credited) in sorted(lanes.items())]


CHECKPOINT = "Checkpoint(string origin,uint64 size,bytes32 root,bytes32 lanes,uint64 time)"


def checkpoint_digest(c):
    return COUNTERFOIL.digest(CHECKPOINT, c["origin"], c["size"], c["root"], c["lanes"], c["time"])


def checkpoint_note(c):
    from base64 import b64encode
    rows = [c["origin"], str(c["size"]), b64encode(c["root"]).decode(),
            "lanes " + b64encode(c["lanes"]).decode()]
    return "\n".join(rows) + "\n"
