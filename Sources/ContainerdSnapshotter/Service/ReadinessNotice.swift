#if Daemon
internal import SystemCalls

/// Tells the service manager how far the service is: systemd's protocol of one datagram.
enum ReadinessNotice {
    /// Sends `state` to the socket that `NOTIFY_SOCKET` names; without one nobody wants to know.
    static func send(_ state: String) {
        guard let value = unsafe getenv("NOTIFY_SOCKET") else { return }
        var path = Array(unsafe String(cString: value).utf8)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard let first = path.first, path.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
        // A name that no file has begins with a zero.
        if first == UInt8(ascii: "@") { path[0] = 0 }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path) }
        let length = MemoryLayout<sa_family_t>.size + path.count
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let message = Array(state.utf8)
        unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                _ = unsafe sendto(descriptor, message, message.count, 0, pointer, socklen_t(length))
            }
        }
    }
}
#endif
