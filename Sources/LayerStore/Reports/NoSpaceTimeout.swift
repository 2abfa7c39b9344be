internal import BlockDevices
internal import SystemPackage

/// How long a write that needs a new block waits in a full pool: the parameter `no_space_timeout` of the kernel's module.
///
/// It is one for all pools, and anybody can change it at any time.
struct NoSpaceTimeout {
    /// The seconds; 0 means for ever, and `nil` that the kernel does not say it.
    let seconds: UInt64?

    /// The parameter as it is now.
    static var current: NoSpaceTimeout {
        // A kernel without the module loaded has no such parameter.
        let line = try? PseudoFile.readLine("/sys/module/dm_thin_pool/parameters/no_space_timeout")
        return NoSpaceTimeout(seconds: line.flatMap { UInt64($0) })
    }

    /// The end of a sentence about writes that wait.
    var words: String {
        switch seconds {
        case nil: ""
        case 0: ", for ever (no_space_timeout)"
        case let seconds?: ", and fail after \(seconds) s (no_space_timeout)"
        }
    }
}
