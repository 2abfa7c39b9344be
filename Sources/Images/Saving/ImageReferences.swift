#if Images
/// The names of images.
package enum ImageReferences {
    /// The whole name of an image, as containerd and OCI tools have it: `alpine:3` is `docker.io/library/alpine:3`.
    static func whole(_ name: String) -> String {
        let parts = name.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return "docker.io/library/\(name)" }
        let isHost = parts[0].contains(".") || parts[0].contains(":") || parts[0] == "localhost"
        return isHost ? name : "docker.io/\(name)"
    }

    /// Divides a name into the repository and the tag, if it has one.
    package static func parts(of name: String) -> (repository: String, tag: String?) {
        guard let colon = name.lastIndex(of: ":"), !name[colon...].contains("/") else { return (name, nil) }
        return (String(name[..<colon]), String(name[name.index(after: colon)...]))
    }
}
#endif
