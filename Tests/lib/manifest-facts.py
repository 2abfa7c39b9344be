"""manifest-facts.py OVERLAY BUILT UNINSTALL: judges what kustomize makes of an overlay, and of the overlay with the component
“uninstall”. The schemas of the Kubernetes API come from the package kubernetes-validate. Prints what is wrong."""

import sys

import kubernetes_validate
import yaml

# The oldest version that the schemas still have and that kubeadm nodes may have, and the newest.
VERSIONS = ["1.28", "1.33", "1.37"]
overlay = sys.argv[1]
problems = []


def expect(what, actual, expected):
    if actual != expected:
        problems.append(f"{what}: {actual!r}, and not {expected!r}")


def objects(path):
    with open(path) as file:
        return [one for one in yaml.safe_load_all(file) if one]


def kind(all_objects, name):
    return [one for one in all_objects if one["kind"] == name]


def validate(all_objects):
    for one in all_objects:
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(one, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                problems.append(f"{one['kind']} with Kubernetes {version}: {list(error.path)}: {error.message}")


def settings(all_objects):
    (settings,) = kind(all_objects, "ConfigMap")
    return settings


def pod(all_objects):
    (daemon_set,) = kind(all_objects, "DaemonSet")
    return daemon_set["spec"]["template"]["spec"]


built = objects(sys.argv[2])
validate(built)
spec, data = pod(built), settings(built)["data"]
runtimes = {"kata-fc": ["runc", "kata-fc"], "kata-clh": ["runc", "kata-clh"]}.get(overlay, ["runc"])
expect("the runtimes", data["DMLAYER_RUNTIMES"].split(), runtimes)
expect("the distribution", data["DMLAYER_DISTRIBUTION"], "kubeadm" if overlay.startswith("kata") else overlay)
expect("the action", data["DMLAYER_ACTION"], "install")
expect("the handlers", sorted(one["handler"] for one in kind(built, "RuntimeClass")), sorted(f"{one}-dmlayer" for one in runtimes))
# The nodes of the DaemonSet are those to which pods of the classes may go.
for one in kind(built, "RuntimeClass"):
    nodes = one["scheduling"]["nodeSelector"]
    expect("the nodes of " + one["handler"], {**nodes, **spec["nodeSelector"]}, nodes)
    expect("the label of Kata's nodes in " + one["handler"], "katacontainers.io/kata-runtime" in nodes, "kata" in one["handler"])
expect("the runtime class of the pods that provide dmlayer", spec.get("runtimeClassName"), None)
volumes = {one["name"] for one in spec["volumes"]}
for container in spec["initContainers"] + spec["containers"]:
    what = "the container " + container["name"]
    expect(what + ": its volumes", {one["name"] for one in container["volumeMounts"]} - volumes, set())
    expect(what + ": its image is named in the base", container["image"].split(":")[0] in
           ["registry.example.org/dmlayer", "docker.io/library/busybox"], True)
    for source in container.get("envFrom", []):
        expect(what + ": its settings", source["configMapRef"]["name"], settings(built)["metadata"]["name"])
expect("the level of the namespace", kind(built, "Namespace")[0]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"],
       "privileged")
for one in kind(built, "DaemonSet") + kind(built, "ConfigMap"):
    expect(f"the namespace of the {one['kind']}", one["metadata"]["namespace"], "dmlayer")
(service,) = spec["containers"]
if overlay == "talos":
    arguments = service["args"]
    expect("the socket", arguments[arguments.index("--socket") + 1], "/run/dmlayer/snapshotter.sock")
    expect("the store", arguments[arguments.index("--root") + 1], "/var/lib/dmlayer")
    paths = {one["name"]: one["hostPath"]["path"] for one in spec["volumes"] if "hostPath" in one}
    for mount in service["volumeMounts"]:
        if mount["name"] in ("dev", "run", "store"):
            expect("the place of " + mount["name"], mount["mountPath"], paths[mount["name"]])
else:
    expect("the pod does not serve", "serve" in service.get("args", []), False)
expect("the pod says whether the service answers", "ping" in service["readinessProbe"]["exec"]["command"], True)

removal = objects(sys.argv[3])
validate(removal)
expect("uninstall: the action", settings(removal)["data"]["DMLAYER_ACTION"], "uninstall")
expect("uninstall: the store that is destroyed", settings(removal)["data"].get("DMLAYER_DELETE_STORE", ""), "")
(service,) = pod(removal)["containers"]
expect("uninstall: probes", [one for one in service if one.endswith("Probe")], [])
expect("uninstall: what runs", service["command"] + service.get("args", []), ["/tools/tail", "-f", "/dev/null"])

print("\n".join(problems))
sys.exit(1 if problems else 0)
