#if Daemon
import Glibc
import Logging
import SystemPackage
import Testing

@testable import ContainerdSnapshotter

/// The lines of the service's log, and a reader that does not read.
struct ServiceLogTests {
    @Test func doesNotWaitForItsReader() throws {
        let pipe = try FileDescriptor.pipe(options: .closeOnExec)
        let log = ServiceLog(isJSON: false, isVerbose: true, output: pipe.writeEnd).logger
        let start = ContinuousClock.now
        let count = 4000
        let filling = String(repeating: "x", count: 1000)
        for number in 0..<count { log.info("\(filling)", metadata: ["number": "\(number)"]) }
        #expect(ContinuousClock.now - start < .seconds(10))

        // Once it is read again, it goes on, and says what is missing.
        var text: [UInt8] = []
        var (lines, missing) = (0, 0)
        var buffer = [UInt8](repeating: 0, count: 65536)
        while missing == 0 {
            let length = try unsafe buffer.withUnsafeMutableBytes { unsafe try pipe.readEnd.read(into: $0) }
            text += buffer[..<length]
            log.info("again")
            let read = String(decoding: text, as: UTF8.self).split(separator: "\n")
            guard let notice = read.first(where: { $0.contains("lines of this log are missing") }) else { continue }
            lines = read.count { $0.contains("number=") }
            missing = Int(notice.split(separator: "\"").last ?? "") ?? 0
        }
        #expect(lines + missing >= count && lines < count && missing < count)
    }
}
#endif
