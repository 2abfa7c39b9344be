internal import ThinProvisioning

/// A fast way to read and write the usual form of metadata files, which Docker's files have as well; see ``UsualJSON``.
///
/// Reading files takes most of the time of listing thousands of layers, and much of the time of a call of containerd.
extension LayerRecord {
    /// Reads a metadata file of the usual form.
    ///
    /// - Returns: `nil` when the file has another form, whether or not that form is correct.
    init?(usualText text: [UInt8]) {
        var json = UsualJSON(text)
        var (format, number, size, transactionID): (UInt64?, UInt64?, UInt64?, UInt64?)
        var (isInitialized, isDeleted): (Bool?, Bool?)
        var (parent, created, snapshot): (String?, Int64?, SnapshotRecord?)
        let isUsual = json.readsObject { name, json in
            switch CodingKeys(rawValue: name) {
            case .format: json.reads(&format)
            case .deviceID: json.reads(&number)
            case .size: json.reads(&size)
            case .transactionID: json.reads(&transactionID)
            case .isInitialized: json.reads(&isInitialized)
            case .isDeleted: json.reads(&isDeleted)
            case .parent: json.reads(&parent)
            case .created: json.reads(&created)
            case .snapshot: json.fill(&snapshot) { SnapshotRecord(usual: &$0) }
            case nil: false
            }
        }
        guard isUsual, json.isAtEnd, format == nil || format == UInt64(FormatNumber.current),
            let deviceID = number.flatMap({ ThinDeviceID($0) }), let size, let transactionID, let isInitialized
        else { return nil }
        self.init(
            deviceID: deviceID, size: size, transactionID: transactionID, isInitialized: isInitialized,
            isDeleted: isDeleted ?? false, parent: parent, created: created, snapshot: snapshot)
    }

    /// The metadata file as `JSONEncoder` writes it with its keys in order.
    ///
    /// It is `nil` where a text needs escapes, and for unknown fields, which have no usual form.
    var usualText: [UInt8]? {
        guard unknownFields.isEmpty, parent.map(UsualJSON.isPlain) ?? true else { return nil }
        var text = "{"
        if let created { text += "\"created\":\(created)," }
        text += "\"deleted\":\(isDeleted),\"device_id\":\(deviceID.value),\"format\":\(FormatNumber.current),"
        text += "\"initialized\":\(isInitialized),"
        if let parent { text += "\"parent\":\"\(parent)\"," }
        text += "\"size\":\(size),"
        if let snapshot {
            guard let usual = snapshot.usualText else { return nil }
            text += "\"snapshot\":\(usual),"
        }
        text += "\"transaction_id\":\(transactionID)}"
        return Array(text.utf8)
    }
}
