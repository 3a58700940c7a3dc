"""Try random networks by name: ``python -m fuzz_networks --networks 10000``, in the folder ``tests``."""

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor

from fuzz_networks.runs import Outcome, possible_targets, try_seeds


def main():
    parser = argparse.ArgumentParser("fuzz_networks", description=sys.modules["fuzz_networks"].__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=1000, help="how many seeds on each target")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="try this seed only")
    parser.add_argument("--targets", nargs="+", default=possible_targets(), choices=possible_targets())
    parser.add_argument("--processes", type=int, default=1, help="processes of each target at once")
    given = parser.parse_args()
    first, count = (given.first, given.networks) if given.seed is None else (given.seed, 1)
    failed = 0
    for target in given.targets:
        outcome = together(target, first, count, min(given.processes, count))
        print(outcome.summary, flush=True)
        failed += outcome.counts["failed"]
    return 1 if failed else 0


def together(target, first, count, processes):
    """Share the seeds of a target out among processes."""
    with ThreadPoolExecutor(processes) as pool:
        shares = [range(first + turn, first + count, processes) for turn in range(processes)]
        parts = list(pool.map(lambda seeds: try_seeds(target, seeds), shares))
    whole = Outcome(target)
    for part in parts:
        whole.failures.update(part.failures)
        for how, number in part.counts.items():
            whole.counts[how] += number
    return whole


if __name__ == "__main__":
    sys.exit(main())
