#if Images
import SystemPackage
import TestSupport

@testable import Images

/// The files of a layer, their archive by GNU tar, and a record of the archive that Python wrote.
final class RecordedLayer {
    private let scratch: ScratchDirectory
    let files: FilePath
    let archive: FilePath
    let record: FilePath

    init() throws {
        scratch = try ScratchDirectory()
        files = scratch.appending("files")
        archive = scratch.appending("layer.tar")
        record = scratch.appending("tar-split.json.gz")
        try Shell.run(
            """
            set -e
            mkdir -p '\(files)/etc' '\(files)/real'
            cd '\(files)'
            echo root > etc/passwd
            head -c 100000 /dev/urandom > big
            : > empty
            printf x > "$(printf 'not-utf8-\\377')"
            ln -s /real link
            echo behind > real/file
            tar --format=pax -cf '\(archive)' .
            python3 '\(ProjectFolder.path)/Tests/ImagesTests/record.py' '\(archive)' '\(record)'
            """)
    }

    /// Runs commands in the folder of the files.
    func change(_ commands: String) throws { try Shell.run("set -e; cd '\(files)'; \(commands)") }

    /// Makes the archive again.
    func rebuild() throws -> (bytes: [UInt8], outcome: LayerRebuild.Outcome) {
        let root = try FileDescriptor.open(files, .readOnly, options: [.directory, .closeOnExec])
        return try root.closeAfter {
            var bytes: [UInt8] = []
            let outcome = try LayerRebuild(tarSplit: record).write(from: root) { piece in
                for index in piece.indices { bytes.append(piece[index]) }
            }
            return (bytes, outcome)
        }
    }
}
#endif
