import SystemPackage
import TestSupport
import Testing

/// Commands about metadata write over nothing that is in use, and over nothing that is their own input.
@Suite(.serialized) struct MetadataOutputTests {
    private let scratch: ScratchDirectory

    /// Makes metadata of a pool, with the mark that it must be checked, its description, and a file system that is mounted from
    /// a loop device.
    init() throws {
        scratch = try ScratchDirectory()
        try run(
            """
            xz -dc '\(ProjectFolder.path)/fixtures/thin-metadata/metadata.xz' > metadata
            '\(DMLayerCommand.path)' metadata dump metadata > xml
            python3 - <<'MARK'
            block = bytearray(open("metadata", "rb").read(4096))
            block[4] |= 1
            checksum = 0xffffffff
            for byte in block[4:]:
                checksum ^= byte
                for _ in range(8): checksum = checksum >> 1 ^ (0x82f63b78 if checksum & 1 else 0)
            block[0:4] = (checksum ^ 160774).to_bytes(4, "little")
            with open("metadata", "r+b") as file: file.write(block)
            MARK
            truncate --size=16M fs && mkfs.ext4 -q fs && mkdir mounted && mount -o loop fs mounted
            findmnt --noheadings --output SOURCE --target mounted > loop
            losetup --find --show metadata > metadata-loop
            ln -s metadata soft && ln metadata hard
            mkdir names
            for name in thin_check thin_dump thin_restore thin_repair; do ln -s '\(DMLayerCommand.path)' names/$name; done
            """)
    }

    @discardableResult
    private func run(_ script: String) throws -> String {
        try Shell.run("set -e; cd '\(scratch.path)'; PATH=$PATH:'\(scratch.path)/names'\n\(script)")
    }

    private func cleanUp() throws {
        try run("losetup --detach $(cat metadata-loop); umount mounted")
    }

    @Test(
        arguments: [
            "$D metadata dump --output metadata metadata", "$D metadata dump --output soft metadata",
            "$D metadata dump --output hard metadata", "names/thin_dump -o metadata metadata",
            "$D metadata dump --output metadata $(cat metadata-loop)",
            "$D metadata dump --output $(cat metadata-loop) xml",
            "$D metadata dump --output $(cat metadata-loop) metadata", "$D metadata dump --output $(cat loop) metadata",
            "$D metadata dump --output fs metadata", "names/thin_dump -o $(cat loop) metadata",
            "names/thin_dump -r -o metadata metadata", "$D metadata restore --force -i xml -o ./xml",
            "names/thin_restore -i xml -o xml", "names/thin_restore -i xml -o fs",
            "names/thin_restore -i xml -o $(cat loop)",
            "names/thin_repair -i metadata -o fs", "names/thin_repair -i metadata -o hard",
            "$D metadata repair --force -i metadata -o $(cat metadata-loop)",
            "$D metadata repair --force -i metadata -o fs", "$D metadata check --clear-needs-check metadata",
            "names/thin_check --clear-needs-check-flag metadata",
            "$D metadata renew-clock metadata --backup backup",
            "$D metadata repair -i metadata --in-place --backup backup",
        ])
    func keepsWhatIsInUseAndItsInput(command: String) throws {
        let output = try run(
            """
            D='\(DMLayerCommand.path)'
            sum() { sync; md5sum metadata xml fs; }
            before=$(sum)
            \(command) > answer 2>&1 && echo "status 0"
            test "$(sum)" = "$before" || echo changed
            test ! -e backup || echo backup
            cat answer
            """.replacing("set -e", with: ""))
        #expect(!output.contains("status 0"), "\(output)")
        #expect(!output.contains("changed") && !output.contains("backup"), "\(output)")
        try cleanUp()
    }

    /// A backup that could not be completed is not left, and its name is free.
    @Test func leavesNoBackupThatIsNotComplete() throws {
        let output = try run(
            """
            losetup --detach $(cat metadata-loop)
            mkdir small && mount -t tmpfs -o size=200k none small
            before=$(md5sum < metadata)
            for command in "renew-clock metadata" "repair -i metadata --in-place"; do
                ! '\(DMLayerCommand.path)' metadata $command --backup small/backup 2>&1
            done
            ls -A small
            test "$(md5sum < metadata)" = "$before"
            umount small; umount mounted
            """)
        #expect(output.split(separator: "\n").count == 2, "\(output)")
        #expect(output.contains("cannot write the backup small/backup: No space left on device"), "\(output)")
    }
}
