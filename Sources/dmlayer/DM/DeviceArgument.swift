internal import ArgumentParser
internal import DeviceMapper

/// Names a device by something else than its name.
struct DeviceSelection: ParsableArguments {
    @Option(
        help: ArgumentHelp("The device's DM uuid, instead of its name.", valueName: "uuid"),
        transform: { try DeviceUUID($0) })
    var uuid: DeviceUUID?

    @Option(
        help: ArgumentHelp("The device's number, instead of its name.", valueName: "major:minor"),
        transform: { text in
            guard let number = DeviceNumber(text) else { throw ValidationError("it is not of the form 254:0") }
            return number
        })
    var number: DeviceNumber?

    /// The device, or `nil` when neither option was given.
    var reference: DeviceReference? {
        uuid.map(DeviceReference.uuid) ?? number.map(DeviceReference.number)
    }

    func validate() throws {
        if uuid != nil, number != nil { throw Self.isAmbiguous }
    }

    /// Chooses between a name and the options.
    ///
    /// - Returns: The device, or `nil` when there is neither.
    func reference(or name: DeviceName?) throws(ValidationError) -> DeviceReference? {
        if name != nil, reference != nil { throw Self.isAmbiguous }
        return reference ?? name.map(DeviceReference.name)
    }

    /// The device of the options, or else the one whose name is the first of `words`, which is taken away from them.
    func reference(takingNameFrom words: inout ArraySlice<String>) throws -> DeviceReference? {
        try reference ?? words.popFirst().map { .name(try DeviceName(existing: $0)) }
    }

    private static let isAmbiguous = ValidationError("Name the device in one way: its name, --uuid or --number.")
}

/// The device of a command that needs one.
struct DeviceArgument: ParsableArguments {
    @Argument(help: "The device's name.", transform: { try DeviceName(existing: $0) })
    var device: DeviceName?

    @OptionGroup var selection: DeviceSelection

    func validate() throws {
        _ = try reference()
    }

    /// The device.
    func reference() throws(ValidationError) -> DeviceReference {
        guard let reference = try selection.reference(or: device) else {
            throw ValidationError("Name the device, by its name, --uuid or --number.")
        }
        return reference
    }
}
