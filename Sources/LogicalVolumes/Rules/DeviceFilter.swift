internal import DeviceMapper

/// lvm2's `devices/filter` or `devices/global_filter`: which devices are for lvm2, by all paths that lead to them.
struct DeviceFilter: Sendable {
    private struct Rule {
        let accepts: Bool
        let pattern: DevicePattern
    }

    /// The name of the setting.
    let name: String
    private let rules: [Rule]

    /// Reads a setting; `nil` when the configuration does not have it.
    ///
    /// - Throws: ``LogicalVolumeError/Code/failed`` when a pattern cannot be understood: it may say which devices must not be
    ///   touched.
    init?(_ configuration: LVMConfiguration, _ name: String) throws(LogicalVolumeError) {
        guard let texts = configuration.texts("devices", name) else { return nil }
        self.name = "devices/\(name)"
        var rules: [Rule] = []
        for text in texts {
            guard let rule = Self.rule(text) else {
                throw LogicalVolumeError(
                    .failed,
                    "devices/\(name) in lvm2's configuration in \(configuration.directory) has “\(text)”, which is not of the "
                        + "form “a|PATTERN|” or “r|PATTERN|”")
            }
            rules.append(rule)
        }
        self.rules = rules
    }

    private static func rule(_ text: String) -> Rule? {
        var rest = Substring(text)
        guard let kind = rest.popFirst(), kind == "a" || kind == "r", let opening = rest.popFirst() else { return nil }
        let closing: Character =
            switch opening {
            case "(": ")"
            case "[": "]"
            case "{": "}"
            default: opening
            }
        guard rest.popLast() == closing, let pattern = DevicePattern(String(rest)) else { return nil }
        return Rule(accepts: kind == "a", pattern: pattern)
    }

    /// Whether a device with these paths is for lvm2.
    ///
    /// The first rule that fits a path decides for the path, and one path that is accepted is enough. A device that no rule
    /// fits is accepted.
    func accepts(_ paths: [String]) -> Bool {
        let decisions = paths.compactMap { path in rules.first { $0.pattern.matches(path) }?.accepts }
        return decisions.isEmpty || decisions.contains(true)
    }
}
