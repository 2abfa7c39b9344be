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

    /// The short name of an image, as Docker has it: `docker.io/library/alpine:3` is `alpine:3`.
    static func familiar(_ name: String) -> String {
        for prefix in ["docker.io/library/", "docker.io/"] where name.hasPrefix(prefix) {
            return String(name.dropFirst(prefix.count))
        }
        return name
    }

    /// Whether a text can be the name of an image with a tag, by Docker's grammar.
    ///
    /// The parts of the repository have lower-case letters, digits and `. _ -` within; the first part may be a host, which has
    /// capital letters and a port as well. The tag has letters, digits and `_ . -`, and does not begin with a dot or dash.
    package static func isTagged(_ name: String) -> Bool {
        let (repository, tag) = parts(of: name)
        guard let tag, name.utf8.count <= 512, tag.utf8.count <= 128, let first = tag.first, !".-".contains(first),
            has(tag, only: letters + capitals + "_.-")
        else { return false }
        var components = repository.split(separator: "/", omittingEmptySubsequences: false)[...]
        if components.count > 1, let host = components.first,
            host == "localhost" || host.contains(".") || host.contains(":")
        {
            guard let first = host.first, !".-:".contains(first), has(host, only: letters + capitals + ".-:[]") else {
                return false
            }
            components.removeFirst()
        }
        return components.allSatisfy { component in
            guard let first = component.first, let last = component.last else { return false }
            return letters.contains(first) && letters.contains(last) && has(component, only: letters + "._-")
                && !component.contains("..")
        }
    }

    private static let letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    private static let capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

    private static func has(_ text: some StringProtocol, only characters: String) -> Bool {
        text.allSatisfy { characters.contains($0) }
    }

    /// Divides a name into the repository and the tag, if it has one.
    package static func parts(of name: String) -> (repository: String, tag: String?) {
        guard let colon = name.lastIndex(of: ":"), !name[colon...].contains("/") else { return (name, nil) }
        return (String(name[..<colon]), String(name[name.index(after: colon)...]))
    }
}
#endif
