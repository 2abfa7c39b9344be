internal import ArgumentParser
internal import DeviceMapper

/// The device of a command that is about every device when it gets none.
struct DeviceListing: ParsableArguments {
    @Argument(help: "The device's name. Without one: all devices.", transform: { try DeviceName(existing: $0) })
    var device: DeviceName?

    @OptionGroup var selection: DeviceSelection

    func validate() throws {
        _ = try selection.reference(or: device)
    }

    /// Prints the lines of the device that was named, or those of all devices.
    ///
    /// - Parameter lines: The lines of a device, and whether it is read-only where that is told.
    func printLines(
        _ kind: TargetLineKind, to output: Output, _ filter: TargetFilter,
        _ lines: (Control, DeviceReference) throws -> ([TargetLine], isReadOnly: Bool?)
    ) throws {
        let control = try Control()
        try print(from: control, to: output) { device in
            let (segments, isReadOnly) = try lines(control, .name(device.name))
            return SegmentsRecord(
                device, kind, segments.filter { filter.takes($0.type) }, isReadOnly: isReadOnly)
        } where: { record in
            filter.target == nil || !record.isEmpty
        }
    }

    /// Prints the record of the device that was named, or the records of all.
    ///
    /// - Parameter isListed: Whether the record of a device that was not named is printed.
    func print<Record: DeviceRecord>(
        from control: Control, to output: Output, record: (DeviceInformation) throws -> Record,
        where isListed: (Record) -> Bool = { _ in true }
    ) throws {
        if let reference = try selection.reference(or: device) {
            let record = try record(try control.information(on: reference))
            try output.print(json: record, text: record.text)
            return
        }
        var records: [Record] = []
        for entry in try control.devices() {
            do {
                let record = try record(try control.information(on: .name(entry.name)))
                if isListed(record) { records.append(record) }
            } catch let error as DeviceMapperError where error.code == .noSuchDevice {
                // It was removed since it was listed.
            }
        }
        try output.print(list: records, text: records.map(\.textAmongOthers))
    }
}

/// The record that a command prints about one device.
protocol DeviceRecord: Encodable {
    /// The text when it is the only record.
    var text: String { get }
    /// The text when it is one of several, so that it says which device it is about.
    var textAmongOthers: String { get }
}

extension Output {
    /// Prints a list of devices, as text one below the other.
    ///
    /// An empty list is no text at all, so that a script does not take a sentence for a device.
    func print(list: some Encodable, text: [String]) throws {
        if text.isEmpty { Self.note("No devices found") }
        try print(json: list, text: text.isEmpty ? nil : text.joined(separator: "\n"))
    }
}
