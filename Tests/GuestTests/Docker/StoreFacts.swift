import SystemPackage
import TestSupport

/// Everything that can be seen of a store, as texts that do not depend on its place.
final class StoreFacts {
    private let shell: GuestShell
    private let home: FilePath
    /// The prefix of the names of the store's devices.
    private let prefix: String
    private let pool: String
    /// The number of the pool's device.
    private let poolNumber: String
    private(set) var facts: [(name: String, text: String)] = []

    /// - Parameter home: The folder of the store, whose pool is active.
    init(_ home: FilePath, _ shell: GuestShell) throws {
        self.home = home
        self.shell = shell
        let status = try Stat(home)
        let device = status.deviceID.rawValue
        prefix = "docker-\(device >> 8 & 0xfff):\(device & 0xff)-\(status.inode.rawValue)"
        pool = try shell.run("dmsetup ls | awk '$1 ~ /-pool$/ { print $1 }'")
        poolNumber = try Self.number(of: pool, shell)
    }

    private static func number(of device: String, _ shell: GuestShell) throws -> String {
        try shell.run("dmsetup info --columns --noheadings --separator : -o major,minor '\(device)'")
    }

    private func jq(_ filter: String, _ file: String, _ options: String = "--sort-keys") throws -> String {
        try shell.run("jq \(options) '\(filter)' '\(home)/metadata/\(file)'")
    }

    /// Keeps a fact; the store's own names and places have words instead.
    private func keep(_ name: String, _ text: String) {
        facts.append((name, text.replacing(prefix, with: "PREFIX").replacing(home.string, with: "HOME")))
    }

    // MARK: The pool

    /// The file behind the loop device with a number, and the device's settings.
    private func behind(_ number: Substring) throws -> String {
        let loop = "/sys/dev/block/\(number)"
        let names = [
            "loop/backing_file", "ro", "size", "loop/autoclear", "loop/offset", "loop/sizelimit", "loop/partscan",
            "loop/dio", "queue/logical_block_size",
        ]
        return try names.map { "\($0)=\(try Shell.run("cat '\(loop)/\($0)'"))" }.joined(separator: " ")
    }

    func keepPool() throws {
        keep("name", pool)
        var words = try shell.run("dmsetup table '\(pool)'").split(separator: " ")
        guard words.count > 5 else { throw CheckError("the pool has no table") }
        let (metadata, data) = (words[3], words[4])
        (words[3], words[4]) = ("METADATA", "DATA")
        keep("table", words.joined(separator: " "))
        keep("devices", "\(try behind(metadata))\n\(try behind(data))")
        var status = try shell.run("dmsetup status '\(pool)'").split(separator: " ")
        if status.count > 3 { status[3] = "TRANSACTION" }
        keep("status", status.joined(separator: " "))
    }

