internal import ArgumentParser
internal import BlockDevices
internal import DeviceMapper
internal import SystemPackage

/// How much the kernel reads ahead on a device, in sectors.
enum ReadAhead {
    private static func file(_ number: DeviceNumber) -> FilePath {
        SysfsBlock.directory(of: number).appending("bdi/read_ahead_kb")
    }

    /// The number of sectors; `nil` where the kernel does not tell it.
    static func sectors(of number: DeviceNumber) -> Int? {
        // A device without a table has no such file.
        guard let text = try? PseudoFile.readLine(file(number)), let kilobytes = Int(text) else { return nil }
        return kilobytes.multipliedReportingOverflow(by: 2).partialValue
    }

    /// Sets it as `--readahead` says: a number, a least number behind “+”, “none”; “auto” leaves it to the kernel.
    static func set(_ text: String, on number: DeviceNumber) {
        guard text != "auto" else { return }
        var sectors = text == "none" ? 0 : max(0, CNumber.leading(text).value)
        if text.hasPrefix("+") { sectors = max(sectors, Self.sectors(of: number) ?? 0) }
        let content = Array("\(sectors / 2 + sectors % 2)".utf8)
        // The device works without the setting too, and dmsetup does not fail either.
        guard let descriptor = try? FileDescriptor.open(file(number), .writeOnly, options: .closeOnExec) else { return }
        // As above.
        _ = try? descriptor.closeAfter { try descriptor.writeAll(content) }
    }
}

/// How much a command has the kernel read ahead on the device.
struct ReadAheadOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "How much the kernel reads ahead, in sectors: a number, a least number behind “+”, “none”, or “auto”.",
            valueName: "sectors"),
        transform: { text in
            guard ["auto", "none"].contains(text) || UInt32(text.drop { $0 == "+" }) != nil else {
                throw ValidationError("it is a number of sectors, “none” or “auto”")
            }
            return text
        })
    var readAhead: String?

    func apply(to device: DeviceInformation) {
        if let readAhead { ReadAhead.set(readAhead, on: device.number) }
    }
}
