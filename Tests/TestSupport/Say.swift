import SystemPackage

/// Writes a line to the standard output at once, also where that is a pipe and the program may be killed.
public func say(_ line: String) {
    // Without a reader there is nobody to tell.
    _ = try? FileDescriptor.standardOutput.writeAll("\(line)\n".utf8)
}
