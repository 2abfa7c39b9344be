/// The keys of `daemon.json` that this program ignores, of all versions of Docker on Linux and Windows.
enum DockerKeys {
    static let all: Set<String> = [
        "add-runtime", "allow-direct-routing", "allow-nondistributable-artifacts", "api-cors-header",
        "authorization-plugins", "bip", "bip6", "bridge", "bridge-accept-fwmark", "builder", "cdi-spec-dirs",
        "cgroup-parent", "cluster-advertise", "cluster-store", "cluster-store-opts", "containerd",
        "containerd-namespace", "containerd-plugins-namespace", "cpu-rt-period", "cpu-rt-runtime", "debug",
        "default-address-pools",
        "default-cgroupns-mode", "default-gateway", "default-gateway-v6", "default-ipc-mode", "default-network-opts",
        "default-runtime", "default-shm-size", "default-ulimits", "deprecated-key-path", "disable-legacy-registry",
        "dns",
        "dns-opts", "dns-search", "exec-driver", "exec-opts", "exec-root", "experimental", "features",
        "firewall-backend", "fixed-cidr", "fixed-cidr-v6", "group", "host-gateway-ip", "host-gateway-ips", "hosts",
        "http-proxy", "https-proxy", "icc", "init", "init-path", "insecure-registries", "ip", "ip-forward",
        "ip-forward-no-drop", "ip-masq", "ip6tables", "iptables", "ipv6", "labels", "live-restore", "log-driver",
        "log-format", "log-level", "log-opts", "max-concurrent-downloads", "max-concurrent-uploads",
        "max-download-attempts", "metrics-addr", "min-api-version", "mtu", "network-control-plane-mtu",
        "network-diagnostic-port", "no-new-privileges", "no-proxy", "node-generic-resources", "oom-score-adjust",
        "pidfile", "proxies", "raw-logs", "registry-mirrors", "rootless", "runtimes", "seccomp-profile",
        "selinux-enabled", "shutdown-timeout", "storage-driver", "swarm-default-advertise-addr",
        "swarm-raft-election-tick", "swarm-raft-heartbeat-tick", "tls", "tlscacert", "tlscert", "tlskey", "tlsverify",
        "userland-proxy",
        "userland-proxy-path", "validate",
    ]
}
