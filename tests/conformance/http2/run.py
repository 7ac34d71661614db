"""Runs the cases against one way in, which standard input describes, or lists what there is to run there.

Prints a line of JSON for each case: its name, and why it failed if it did.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

from cases import CASES
from client import Client, Failure
from ways import Way


AT_ONCE = 8


def attempt(way, number, case):
    try:
        client = Client(way, number)
        try:
            if case.greeted:
                client.greet()
            case.run(client)
        finally:
            client.close()
    except Failure as failure:
        return str(failure)
    except Exception as error:
        return f'{type(error).__name__}: {error}'
    return None


def main(command, name):
    cases = [case for case in CASES if name in case.ways]
    if command == 'list':
        print(json.dumps([case.name for case in cases]))
        return
    way = Way(json.load(sys.stdin))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        failures = pool.map(lambda numbered: attempt(way, *numbered), enumerate(cases))
        for case, failure in zip(cases, failures):
            print(json.dumps({'name': case.name, 'failure': failure}), flush=True)


main(*sys.argv[1:])
