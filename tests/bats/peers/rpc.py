#!/usr/bin/env python3
"""rpc.py COOKIE PORT METHOD: call a node on this machine, once for each line of standard input.

A line is the JSON array of a call's parameters; its result goes out as a line, in order. A call
that the node refuses gives null, with the error on standard error and status 1 in the end.
"""

import base64
import http.client
import json
import sys


class Node:
    def __init__(self, cookie, port):
        with open(cookie, encoding="ascii") as file:
            self.auth = "Basic " + base64.b64encode(file.read().encode()).decode()
        self.connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=60)

    def call(self, method, params):
        """The result and the error, one of them None; `params` is the text of a JSON array."""
        body = '{"jsonrpc":"1.0","id":0,"method":%s,"params":%s}' % (json.dumps(method), params)
        answer = self.batch(body)
        return answer["result"], answer["error"]

    def batch(self, body):
        """The answer to a call, or to an array of them."""
        self.connection.request("POST", "/", body, {"Authorization": self.auth})
        return json.loads(self.connection.getresponse().read())


def main():
    cookie, port, method = sys.argv[1:]
    node = Node(cookie, port)
    status = 0
    for line in sys.stdin:
        result, error = node.call(method, line)
        if error is not None:
            print(method, json.dumps(error), file=sys.stderr)
            status = 1
        print(json.dumps(result, separators=(",", ":")))
    sys.exit(status)


if __name__ == "__main__":
    main()
