/// The usual form of the part of a metadata file that is about a snapshot; see ``UsualJSON``.
extension SnapshotRecord {
    /// Reads a snapshot of the usual form.
    ///
    /// - Returns: `nil` when it has another form, whether or not that form is correct.
    init?(usual json: inout UsualJSON) {
        var (key, kindName, parent, labels): (String?, String?, String?, [String: String]?)
        var (created, updated, inheritedBytes): (Int64?, Int64?, UInt64?)
        var (committedBytes, mountOptions, poolEvents, hasLostWrites): (UInt64?, [String]?, PoolEventMark?, Bool?)
        let isUsual = json.readsObject { name, json in
            switch CodingKeys(rawValue: name) {
            case .key: json.reads(&key)
            case .kind: json.reads(&kindName)
            case .parent: json.reads(&parent)
            case .labels: json.reads(&labels)
            case .created: json.reads(&created)
            case .updated: json.reads(&updated)
            case .inheritedBytes: json.reads(&inheritedBytes)
            case .committedBytes: json.reads(&committedBytes)
            case .mountOptions: json.reads(&mountOptions)
            case .poolEvents: json.fill(&poolEvents) { PoolEventMark(usual: &$0) }
            case .hasLostWrites: json.reads(&hasLostWrites)
            case nil: false
            }
        }
        guard isUsual, let key, let kind = kindName.flatMap(Kind.init), let parent, let labels, let created,
            let updated, let inheritedBytes
        else { return nil }
        self.init(key: key, kind: kind, parent: parent, labels: labels, time: created)
        self.updated = updated
        self.inheritedBytes = inheritedBytes
        self.committedBytes = committedBytes
        self.mountOptions = mountOptions
        self.poolEvents = poolEvents
        self.hasLostWrites = hasLostWrites
    }

    /// The snapshot as `JSONEncoder` writes it with its keys in order; `nil` where it has no usual form.
    var usualText: String? {
        let texts = [key, parent, poolEvents?.boot ?? ""] + (mountOptions ?? []) + labels.keys + labels.values
        guard unknownFields.isEmpty, texts.allSatisfy(UsualJSON.isPlain) else { return nil }
        let labels = labels.sorted { $0.key < $1.key }.map { "\"\($0)\":\"\($1)\"" }.joined(separator: ",")
        var text = "{"
        if let committedBytes { text += "\"committed_bytes\":\(committedBytes)," }
        text += "\"created_ns\":\(created),\"inherited_bytes\":\(inheritedBytes),\"key\":\"\(key)\","
        text += "\"kind\":\"\(kind.rawValue)\",\"labels\":{\(labels)},"
        if let hasLostWrites { text += "\"lost_writes\":\(hasLostWrites)," }
        if let mountOptions {
            text += "\"mount_options\":[\(mountOptions.map { "\"\($0)\"" }.joined(separator: ","))],"
        }
        text += "\"parent\":\"\(parent)\","
        if let poolEvents {
            text += "\"pool_events\":{\"boot\":\"\(poolEvents.boot)\",\"number\":\(poolEvents.number)},"
        }
        return text + "\"updated_ns\":\(updated)}"
    }
}

extension PoolEventMark {
    fileprivate init?(usual json: inout UsualJSON) {
        var (boot, number): (String?, UInt64?)
        let isUsual = json.readsObject { name, json in
            switch name {
            case "boot": json.reads(&boot)
            case "number": json.reads(&number)
            default: false
            }
        }
        guard isUsual, let boot, let number = number.flatMap(UInt32.init(exactly:)) else { return nil }
        self.init(boot: boot, number: number)
    }
}
