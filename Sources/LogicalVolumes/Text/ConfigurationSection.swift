/// The parts of a section by their names, with errors that say where something is missing.
struct ConfigurationSection {
    /// Where the section is, from the top on: `docker/logical_volumes/thinpool`.
    let path: String
    let nodes: [ConfigurationNode]
    private let byName: [String: ConfigurationNode]

    /// - Throws: ``LogicalVolumeError/Code/damagedMetadata`` when a name is there twice: lvm2 would take one of them, and
    ///   it would have to be known which.
    init(_ path: String, _ nodes: [ConfigurationNode]) throws(LogicalVolumeError) {
        self.path = path
        self.nodes = nodes
        var byName: [String: ConfigurationNode] = [:]
        for node in nodes {
            guard byName.updateValue(node, forKey: node.name) == nil else {
                throw Self.error("\(path)/\(node.name)", "it is there twice")
            }
        }
        self.byName = byName
    }

    private static func error(_ path: String, _ what: String) -> LogicalVolumeError {
        LogicalVolumeError(.damagedMetadata, "\(path) in the volume group's text cannot be used: \(what)")
    }

    func error(_ name: String, _ what: String) -> LogicalVolumeError { Self.error("\(path)/\(name)", what) }

    func has(_ name: String) -> Bool { byName[name] != nil }

    func section(_ name: String) throws(LogicalVolumeError) -> ConfigurationSection {
        guard let children = byName[name]?.children else { throw error(name, "it is no section") }
        return try ConfigurationSection("\(path)/\(name)", children)
    }

    /// The subsections.
    func sections() throws(LogicalVolumeError) -> [(name: String, section: ConfigurationSection)] {
        var sections: [(name: String, section: ConfigurationSection)] = []
        for node in nodes {
            guard let children = node.children else { continue }
            sections.append((node.name, try ConfigurationSection("\(path)/\(node.name)", children)))
        }
        return sections
    }

    func number(_ name: String) throws(LogicalVolumeError) -> UInt64 {
        guard case .number(let number)? = byName[name]?.value else { throw error(name, "it is no number") }
        return number
    }

    func number(_ name: String, default value: UInt64) throws(LogicalVolumeError) -> UInt64 {
        has(name) ? try number(name) : value
    }

    func string(_ name: String) throws(LogicalVolumeError) -> String {
        guard case .string(let string)? = byName[name]?.value else { throw error(name, "it is no quoted text") }
        return string
    }

    func stringIfPresent(_ name: String) throws(LogicalVolumeError) -> String? {
        has(name) ? try string(name) : nil
    }

    func list(_ name: String) throws(LogicalVolumeError) -> [ConfigurationValue] {
        guard case .list(let values)? = byName[name]?.value else { throw error(name, "it is no list") }
        return values
    }

    /// A list of quoted words, as the flags of lvm2 are; a missing one is empty.
    func words(_ name: String) throws(LogicalVolumeError) -> Set<String> {
        guard has(name) else { return [] }
        var words: Set<String> = []
        // A single word may stand without brackets.
        let values =
            if case .string(let word)? = byName[name]?.value { [ConfigurationValue.string(word)] } else {
                try list(name)
            }
        for value in values {
            guard case .string(let word) = value else { throw error(name, "it is no list of quoted words") }
            words.insert(word)
        }
        return words
    }

    func identifier(_ name: String) throws(LogicalVolumeError) -> LVMIdentifier {
        guard let identifier = LVMIdentifier(try string(name)) else { throw error(name, "it is no uuid of lvm2's") }
        return identifier
    }
}
