import DeviceMapper
import SystemPackage
import TestSupport
import Testing

/// A place for stores that are made by the command, in one directory with the devices that a test needs.
///
/// Shell scripts find the directory in `$S`. The root is `$S/place/root`, unless a test says otherwise.
final class InitFixture {
    let scratch: ScratchDirectory
    let root: FilePath

    /// The storage options of a small store.
    static let small =
        "dm.basesize=320m dm.loopdatasize=1g dm.loopmetadatasize=16m dm.fs=ext4 dm.min_free_space=1%"

    init() throws {
        scratch = try ScratchDirectory()
        root = scratch.appending("place/root")
        try shell("mkdir $S/place")
    }

    deinit {
        _ = try? shell(
            """
            for pass in 1 2 3 4; do
                for name in $(dmsetup ls | awk '/^(docker-|init-test)/ { print $1 }'); do dmsetup remove $name 2>/dev/null; done
            done
            """)
    }

    @discardableResult
    func shell(_ script: String) throws -> String {
        try Shell.run("S='\(scratch.path)'; LVM_SYSTEM_DIR=$S/lvm; export LVM_SYSTEM_DIR\n\(script)")
    }

    /// Runs the command `init` with storage options, which the shell may have to complete.
    func initialize(
        _ options: String, within prefix: String = "", root: String = "$S/place/root"
    ) throws -> (status: Int, output: String, time: Duration) {
        let arguments = options.split(separator: " ").map { "--storage-opt \"\($0)\"" }.joined(separator: " ")
        return try run("\(arguments) init", within: prefix, root: root)
    }

    /// Runs the command on the root.
    func run(
        _ arguments: String, within prefix: String = "", root: String = "$S/place/root"
    ) throws -> (status: Int, output: String, time: Duration) {
        var answer = (status: 0, output: "")
        let time = try ContinuousClock().measure {
            answer = try Shell.runForStatus(
                """
                S='\(scratch.path)'; LVM_SYSTEM_DIR=$S/lvm; export S LVM_SYSTEM_DIR
                timeout 60 \(prefix) '\(DMLayerCommand.path)' --root "\(root)" \(arguments)
                """)
        }
        return (answer.status, answer.output, time)
    }

    /// The active devices, the mounts below the place, and the files in it.
    func state() throws -> String {
        try shell(
            """
            dmsetup ls | sort; losetup --list --noheadings --output BACK-FILE | sort
            grep " $S/" /proc/self/mountinfo | cut -d ' ' -f 5 | sort
            find $S/place -printf '%P %y %l %m\\n' | sort
            """)
    }

    /// Makes a store with the options, uses it, and shuts it down.
    func proveRight(_ options: String, _ case: String, _ location: SourceLocation = #_sourceLocation) throws {
        let made = try initialize(options)
        #expect(made.status == 0 && made.output == "", "\(`case`): \(made.output)", sourceLocation: location)
        for arguments in ["create layer", "mount layer", "unmount layer", "shutdown"] {
            let (status, output, _) = try run(arguments)
            #expect(status == 0, "\(`case`): \(arguments): \(output)", sourceLocation: location)
        }
        if FilePath("\(root)/devicemapper/metadata").exists {
            // Both read with O_DIRECT, which a disk in memory does not have.
            let devices = try shell(
                """
                disk=$(losetup --find --show $S/place/root/devicemapper/metadata)
                thin_check --quiet $disk && thin_ls --no-headers -o DEV $disk | wc -l
                losetup --detach $disk
                """)
            #expect(devices == "2", "\(`case`)", sourceLocation: location)
        }
    }
}

extension FilePath {
    /// Whether something is at the path.
    var exists: Bool { (try? Stat(self)) != nil }
}
