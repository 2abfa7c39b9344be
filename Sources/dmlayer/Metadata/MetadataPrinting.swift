internal import ArgumentParser
internal import SystemPackage
internal import ThinProvisioning

/// A range of data blocks, written as 5..45 without the last.
struct BlockRange: ExpressibleByArgument {
    let blocks: Range<UInt64>

    init?(argument: String) {
        guard let dots = argument.firstRange(of: ".."), let low = UInt64(argument[..<dots.lowerBound]),
            let high = UInt64(argument[dots.upperBound...]), low < high
        else { return nil }
        blocks = low..<high
    }
}

/// Prints the owners of data blocks, a line for each.
enum OwnerPrinting {
    static func print(_ owners: [ThinDataOwner], to output: Output) throws {
        try output.printList(owners) { owner in
            JSONValue.object([
                "data_begin": .number(owner.dataBlocks.lowerBound), "data_end": .number(owner.dataBlocks.upperBound),
                "device": .number(UInt64(owner.device.value)), "thin_begin": .number(owner.thinBlock),
            ])
        } line: { owner in
            let end = owner.thinBlock + UInt64(owner.dataBlocks.count)
            return Array(
                ("data \(owner.dataBlocks.lowerBound)..\(owner.dataBlocks.upperBound) -> "
                    + "thin(\(owner.device)) \(owner.thinBlock)..\(end)").utf8)
        }
    }
}

/// Prints the differences of two devices as XML.
enum DeltaPrinting {
    static func print(
        _ metadata: ThinPoolMetadata, from left: ThinDeltaSide, to right: ThinDeltaSide, isVerbose: Bool,
        includesEqual: Bool
    ) throws {
        var writer = ThinDeltaXMLWriter(isVerbose: isVerbose) { _ = try FileDescriptor.standardOutput.writeAll($0) }
        writer.begin(metadata.header, from: left, to: right)
        try metadata.delta(from: left, to: right, includesEqual: includesEqual) { try writer.add($0) }
        try writer.end()
    }
}
