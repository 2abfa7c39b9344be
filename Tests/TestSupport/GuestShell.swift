public import SystemPackage

/// The shell with an environment of its own, and several ways to look at what a script says.
public struct GuestShell: Sendable {
    /// Commands that come before each script, such as `export`.
    public let prelude: String

    /// Makes a shell whose scripts begin with `prelude`.
    public init(prelude: String = "") {
        self.prelude = prelude
    }

    /// Runs a script that must succeed.
    ///
    /// - Returns: Its standard output and standard error.
    @discardableResult
    public func run(_ script: String) throws -> String {
        try Shell.run("\(prelude)\n\(script)")
    }

    /// Runs a script that may fail.
    ///
    /// - Returns: Its standard output and standard error, with a line “status N” at the end if the status is not 0.
    public func everything(_ script: String) throws -> String {
        let (status, output) = try Shell.runForStatus("\(prelude)\n\(script)")
        guard status != 0 else { return output }
        return output.isEmpty ? "status \(status)" : "\(output)\nstatus \(status)"
    }

    /// Runs a script that may fail.
    ///
    /// - Returns: Its standard output.
    public func output(_ script: String) throws -> String {
        try Shell.runForStatus("exec 2> /dev/null\n\(prelude)\n\(script)").output
    }

    /// Runs a script that may fail.
    ///
    /// - Returns: Its standard error, with a line “status N” at the end if the status is not 0.
    public func complaints(_ script: String) throws -> String {
        try everything("{ \(script)\n} > /dev/null")
    }

    /// Whether a script ends with status 0.
    public func succeeds(_ script: String) throws -> Bool {
        try Shell.runForStatus("\(prelude)\n\(script)").status == 0
    }
}

extension GuestShell {
    /// A shell that finds the programs of an lvm2 that is unpacked in a folder, with a configuration of its own.
    ///
    /// - Parameters:
    ///   - folder: The folder of lvm2.
    ///   - configuration: The folder of the configuration, which is made if it is not there.
    public static func lvm2(in folder: FilePath, configuration: FilePath) throws -> GuestShell {
        let libraries = try Shell.run("find '\(folder)' -name '*.so.*' -printf '%h\\n' | sort -u | paste -sd :")
        try Shell.run(
            """
            mkdir -p '\(configuration)'
            [ -e '\(configuration)/lvm.conf' ] || cat > '\(configuration)/lvm.conf' <<'C'
            devices { use_devicesfile=0 scan=["/dev"] }
            activation { udev_sync=0 udev_rules=0 monitoring=0 }
            C
            """)
        return GuestShell(
            prelude: """
                export PATH='\(folder)/sbin':$PATH LD_LIBRARY_PATH='\(libraries)' DM_DISABLE_UDEV=1
                export LVM_SUPPRESS_FD_WARNINGS=1 LVM_SYSTEM_DIR='\(configuration)'
                """)
    }

    /// The tables, names and uuids of the devices of the pool `docker/thinpool`; empty when none is active.
    public func poolDevices() throws -> String {
        try output(
            """
            dmsetup table | grep '^docker-thinpool' | sed 's/ *$//'
            dmsetup info -c --noheadings -o name,uuid | grep '^docker-thinpool'
            """)
    }
}
