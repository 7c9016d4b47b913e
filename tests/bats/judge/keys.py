"""Keys and signatures for making chains in a hurry: a handful of keys, and nonces used again
and again, so that one costs some multiplications and no curve arithmetic. Never do so with
keys that matter: any two signatures with the same nonce give the key away."""

import functools
import hashlib

from bitcoin import G, Tx, point_add, point_mul, sha256, sha256d, tagged, var

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
ALL, NONE, SINGLE, ANYONECANPAY = 1, 2, 3, 0x80


class Key:
    def __init__(self, secret, point):
        self.secret = secret
        self.x = point[0].to_bytes(32, "big")
        self.pub = bytes([2 + (point[1] & 1)]) + self.x
        self.long = b"\x04" + self.x + point[1].to_bytes(32, "big")
        self.even = ORDER - secret if point[1] & 1 else secret


def points(seed, count):
    """Consecutive secrets from a seed's hash on, with their points."""
    secret = int.from_bytes(sha256(seed), "big") % (ORDER - count)
    point = point_mul(G, secret)
    for i in range(count):
        yield secret + i, point
        point = point_add(point, G)


KEYS = [Key(*p) for p in points(b"keys", 12)]
NONCES = [(k, point, pow(k, -1, ORDER)) for k, point in points(b"nonces", 64)]


def der_number(n):
    out = n.to_bytes(n.bit_length() // 8 + 1, "big")
    return b"\x02" + bytes([len(out)]) + out


def ecdsa(secret, digest, low=False):
    """DER; s is high as often as low, which blocks may (BIP 62 was withdrawn), or always low."""
    _, point, inverse = NONCES[digest[0] % len(NONCES)]
    r = point[0] % ORDER
    s = inverse * (int.from_bytes(digest, "big") + r * secret) % ORDER
    s = min(s, ORDER - s) if low else s
    body = der_number(r) + der_number(s)
    return b"\x30" + bytes([len(body)]) + body


CHALLENGE = hashlib.sha256(sha256(b"BIP0340/challenge") * 2)


def schnorr(even_secret, x, digest):
    """BIP 340, of the key whose point has an even y."""
    k, point, _ = NONCES[digest[0] % len(NONCES)]
    if point[1] & 1:
        k = ORDER - k
    r = point[0].to_bytes(32, "big")
    e = CHALLENGE.copy()
    e.update(r + x + digest)
    s = (k + int.from_bytes(e.digest(), "big") * even_secret) % ORDER
    return r + s.to_bytes(32, "big")


@functools.lru_cache(None)
def tweaked(key, root):
    """BIP 341: the output key's x, the parity of its y, and its secret for an even y."""
    t = int.from_bytes(tagged("TapTweak", key.x + root), "big")
    secret = (key.even + t) % ORDER
    out = Key(secret, point_mul(G, secret))
    return out.x, out.pub[0] & 1, out.even


def le32(n):
    return n.to_bytes(4, "little")


def le64(n):
    return n.to_bytes(8, "little", signed=True)


def outpoint(vin):
    return vin[0] + le32(vin[1])


def txout(value, script):
    return le64(value) + var(script)


def legacy_hash(tx, i, code, kind):
    """The original signature hash; `code` holds no OP_CODESEPARATOR."""
    base = kind & 0x1F
    if base == SINGLE and i >= len(tx.vout):
        return (1).to_bytes(32, "little")
    out = Tx()
    out.version, out.locktime = tx.version, tx.locktime
    out.vin = [[v[0], v[1], code if j == i else b"",
                0 if j != i and base in (NONE, SINGLE) else v[3]]
               for j, v in enumerate(tx.vin)]
    if kind & ANYONECANPAY:
        out.vin = [out.vin[i]]
    out.vout = tx.vout
    if base == NONE:
        out.vout = []
    elif base == SINGLE:
        out.vout = [[-1, b""]] * i + [tx.vout[i]]
    return sha256d(out.bytes(False) + le32(kind))


def segwit_hash(tx, i, code, value, kind):
    """BIP 143."""
    base, one = kind & 0x1F, kind & ANYONECANPAY
    prevouts = sequences = outputs = bytes(32)
    if not one:
        prevouts = sha256d(b"".join(map(outpoint, tx.vin)))
    if not one and base not in (NONE, SINGLE):
        sequences = sha256d(b"".join(le32(v[3]) for v in tx.vin))
    if base not in (NONE, SINGLE):
        outputs = sha256d(b"".join(txout(*o) for o in tx.vout))
    elif base == SINGLE and i < len(tx.vout):
        outputs = sha256d(txout(*tx.vout[i]))
    vin = tx.vin[i]
    return sha256d(le32(tx.version) + prevouts + sequences + outpoint(vin) + var(code)
                   + le64(value) + le32(vin[3]) + outputs + le32(tx.locktime) + le32(kind))


def taproot_hash(tx, i, coins, kind, annex=b"", leaf=b"", separator=0xFFFFFFFF):
    """BIP 341, and BIP 342's extension with a leaf's hash."""
    base, one = kind & 3, kind & ANYONECANPAY
    out = bytes([0, kind]) + le32(tx.version) + le32(tx.locktime)
    if not one:
        out += sha256(b"".join(map(outpoint, tx.vin)))
        out += sha256(b"".join(le64(c.value) for c in coins))
        out += sha256(b"".join(var(c.script) for c in coins))
        out += sha256(b"".join(le32(v[3]) for v in tx.vin))
    if base not in (NONE, SINGLE):
        out += sha256(b"".join(txout(*o) for o in tx.vout))
    out += bytes([2 * bool(leaf) + bool(annex)])
    if one:
        out += outpoint(tx.vin[i]) + txout(coins[i].value, coins[i].script)
        out += le32(tx.vin[i][3])
    else:
        out += le32(i)
    if annex:
        out += sha256(var(annex))
    if base == SINGLE:
        out += sha256(txout(*tx.vout[i]))
    if leaf:
        out += leaf + b"\x00" + le32(separator)
    return tagged("TapSighash", out)
