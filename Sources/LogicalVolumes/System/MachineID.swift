internal import BlockDevices
internal import SystemPackage

/// The machine's id of systemd, in the form that is lvm2's own.
enum MachineID {
    /// lvm2's id as an application of systemd's.
    private static let application: [UInt8] = [
        0xf6, 0x44, 0x06, 0x83, 0x2c, 0x21, 0x40, 0xe8, 0xac, 0x54, 0x22, 0xd1, 0x08, 0x9a, 0xae, 0x03,
    ]

    /// The id in 32 hexadecimal digits: systemd's keyed hash of the application with the machine's id as the key, as
    /// `sd_id128_get_machine_app_specific` makes it.
    ///
    /// - Returns: `nil` when the file in `directory` has no id.
    static func ofLVM(in directory: FilePath) -> String? {
        // Without an id there is no name, and groups with a name are then refused.
        guard let line = try? PseudoFile.readLine(directory.appending("machine-id")), line.utf8.count == 32 else {
            return nil
        }
        let digits = line.utf8.compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
        guard digits.count == 32 else { return nil }
        let machine = stride(from: 0, to: 32, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
        var id = Array(SHA256.keyedHash(of: application, key: machine).prefix(16))
        // It is marked as a random uuid.
        id[6] = id[6] & 0x0f | 0x40
        id[8] = id[8] & 0x3f | 0x80
        let hexadecimal = Array("0123456789abcdef".utf8)
        return String(
            decoding: id.flatMap { [hexadecimal[Int($0 >> 4)], hexadecimal[Int($0 & 15)]] }, as: UTF8.self)
    }
}

/// The hash of FIPS 180-4, for short texts.
enum SHA256 {
    private static let primes = (2...311).filter { number in !(2..<number).contains { number % $0 == 0 } }

    /// The first 32 bits behind the point of a root, found by bisection: the standard defines its constants so.
    private static func fraction(ofRoot degree: Int, of prime: Int) -> UInt32 {
        var low: UInt64 = 0
        var high: UInt64 = 18 << 32
        while high - low > 1 {
            let middle = (low + high) / 2
            // middle stands for middle / 2^32; its power is compared exactly, in 256 bits at most.
            let square = middle.multipliedFullWidth(by: middle)
            let isBelow: Bool
            if degree == 2 {
                isBelow = square.high < UInt64(prime)
            } else {
                let lower = square.low.multipliedFullWidth(by: middle)
                let upper = square.high.multipliedFullWidth(by: middle)
                let (sum, overflow) = upper.low.addingReportingOverflow(lower.high)
                let power = (upper.high + (overflow ? 1 : 0)) << 32 | sum >> 32
                isBelow = power < UInt64(prime)
            }
            if isBelow { low = middle } else { high = middle }
        }
        return UInt32(truncatingIfNeeded: low)
    }

    private static let rounds = primes.prefix(64).map { fraction(ofRoot: 3, of: $0) }
    private static let start = primes.prefix(8).map { fraction(ofRoot: 2, of: $0) }

    /// The hash of some bytes.
    static func hash(of bytes: [UInt8]) -> [UInt8] {
        var message = bytes + [0x80]
        message += [UInt8](repeating: 0, count: (120 - message.count % 64) % 64)
        let bits = UInt64(bytes.count) * 8
        message += (0..<8).map { UInt8(truncatingIfNeeded: bits >> (56 - 8 * $0)) }
        var state = start
        for block in stride(from: 0, to: message.count, by: 64) {
            mix(Array(message[block..<block + 64]), into: &state)
        }
        return state.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - 8 * UInt32($0))) } }
    }

    private static func mix(_ block: [UInt8], into state: inout [UInt32]) {
        func turned(_ word: UInt32, _ first: UInt32, _ second: UInt32) -> UInt32 {
            (word >> first | word << (32 - first)) ^ (word >> second | word << (32 - second))
        }
        var words = (0..<16).map { index in block[index * 4..<index * 4 + 4].reduce(0) { $0 << 8 | UInt32($1) } }
        for index in 16..<64 {
            let early = turned(words[index - 15], 7, 18) ^ words[index - 15] >> 3
            let late = turned(words[index - 2], 17, 19) ^ words[index - 2] >> 10
            words.append(words[index - 16] &+ early &+ words[index - 7] &+ late)
        }
        var work = state
        for index in 0..<64 {
            let choice = work[4] & work[5] ^ ~work[4] & work[6]
            let sum = turned(work[4], 6, 11) ^ (work[4] >> 25 | work[4] << 7)
            let first = work[7] &+ sum &+ choice &+ rounds[index] &+ words[index]
            let majority = work[0] & work[1] ^ work[0] & work[2] ^ work[1] & work[2]
            let second = (turned(work[0], 2, 13) ^ (work[0] >> 22 | work[0] << 10)) &+ majority
            work = [first &+ second, work[0], work[1], work[2], work[3] &+ first, work[4], work[5], work[6]]
        }
        for index in state.indices { state[index] &+= work[index] }
    }

    /// The hash of RFC 2104 with a key of at most 64 bytes.
    static func keyedHash(of bytes: [UInt8], key: [UInt8]) -> [UInt8] {
        let key = key + [UInt8](repeating: 0, count: max(0, 64 - key.count))
        return hash(of: key.map { $0 ^ 0x5c } + hash(of: key.map { $0 ^ 0x36 } + bytes))
    }
}
