#!/usr/bin/env python3
"""rpc.py COOKIE PORT METHOD: call a node on this machine, once for each line of standard input.

A line is the JSON array of a call's parameters; its result goes out as a line, in order. A call
that the node refuses gives null, with the error on standard error and status 1 in the end.
"""

import base64
import http.client
import json
import sys


def main():
    cookie, port, method = sys.argv[1:]
    with open(cookie, encoding="ascii") as file:
        auth = "Basic " + base64.b64encode(file.read().encode()).decode()
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=60)
    status = 0
    for line in sys.stdin:
        body = '{"jsonrpc":"1.0","id":0,"method":%s,"params":%s}' % (json.dumps(method), line)
        connection.request("POST", "/", body, {"Authorization": auth})
        answer = json.loads(connection.getresponse().read())
        if answer["error"] is not None:
            print(method, json.dumps(answer["error"]), file=sys.stderr)
            status = 1
        print(json.dumps(answer["result"], separators=(",", ":")))
    sys.exit(status)


if __name__ == "__main__":
    main()
