#!/usr/bin/env python3
"""Check the checksum of each descriptor on stdin, as BIP 380 has it. Ends with 1 at a wrong one."""

import sys

INPUT = ("0123456789()[],'/*abcdefgh@:$%{}IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~ijklmnopqrstuvwxyzABCDEFGH"
         "`#\"\\ ")
OUTPUT = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
GENERATOR = (0xF5DEE51989, 0xA9FDCA3312, 0x1BAB10E32D, 0x3706B1677A, 0x644D626FFD)


def step(state, symbol):
    top = state >> 35
    state = (state & 0x7FFFFFFFF) << 5 ^ symbol
    for i, g in enumerate(GENERATOR):
        if top >> i & 1:
            state ^= g
    return state


def checksum(text):
    state, groups = 1, []
    for c in text:
        at = INPUT.index(c)
        state = step(state, at & 31)
        groups.append(at >> 5)
        if len(groups) == 3:
            state, groups = step(state, groups[0] * 9 + groups[1] * 3 + groups[2]), []
    if len(groups) == 1:
        state = step(state, groups[0])
    elif groups:
        state = step(state, groups[0] * 3 + groups[1])
    for _ in range(8):
        state = step(state, 0)
    state ^= 1
    return "".join(OUTPUT[state >> 5 * (7 - i) & 31] for i in range(8))


def main():
    wrong = count = 0
    for line in sys.stdin:
        text, _, stated = line.strip().partition("#")
        count += 1
        if stated != checksum(text):
            print("%s: %s, stated %s" % (text, checksum(text), stated), file=sys.stderr)
            wrong += 1
    return 1 if wrong or not count else 0


if __name__ == "__main__":
    sys.exit(main())
