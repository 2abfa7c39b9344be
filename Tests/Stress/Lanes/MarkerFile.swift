import BlockDevices
import Glibc
import SystemCalls
import SystemPackage
import TestSupport

/// A small file whose content follows from its name, so that it can be recognised in every copy of a layer.
enum MarkerFile {
    static let prefix = "marker-"

    /// The content of a marker: 1 to 24 KiB.
    static func content(of name: String) -> [UInt8] {
        let sum = name.utf8.reduce(UInt64(7)) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        let length = 1024 + Int(sum % 23) * 1024 + Int(sum >> 32 % 512)
        let line = Array("\(name) \(sum)\n".utf8)
        return (0..<length).map { line[$0 % line.count] }
    }

    /// Writes a marker durably.
    static func write(_ name: String, in directory: FilePath) throws {
        let file = try FileDescriptor.open(
            directory.appending(name), .writeOnly, options: [.create, .truncate, .closeOnExec],
            permissions: .ownerReadWrite)
        try file.closeAfter {
            try file.writeAll(content(of: name))
            try systemCall { fsync(file.rawValue) }
        }
        let parent = try FileDescriptor.open(directory, .readOnly, options: [.directory, .closeOnExec])
        _ = try parent.closeAfter { try systemCall { fsync(parent.rawValue) } }
    }

    /// The markers of a directory: those that are whole, and those that are not.
    static func all(in directory: FilePath) throws -> (whole: Set<String>, torn: Set<String>) {
        var (whole, torn): (Set<String>, Set<String>) = ([], [])
        for name in try DirectoryListing.names(in: directory).map(\.string) {
            guard name.hasPrefix(prefix) else { continue }
            let text = try TextFile.read(directory.appending(name))
            if Array(text.utf8) == content(of: name) { whole.insert(name) } else { torn.insert(name) }
        }
        return (whole, torn)
    }

    /// A tar archive with one marker.
    static func archive(of name: String) -> [UInt8] {
        let content = content(of: name)
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int) {
            header.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
        }
        func octal(_ value: Int, _ width: Int) -> String {
            let digits = String(value, radix: 8)
            return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
        }
        put(name, at: 0)
        put(octal(0o644, 7), at: 100)
        put(octal(0, 7), at: 108)
        put(octal(0, 7), at: 116)
        put(octal(content.count, 11), at: 124)
        // A time of long ago, the same in every archive.
        put(octal(1_000_000_000, 11), at: 136)
        put("        0", at: 148)
        put("ustar", at: 257)
        put("00", at: 263)
        put(octal(header.reduce(0) { $0 + Int($1) }, 6) + "\0 ", at: 148)
        let filling = [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
        return header + content + filling + [UInt8](repeating: 0, count: 1024)
    }
}
