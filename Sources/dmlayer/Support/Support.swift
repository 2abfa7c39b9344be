internal import ArgumentParser
internal import LayerArchive
internal import LayerStore
internal import SystemPackage

/// The command `support`.
struct Support: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "support", abstract: "Write one archive with what a report of a fault needs.",
        discussion: """
            It has the output of this program's commands about the store, the pool and all mapped devices; the kernel's \
            version and the lines of its log about storage; the mounts of mapped devices and loop devices; and what \
            “config check” says. It has the names of layers and snapshots, and neither keys of encrypted devices nor \
            anything that is in a layer. A command that has not ended after a minute is killed, and its file says so.

            The store is only read. A pool that is not active is activated for reading, and taken down again.
            """)

    @Option(name: .shortAndLong, help: ArgumentHelp("The archive (tar).", valueName: "file"))
    var output = "dmlayer-support.tar"

    @OptionGroup var options: GlobalOptions

    func run() throws {
        var bundle = SupportBundle()
        bundle.addDevices()
        do {
            try addStore(to: &bundle)
        } catch {
            bundle.add("store.txt", "The store cannot be asked: \(error)\n")
        }
        bundle.addKernel()
        bundle.addConfiguration(options.config)
        let file = OutputFile(FilePath(output), permissions: .ownerReadWrite)
        try file.write { try bundle.write(to: $0) }
        try options.output.print(
            json: JSONValue.object(["file": .text(output), "parts": .texts(bundle.names)]),
            text:
                "\(output) has \(bundle.names.count) files. Look through them before you send it: names of layers are in it."
        )
    }

    private func addStore(to bundle: inout SupportBundle) throws {
        let root = try options.rootPath()
        let store = try LayerStore(opening: root, options: options.allStorageOptions(), access: .readOnly)
        bundle.addMounts(below: root)
        let words = ["--root", root.string] + storeWords
        do throws(LayerStoreError) {
            let wasActive = try store.isPoolActive()
            bundle.addCommands(words + ["--read-only"])
            if !wasActive { bundle.takePoolDown(words) }
        } catch {
            // A pool that is active for writing answers those who may write, and only them.
            guard error.code == .busy else { throw error }
            bundle.addCommands(words)
        }
    }

    /// The words that give another call of this program the same options of the store.
    private var storeWords: [String] {
        (options.config.map { ["--config", $0] } ?? []) + options.storageOptions.flatMap { ["--storage-opt", $0] }
    }
}
