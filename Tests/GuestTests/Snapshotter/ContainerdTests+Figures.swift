import SystemPackage
import TestSupport

extension ContainerdTests {
    /// The service and the monitor have figures for Prometheus.
    func showsFigures() throws {
        // Since the service was started again: the third container has a snapshot, and that is a commit of the pool.
        let names = [
            "dmlayer_snapshotter_calls_waiting", "dmlayer_snapshotter_calls_running", "dmlayer_removals_waiting",
            "dmlayer_snapshotter_pool_commits_total",
            "dmlayer_snapshotter_calls_total{method=\"Prepare\",code=\"ok\"}",
        ]
        let first = try machine.page()
        let figures = names.flatMap { name in first.lines.filter { $0.split(separator: " ").first ?? "" == name } }
        checks.check(
            "the service has figures", figures.joined(separator: "\n"),
            zip(names, [0, 0, 0, 1, 1]).map { "\($0) \($1)" }.joined(separator: "\n"))
        let monitors = try figuresOfTheMonitor()
        let page = try machine.page()
        checks.check(
            "the socket has the same figures as the address",
            comments(try machine.page(socket: ContainerdMachine.metricsSocket)), comments(page))
        checks.check(
            "only figures are there to be had",
            try ["GET /", "POST /metrics", "x"].map { request in
                String(try machine.ask(request).prefix { $0 != "\r\n" && $0 != "\n" })
            }.joined(separator: "\n"),
            "HTTP/1.1 404 Not Found\nHTTP/1.1 405 Method Not Allowed\nHTTP/1.1 400 Bad Request")
        // The format ends with an end of line.
        try TextFile.write("\(page)\n", to: "/run/page")
        checks.check(
            "Prometheus takes the service's page",
            try shell.everything("'\(places.prometheus)/promtool' check metrics < /run/page"), "")
        checks.check(
            "and the monitor's", try shell.everything("'\(places.prometheus)/promtool' check metrics < /run/pool.prom"),
            "")
        checks.check(
            "the service and the monitor have one name for a figure of the pool",
            poolNames(monitors).filter { !$0.contains("_pool_extension") && !$0.contains("_timestamp_") }
                .joined(separator: "\n"), poolNames(page).joined(separator: "\n"))
        let expected = [
            ("mode{", ",mode=\"rw\"} 1"), ("needs_check{", "} 0"), ("data_size_bytes{", "} 4294967296"),
        ]
        checks.check(
            "the mode and the state of the metadata are among them",
            expected.allSatisfy { figure in
                page.lines.contains { $0.hasPrefix("dmlayer_pool_\(figure.0)") && $0.hasSuffix(figure.1) }
            })
    }

    /// A real Prometheus scrapes the service, and answers each query of the dashboard.
    func answersTheDashboard() throws {
        try TextFile.write(
            """
            global: {scrape_interval: 1s, evaluation_interval: 1s}
            rule_files: ["\(try Shell.run("pwd"))/packaging/prometheus/alerts.yaml"]
            scrape_configs:
              - job_name: dmlayer
                static_configs: [{targets: ["127.0.0.1:9756"]}]

            """, to: "/run/prometheus.yaml")
        let prometheus = try ChildProcess(
            """
            exec '\(places.prometheus)/prometheus' --config.file=/run/prometheus.yaml --storage.tsdb.path=/run/prometheus \
                --web.listen-address=127.0.0.1:9090
            """, output: "/run/prometheus.log")
        let ask = "python3 Tests/lib/dashboard-queries.py http://127.0.0.1:9090 packaging/grafana/dmlayer.json"
        // A rate needs two scrapes, and calls between them.
        try checks.wait(for: "the results of the dashboard's queries") {
            try snapshots("ls")
            return try shell.succeeds(ask)
        }
        checks.check("Prometheus answers each query of the dashboard", try shell.everything(ask), "18 queries")
        checks.check(
            "no alert is there for a service that is well",
            try shell.output(
                """
                python3 -c 'import json, urllib.request as r
                for alert in json.load(r.urlopen("http://127.0.0.1:9090/api/v1/alerts"))["data"]["alerts"]: print(alert)'
                """), "")
        try prometheus.end()
    }

    /// The monitor's file has the pool's figures under the same names, and a few of its own.
    private func figuresOfTheMonitor() throws -> String {
        let monitor = try layer.start("pool monitor --metrics /run/pool.prom", log: "/run/monitor.log")
        try checks.wait(for: "the figures of the monitor") {
            try shell.succeeds("grep -q '^dmlayer_pool_up{.*} 1$' /run/pool.prom")
        }
        try monitor.end()
        return try TextFile.read("/run/pool.prom")
    }

    /// The lines that explain figures, without their explanations.
    private func comments(_ page: String) -> String {
        page.lines.filter { $0.hasPrefix("#") }.map { $0.split(separator: " ").prefix(2).joined(separator: " ") }
            .sorted().joined(separator: "\n")
    }

    /// The names of the pool's figures, with their labels.
    private func poolNames(_ page: String) -> [String] {
        page.lines.filter { $0.hasPrefix("dmlayer_pool_") && $0.contains("}") }
            .map { $0.prefix { $0 != "}" } + "}" }.map(String.init).sorted()
    }
}
