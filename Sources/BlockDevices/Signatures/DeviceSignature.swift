/// How a kind of content marks a block device: a row of the table of all content that is recognised.
///
/// The table has every name that libblkid has for the content of a whole device, and more. Its rows follow three rules:
/// * Magic bytes of four bytes or more suffice. Damaged content is content too, so no checksums are compared.
/// * Shorter magic bytes, which random data has once in some thousand devices, need fields around them that make sense.
/// * A device that `wipefs` shows as empty is empty here too, unless it holds damaged content with long magic bytes or one
///   of the few things that `wipefs` does not know.
package struct DeviceSignature: Sendable {
    /// The names that libblkid has for this content; empty where libblkid does not know it.
    package let names: [String]
    /// The name of the content, to complete “the device holds …”.
    package let description: String

    /// The smallest device that can hold it, in bytes.
    let minimumSize: UInt64
    /// The magic bytes; one of them suffices.
    let places: [SignaturePlace]
    /// Looks at the fields around the magic bytes.
    let isPlausible: @Sendable (SignedStructure) throws -> Bool

    init(
        _ names: [String], _ description: String, minimumSize: UInt64 = 0, _ places: [SignaturePlace],
        isPlausible: @escaping @Sendable (SignedStructure) throws -> Bool = { _ in true }
    ) {
        self.names = names
        self.description = description
        self.minimumSize = minimumSize
        self.places = places
        self.isPlausible = isPlausible
    }

    func isFound(on device: DeviceBytes) throws -> Bool {
        guard device.size >= minimumSize else { return false }
        return try places.contains { place in
            guard let start = place.position.offset(on: device.size), device.size - start >= place.end else {
                return false
            }
            let structure = SignedStructure(device: device, start: start)
            return try structure.has(place.magic, place.magicOffset) && isPlausible(structure)
        }
    }
}

/// Where magic bytes are.
struct SignaturePlace: Sendable {
    enum Position: Sendable {
        case fromStart(UInt64)
        /// So far before the end of the device, whose size is first rounded down to a multiple of `unit`.
        case beforeEnd(UInt64, unit: UInt64)

        /// The offset on a device of a size; `nil` when the device is too small.
        func offset(on size: UInt64) -> UInt64? {
            switch self {
            case .fromStart(let offset):
                return offset <= size ? offset : nil
            case .beforeEnd(let distance, let unit):
                let end = size / unit * unit
                return distance <= end ? end - distance : nil
            }
        }
    }

    /// Where the structure begins that has the magic bytes.
    let position: Position
    /// Where in it they are.
    let magicOffset: UInt64
    let magic: Magic

    /// A structure at an offset from the start of the device.
    init(_ start: UInt64, _ magicOffset: UInt64, _ magic: Magic) {
        self.init(.fromStart(start), magicOffset, magic)
    }

    /// A structure that begins `distance` bytes before the end of the device.
    init(beforeEnd distance: UInt64, unit: UInt64 = 512, _ magicOffset: UInt64, _ magic: Magic) {
        self.init(.beforeEnd(distance, unit: unit), magicOffset, magic)
    }

    private init(_ position: Position, _ magicOffset: UInt64, _ magic: Magic) {
        self.position = position
        self.magicOffset = magicOffset
        self.magic = magic
    }

    /// How far behind the beginning of the structure the magic bytes end.
    var end: UInt64 { magicOffset + UInt64(magic.bytes.count) }

    /// How many bytes at its end of the device hold the magic bytes.
    var reach: UInt64 {
        switch position {
        case .fromStart(let start): start + end
        case .beforeEnd(let distance, let unit): distance + unit
        }
    }
}
