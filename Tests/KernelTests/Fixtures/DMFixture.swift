import DeviceMapper
import Glibc
import SystemPackage
import TestSupport
import Testing

/// Disks and mapped devices of one test, which go away with this object.
///
/// The names of the devices begin with a prefix of the fixture's own, so that it leaves those of others alone.
final class DMFixture: Sendable {
    let control: Control
    let prefix: String
    let scratch: ScratchDirectory

    init(transport: (any ControlTransport)? = nil) throws {
        control = Control(transport: try transport ?? KernelTransport())
        prefix = "test-\(UInt32.random(in: 0 ... .max))-"
        scratch = try ScratchDirectory()
    }

    deinit {
        // Those that others stand on go in a later round.
        for _ in 0..<8 {
            guard let devices = try? Control().devices(withPrefix: prefix), !devices.isEmpty else { return }
            for device in devices {
                _ = try? Control().resumeDevice(.name(device.name), options: [.noFlush, .skipLockFS])
                _ = try? Control().removeDevice(.name(device.name))
            }
        }
    }

    /// A name of the fixture's own.
    func name(_ suffix: String) throws -> DeviceName {
        try DeviceName(prefix + suffix)
    }

    /// Attaches a sparse file of `size` bytes to a loop device.
    ///
    /// - Returns: The number of the loop device.
    func disk(_ file: String, size: Int64 = 64 << 20) throws -> DeviceNumber {
        let text = try Shell.run(
            """
            truncate --size=\(size) '\(scratch.appending(file))'
            cat /sys/block/$(basename $(losetup --find --show '\(scratch.appending(file))'))/dev
            """)
        return try #require(DeviceNumber(text))
    }

    /// Makes an active device.
    @discardableResult
    func device(
        _ suffix: String, _ table: String, uuid: String? = nil, isReadOnly: Bool = false
    ) throws -> DeviceInformation {
        try control.activateDevice(
            name(suffix), uuid: uuid.map { try DeviceUUID($0) },
            table: MappingTable(parsing: table, isReadOnly: isReadOnly))
    }

    /// Removes a device that was closed just now.
    ///
    /// A program that another test starts has a copy of each descriptor of this process until it runs, so the device can be open
    /// for a moment more.
    func removeClosed(_ number: DeviceNumber) throws {
        try Patience.until {
            do throws(DeviceMapperError) {
                try control.removeDevice(.number(number))
                return true
            } catch {
                guard error.code == .busy else { throw error }
                return false
            }
        }
    }

    /// Makes an active thin pool of 64 MiB with blocks of 64 KiB.
    @discardableResult
    func pool(_ suffix: String, features: String = "0", lowWaterMark: Int = 0) throws -> DeviceInformation {
        let metadata = try disk("\(suffix)-metadata", size: 4 << 20)
        let data = try disk("\(suffix)-data")
        return try device(suffix, "0 131072 thin-pool \(metadata) \(data) 128 \(lowWaterMark) \(features)")
    }
}

/// The command `dmlayer` under test: `DMLAYER` in the environment, or the one that was built with the tests.
enum DMLayerCommand {
    static let path: FilePath = {
        unsafe getenv("DMLAYER").map { unsafe FilePath(platformString: $0) } ?? builtPrograms.appending("dmlayer")
    }()

    /// The folder of the programs that were built with the tests.
    static let builtPrograms: FilePath = {
        let ownPath = unsafe realpath("/proc/self/exe", nil)
        defer { unsafe free(ownPath) }
        let program = unsafe ownPath.map { unsafe FilePath(platformString: $0) } ?? ""
        return program.removingLastComponent()
    }()

    /// Runs it, with arguments that are written for the shell.
    @discardableResult
    static func run(_ arguments: String) throws -> String {
        try Shell.run("'\(path)' \(arguments)")
    }

    /// Runs it where it may fail.
    static func runForStatus(_ arguments: String) throws -> (status: Int, output: String) {
        try Shell.runForStatus("'\(path)' \(arguments)")
    }
}
