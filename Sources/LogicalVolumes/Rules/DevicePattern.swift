internal import SystemCalls

/// A regular expression of lvm2's `devices/filter`: an extended one without repetition counts, searched for anywhere in a
/// path.
@safe final class DevicePattern: @unchecked Sendable {
    // It is written to only while it is made; regexec(3) may be called by several threads.
    private let compiled: UnsafeMutablePointer<regex_t>

    /// Compiles an expression; `nil` when it is none.
    init?(_ text: String) {
        guard let translated = Self.translated(Array(text.utf8)) else { return nil }
        unsafe compiled = UnsafeMutablePointer<regex_t>.allocate(capacity: 1)
        unsafe compiled.initialize(to: regex_t())
        guard unsafe regcomp(compiled, translated, REG_EXTENDED | REG_NOSUB) == 0 else {
            // The end of the object frees what is there, and a failed expression has nothing.
            unsafe compiled.initialize(to: regex_t())
            return nil
        }
    }

    deinit {
        unsafe regfree(compiled)
        unsafe compiled.deallocate()
    }

    func matches(_ path: String) -> Bool { unsafe regexec(compiled, path, 0, nil, 0) == 0 }

    /// The expression in the form of the C library: braces are no repetition counts for lvm2, and a backslash between
    /// brackets escapes.
    private static func translated(_ text: [UInt8]) -> String? {
        var result: [UInt8] = []
        var rest = text[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "{"), UInt8(ascii: "}"): result += [UInt8(ascii: "\\"), byte]
            case UInt8(ascii: "\\"):
                guard let next = rest.popFirst() else { return nil }
                result += literal(unescaped(next))
            case UInt8(ascii: "["):
                guard let set = takeSet(&rest) else { return nil }
                result += set
            default: result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func unescaped(_ byte: UInt8) -> UInt8 {
        switch byte {
        case UInt8(ascii: "n"): UInt8(ascii: "\n")
        case UInt8(ascii: "r"): UInt8(ascii: "\r")
        case UInt8(ascii: "t"): UInt8(ascii: "\t")
        default: byte
        }
    }

    private static func literal(_ byte: UInt8) -> [UInt8] {
        ".[]{}()*+?|^$\\".utf8.contains(byte) ? [UInt8(ascii: "\\"), byte] : [byte]
    }

    /// Takes a set up to its closing bracket, and gives it as a choice of single characters.
    private static func takeSet(_ rest: inout ArraySlice<UInt8>) -> [UInt8]? {
        var isNegated = false
        if rest.first == UInt8(ascii: "^") {
            isNegated = true
            rest.removeFirst()
        }
        var members: Set<UInt8> = []
        var last: UInt8?
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "]") { return encoded(members, isNegated) }
            if byte == UInt8(ascii: "-"), let first = last, let end = rest.popFirst() {
                members.formUnion(min(first, end)...max(first, end))
                last = end
                continue
            }
            guard byte != UInt8(ascii: "\\") || !rest.isEmpty else { return nil }
            let member = byte == UInt8(ascii: "\\") ? unescaped(rest.removeFirst()) : byte
            members.insert(member)
            last = member
        }
        return nil
    }

    private static func encoded(_ members: Set<UInt8>, _ isNegated: Bool) -> [UInt8]? {
        guard members.allSatisfy({ (1..<128).contains($0) }), !members.isEmpty else { return nil }
        // Where these three stand they are themselves.
        let bracket = UInt8(ascii: "]")
        let hat = UInt8(ascii: "^")
        let dash = UInt8(ascii: "-")
        let plain = members.subtracting([bracket, hat, dash, UInt8(ascii: "[")]).sorted()
        var set: [UInt8] = members.contains(bracket) ? [bracket] : []
        set += plain
        if members.contains(UInt8(ascii: "[")) { set.append(UInt8(ascii: "[")) }
        if members == [hat], !isNegated { return literal(hat) }
        if members.contains(hat) { set.append(hat) }
        if set == [hat], !isNegated { set = [dash, hat] } else if members.contains(dash) { set.append(dash) }
        return [UInt8(ascii: "[")] + (isNegated ? [hat] : []) + set + [bracket]
    }
}
