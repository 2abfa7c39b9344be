import Glibc
import SystemPackage
import TestSupport
import Testing

/// A copy of the root that Docker 20.10.24 made, see `fixtures/docker-20.10-ext4`, for one test.
final class DockerRootFixture: Sendable {
    static let files = ProjectFolder.path.appending("fixtures/docker-20.10-ext4")

    /// The recorded devices: id and content of the metadata file.
    static let deviceCount = 13
    /// A layer that no other device was made from.
    static let leaf = "e111e19339885ad0f6a27e6fb06d421cfe495c9f63f2f83503332cfb24cf764c"
    /// A layer that others were made from.
    static let image = "c0cb3784467ed5530fee5da21fbc5fbb0a4e4d1f807b38a8490348554865027b"
    /// The number of the first thin device that Docker has never used.
    static let freshDeviceID = 44
    /// The transaction id of the pool.
    static let transactionID = 76

    let scratch: ScratchDirectory
    /// The driver's directory, `devicemapper`.
    let root: FilePath

    /// The archive unpacked, once for all tests.
    private static let unpacked = Result {
        let scratch = try ScratchDirectory()
        try Shell.run(
            """
            tar -C '\(scratch.path)' --xattrs --xattrs-include='*' --numeric-owner \
                -xf '\(files)/var-lib-docker.tar.xz' docker/devicemapper docker/image docker/containers
            """)
        return scratch
    }

    /// Copies the root.
    ///
    /// - Parameter hasContent: Whether the layers have their content; without, the data file has nothing but the superblock of
    ///   the base device's file system.
    init(hasContent: Bool) throws {
        let source = try Self.unpacked.get().appending("docker/devicemapper")
        scratch = try ScratchDirectory()
        root = scratch.appending("devicemapper")
        try Shell.run(
            """
            set -e
            mkdir --mode=700 '\(root)' '\(root)/devicemapper'
            cd '\(source)'
            cp --archive metadata mnt '\(root)'
            cp --archive ../image ../containers '\(scratch.path)'
            cp --archive --sparse=always devicemapper/metadata '\(root)/devicemapper'
            \(hasContent ? "cp --archive --sparse=always" : "cp --attributes-only") devicemapper/data '\(root)/devicemapper'
            truncate --size=2G '\(root)/devicemapper/data'
            # The block that the pool has for the first of the base device.
            dd if=devicemapper/data of='\(root)/devicemapper/data' bs=64k skip=770 seek=770 count=1 conv=notrunc status=none
            """)
    }

    deinit {
        do {
            let remains = try StoreRemains(of: root, storeID: nil)
            #expect(try remains.suspended() == [])
            let (status, output) = try runForStatus("shutdown")
            #expect(status == 0, "shutdown at the end of the test: \(output)")
            #expect(try remains.everything() == [], "after the shutdown at the end of the test")
        } catch {
            Issue.record(error, "at the end of the test")
        }
    }

    var metadata: FilePath { root.appending("metadata") }

    /// The prefix of the names of the root's devices.
    func devicePrefix() throws -> String {
        try Shell.run(
            """
            device=$(stat -c %d '\(root)')
            echo docker-$((device >> 8)):$((device & 255))-$(stat -c %i '\(root)')-
            """)
    }

    @discardableResult
    func run(_ arguments: String) throws -> String {
        try DMLayerCommand.run("--root '\(root)' \(arguments)")
    }

    func runForStatus(_ arguments: String) throws -> (status: Int, output: String) {
        try DMLayerCommand.runForStatus("--root '\(root)' \(arguments)")
    }

    func shutDown() throws { try run("shutdown") }

    /// A value of the printed JSON, found by somebody else's parser.
    func value(_ filter: String, of arguments: String, _ options: String = "") throws -> String {
        let json = try run("--json \(arguments)")
        return try Shell.run("jq --raw-output \(options) '\(filter)' <<'END'\n\(json)\nEND")
    }

    // MARK: The pool without dmlayer

    /// Sends messages to the pool as Docker would: with dmsetup, on loop devices.
    func sendPool(_ messages: String...) throws {
        try Shell.run(
            """
            set -e
            cd '\(root)/devicemapper'
            data=$(losetup --find --show data) metadata=$(losetup --find --show metadata)
            trap 'dmsetup remove fixture-pool; losetup --detach $data $metadata' EXIT
            dmsetup create fixture-pool --table "0 4194304 thin-pool $metadata $data 128 32768 1 skip_block_zeroing"
            \(messages.map { "dmsetup message fixture-pool 0 '\($0)'" }.joined(separator: "\n"))
            """)
    }

    /// The output of a command of the thin provisioning tools about the pool's metadata; `%` stands for the device.
    func askPoolMetadata(_ command: String) throws -> String {
        // These tools use direct I/O, which a tmpfs does not have and a loop device on it has.
        let command = command.split(separator: "%", omittingEmptySubsequences: false).joined(separator: "$device")
        return try Shell.run(
            """
            device=$(losetup --find --show --read-only '\(root)/devicemapper/metadata')
            trap 'losetup --detach $device' EXIT
            \(command)
            """)
    }

    /// The number and the count of mapped blocks of every thin device in the pool.
    func mappedBlocks() throws -> [String] {
        try askPoolMetadata("thin_ls --no-headers --format DEV,MAPPED_BLOCKS %").split(separator: "\n")
            .map { $0.split(separator: " ").joined(separator: " ") }.sorted()
    }

    /// The numbers of the thin devices in the pool, which must be in order.
    func thinDevices() throws -> [Int] {
        #expect(try askPoolMetadata("thin_check --quiet %").isEmpty)
        return try askPoolMetadata("thin_ls --no-headers --format DEV %")
            .split(whereSeparator: \.isWhitespace).compactMap { Int($0) }.sorted()
    }

    /// The numbers of the devices that have a metadata file.
    func registeredDevices() throws -> [Int] {
        try Shell.run(
            "cd '\(metadata)'; ls | grep -v -- -metadata | xargs cat | jq .device_id"
        ).split(separator: "\n").compactMap { Int($0) }.sorted()
    }

    /// A digest of all files of Docker's in the metadata directory, names that Docker skips left out.
    func metadataDigest() throws -> String {
        try Shell.run("cd '\(metadata)'; sha256sum *; stat -c '%n %a %u %g %Y' *")
    }

    /// Writes what Docker says before it changes the pool.
    func writeTransaction(open: Int, layer: String, device: Int) throws {
        try Shell.run(
            """
            printf '{"open_transaction_id":%s,"device_hash":"%s","device_id":%s}' \(open) '\(layer)' \(device) \
                > '\(metadata)/transaction-metadata'
            """)
    }

    /// Writes the metadata file of a device.
    func writeRecord(_ name: String, device: Int, isDeleted: Bool = false) throws {
        try Shell.run(
            """
            printf '{"device_id":%s,"size":1073741824,"transaction_id":77,"initialized":false,"deleted":%s}' \
                \(device) \(isDeleted) > '\(metadata)/\(name)'
            """)
    }

    // MARK: Content

    /// Compares what is below a directory with what was recorded of a device.
    ///
    /// - Returns: The lines that differ.
    func difference(of device: String, at directory: String) throws -> String {
        try Shell.run(
            """
            tar -xOf '\(Self.files)/manifests.tar.xz' './\(device).jsonl' | sort \
                > '\(scratch.path)/expected'
            python3 '\(Self.files)/manifest.py' '\(directory)' | sort > '\(scratch.path)/actual'
            test -s '\(scratch.path)/expected' && diff '\(scratch.path)/expected' '\(scratch.path)/actual' || test $? = 1
            """)
    }
}
