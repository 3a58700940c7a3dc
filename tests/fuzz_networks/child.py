"""Try seeds, in a process of its own: ``python -m fuzz_networks.child FIRST END STEP``.

Says which seed is tried before it is, and how it ended after it: a line of JSON each. Whoever reads that knows which
seed killed the process.
"""

import json
import sys
import traceback

from fuzz_networks.check import failure_of


def main(first, end, step):
    for seed in range(first, end, step):
        say(seed, "began", "")
        try:
            say(seed, *failure_of(seed))
        except Exception:
            say(seed, "failed", traceback.format_exc(limit=-3))


def say(seed, how, why):
    print(json.dumps([seed, how, why]), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
