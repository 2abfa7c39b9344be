import SystemPackage
import TestSupport
import Testing

@testable import BlockDevices

@Suite struct BlockDeviceTests {
    @Test(arguments: [
        ("/nonexistent", BlockDeviceError.Code.notFound, "it does not exist (ENOENT)"),
        ("/proc", .notABlockDevice, "a block device is needed, this is a directory"),
        ("/proc/self/status", .notABlockDevice, "a block device is needed, this is a regular file"),
        ("/dev/null", .notABlockDevice, "a block device is needed, this is a character device"),
    ])
    func refusesWhatIsNoBlockDevice(path: String, code: BlockDeviceError.Code, reason: String) {
        #expect { try BlockDevice(FilePath(path)) } throws: {
            ($0 as? BlockDeviceError)?.code == code && "\($0)" == "cannot open \(path): \(reason)"
        }
    }

    @Test func doesNotWaitForTheOtherEndOfAFIFO() throws {
        let scratch = try ScratchDirectory()
        try Shell.run("mkfifo \(scratch.appending("fifo"))")
        #expect { try BlockDevice(scratch.appending("fifo")) } throws: {
            ($0 as? BlockDeviceError)?.code == .notABlockDevice
        }
    }

    @Test(arguments: [
        (Errno.resourceBusy, BlockDeviceError.Code.inUse, "it is in use (EBUSY)"),
        (.permissionDenied, .notPermitted, "permission denied (EACCES)"),
        (.readOnlyFileSystem, .readOnly, "it is read-only (EROFS)"),
        (.notSupported, .notSupported, "it does not support this (EOPNOTSUPP)"),
        (.ioError, .failed, "Input/output error (errno 5)"),
    ])
    func namesErrors(errno: Errno, code: BlockDeviceError.Code, meaning: String) {
        let error = BlockDeviceError("flush", "/dev/x", errno, detail: "so")
        #expect(error.code == code)
        #expect(error.description == "cannot flush /dev/x: \(meaning): so")
    }

    @Test func readsPseudoFilesWhole() throws {
        #expect(try PseudoFile.readLine("/proc/sys/kernel/osrelease") == Shell.run("uname -r"))
        #expect(try String(decoding: PseudoFile.read("/proc/filesystems"), as: UTF8.self).hasSuffix("\n"))
        #expect(throws: Errno.noSuchFileOrDirectory) { try PseudoFile.read("/proc/nonexistent") }
        #expect(throws: Errno.isDirectory) { try PseudoFile.read("/proc") }
    }
}
