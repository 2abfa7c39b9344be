internal import BlockDevices
internal import SystemCalls
internal import SystemPackage

/// The settings of this machine's lvm2: `lvm.conf`, and `lvmlocal.conf`, which comes before it.
struct LVMConfiguration: Sendable {
    private let files: [[ConfigurationNode]]
    /// Where the files are.
    let directory: FilePath

    /// lvm2's directory: `$LVM_SYSTEM_DIR`, or `/etc/lvm`.
    static var directory: FilePath {
        unsafe getenv("LVM_SYSTEM_DIR").map { unsafe FilePath(platformString: $0) } ?? "/etc/lvm"
    }

    /// Reads the files of a directory; those that are not there say nothing.
    ///
    /// - Parameters:
    ///   - directory: Where the files are.
    ///   - profile: A profile in the directory, which comes before the other files.
    /// - Throws: ``LogicalVolumeError/Code/failed`` when a file cannot be read or understood. lvm2 does nothing then either,
    ///   because the file may say which devices must not be touched.
    init(of directory: FilePath = Self.directory, profile: String? = nil) throws(LogicalVolumeError) {
        self.directory = directory
        var files: [[ConfigurationNode]] = []
        let profiles = profile.map { [AutoextendSettings.file(ofProfile: $0, in: directory)] } ?? []
        for file in profiles + [directory.appending("lvmlocal.conf"), directory.appending("lvm.conf")] {
            if let nodes = try Self.nodes(of: file) { files.append(nodes) }
        }
        self.files = files
    }

    /// The settings of a profile alone; `nil` where there is no such profile.
    init?(ofProfileAlone profile: String, in directory: FilePath = Self.directory) throws(LogicalVolumeError) {
        guard let nodes = try Self.nodes(of: AutoextendSettings.file(ofProfile: profile, in: directory)) else {
            return nil
        }
        self.directory = directory
        files = [nodes]
    }

    /// The settings in a file; `nil` where there is no such file.
    private static func nodes(of file: FilePath) throws(LogicalVolumeError) -> [ConfigurationNode]? {
        do {
            var reader = ConfigurationReader(try PseudoFile.read(file))
            let nodes = try reader.takeNodes().nodes
            try requireValues(of: nodes)
            return nodes
        } catch let error as Errno {
            guard error != .noSuchFileOrDirectory, error != .notDirectory else { return nil }
            throw LogicalVolumeError(.failed, "cannot read lvm2's configuration \(file): \(error)")
        } catch {
            throw LogicalVolumeError(.failed, "lvm2's configuration \(file) must be corrected: \(error)")
        }
    }

    /// Refuses settings whose value cannot be understood: one that is passed over could be the filter that keeps devices out.
    private static func requireValues(of nodes: [ConfigurationNode]) throws(LogicalVolumeError) {
        for node in nodes {
            if let children = node.children {
                try requireValues(of: children)
            } else if node.value == nil {
                throw LogicalVolumeError(.failed, "the value of \(node.name) cannot be understood")
            }
        }
    }

    /// Settings of a text alone, for tests.
    init(parsing text: String, directory: FilePath) throws(LogicalVolumeError) {
        var reader = ConfigurationReader(Array(text.utf8))
        files = [try reader.takeNodes().nodes]
        self.directory = directory
    }

    /// A setting by its section and name; the last of several in a file counts.
    func value(_ section: String, _ name: String) -> ConfigurationValue? {
        for nodes in files {
            let node =
                nodes.last { $0.name == "\(section)/\(name)" }
                ?? nodes.last { $0.name == section }?.children?.last { $0.name == name }
            if let value = node?.value { return value }
        }
        return nil
    }

    func text(_ section: String, _ name: String) -> String? {
        if case .string(let text)? = value(section, name) { text } else { nil }
    }

    /// The quoted texts of a list, which may also be a single one; `nil` when the setting is not made.
    func texts(_ section: String, _ name: String) -> [String]? {
        switch value(section, name) {
        case .list(let values)?:
            values.compactMap { if case .string(let text) = $0 { text } else { nil } }
        case .string(let text)?: [text]
        default: nil
        }
    }

    func isOn(_ section: String, _ name: String) -> Bool? {
        switch value(section, name) {
        case .number(let number)?: number != 0
        case .string(let word)?, .word(let word)?: ["y", "yes", "on", "true"].contains(word)
        default: nil
        }
    }

    /// The names of the sections within a section.
    func sections(in section: String) -> [(name: String, nodes: [ConfigurationNode])] {
        files.flatMap { $0 }.filter { $0.name == section }.flatMap { $0.children ?? [] }
            .compactMap { node in node.children.map { (node.name, $0) } }
    }
}
