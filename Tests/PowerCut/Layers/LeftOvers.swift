import SystemPackage
import TestSupport

extension [String] {
    /// Adds a fault if a command does not end with status 0.
    mutating func check(_ what: String, _ command: String) {
        do {
            let (status, output) = try Shell.runForStatus(command)
            if status != 0 { append("\(what): “\(command)” ended with status \(status): \(output)") }
        } catch {
            append("\(what): \(error)")
        }
    }
}

/// The objects that a store must not leave behind when it is shut down.
enum LeftOvers {
    /// The commands that find nothing wrong, each with what it is about.
    static func checks(of root: FilePath) -> [(what: String, command: String)] {
        [
            ("mapped devices", "test \"$(dmsetup ls)\" = 'No devices found'"),
            ("loop devices", "test -z \"$(losetup --list --noheadings)\""),
            ("the pool's metadata", "thin_check '\(root)/devicemapper/metadata'"),
            // The numbers of the thin devices, by the pool's metadata and by the layers' files.
            (
                "thin devices and layers",
                """
                cd '\(root)/metadata'
                ls -A | grep -E '^[.](removed|tmp)' && exit 1
                thin_ls --no-headers -o DEV ../devicemapper/metadata | tr -d ' ' | sort > /tmp/devices
                find . -type f ! -name '.*' ! -name '*-metadata' | xargs jq .device_id | sort > /tmp/layers
                diff /tmp/devices /tmp/layers
                """
            ),
        ]
    }
}
