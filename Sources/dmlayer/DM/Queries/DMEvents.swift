internal import ArgumentParser
internal import DeviceMapper

/// The command `dm events`.
struct DMEvents: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events",
        abstract: "Print a line for every device that appears, goes, gets another name or has an event.",
        discussion: """
            Goes on until it is interrupted. With --json each line is an object of its own. Several changes \
            of one kind to a device between two reads of the kernel's list are printed once.
            """)

    @Option(help: "Only devices whose names begin with this.")
    var prefix = ""

    @Option(help: ArgumentHelp("Stop after so many seconds.", valueName: "seconds"))
    var timeout: Timeout?

    @OptionGroup var options: OutputOptions

    func run() throws {
        let deadline = timeout.map { ContinuousClock.now.advanced(by: $0.duration) }
        let watcher = try EventWatcher()
        var known = try Control().devices(withPrefix: prefix)
        while let present = try watcher.changes(
            from: known, withPrefix: prefix, timeout: deadline.map { ContinuousClock.now.duration(to: $0) })
        {
            for change in DeviceChange.changes(from: known, to: present) {
                let record = ChangeRecord(change)
                try options.output.printLine(json: record, text: record.text)
            }
            known = present
        }
    }
}

/// A change of a device between two lists of devices.
private struct ChangeRecord: Encodable {
    let change: String
    let name: String
    let oldName: String?
    let uuid: String?
    let number: String
    let eventNumber: UInt32?

    enum CodingKeys: String, CodingKey {
        case change, name, uuid, number
        case oldName = "old_name"
        case eventNumber = "event_number"
    }

    init(_ change: DeviceChange) {
        var oldName: DeviceName?
        switch change.kind {
        case .created: self.change = "created"
        case .removed: self.change = "removed"
        case .changed: self.change = "changed"
        case .renamed(let old):
            self.change = "renamed"
            oldName = old
        }
        self.oldName = oldName?.description
        name = change.device.name.description
        uuid = change.device.uuid?.description
        number = change.device.number.description
        eventNumber = change.device.eventNumber
    }

    var text: String {
        let event = change == "changed" ? eventNumber.map { " event \($0)" } ?? "" : ""
        return "\(change) \(oldName.map { "\($0) to " } ?? "")\(name) (\(number))\(event)"
    }
}
