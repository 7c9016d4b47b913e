"""A live `bb-chain run`, spoken to line by line."""

import json
import os
import subprocess

from harness import BIN


class Live:
    """From when it is made until it is ended."""

    def __init__(self, folder, *options):
        self.process = subprocess.Popen(
            [os.path.join(BIN, "bb-chain"), "-d", folder, "run", *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def say(self, line):
        """The verdict; events that come between are read from the store."""
        self.process.stdin.write(json.dumps(line).encode() + b"\n")
        self.process.stdin.flush()
        while True:
            answer = self.process.stdout.readline()
            if not answer:
                raise RuntimeError("bb-chain run died over " + json.dumps(line)[:200])
            answer = json.loads(answer)
            if answer["type"] == "verdict":
                return answer

    def end(self, kill=False):
        """Its status."""
        if kill:
            self.process.kill()
        self.process.stdin.close()
        self.process.stdout.read()
        status = self.process.wait()
        self.process.stdout.close()
        return status
