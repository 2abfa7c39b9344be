#!/usr/bin/env python3
"""dashboard-queries.py URL DASHBOARD: asks a Prometheus each query of a Grafana dashboard.

Prints "N queries". A query that is refused or has no result is printed as well, and the exit status is 1 then. Queries of figures that
only `dmlayer pool monitor` writes, and of calls that failed, may have no result.
"""
import json
import sys
import urllib.parse
import urllib.request

MAY_BE_EMPTY = ("_extensions_total", "_extension_failures_total", 'code!="ok"')
url, path = sys.argv[1:]
with open(path) as file:
    panels = json.load(file)["panels"]
queries = [target["expr"] for panel in panels for target in panel["targets"]]
problems = 0
for query in queries:
    expression = query.replace("$__rate_interval", "1m").replace("$instance", ".*")
    try:
        with urllib.request.urlopen(f"{url}/api/v1/query?" + urllib.parse.urlencode({"query": expression})) as answer:
            result = json.load(answer)["data"]["result"]
    except urllib.error.HTTPError as error:
        result, query = [], f"{query}: {error.read().decode()}"
    if not result and not any(word in query for word in MAY_BE_EMPTY):
        problems += 1
        print("no result:", query)
print(len(queries), "queries")
sys.exit(1 if problems else 0)
