import SystemPackage
import TestSupport

/// Makes the sandbox a machine for daemons that run containers.
enum GuestMachine {
    /// Makes a disk with an ext4, as a machine has one, and mounts it.
    ///
    /// - Parameters:
    ///   - size: The size in the form of `truncate`, as `4G`.
    ///   - directory: The mount point, which is made if it is missing.
    ///   - options: Mount options beside `loop`, each with a comma before it.
    static func makeDisk(_ size: String, at directory: String, options: String = "") throws {
        try Shell.run(
            """
            set -e
            truncate -s \(size) /run/disk
            mkfs.ext4 -qF -E nodiscard,lazy_itable_init=1 /run/disk
            mkdir -p '\(directory)'
            mount -o 'loop\(options)' /run/disk '\(directory)'
            """)
    }

    /// Mounts the first version of the control groups.
    static func mountControlGroups() throws {
        try Shell.run(
            """
            set -e
            mount -t tmpfs tmpfs /sys/fs/cgroup
            for controller in cpu cpuacct blkio memory devices freezer net_cls pids; do
                mkdir "/sys/fs/cgroup/$controller"
                mount -t cgroup -o "$controller" "$controller" "/sys/fs/cgroup/$controller"
            done
            """)
    }

    /// Puts a copy of /etc in its place.
    ///
    /// An ordinary user, and so the sandbox, may not be able to read all of it.
    static func makeConfigurationsWritable() throws {
        try Shell.run("cp -a /etc /run/etc 2> /dev/null || true; mount --bind /run/etc /etc")
    }
}

extension GuestShell {
    /// A shell that finds programs that are unpacked in a folder, with their own libraries.
    ///
    /// A newer C library, where the folder has one, must be everybody's: all of its files belong together.
    static func unpacked(_ folder: FilePath) throws -> GuestShell {
        try Shell.run(
            """
            for file in '\(folder)'/usr/lib/x86_64-linux-gnu/*.so*; do
                [ ! -e "/lib/x86_64-linux-gnu/${file##*/}" ] ||
                    /run/kernel/busybox mount --bind "$file" "/lib/x86_64-linux-gnu/${file##*/}"
            done
            """)
        let libraries = try Shell.run("find '\(folder)' -name '*.so.*' -printf '%h\\n' | sort -u | paste -sd :")
        return GuestShell(
            prelude: """
                export PATH='\(folder)/usr/bin':'\(folder)/usr/sbin':'\(folder)/sbin':$PATH
                export LD_LIBRARY_PATH='\(libraries)'
                """)
    }
}
