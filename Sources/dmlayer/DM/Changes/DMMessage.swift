internal import ArgumentParser
internal import DeviceMapper

/// The command `dm message`.
struct DMMessage: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "message",
        abstract: "Send a message to a target of a device, and print its answer.",
        usage:
            "dmlayer dm message [--json] (<device> | --uuid <uuid> | --number <major:minor>) <sector> <message> ...",
        discussion: """
            The message is sent to the target at the sector, which is 0 for a device with one target. The kernel \
            splits it at white space; words are put together with one blank between them.
            """)

    @Argument(help: "The device's name (unless an option names it), a sector, and the words of the message.")
    var words: [String]

    @OptionGroup var selection: DeviceSelection
    @OptionGroup var options: OutputOptions

    /// Enough for the statistics of some ten thousand areas; the kernel cannot be asked a second time.
    private static let answerCapacity = 4 << 20

    private struct Record: Encodable {
        let answer: String?
    }

    func validate() throws {
        _ = try operands()
    }

    private func operands() throws -> (device: DeviceReference, sector: Sectors, message: String) {
        var words = words[...]
        guard let device = try selection.reference(takingNameFrom: &words),
            let sector = words.popFirst().flatMap(UInt64.init),
            !words.isEmpty
        else { throw ValidationError("Give a device, the number of a sector, and a message.") }
        return (device, Sectors(sector), words.joined(separator: " "))
    }

    func run() throws {
        let (device, sector, message) = try operands()
        let answer = try Control().sendMessage(
            message, to: device, sector: sector, answerCapacity: Self.answerCapacity)
        try options.output.print(json: Record(answer: answer), text: answer)
    }
}
