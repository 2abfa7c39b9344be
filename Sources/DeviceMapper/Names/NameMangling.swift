/// How libdevmapper writes the characters of a name that udev's rules would escape.
///
/// udev splits the names of links at blanks and replaces other characters, so libdevmapper gives the kernel `\xNN` for every byte
/// outside `A-Z a-z 0-9 # + - . : = @ _`. DM uuids are written in the same way.
public enum NameMangling: String, Hashable, Sendable, CaseIterable {
    /// A text that is mangled already stays as it is, and every other text is mangled.
    case auto
    /// Every byte outside the set is mangled, the backslash of an escape as well.
    case hex
    /// Names go to the kernel as they are.
    case none

    /// Why a text cannot be mangled or unmangled.
    public enum Problem: Error, Hashable, Sendable {
        /// The text has escapes beside characters that should have been escaped.
        case isMixed
        /// The text was mangled more than once.
        case isMangledTwice
        /// The kernel's text has a character that should have been escaped.
        case hasForbiddenCharacters
    }

    /// The text for the kernel.
    ///
    /// - Throws: ``Problem/isMixed`` in the mode ``auto`` only.
    public func mangled(_ text: String) throws(Problem) -> String {
        guard self != .none else { return text }
        let bytes = Array(text.utf8)
        var result: [UInt8] = []
        var (escapes, mangled) = (0, 0)
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if self == .auto, Self.isEscape(bytes, at: index) {
                result += bytes[index..<index + 4]
                index += 4
                escapes += 1
                continue
            }
            if DeviceName.isPlain(byte) {
                result.append(byte)
            } else {
                result += Array("\\x\(Self.digits(byte))".utf8)
                mangled += 1
            }
            index += 1
        }
        if escapes > 0, mangled > 0 { throw .isMixed }
        return mangled == 0 ? text : String(decoding: result, as: UTF8.self)
    }

    /// The text for people, from the kernel's.
    ///
    /// - Throws: In the mode ``auto``, ``Problem/isMangledTwice`` or ``Problem/hasForbiddenCharacters``.
    public func unmangled(_ text: String) throws(Problem) -> String {
        guard self != .none else { return text }
        if text.utf8.allSatisfy(DeviceName.isPlain) { return text }
        let bytes = Array(text.utf8)
        if self == .auto { try check(bytes) }
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if Self.isEscape(bytes, at: index), let value = Self.value(bytes[index + 2], bytes[index + 3]) {
                result.append(value)
                index += 4
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// Checks that a name of the kernel is in the form that the mode ``auto`` gives it.
    private func check(_ bytes: [UInt8]) throws(Problem) {
        if String(decoding: bytes, as: UTF8.self).contains("\\x5cx") { throw .isMangledTwice }
        var index = 0
        while index < bytes.count {
            if Self.isEscape(bytes, at: index) {
                index += 4
            } else if DeviceName.isPlain(bytes[index]) {
                index += 1
            } else {
                throw .hasForbiddenCharacters
            }
        }
    }

    /// Whether `\xNN` begins at a place.
    private static func isEscape(_ bytes: [UInt8], at index: Int) -> Bool {
        index + 3 < bytes.count && bytes[index] == UInt8(ascii: "\\") && bytes[index + 1] == UInt8(ascii: "x")
            && value(bytes[index + 2], bytes[index + 3]) != nil
    }

    private static func value(_ high: UInt8, _ low: UInt8) -> UInt8? {
        let digits = String(decoding: [high, low], as: UTF8.self)
        guard digits.first != "+", digits.first != "-" else { return nil }
        return UInt8(digits, radix: 16)
    }

    private static func digits(_ byte: UInt8) -> String {
        (byte < 0x10 ? "0" : "") + String(byte, radix: 16)
    }
}
