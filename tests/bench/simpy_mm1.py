"""SimPy running the M/M/1 queue that `adr-lab bench` runs on our scheduler: a mean gap of 1000 and a mean service of
700, so a load of 0.7. Prints JSON.

`events_per_second` counts every event that SimPy's scheduler handled, the bookkeeping of its processes and resources
included (about six a customer; ours needs two). `customers_per_second` compares the same work.

    pip install -r tests/bench/requirements.txt
    python tests/bench/simpy_mm1.py [customers]
"""

import json
import random
import sys
import time

import simpy

GAP_MEAN = 1000.0
SERVICE_MEAN = 700.0


def customer(env, server, service, responses):
    arrived = env.now
    with server.request() as turn:
        yield turn
        yield env.timeout(service)
    responses.append(env.now - arrived)


def arrivals(env, server, customers, responses):
    stream = random.Random(7)
    for _ in range(customers):
        yield env.timeout(stream.expovariate(1 / GAP_MEAN))
        env.process(customer(env, server, stream.expovariate(1 / SERVICE_MEAN), responses))


def main():
    customers = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    env = simpy.Environment()
    server = simpy.Resource(env, capacity=1)
    responses = []
    env.process(arrivals(env, server, customers, responses))
    start = time.perf_counter()
    env.run()
    seconds = time.perf_counter() - start
    if len(responses) != customers:
        raise SystemExit(f"{len(responses)} customers were served, not {customers}")
    # Every event takes the next number when it is scheduled, so the next free number is their count.
    events = next(env._eid)
    print(
        json.dumps(
            {
                "program": f"SimPy {simpy.__version__}",
                "customers": customers,
                "events": events,
                "events_per_second": events / seconds,
                "customers_per_second": customers / seconds,
                "mean_response": sum(responses) / customers,
                "mean_response_by_theory": SERVICE_MEAN / (1 - SERVICE_MEAN / GAP_MEAN),
            }
        )
    )


main()