    /// The rows of `docker info`.
    func keepRows(_ rows: String) throws {
        // No more is available than the file system below the files has left, which changes from moment to moment.
        let rest = Int(try shell.run("findmnt --bytes --noheadings --output AVAIL --target '\(home)'").joinedWords) ?? 0
        let vague = try ["data", "metadata"].filter {
            try Stat(home.appending("devicemapper/\($0)")).size >= Int64(rest)
        }
        let lines = rows.split(separator: "\n").map { line -> String in
            if line.hasPrefix("Library Version: ") { return "Library Version: …" }
            for name in vague {
                let title = "\(name.prefix(1).uppercased())\(name.dropFirst()) Space Available: "
                if line.hasPrefix(title) { return title + "…" }
            }
            guard let place = String(line).places(of: "file: /dev/loop").first else { return String(line) }
            let bytes = Array(line.utf8)
            let end = bytes[(place + 15)...].prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }.endIndex
            return String(decoding: bytes[..<(place + 6)] + Array("LOOP".utf8) + bytes[end...], as: UTF8.self)
        }
        keep("rows", lines.joined(separator: "\n"))
    }

    // MARK: The base device

    func keepBase() throws {
        keep("base", try jq("del(.created, .format) | .transaction_id |= type", "base"))
        keep("device-set", try jq("del(.BaseDeviceUUID)", "deviceset-metadata"))
        let sectors = (Int(try jq(".size", "base")) ?? 0) / 512
        let device = try jq(".device_id", "base")
        try shell.run("dmsetup create --readonly probe --table '0 \(sectors) thin \(poolNumber) \(device)'")
        func tag(_ name: String) throws -> String {
            try shell.run("blkid --probe --match-tag \(name) --output value /dev/mapper/probe")
        }
        let kept = try jq(".BaseDeviceUUID", "deviceset-metadata", "--raw-output")
        let isKept = "the UUID is kept: \(try tag("UUID") == kept)"
        switch try tag("TYPE") {
        case "ext4":
            let times = [
                "Filesystem UUID", "Filesystem created", "Last mount", "Last write", "Last checked",
                "Directory Hash Seed", "Checksum", "Lifetime", "Journal checksum", "Journal sequence",
            ]
            let lines = try shell.output("dumpe2fs -h /dev/mapper/probe").lines.filter { line in
                !times.contains { line.hasPrefix($0) }
            }
            keep("file-system", "\(isKept)\n\(lines.joined(separator: "\n"))")
        default: keep("file-system", "\(isKept)\n\(try shell.run("xfs_info /dev/mapper/probe"))")
        }
        try shell.run("dmsetup remove probe")
    }

    // MARK: Layers

    /// - Parameter layers: Three layers, of which the last is mounted.
    func keepLayers(_ layers: [String]) throws {
        guard let image = layers.first, let container = layers.last else { return }
        let number = try Self.number(of: "\(prefix)-\(container)", shell)
        keep(
            "layers",
            try layers.map {
                try jq("del(.created, .parent, .format) | .transaction_id |= type", $0, "--compact-output --sort-keys")
            }.joined(separator: "\n"))
        keep(
            "thin-table",
            try shell.run("dmsetup table '\(prefix)-\(container)'").replacing(" \(poolNumber) ", with: " POOL "))
        let mount = "\(home)/mnt/\(container)"
        keep("mount", try shell.run("findmnt --noheadings --output FSTYPE,OPTIONS,FSROOT '\(mount)'"))
        keep("content", try shell.run("find '\(mount)' -maxdepth 1 -printf '%P %y %m %U:%G\\n' | sort"))
        let id = try TextFile.read(FilePath("\(mount)/id")).joinedWords
        keep("id", id == image ? "the first that was mounted" : id)
        // Only XFS has this file. -1 is Docker's, and 0 ours.
        let minor = number.split(separator: ":").last ?? ""
        let retries = try shell.output("cat '/sys/fs/xfs/dm-\(minor)/error/metadata/ENOSPC/max_retries'")
        keep("retries", retries == "-1" ? "0" : retries)
    }

    /// Keeps the files on the disk when nothing runs.
    func keepFiles() throws {
        keep(
            "files",
            try shell.run(
                """
                stat --format '. %F %a %u:%g' '\(home)'
                (cd '\(home)' && find . -mindepth 1 ! -name transaction-metadata ! -name store.json ! -name lock \
                    ! -name '.reserved-device-ids.*' ! -path './metadata/*[0-9a-f]*[0-9a-f]*[0-9a-f]*' \
                    -printf '%P %y %m %U:%G\\n' | sort)
                (cd '\(home)/devicemapper' && stat --format '%n %s bytes' data metadata)
                """))
    }
}

extension String {
    /// The text with a word in the place of another one.
    func replacing(_ word: String, with other: String) -> String {
        var (result, rest): ([UInt8], ArraySlice<UInt8>) = ([], Array(utf8)[...])
        let pattern = Array(word.utf8)
        while !rest.isEmpty {
            if !pattern.isEmpty, rest.starts(with: pattern) {
                result += other.utf8
                rest = rest.dropFirst(pattern.count)
            } else if let byte = rest.popFirst() {
                result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
